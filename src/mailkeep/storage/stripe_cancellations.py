"""stripe_cancellations: customers of Stripe's whose account here is gone, and who must not go on paying."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import stripe_cancellations


async def add(connection: AsyncConnection, customer_id: str, *, now: datetime) -> None:
    """Queue a customer; one that is queued stays so."""
    known = select(stripe_cancellations.c.customer_id).where(stripe_cancellations.c.customer_id == customer_id)
    if (await connection.execute(known)).scalar_one_or_none() is None:
        await connection.execute(insert(stripe_cancellations).values(customer_id=customer_id, queued_at=now))


async def pending(connection: AsyncConnection, *, limit: int) -> list[str]:
    """The oldest first."""
    query = select(stripe_cancellations.c.customer_id).order_by(stripe_cancellations.c.queued_at).limit(limit)
    return list((await connection.execute(query)).scalars())


async def done(connection: AsyncConnection, customer_id: str) -> None:
    await connection.execute(delete(stripe_cancellations).where(stripe_cancellations.c.customer_id == customer_id))
