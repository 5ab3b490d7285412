"""What was refused to addresses that exist: noted at the door, told to their owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from mailkeep.domain.recipient import Recipient
from mailkeep.domain.refusal import Refusal
from mailkeep.domain.scope import Scope, operator
from mailkeep.services.ingest import AcceptedRecipient
from mailkeep_api.app import create_app
from mailkeep_api.server import serve_http
from mailkeep_mxd import replies
from mailkeep_mxd.feed import open_http_source
from mailkeep_mxd.listeners import RunningMxd, run_mxd
from mailkeep_mxd.refusals import Origin, RefusalLog, SinkUnavailable, running_log
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, settings_for
from mxd.test_policy import ask, request

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
ORIGIN = Origin("x@y.test", "192.0.2.1", "mx.y.test")


class Sink:
    """Takes refusals when `open`, and raises `fault` when that is set."""

    def __init__(self) -> None:
        self.open = True
        self.fault: Exception | None = None
        self.batches: list[Sequence[Refusal]] = []

    @property
    def taken(self) -> dict[str, int]:
        """How many of each address."""
        counts: dict[str, int] = {}
        for refusal in (refusal for batch in self.batches for refusal in batch):
            counts[refusal.address_id] = counts.get(refusal.address_id, 0) + refusal.count
        return counts

    async def record(self, batch: Sequence[Refusal]) -> None:
        if self.fault is not None:
            raise self.fault
        if not self.open:
            raise SinkUnavailable("closed")
        self.batches.append(batch)


def refused(address_id: str, rcpt_to: str = "a@here.test") -> AcceptedRecipient:
    recipient = Recipient("a@here.test", address_id, "account", active=True, per_hour=1, over_quota=False)
    return AcceptedRecipient(rcpt_to, None, recipient)


async def told(house: House, name: str) -> list[Refusal]:
    """What the owner is told of an address, oldest first."""
    addresses, _ = await house.core.addresses.list(house.actor)
    [address_id] = [address.id for address in addresses if address.address == name]
    page, _ = await house.core.refusals.list(house.actor, address_id)
    return [stored.refusal for stored in page[::-1]]


async def told_soon(house: House, name: str, *, count: int) -> list[Refusal]:
    for _ in range(200):
        found = await told(house, name)
        if sum(refusal.count for refusal in found) >= count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"of {count} refusals the owner was told {found}")


async def switch_off(house: House, name: str) -> None:
    addresses, _ = await house.core.addresses.list(house.actor)
    [address_id] = [address.id for address in addresses if address.address == name]
    await house.core.addresses.update(house.actor, address_id, active=False)


async def test_refused_at_rcpt(house: House, tmp_path: Path) -> None:
    await switch_off(house, "a@here.test")
    async with open_door(settings_for(tmp_path), house) as mxd, conversation(mxd.lmtp) as talk:
        await greet(talk)
        refusals = [("RCPT TO:<A+tag@here.test>", "550 5.2.1"), ("RCPT TO:<a@here.test>", "550 5.2.1")]
        await talk.play([*refusals, ("RCPT TO:<nobody@here.test>", "550 5.1.1")])
        [refusal] = await told_soon(house, "a@here.test", count=2)
    assert (refusal.code, refusal.status, refusal.count) == (550, "5.2.1", 2)
    assert refusal.reason == replies.INACTIVE_RECIPIENT.text
    assert (refusal.mail_from, refusal.rcpt_to) == ("x@y.test", "A+tag@here.test")
    assert (refusal.client_ip, refusal.client_name) == ("127.0.0.1", "")


async def test_refused_as_a_message(house: House, tmp_path: Path) -> None:
    """The end of the door hands over what it has noted last."""
    settings = settings_for(tmp_path, lmtp={"max_message_bytes": 1000})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await greet(talk)
        await talk.play([("RCPT TO:<a@here.test>", "250"), ("RCPT TO:<b@here.test>", "250"), ("DATA", "354")])
        await talk.play([("x" * 2000 + "\r\n.", "552", "552")])
    for name in ("a@here.test", "b@here.test"):
        [refusal] = await told(house, name)
        assert (refusal.code, refusal.status, refusal.count) == (552, "5.3.4", 1)


async def test_the_client_that_a_postfix_of_ours_names(house: House, tmp_path: Path) -> None:
    await switch_off(house, "a@here.test")
    settings = settings_for(tmp_path, lmtp={"xforward_networks": ["127.0.0.0/8"]})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.hear("220 ")
        await talk.play([("LHLO mta.test", "250-"), ("XFORWARD NAME=mx.y.test ADDR=192.0.2.9", "250")])
        await talk.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "550")])
    [refusal] = await told(house, "a@here.test")
    assert (refusal.client_ip, refusal.client_name, refusal.mail_from) == ("192.0.2.9", "mx.y.test", "")


async def test_a_door_without_a_database_reports_to_the_api(house: House, tmp_path: Path) -> None:
    await switch_off(house, "a@here.test")
    client = {"sender": "x@y.test", "client_address": "192.0.2.1", "client_name": "mx.y.test"}
    async with open_api(house, tmp_path) as mxd:
        actions = await ask(mxd, *[request("a@here.test", **client)] * 3, request("nobody@here.test", **client))
        assert [action.split(" ")[0] for action in actions] == ["action=550"] * 4
        [refusal] = await told_soon(house, "a@here.test", count=3)
    assert (refusal.code, refusal.status, refusal.count) == (550, "5.2.1", 3)
    assert (refusal.mail_from, refusal.client_ip, refusal.client_name) == tuple(client.values())


@asynccontextmanager
async def open_api(house: House, directory: Path) -> AsyncIterator[RunningMxd]:
    """The real API on a socket, and an mxd that has nothing else."""
    token, _ = await house.core.service_tokens.create(operator(), "mx1", {Scope.POLICY})
    async with AsyncExitStack() as stack:
        app = create_app(house.core, house.core.settings)
        host, port = await stack.enter_async_context(serve_http(app, "127.0.0.1:0"))
        recipients = {"api_url": f"http://{host}:{port}", "token": token}
        settings = settings_for(directory, lmtp={"enabled": False}, recipients=recipients)
        source = await stack.enter_async_context(open_http_source(settings.recipients))
        yield await stack.enter_async_context(run_mxd(settings, None, source, smtp=False))


async def greet(talk: Conversation) -> None:
    await talk.hear("220 ")
    await talk.play([("LHLO mta.test", "250-"), ("MAIL FROM:<x@y.test>", "250")])


async def test_a_flood_is_bounded_and_counted() -> None:
    sink = Sink()
    refusals = RefusalLog(sink, max_waiting=500, clock=lambda: NOW)
    for _ in range(3):
        for number in range(1000):
            refusals.note(refused(str(number)), replies.RATE_EXCEEDED, ORIGIN)
    with structlog.testing.capture_logs() as events:
        await refusals.flush_safely()
        await refusals.flush_safely()
    assert sink.taken == {str(number): 3 for number in range(500)}
    assert [len(batch) for batch in sink.batches] == [200, 200, 100]
    assert refusals.dropped == 1500
    assert [(event["event"], event["count"]) for event in events] == [("refusals.dropped", 1500)]


async def test_what_is_not_taken_waits() -> None:
    sink = Sink()
    refusals = RefusalLog(sink, max_waiting=2, clock=lambda: NOW)
    refusals.note(refused("1"), replies.RATE_EXCEEDED, ORIGIN)
    refusals.note(refused("2"), replies.RATE_EXCEEDED, ORIGIN)
    sink.open = False
    with structlog.testing.capture_logs() as events:
        await refusals.flush_safely()
        refusals.note(refused("1"), replies.RATE_EXCEEDED, ORIGIN)
        refusals.note(refused("3"), replies.RATE_EXCEEDED, ORIGIN)
        await refusals.flush_safely()
    assert [event["event"] for event in events] == ["refusals.not_taken", "refusals.dropped"]
    sink.open = True
    await refusals.flush()
    await refusals.flush()
    assert sink.taken == {"1": 2, "2": 1}


async def test_what_is_not_understood_does_not_come_back() -> None:
    sink = Sink()
    sink.fault = ZeroDivisionError()
    refusals = RefusalLog(sink, clock=lambda: NOW)
    refusals.note(refused("1"), replies.RATE_EXCEEDED, ORIGIN)
    with structlog.testing.capture_logs() as events:
        await refusals.flush_safely()
    sink.fault = None
    await refusals.flush()
    assert sink.taken == {}
    assert [event["event"] for event in events] == ["refusals.failed"]


async def test_it_is_handed_over_each_second_and_at_the_end() -> None:
    sink = Sink()
    async with running_log(sink) as refusals:
        refusals.note(refused("1"), replies.RATE_EXCEEDED, ORIGIN)
        await asyncio.sleep(1.2)
        assert sink.taken == {"1": 1}
        refusals.note(refused("2"), replies.RATE_EXCEEDED, ORIGIN)
    assert sink.taken == {"1": 1, "2": 1}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\r\nb\0c\x1b[31m", "a\ufffd\ufffdb\ufffdc\ufffd[31m"),
        ("\udc80\u202e", "\ufffd\ufffd"),
        ("x" * 10_000, "x" * 320),
        ("gr\u00fc\u00dfe@y.test", "gr\u00fc\u00dfe@y.test"),
    ],
)
async def test_what_a_client_said_is_harmless(said: str, kept: str) -> None:
    sink = Sink()
    refusals = RefusalLog(sink, clock=lambda: NOW)
    refusals.note(refused("1", rcpt_to=said), replies.RATE_EXCEEDED, Origin(said, "", ""))
    await refusals.flush()
    [[refusal]] = sink.batches
    assert (refusal.mail_from, refusal.rcpt_to) == (kept, kept)
