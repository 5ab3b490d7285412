"""mxd is killed at random moments under load: what was accepted is there, the rest comes (attack case 63)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from journeys.injector import Injector
from journeys.stored import look
from services.api import ApiClient
from services.mailkeep import Customer, Mailkeep
from services.postfix import Postfix


@dataclass
class Readable:
    """Reads, once, every message that the API shows: the mark of each, after its bytes were compared."""

    inbox: ApiClient
    injector: Injector
    marks: list[int] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    async def look(self) -> None:
        for summary in await self.inbox.messages():
            if summary["id"] not in self._seen:
                self._seen.add(summary["id"])
                self.marks.append(self.injector.mark_of(await self.inbox.source(summary["id"])))


@pytest.mark.timeout(1_800)
async def test_attack_063_killed_at_random_moments(
    running: Mailkeep,
    customer: Customer,
    inbox: ApiClient,
    database_url: str,
    start_postfix: Callable[..., Postfix],
    report_measured: Callable[[str], None],
    *,
    full_size: bool,
) -> None:
    postfix = start_postfix(running)
    injector = Injector(postfix.port, customer.address)
    readable = Readable(inbox, injector)
    sent_at_kill = 0

    with injector.running():
        for _ in range(50 if full_size else 5):
            await asyncio.sleep(random.uniform(0.3, 1.5))  # noqa: S311 - a moment, no secret
            running.mxd.kill()
            sent_at_kill = await _require_sent_is_readable(postfix, readable)
            running.start_mxd()

    postfix.wait_empty(timeout_s=300)
    await readable.look()
    assert sorted(readable.marks) == sorted(injector.marks.values())
    assert (await look(database_url, running.data_dir / "blobs")).half == ()
    assert {delivery.status for delivery in postfix.deliveries()} <= {"sent", "deferred"}
    report_measured(f"{len(injector.marks)} mails, {sent_at_kill} of them accepted before the last kill")


async def _require_sent_is_readable(postfix: Postfix, readable: Readable) -> int:
    """Every mail that Postfix saw accepted can be read now, while mxd is dead; how many those are."""
    sent = {
        readable.injector.marks[delivery.queue_id]
        for delivery in postfix.deliveries()
        if delivery.status == "sent" and delivery.queue_id in readable.injector.marks
    }
    await readable.look()
    assert sent <= set(readable.marks), f"accepted and not there: {sent - set(readable.marks)}"
    return len(sent)
