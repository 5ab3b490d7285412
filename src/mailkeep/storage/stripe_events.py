"""stripe_events: which of Stripe's events have come, so that each is heeded once. Nothing of what is in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.billing import StripeEvent
from mailkeep.storage.schema import stripe_events

_COLUMNS = (
    stripe_events.c.id,
    stripe_events.c.type,
    stripe_events.c.customer_id,
    stripe_events.c.object_id,
)


async def add(connection: AsyncConnection, event: StripeEvent, *, now: datetime) -> bool:
    """False when it has come before."""
    values = {"id": event.id, "type": event.type, "customer_id": event.customer_id, "object_id": event.object_id}
    try:
        async with connection.begin_nested():
            await connection.execute(insert(stripe_events).values(**values, received_at=now))
    except IntegrityError:
        return False
    return True


async def waiting(connection: AsyncConnection, *, before: datetime, limit: int) -> list[StripeEvent]:
    """Events that came before a time and were not processed, the oldest first."""
    condition = stripe_events.c.processed_at.is_(None), stripe_events.c.received_at < before
    query = select(*_COLUMNS).where(*condition).order_by(stripe_events.c.received_at).limit(limit)
    return [StripeEvent(*row) for row in await connection.execute(query)]


async def claim(connection: AsyncConnection, event_id: str, *, now: datetime) -> bool:
    """Mark an event as processed by this transaction; False when another did."""
    condition = stripe_events.c.id == event_id, stripe_events.c.processed_at.is_(None)
    return (await connection.execute(update(stripe_events).where(*condition).values(processed_at=now))).rowcount == 1


async def forget(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete what was processed long ago; returns how many."""
    query = select(stripe_events.c.id).where(stripe_events.c.processed_at < before).limit(limit)
    ids = (await connection.execute(query)).scalars().all()
    if ids:
        await connection.execute(delete(stripe_events).where(stripe_events.c.id.in_(ids)))
    return len(ids)
