"""Every line of the reply table and every verb has a conversation in which it is heard.

A reply or a verb that is added without one fails here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from mailkeep.bootstrap import open_core
from mailkeep_mxd import replies
from mailkeep_mxd.feed import open_http_source
from mailkeep_mxd.listeners import RunningMxd, run_mxd
from mailkeep_mxd.protocol import HTTP_VERBS
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.session import COMMANDS, NOT_OFFERED
from mxd.conversation import Conversation, Line, conversation
from mxd.house import House, open_door, settings_for
from services.certificates import Authority
from services.clamd import running_clamd
from services.infected import ATTACHED
from services.required import required, required_program

MAIL: Final[Line] = ("MAIL FROM:<s@x.test>", "250")
RCPT: Final[Line] = ("RCPT TO:<a@here.test>", "250")
DATA: Final[Line] = ("DATA", "354")
LOOP: Final = "Received: x\r\n" * 101

# What is said after LHLO, over LMTP with the default settings; the reply is the answer to the last line.
PLAIN: Final[dict[Reply, list[Line | str]]] = {
    replies.OK: ["NOOP"],
    replies.SENDER_OK: ["MAIL FROM:<>"],
    replies.RECIPIENT_OK: [MAIL, "RCPT TO:<a@here.test>"],
    replies.BYE: ["QUIT"],
    replies.HELP: ["HELP"],
    replies.CANNOT_VERIFY: ["VRFY a"],
    replies.SEND_CONTENT: [MAIL, RCPT, "DATA"],
    replies.NO_SUCH_RECIPIENT: [MAIL, "RCPT TO:<nobody@here.test>"],
    replies.TOO_LARGE: ["MAIL FROM:<> SIZE=99999999999"],
    replies.MAIL_LOOP: [MAIL, RCPT, DATA, LOOP + "\r\n."],
    replies.BAD_RECIPIENT: [MAIL, "RCPT TO:a@here.test"],
    replies.BAD_SENDER: ["MAIL FROM:<a@b@c>"],
    replies.BAD_ARGUMENT: ["MAIL s@x.test"],
    replies.UNKNOWN_PARAMETER: ["MAIL FROM:<> AUTH=x"],
    replies.SYNTAX_ERROR: ["MAIL\tFROM:<>"],
    replies.UNKNOWN_COMMAND: ["WIZ"],
    replies.NOT_OFFERED: ["STARTTLS"],
    replies.NESTED_MAIL: [MAIL, "MAIL FROM:<>"],
    replies.NEED_MAIL: ["RCPT TO:<a@here.test>"],
    replies.NO_RECIPIENTS: [MAIL, "DATA"],
    replies.NO_XFORWARD_NOW: [MAIL, "XFORWARD NAME=x"],
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a conversation takes place that needs more than the default settings."""

    house: House
    directory: Path

    @asynccontextmanager
    async def door(self, house: House | None = None, **sections: Any) -> AsyncIterator[RunningMxd]:
        async with open_door(settings_for(self.directory, **sections), house or self.house) as mxd:
            yield mxd

    @asynccontextmanager
    async def talk(self, **sections: Any) -> AsyncIterator[Conversation]:
        async with self.door(**sections) as mxd, greeted(mxd) as talk:
            yield talk


@asynccontextmanager
async def greeted(mxd: RunningMxd) -> AsyncIterator[Conversation]:
    async with conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-")])
        yield talk


Scene = Callable[[Stage], Awaitable[None]]
SCENES: Final[dict[Reply, Scene]] = {}


def heard_in(*expected: Reply) -> Callable[[Scene], Scene]:
    def enter(scene: Scene) -> Scene:
        SCENES.update(dict.fromkeys(expected, scene))
        return scene

    return enter


@heard_in(replies.STORED)
async def smtp_says_so_once(stage: Stage) -> None:
    async with stage.door() as mxd, conversation(mxd.smtp) as talk:
        await talk.play([("EHLO mta.test", "220", "250-"), MAIL, RCPT, DATA, (".", str(replies.STORED))])


@heard_in(replies.INACTIVE_RECIPIENT)
async def inactive(stage: Stage) -> None:
    off = await stage.house.address("off@here.test")
    await stage.house.core.addresses.update(stage.house.actor, off.id, active=False)
    async with stage.talk() as talk:
        await talk.play([MAIL, ("RCPT TO:<off@here.test>", str(replies.INACTIVE_RECIPIENT))])


@heard_in(replies.RECIPIENT_OVER_QUOTA)
async def over_quota(stage: Stage) -> None:
    tiers = {"free": {"addresses": 500, "storage_mb": 1}}
    async with open_core(settings_for(stage.directory, tiers=tiers)) as core:
        small = House(core, stage.house.actor)
        async with stage.door(small, tiers=tiers) as mxd, greeted(mxd) as talk:
            await talk.play([MAIL, RCPT, DATA, ("x" * 1_100_000 + "\r\n.", "250")])
        async with stage.door(small, tiers=tiers) as mxd, greeted(mxd) as talk:
            await talk.play([MAIL, ("RCPT TO:<a@here.test>", str(replies.RECIPIENT_OVER_QUOTA))])


@heard_in(replies.RECIPIENTS_UNKNOWN)
async def nobody_to_ask(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        api_url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = settings_for(stage.directory, recipients={"api_url": api_url, "token": "mk_policy_secret"})
    async with (
        open_http_source(settings.recipients) as source,
        run_mxd(settings, stage.house.core, source, smtp=False) as mxd,
        greeted(mxd) as talk,
    ):
        await talk.play([MAIL, ("RCPT TO:<a@here.test>", str(replies.RECIPIENTS_UNKNOWN))])


@heard_in(replies.TOO_MANY_RECIPIENTS)
async def too_many_recipients(stage: Stage) -> None:
    async with stage.talk(lmtp={"max_recipients": 1}) as talk:
        await talk.play([MAIL, RCPT, ("RCPT TO:<b@here.test>", str(replies.TOO_MANY_RECIPIENTS))])


@heard_in(replies.RATE_EXCEEDED)
async def over_rate(stage: Stage) -> None:
    tiers = {"free": {"addresses": 500, "received_per_hour": 1}}
    async with (
        open_core(settings_for(stage.directory, tiers=tiers)) as core,
        stage.door(House(core, stage.house.actor), tiers=tiers) as mxd,
        greeted(mxd) as talk,
    ):
        await talk.play([MAIL, RCPT, DATA, (".", "250"), MAIL])
        await talk.play([("RCPT TO:<a@here.test>", str(replies.RATE_EXCEEDED)), ("RCPT TO:<b@here.test>", "250")])


@heard_in(replies.NO_MEMORY)
async def no_memory(stage: Stage) -> None:
    async with (
        stage.door(lmtp={"memory_budget_bytes": 1_000_000, "memory_wait_s": 0.1}) as mxd,
        greeted(mxd) as holder,
        greeted(mxd) as talk,
    ):
        await holder.play([("MAIL FROM:<> SIZE=900000", "250"), RCPT, DATA])
        await talk.play([("MAIL FROM:<> SIZE=900000", "250"), RCPT, ("DATA", str(replies.NO_MEMORY))])


@heard_in(replies.TRY_AGAIN)
async def no_store(stage: Stage) -> None:
    async with stage.talk() as talk:
        await talk.play([MAIL, RCPT, DATA])
        blobs = settings_for(stage.directory).blob_dir
        blobs.rename(stage.directory / "away")
        blobs.touch()
        await talk.play([(".", str(replies.TRY_AGAIN))])


@heard_in(replies.INFECTED)
async def infected(stage: Stage) -> None:
    with ExitStack() as stack:
        scan = {"mode": "reject", "clamd": required(stack, running_clamd()).place}
        async with (
            open_core(settings_for(stage.directory, scan=scan)) as core,
            stage.door(House(core, stage.house.actor)) as mxd,
            greeted(mxd) as talk,
        ):
            await talk.play([MAIL, RCPT, DATA, (ATTACHED + b".", str(replies.INFECTED))])


@heard_in(replies.GREET_FIRST)
async def greet_first(stage: Stage) -> None:
    async with stage.door() as mxd, conversation(mxd.lmtp) as talk:
        await talk.play([("MAIL FROM:<>", "220", str(replies.GREET_FIRST))])


@heard_in(replies.TLS_REQUIRED, replies.TLS_READY, replies.TLS_BEGUN)
async def tls(stage: Stage) -> None:
    required_program("openssl")
    authority = Authority(stage.directory / "authority")
    made = authority.issue("door.test")
    files = {"tls_certificate": made.certificate, "tls_key": made.key}
    async with stage.talk(lmtp={"tls": "required", **files}) as talk:
        await talk.play([("MAIL FROM:<>", str(replies.TLS_REQUIRED)), ("STARTTLS", str(replies.TLS_READY))])
        await talk.start_tls(ssl.create_default_context(cafile=authority.root))
        await talk.play([("STARTTLS", str(replies.TLS_BEGUN))])


@heard_in(replies.NO_XFORWARD)
async def no_xforward(stage: Stage) -> None:
    async with stage.talk(lmtp={"xforward_networks": []}) as talk:
        await talk.play([("XFORWARD NAME=x", str(replies.NO_XFORWARD))])


@heard_in(replies.TOO_MANY_ERRORS)
async def too_many_errors(stage: Stage) -> None:
    async with stage.talk(lmtp={"max_errors": 2}) as talk:
        await talk.play([("WIZ", "500"), ("WIZ", "500", str(replies.TOO_MANY_ERRORS), "")])


@heard_in(replies.TOO_MANY_COMMANDS)
async def too_many_commands(stage: Stage) -> None:
    async with stage.talk(lmtp={"max_commands": 2}) as talk:
        await talk.play([("NOOP", "250", str(replies.TOO_MANY_COMMANDS), "")])


@heard_in(replies.TOO_MANY_CONNECTIONS)
async def too_many_connections(stage: Stage) -> None:
    async with stage.door(lmtp={"max_connections": 1}) as mxd, greeted(mxd), conversation(mxd.lmtp) as talk:
        await talk.hear(str(replies.TOO_MANY_CONNECTIONS), "")


@heard_in(replies.OUT_OF_STEP)
async def out_of_step(stage: Stage) -> None:
    async with stage.talk() as talk:
        await talk.say_raw(b"DATA\r\nMAIL FROM:<>\r\n")
        await talk.hear("503", str(replies.OUT_OF_STEP), "")


@heard_in(replies.IDLE_TOO_LONG)
async def idle(stage: Stage) -> None:
    async with stage.talk(lmtp={"idle_timeout_s": 0.5}) as talk:
        await talk.hear(str(replies.IDLE_TOO_LONG), "")


@heard_in(replies.TOO_SLOW)
async def too_slow(stage: Stage) -> None:
    async with stage.talk(lmtp={"data_timeout_s": 0.2}) as talk:
        await talk.play([MAIL, RCPT, DATA])
        await talk.hear(str(replies.TOO_SLOW), "")


@heard_in(replies.SESSION_TOO_LONG)
async def session_too_long(stage: Stage) -> None:
    async with stage.talk(lmtp={"session_timeout_s": 0.5}) as talk:
        await talk.hear(str(replies.SESSION_TOO_LONG), "")


@heard_in(replies.SHUTTING_DOWN)
async def shutting_down(stage: Stage) -> None:
    stop = asyncio.Event()
    places: asyncio.Queue[RunningMxd] = asyncio.Queue()

    async def run() -> None:
        async with stage.door() as mxd:
            await places.put(mxd)
            await stop.wait()

    running = asyncio.create_task(run())
    async with greeted(await places.get()) as talk:
        stop.set()
        await talk.hear(str(replies.SHUTTING_DOWN), "")
    await running


@pytest.mark.parametrize("reply", replies.ALL, ids=str)
async def test_every_line_of_the_table_is_heard(reply: Reply, house: House, tmp_path: Path) -> None:
    stage = Stage(house, tmp_path)
    if reply in SCENES:
        await SCENES[reply](stage)
        return
    assert reply in PLAIN, f"no conversation in which {reply} is heard"
    *before, last = PLAIN[reply]
    async with stage.talk() as talk:
        await talk.play([line for line in before if not isinstance(line, str)])
        assert isinstance(last, str)
        await talk.play([(last, str(reply))])


# Each verb: before a greeting, after one, within a transaction, and with an argument that it does not take.
VERBS: Final[dict[str, tuple[str, str, str, str]]] = {
    "LHLO": ("501", "501", "501", "501"),
    "EHLO": ("500", "500", "500", "500"),
    "HELO": ("500", "500", "500", "500"),
    "MAIL": ("503", "501", "503", "503"),
    "RCPT": ("503", "503", "501", "501"),
    "DATA": ("503", "503", "503", "501"),
    "STARTTLS": ("502", "502", "502", "502"),
    "XFORWARD": ("503", "501", "503", "503"),
    "RSET": ("250", "250", "250", "501"),
    "NOOP": ("250", "250", "250", "250"),
    "VRFY": ("501", "501", "501", "252"),
    "HELP": ("214", "214", "214", "214"),
    "QUIT": ("221", "221", "221", "501"),
    **dict.fromkeys(NOT_OFFERED, ("502", "502", "502", "502")),
    **dict.fromkeys(HTTP_VERBS, ("500", "500", "500", "500")),
}


@pytest.mark.parametrize("verb", sorted({*COMMANDS, *NOT_OFFERED, *HTTP_VERBS}))
async def test_every_verb_at_every_moment(verb: str, mxd: RunningMxd) -> None:
    assert verb in VERBS, f"no conversation with {verb}"
    before, after, within, wrong = VERBS[verb]
    for spelled in (verb, verb.lower(), verb.capitalize()):
        async with conversation(mxd.lmtp) as talk:
            await talk.play([(spelled, "220", before)])
        async with greeted(mxd) as talk:
            await talk.play([(spelled, after)])
        for said, reply in ((spelled, within), (f"{spelled} not an argument", wrong)):
            async with greeted(mxd) as talk:
                await talk.play([MAIL, (said, reply)])
