"""The answers are the same in whatever pieces a conversation comes, and in the table whatever is said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mailkeep.bootstrap import open_core
from mailkeep.domain.scope import Actor
from mailkeep_mxd import replies
from mailkeep_mxd.listeners import RunningMxd
from mxd.house import House, open_door, settings_for

# A session with everything in it: a refused sender, refused recipients, look-alike ends, an empty message, garbage.
SESSION: Final = (
    b"LHLO mta.test\r\n"
    b"XFORWARD NAME=sender.test ADDR=192.0.2.1 PROTO=ESMTP\r\nXFORWARD IDENT=4Xabc12345\r\n"
    b"MAIL FROM:<a@b@c>\r\nMAIL FROM:<s@x.test> SIZE=100\r\nRCPT TO:<a@here.test>\r\nRCPT TO:<nobody@here.test>\r\n"
    b"RCPT TO:<B@here.test>\r\nDATA\r\n"
    b"Subject: one\r\n\r\n..\r\n...\r\n\n.\n\r.\r\r\n.\nQUIT\n.\r\nMAIL FROM:<x@y.test>\r\n\0\r\n.\r\n"
    b"NOOP\r\nWIZ\r\nVRFY a\r\n\r\nRSET\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<c@here.test>\r\nDATA\r\n.\r\n"
    b"MAIL FROM:<>\r\nRSET\r\nHELP\r\nQUIT\r\n"
)
ANSWERS: Final = (
    "220", "250-", "250-", "250-", "250-", "250-", "250-", "250", "250", "250", "501", "250", "250", "550", "250",
    "354", "250", "250", "250", "500", "252", "500", "250", "250", "250", "354", "250", "250", "250", "214", "221",
)  # fmt: skip

# MAILKEEP_TEST_FULL=1 says more.
EXAMPLES: Final = 5_000 if os.environ.get("MAILKEEP_TEST_FULL") == "1" else 150
CUTS = st.lists(st.integers(1, len(SESSION) - 1), max_size=30, unique=True).map(sorted)


class Room:
    """A house and its door on a loop of their own: hypothesis calls a test many times, and it is not a coroutine."""

    def __init__(self, directory: Path, actor: Actor) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._stop: asyncio.Event
        self.mxd: RunningMxd
        self._runner.run(self._open(directory, actor))

    def play(self, pieces: list[bytes]) -> bytes:
        """What is heard until the end, when each piece has been sent on its own."""
        with capture_logs() as logs:
            heard = self._runner.run(self._exchange(pieces))
        assert not [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
        return heard

    def ask(self, data: bytes) -> bytes:
        """What the policy listener answers."""
        with capture_logs() as logs:
            heard = self._runner.run(self._send(self.mxd.policy, [data]))
        assert not [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
        return heard

    def close(self) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _open(self, directory: Path, actor: Actor) -> None:
        self._stop, opened = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._serve(directory, actor, opened))
        await opened.wait()

    async def _serve(self, directory: Path, actor: Actor, opened: asyncio.Event) -> None:
        limits = {"max_errors": 1000, "max_message_bytes": 100_000, "max_connections_per_client": 500}
        tiers = {"free": {"addresses": 500, "received_per_hour": 1_000_000, "storage_mb": 10_000}}
        roomy = settings_for(directory, lmtp=limits, tiers=tiers)
        async with open_core(roomy) as core, open_door(roomy, House(core, actor)) as self.mxd:
            opened.set()
            await self._stop.wait()

    async def _close(self) -> None:
        self._stop.set()
        await self._task

    async def _exchange(self, pieces: list[bytes]) -> bytes:
        return await self._send(self.mxd.lmtp, pieces)

    async def _send(self, place: str, pieces: list[bytes]) -> bytes:
        host, port = place.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        heard = bytearray()

        async def listen() -> None:
            with contextlib.suppress(ConnectionError):
                while piece := await asyncio.wait_for(reader.read(65_536), 10):
                    heard.extend(piece)

        listening = asyncio.create_task(listen())
        with contextlib.suppress(OSError):  # it was closed while we still spoke
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            writer.write_eof()
        await listening
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        return bytes(heard)


@pytest.fixture(scope="module")
def room(furnished: tuple[Path, Actor], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    furniture, actor = furnished
    directory = tmp_path_factory.mktemp("room")
    shutil.copytree(furniture, directory, dirs_exist_ok=True)
    room = Room(directory, actor)
    yield room
    room.close()


def codes(heard: bytes) -> tuple[str, ...]:
    """The beginnings of the lines, `250-` for one that is not the last of its reply."""
    return tuple(line[:4].rstrip() for line in heard.decode().split("\r\n")[:-1])


def test_the_whole_session_at_once(room: Room) -> None:
    assert codes(room.play([SESSION])) == ANSWERS


def test_byte_by_byte(room: Room) -> None:
    assert codes(room.play([bytes((byte,)) for byte in SESSION])) == ANSWERS


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(CUTS)
def test_any_pieces_get_the_same_answers(room: Room, cuts: list[int]) -> None:
    pieces = [SESSION[start:end] for start, end in zip([0, *cuts], [*cuts, len(SESSION)], strict=True)]
    assert room.play(pieces) == room.play([SESSION])


IN_TABLE: Final = frozenset(str(reply) for reply in replies.ALL)
OTHER_LINES: Final = re.compile(
    r"220 door\.test LMTP Mailkeep|250[- ]door\.test|250 2\.0\.0 <[^<>\x00-\x20]+> stored"
    r"|250[- ](PIPELINING|ENHANCEDSTATUSCODES|8BITMIME|SMTPUTF8|XFORWARD [A-Z ]+|SIZE 100000)"
)

WORDS = st.sampled_from(
    [
        b"LHLO ", b"EHLO ", b"HELO ", b"MAIL ", b"FROM:", b"RCPT ", b"TO:", b"<a@here.test>", b"<nobody@here.test>",
        b"<>", b"<", b">", b'"', b"\\", b"@", b"+", b" SIZE=", b"1", b"99999999999", b" BODY=8BITMIME", b" SMTPUTF8",
        b"DATA", b"RSET", b"NOOP", b"VRFY ", b"HELP", b"QUIT", b"STARTTLS", b"XFORWARD ", b"NAME=", b"ADDR=", b"IDENT=",
        b"[UNAVAILABLE]", b"+0D+0A", b"BDAT 10 LAST", b"GET / HTTP/1.1", b"mta.test", b"\r\n", b"\r\n", b"\r\n",
        b"\r\n.\r\n", b".", b"\n", b"\r", b"\0", b" ", b"\xff", b"\xc3\xa4", b"\x16\x03\x01", b"Subject: x", b"x" * 600,
    ]
)  # fmt: skip
LINES = st.sampled_from(
    [
        b"LHLO mta.test\r\n", b"MAIL FROM:<>\r\n", b"MAIL FROM:<s@x.test> SIZE=7\r\n", b"RCPT TO:<a@here.test>\r\n",
        b"RCPT TO:<B+tag@here.test>\r\n", b"DATA\r\n", b".\r\n", b"RSET\r\n", b"XFORWARD NAME=x IDENT=4Xabc123\r\n",
    ]
)  # fmt: skip
SPEECH = st.tuples(
    st.sampled_from([b"", b"LHLO mta.test\r\n"]),
    st.lists(st.one_of(LINES, LINES, WORDS, st.binary(max_size=20)), max_size=40),
).map(lambda parts: [parts[0], *parts[1]])


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(speech=SPEECH)
def test_whatever_is_said_gets_answers_of_the_table(room: Room, speech: list[bytes]) -> None:
    heard = room.play(speech)
    lines = heard.decode("utf-8").split("\r\n")
    assert lines.pop() == ""
    for line in lines:
        assert line in IN_TABLE or OTHER_LINES.fullmatch(line), line


ATTRIBUTES = st.sampled_from(
    [
        b"request=smtpd_access_policy\n", b"protocol_state=RCPT\n", b"protocol_state=DATA\n",
        b"recipient=a@here.test\n", b"recipient=nobody@here.test\n", b"recipient=\n", b"recipient=\xff\n",
        b"sender=<>\n", b"client_address=\n", b"x=y\n", b"\n", b"\n", b"=\n", b"x\n", b"\0", b"request=other\n",
        b"size=-1\n", b"z=" + b"z" * 9000 + b"\n",
    ]
)  # fmt: skip
ACTION: Final = re.compile(
    r"action=(DUNNO|DEFER_IF_PERMIT 4\.\d\.\d [^\n]+|REJECT 5\.\d\.\d [^\n]+|[45]\d\d [45]\.\d\.\d [^\n]+)"
)
WHOLE = b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=a@here.test\n\n"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.one_of(ATTRIBUTES, ATTRIBUTES, st.just(WHOLE), st.binary(max_size=20)), max_size=20))
def test_whatever_policy_is_asked_is_answered_by_an_action_or_a_close(room: Room, asked: list[bytes]) -> None:
    heard = room.ask(b"".join(asked)).decode()
    *actions, rest = heard.split("\n\n")
    assert rest == ""
    for action in actions:
        assert ACTION.fullmatch(action), action
    if asked and asked[0] == WHOLE:
        assert actions[0] == "action=DUNNO"
