"""subscriptions: of each account that has ever begun to pay, what Stripe said when it was last asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.billing import Kept, Subscription
from mailkeep.storage.schema import subscriptions


async def take_ticket(connection: AsyncConnection, account_id: str) -> int:
    """The number of a look at Stripe that is about to begin; the caller has the account locked."""
    owner = subscriptions.c.account_id == account_id
    ticket = (await connection.execute(select(subscriptions.c.ticket).where(owner))).scalar_one_or_none()
    if ticket is None:
        values = {"account_id": account_id, "ticket": 1, "applied": 0, "granted": False}
        await connection.execute(insert(subscriptions).values(values))
        return 1
    await connection.execute(update(subscriptions).where(owner).values(ticket=ticket + 1))
    return int(ticket) + 1


async def applied(connection: AsyncConnection, account_id: str) -> int:
    """The ticket of the look whose answer is kept."""
    query = select(subscriptions.c.applied).where(subscriptions.c.account_id == account_id)
    return int((await connection.execute(query)).scalar_one_or_none() or 0)


async def get(connection: AsyncConnection, account_id: str) -> Kept:
    query = select(subscriptions).where(subscriptions.c.account_id == account_id)
    row = (await connection.execute(query)).one_or_none()
    return _kept(row) if row is not None else Kept(account_id, None, granted=False, look_again_at=None)


async def put(connection: AsyncConnection, kept: Kept, *, ticket: int, now: datetime) -> None:
    """Keep the answer of the look with this ticket; the caller has the account locked."""
    values: dict[str, Any] = {
        "granted": kept.granted,
        "look_again_at": kept.look_again_at,
        "checked_at": now,
        "applied": ticket,
    }
    values |= _values(kept.subscription)
    await connection.execute(
        update(subscriptions).where(subscriptions.c.account_id == kept.account_id).values(**values)
    )


async def due(connection: AsyncConnection, now: datetime, *, limit: int) -> list[str]:
    """The accounts whose time to be looked at has come."""
    query = select(subscriptions.c.account_id).where(subscriptions.c.look_again_at <= now)
    return list((await connection.execute(query.order_by(subscriptions.c.look_again_at).limit(limit))).scalars())


def _values(subscription: Subscription | None) -> dict[str, Any]:
    names = ("status", "price_id", "created_at", "period_end", "cancel_at", "past_due_since")
    values = {name: getattr(subscription, name, None) for name in names}
    return {"subscription_id": subscription.id if subscription is not None else None, **values}


def _kept(row: Row[tuple[object, ...]]) -> Kept:
    subscription = None
    if row.subscription_id is not None:
        subscription = Subscription(
            id=row.subscription_id,
            status=row.status,
            price_id=row.price_id,
            created_at=row.created_at,
            account_id=row.account_id,
            period_end=row.period_end,
            cancel_at=row.cancel_at,
            past_due_since=row.past_due_since,
        )
    return Kept(row.account_id, subscription, granted=bool(row.granted), look_again_at=row.look_again_at)
