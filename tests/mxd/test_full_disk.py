"""A disk that is really full, at whatever page that happens: refused for now, nothing half stored, nothing lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from journeys.stored import look
from mailkeep.domain.scope import Actor
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, open_house, settings_for
from services.disk import SmallDisk, small_disk
from services.required import required

# A small mail waits in memory until it ends; of a large one, and of attachments, files are written meanwhile.
BODIES = {
    "small": "x",
    "large": "x" * 30_000 + "\r\n" + "".join(f"{number:08x}" for number in range(30_000)),
    "attached": (
        "--b\r\nContent-Type: application/pdf\r\n\r\n" + "".join(f"{number:08x}" for number in range(20_000)) + "\r\n"
        "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--"
    ),
}


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with ExitStack() as stack:
        yield required(stack, small_disk(tmp_path / "disk", size_bytes=24 * 1024 * 1024))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_attack_065_the_disk_is_full_at_any_page(
    full_disk: SmallDisk,
    furnished: tuple[Path, Actor],
    body: str,
    report_measured: Callable[[str], None],
    *,
    full_size: bool,
) -> None:
    """Each mail is sent with a little more room than the one before, until one finds enough."""
    furniture, actor = furnished
    shutil.copytree(furniture, full_disk.path, dirs_exist_ok=True)
    answers = Counter[str]()
    async with open_house(full_disk.path, actor) as house, open_door(settings_for(full_disk.path), house) as mxd:
        with capture_logs() as logs:
            async with conversation(mxd.lmtp) as talk:
                await talk.play([("LHLO mta.test", "220", "250-")])
                for number, free_pages in enumerate(range(0, 400, 1 if full_size else 3)):
                    full_disk.fill(free_pages=free_pages)
                    reply = await deliver(talk, number, body)
                    answers[reply] += 1
                    full_disk.make_room()
                    if reply == "250 2.0.0":
                        break
                    assert await received(house, number, body) == []
                    assert await deliver(talk, number, body) == "250 2.0.0"
                    assert await received(house, number, body) == ["a@here.test", "b@here.test"]
        assert await received(house, number, body) == ["a@here.test", "b@here.test"]
    assert set(answers) == {"250 2.0.0", "451 4.3.0"}
    alarms = {entry.get("system_says") for entry in logs if entry["log_level"] == "error"}
    assert alarms == {os.strerror(errno.ENOSPC), None}  # a file was too large, and SQLite's was, which names no errno
    assert {entry["event"] for entry in logs if entry["log_level"] == "error"} == {"message.deferred"}
    assert list((full_disk.path / "blobs" / "tmp").iterdir()) == []
    assert (await look(f"sqlite+aiosqlite:///{full_disk.path}/mailkeep.db", full_disk.path / "blobs")).half == ()
    report_measured(f"with {free_pages} pages there was room enough; {dict(answers)}")


async def deliver(talk: Conversation, number: int, body: str) -> str:
    """One mail for two, under a queue id of its own; the one reply that both get."""
    head = (
        f"Received: by mx.test (Postfix, from userid 0) id 4Xfull{number}; Tue, 24 Nov 2026 09:30:00 +0000\r\n"
        f'Subject: {number}\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    )
    await talk.play([("MAIL FROM:<s@x.test>", "250")])
    await talk.play([(f"RCPT TO:<{name}@here.test>", "250") for name in "ab"])
    await talk.play([("DATA", "354")])
    await talk.say(f"{head}{body}\r\n.")
    first, second = [" ".join((await talk.reply()).split()[:2]) for _ in range(2)]
    assert first == second
    return first


async def received(house: House, number: int, body: str) -> list[str]:
    """Who has the mail, whole."""
    found = [message for message in await house.messages() if message.subject == str(number)]
    for message in found:
        assert (await house.source(message)).endswith(f"\r\n\r\n{body}\r\n".encode())
    return [message.address for message in found]
