"""Accounts that are being emptied.

Revision ID: 0008
Revises: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import Identifier, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "account_deletions",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_deletions_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_deletions")),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("account_deletions")
