"""Subscriptions, Stripe's events, and customers whose subscriptions are to be cancelled.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.add_column("accounts", sa.Column("stripe_customer_id", sa.String(255)))
    op.create_index(op.f("ix_accounts_stripe_customer_id"), "accounts", ["stripe_customer_id"], unique=True)
    op.create_table(
        "subscriptions",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("subscription_id", sa.String(255)),
        sa.Column("status", sa.String(32)),
        sa.Column("price_id", sa.String(255)),
        sa.Column("created_at", UtcDateTime),
        sa.Column("period_end", UtcDateTime),
        sa.Column("cancel_at", UtcDateTime),
        sa.Column("past_due_since", UtcDateTime),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("look_again_at", UtcDateTime),
        sa.Column("checked_at", UtcDateTime),
        sa.Column("ticket", BigNumber, nullable=False),
        sa.Column("applied", BigNumber, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_subscriptions_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_subscriptions")),
        **MYSQL,
    )
    op.create_index(op.f("ix_subscriptions_look_again_at"), "subscriptions", ["look_again_at"])
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(255), nullable=False),
        sa.Column("object_id", sa.String(255), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("processed_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_events")),
        **MYSQL,
    )
    op.create_index(op.f("ix_stripe_events_processed_at"), "stripe_events", ["processed_at"])
    op.create_table(
        "stripe_cancellations",
        sa.Column("customer_id", sa.String(255), nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_stripe_cancellations")),
        **MYSQL,
    )


def downgrade() -> None:
    for table in ("stripe_cancellations", "stripe_events", "subscriptions"):
        op.drop_table(table)
    op.drop_index(op.f("ix_accounts_stripe_customer_id"), table_name="accounts")
    op.drop_column("accounts", "stripe_customer_id")
