"""What one client may take of us: connections, commands, time."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailkeep.config import Lmtp
from mailkeep_mxd import replies
from mailkeep_mxd.listeners import RunningMxd
from mailkeep_mxd.patience import Patience
from mailkeep_mxd.replies import Reply
from mxd.conversation import Conversation, Line, conversation
from mxd.house import House, open_door, settings_for

GREETED: tuple[Line, ...] = (("LHLO mta.test", "220", "250-"),)
OPEN_DATA: tuple[Line, ...] = (
    *GREETED,
    ("MAIL FROM:<>", "250"),
    ("RCPT TO:<a@here.test>", "250"),
    ("DATA", "354"),
)


async def test_attack_029_one_client_cannot_take_all_connections(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"max_connections_per_client": 2, "max_connections": 3})
    async with open_door(settings, house) as mxd:
        async with conversation(mxd.lmtp) as first, conversation(mxd.smtp) as second:
            await first.play(GREETED)
            await second.hear("220")
            async with conversation(mxd.lmtp) as third, conversation(mxd.lmtp, client_ip="127.0.0.2") as other:
                await third.hear("421 4.7.0", "")
                await other.play(GREETED)
                async with conversation(mxd.lmtp, client_ip="127.0.0.3") as fourth:
                    await fourth.hear("421 4.7.0", "")
            await first.play([("QUIT", "221", "")])
        async with conversation(mxd.lmtp) as again:
            await again.hear("220")


async def test_clients_of_a_unix_socket_are_not_one_client(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"listen": f"unix:{tmp_path}/lmtp", "max_connections_per_client": 1})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as first, conversation(mxd.lmtp) as second:
        await first.hear("220")
        await second.hear("220")


async def test_connections_that_are_reset_at_once_leave_nothing(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path, lmtp={"max_connections": 1}), house) as mxd:
        host, port = mxd.lmtp.rsplit(":", 1)
        with capture_logs() as logs:
            for _ in range(200):
                with socket.create_connection((host, int(port))) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(b"XFORWARD NAME=x\r\n")
            await place_is_free(mxd)
        assert {entry["log_level"] for entry in logs} <= {"debug", "info", "warning"}


async def test_a_session_of_too_many_commands_ends_between_messages(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"max_commands": 5})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-"), ("MAIL FROM:<>", "250"), ("NOOP", "250"), ("NOOP", "250")])
        await talk.play([("RCPT TO:<a@here.test>", "250"), ("NOOP", "250"), ("DATA", "354"), (".", "250", "421 4.7.0")])
        assert await talk.reply() == ""
    assert len(await house.messages()) == 1


async def test_a_session_ends_in_time_however_busy_it_is(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"session_timeout_s": 1})
    async with (
        open_door(settings, house) as mxd,
        conversation(mxd.lmtp) as idle,
        conversation(mxd.lmtp) as busy,
        conversation(mxd.lmtp) as sending,
    ):
        await sending.play(OPEN_DATA)
        await busy.play(GREETED)
        reply = ""
        while not reply.startswith("421"):
            await busy.say("NOOP")
            reply = await busy.reply()
            await asyncio.sleep(0.01)
        assert reply.startswith("421 4.4.2")
        await idle.hear("220", "421 4.4.2", "")
        await sending.play([("Subject: last\r\n\r\n.", "250", "421 4.4.2", "")])
    assert [message.subject for message in await house.messages()] == ["last"]


async def drip(talk: Conversation, data: bytes, every_s: float) -> None:
    for byte in data:
        await talk.say_raw(bytes((byte,)))
        await asyncio.sleep(every_s)


async def test_attack_028_a_message_byte_by_byte_is_given_up(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"data_timeout_s": 0.3, "data_min_bytes_per_s": 100})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as slow, conversation(mxd.lmtp) as steady:
        await slow.play(OPEN_DATA)
        await steady.play(OPEN_DATA)
        dripping = asyncio.create_task(drip(slow, b"x" * 1000, 0.02))
        hearing = asyncio.create_task(slow.hear("421 4.4.2 the message arrives too slowly"))
        for _ in range(60):  # at many times the rate, and for longer than the time that is given to all
            await steady.say_raw(b"x" * 38 + b"\r\n")
            await asyncio.sleep(0.02)
        await steady.play([(".", "250"), ("NOOP", "250")])
        await hearing
        assert await slow.rest_of_bytes() == b""
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    assert len(await house.messages()) == 1


async def test_attack_028_a_command_byte_by_byte_is_given_up(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"idle_timeout_s": 0.3})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.hear("220")
        dripping = asyncio.create_task(drip(talk, b"N" * 400, 0.02))
        await talk.hear("421 4.4.2 nothing arrived")
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_client_that_reads_nothing_is_given_up(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"idle_timeout_s": 0.3, "max_connections": 1})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as deaf:
        await deaf.play(GREETED)
        try:
            async with asyncio.timeout(5):
                while True:
                    await deaf.say_raw(b"HELP\r\n" * 20_000)
        except (ConnectionError, TimeoutError):
            await place_is_free(mxd)


async def place_is_free(mxd: RunningMxd) -> None:
    async with asyncio.timeout(10):
        while True:
            async with conversation(mxd.lmtp) as talk:
                if (await talk.reply()).startswith("220"):
                    return
            await asyncio.sleep(0.05)


def given_up_after_s(rate_bytes_per_s: float, size_bytes: int, *, step_s: float = 10) -> tuple[float, Reply] | None:
    """When a sender at that rate is given up, with the default settings; None when its message arrives."""
    patience = Patience(Lmtp(), 0.0)
    patience.begin_content()
    now = received = 0.0
    patience.wait(now)
    while received < size_bytes:
        now += step_s
        before, received = received, min(size_bytes, received + rate_bytes_per_s * step_s)
        left_s, reply = patience.left(now, int(received))
        if left_s <= 0:
            return now, reply
        if received // 65_536 > before // 65_536:  # a chunk is whole
            patience.go_on(now)
            patience.wait(now)
    return None


@pytest.mark.parametrize(
    ("rate_bytes_per_s", "size_bytes", "arrives"),
    [
        (0.1, 1_000, False),  # attack case 28
        (10_240, 36_700_160, True),
        (2_400, 900_000, True),
        (2_400, 1_200_000, False),
        (500, 36_700_160, False),
    ],
)
def test_slow_links_as_documented(rate_bytes_per_s: float, size_bytes: int, *, arrives: bool) -> None:
    end = given_up_after_s(rate_bytes_per_s, size_bytes)
    assert (end is None) is arrives
    if end is not None:
        assert 300 <= end[0] <= 700
        assert end[1] in {replies.TOO_SLOW, replies.IDLE_TOO_LONG}
        assert str(end[1]).startswith("421 4.4.2")


def test_our_own_work_is_not_the_clients_time() -> None:
    patience = Patience(Lmtp(), 0.0)
    patience.begin_content()
    patience.wait(0.0)
    patience.go_on(100.0)
    assert patience.left(100_000.0, 0)[0] > 0
    patience.wait(100_000.0)
    assert patience.left(100_199.0, 0) == (1.0, replies.TOO_SLOW)
