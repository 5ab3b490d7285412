"""Starting, stopping, and the limits of a process."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import uvloop

from mailkeep.errors import ConfigurationError
from mailkeep_mxd.feed import LocalSource
from mailkeep_mxd.listeners import run_mxd
from mxd.conversation import Line, conversation
from mxd.house import House, furnish, open_door, open_house, settings_for

OPEN_DATA: tuple[Line, ...] = (
    ("LHLO mta.test", "220", "250-"),
    ("MAIL FROM:<>", "250"),
    ("RCPT TO:<a@here.test>", "250"),
    ("DATA", "354"),
)


def test_it_runs_on_uvloop(tmp_path: Path) -> None:
    async def run() -> None:
        actor = await furnish(tmp_path)
        async with open_house(tmp_path, actor) as house:
            async with open_door(settings_for(tmp_path), house) as mxd, conversation(mxd.lmtp) as talk:
                await talk.play([*OPEN_DATA, ("x" * 1_000_000 + "\r\n..\r\n.", "250"), ("QUIT", "221", "")])
            (message,) = await house.messages()
            assert (await house.source(message)).endswith(b"x\r\n.\r\n")

    uvloop.run(run())


async def test_a_port_in_use_is_said_in_one_line(house: House, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = settings_for(tmp_path, lmtp={"listen": f"127.0.0.1:{other.getsockname()[1]}"})
        with pytest.raises(ConfigurationError, match=r"^port in use: .*lmtp\.listen$"):
            async with open_door(settings, house):
                pass


@pytest.mark.parametrize("listen", ["192.0.2.1:8024", "no-such-host.invalid:8024", "unix:/no/such/directory/lmtp", "x"])
async def test_what_cannot_be_listened_on_is_said_in_one_line(house: House, tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        async with open_door(settings_for(tmp_path, lmtp={"listen": listen}), house):
            pass
    assert "\n" not in str(caught.value)


async def test_mail_without_a_database_is_refused_at_start(house: House, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        async with run_mxd(settings_for(tmp_path), None, LocalSource(house.core.recipients), smtp=False):
            pass


async def test_a_unix_socket_and_the_one_a_killed_process_left(house: House, tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    settings = settings_for(tmp_path, lmtp={"listen": f"unix:{path}"})
    async with open_door(settings, house) as mxd:
        assert mxd.lmtp == f"unix:{path}"
        async with conversation(mxd.lmtp) as talk:
            await talk.play([*OPEN_DATA, (".", "250")])
        with pytest.raises(ConfigurationError, match="port in use"):
            async with open_door(settings, house):
                pass
        assert path.exists()
    assert not path.exists()


async def test_connections_beyond_the_limit_are_told_so(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"max_connections": 2})
    async with open_door(settings, house) as mxd:
        async with conversation(mxd.lmtp) as first, conversation(mxd.lmtp) as second:
            await first.hear("220")
            await second.hear("220")
            async with conversation(mxd.lmtp) as third:
                await third.hear("421 4.7.0", "")
            await first.play([("QUIT", "221", "")])
        async with conversation(mxd.lmtp) as fourth:
            await fourth.hear("220")


async def test_an_idle_client_is_told_so(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"idle_timeout_s": 0.3})
    async with (
        open_door(settings, house) as mxd,
        conversation(mxd.lmtp) as idle,
        conversation(mxd.lmtp) as slow,
        conversation(mxd.lmtp) as busy,
    ):
        await slow.play(OPEN_DATA)
        await busy.hear("220")
        for _ in range(4):  # attack case 28: a byte now and then is not a line, and not a chunk
            await slow.say_raw(b"x")
            await asyncio.sleep(0.05)
            await busy.play([("NOOP", "250")])
        await idle.hear("220", "421 4.4.2", "")
        await slow.hear("421 4.4.2")
        await busy.hear("421 4.4.2", "")
    assert await house.messages() == []


async def test_stopping_finishes_what_is_under_way(house: House, tmp_path: Path) -> None:
    stopped = asyncio.Event()
    ready = asyncio.Event()

    async def run() -> None:
        async with open_door(settings_for(tmp_path), house) as mxd:
            places.append(mxd.lmtp)
            ready.set()
            await stopped.wait()

    places: list[str] = []
    running = asyncio.create_task(run())
    await ready.wait()
    async with conversation(places[0]) as idle, conversation(places[0]) as busy:
        await idle.hear("220")
        await busy.play(OPEN_DATA)
        stopped.set()
        await idle.hear("421 4.3.2", "")
        with pytest.raises(ConnectionRefusedError):
            async with conversation(places[0]):
                pass
        await busy.play([("Subject: last\r\n\r\n.", "250 2.0.0", "421 4.3.2", "")])
    async with asyncio.timeout(5):
        await running
    assert [message.subject for message in await house.messages()] == ["last"]
