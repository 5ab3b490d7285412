"""Requests that are done once, however often they are sent.

Revision ID: 0006
Revises: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import Identifier, LongBytes, Sha256Hex, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("key_sha256", Sha256Hex, nullable=False),
        sa.Column("fingerprint", Sha256Hex, nullable=False),
        sa.Column("claimed_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("body", LongBytes),
        sa.Column("location", sa.String(255)),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_idempotency_keys_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "key_sha256", name=op.f("pk_idempotency_keys")),
        **MYSQL,
    )
    op.create_index(op.f("ix_idempotency_keys_account_id_claimed_at"), "idempotency_keys", ["account_id", "claimed_at"])
    op.create_index(op.f("ix_idempotency_keys_expires_at"), "idempotency_keys", ["expires_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
