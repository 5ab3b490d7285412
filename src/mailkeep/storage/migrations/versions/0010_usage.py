"""What is used by day, filled from what is stored; an index by which what has expired is found, and its tallies.

Revision ID: 0010
Revises: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
FILL = """
INSERT INTO usage_daily (account_id, day, messages, bytes, refusals)
SELECT account_id, day, SUM(messages), SUM(bytes), SUM(refusals) FROM (
  SELECT account_id, DATE(received_at) AS day, 1 AS messages, size_bytes AS bytes, 0 AS refusals FROM messages
  UNION ALL
  SELECT account_id, DATE(minute) AS day, 0 AS messages, 0 AS bytes, count AS refusals FROM refusals
) AS stored GROUP BY account_id, day
"""


def upgrade() -> None:
    op.create_table(
        "usage_daily",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", BigNumber, nullable=False),
        sa.Column("bytes", BigNumber, nullable=False),
        sa.Column("refusals", BigNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_usage_daily_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_usage_daily")),
        **MYSQL,
    )
    op.create_index(op.f("ix_usage_daily_day"), "usage_daily", ["day"])
    op.execute(FILL)
    op.create_index(op.f("ix_messages_account_id_expires_at"), "messages", ["account_id", "expires_at"])
    op.create_table(
        "retention_tallies",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("messages", BigNumber, nullable=False),
        sa.Column("bytes", BigNumber, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_retention_tallies_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_retention_tallies")),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("retention_tallies")
    op.drop_index(op.f("ix_messages_account_id_expires_at"), "messages")
    op.drop_table("usage_daily")
