"""Accounts with another tier, whose messages are being given its time of expiry.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "tier_changes",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("tier", sa.String(32), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("done_seq", BigNumber, nullable=False),
        sa.Column("last_seq", BigNumber, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tier_changes_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_tier_changes")),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("tier_changes")
