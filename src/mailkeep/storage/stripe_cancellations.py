"""stripe_cancellations: customers of Stripe's whose account here is gone, and who must not go on paying."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import stripe_cancellations


async def add(connection: AsyncConnection, customer_id: str, *, now: datetime) -> None:
    """Queue a customer; of one that is queued the time becomes new, so that whoever is at it does not end it."""
    same = stripe_cancellations.c.customer_id == customer_id
    known = select(stripe_cancellations.c.customer_id).where(same)
    if (await connection.execute(known)).scalar_one_or_none() is not None:
        await connection.execute(update(stripe_cancellations).where(same).values(queued_at=now))
    else:
        await connection.execute(insert(stripe_cancellations).values(customer_id=customer_id, queued_at=now))


async def pending(connection: AsyncConnection, *, limit: int) -> list[tuple[str, datetime]]:
    """Customers and when they were queued, the oldest first."""
    columns = stripe_cancellations.c.customer_id, stripe_cancellations.c.queued_at
    query = select(*columns).order_by(stripe_cancellations.c.queued_at).limit(limit)
    return [(customer_id, queued_at) for customer_id, queued_at in await connection.execute(query)]


async def done(connection: AsyncConnection, customer_id: str, *, queued_at: datetime) -> None:
    """Forget a customer, unless it was queued again since `queued_at`: then there may be more to cancel."""
    same = stripe_cancellations.c.customer_id == customer_id, stripe_cancellations.c.queued_at == queued_at
    await connection.execute(delete(stripe_cancellations).where(*same))
