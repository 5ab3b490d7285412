"""Killed at any point of a message's way, mxd loses nothing that it acknowledged, and stores nothing twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from mailkeep.domain.scope import Actor
from mxd.conversation import Conversation, conversation
from mxd.house import open_door, open_house, settings_for
from mxd.mortal import POINTS

TESTS: Final = Path(__file__).parents[1]


@asynccontextmanager
async def mortal_mxd(directory: Path, point: str) -> AsyncIterator[str]:
    """Where it listens. It is dead when the block ends, by its own hand."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mxd.mortal", str(directory), point,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TESTS)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            line = b""
            while not line.startswith(b"LMTP "):
                line = await process.stdout.readline()
                assert line, "it did not start"
            yield line.decode().split()[1]
            await process.stdout.read()
            assert await process.wait() == -9
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def send(talk: Conversation, queue_id: str, content: bytes, recipients: list[str]) -> list[str]:
    """Those whose copy was acknowledged, when the connection held until then or not."""
    await talk.play([("LHLO mx.test", "220", "250-"), (f"XFORWARD ADDR=192.0.2.1 IDENT={queue_id}", "250")])
    await talk.play([("MAIL FROM:<s@x.test>", "250")])
    await talk.play([(f"RCPT TO:<{recipient}>", "250") for recipient in recipients])
    try:
        await talk.say("DATA")
        if not (await talk.reply()).startswith("354"):
            return []
        await talk.say_raw(content + b".\r\n")
        replies = [await talk.reply() for _ in recipients]
    except ConnectionError:
        return []
    return [recipient for recipient, reply in zip(recipients, replies, strict=True) if reply.startswith("250")]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.timeout(1_800)
async def test_attack_063_killed_at_a_point(
    furnished: tuple[Path, Actor], tmp_path: Path, point: str, *, full_size: bool
) -> None:
    furniture, actor = furnished
    shutil.copytree(furniture, tmp_path, dirs_exist_ok=True)
    recipients = ["a@here.test", "b@here.test"]
    runs = 60 if full_size else 1
    # Large enough for a file of its own while it arrives, and small enough to wait in memory.
    sizes = [(300_000, 10)[number % 2] for number in range(runs)]
    contents = [f"Subject: {number}\r\n\r\n{'x' * size}\r\n".encode() for number, size in enumerate(sizes)]
    for number, content in enumerate(contents):
        async with mortal_mxd(tmp_path, point) as place, conversation(place) as talk:
            acknowledged = await send(talk, f"4Xkilled{number}", content, recipients)
        async with open_house(tmp_path, actor) as house:
            there = [message.address for message in await house.messages() if message.subject == str(number)]
            assert set(acknowledged) <= set(there)
            # Postfix keeps the others, and sends to them again.
            rest = [recipient for recipient in recipients if recipient not in acknowledged]
            async with open_door(settings_for(tmp_path), house) as mxd, conversation(mxd.lmtp) as talk:
                assert await send(talk, f"4Xkilled{number}", content, rest) == rest
            messages = [message for message in await house.messages() if message.subject == str(number)]
            assert sorted(message.address for message in messages) == recipients
            assert [await house.source(message) for message in messages] == [content, content]
