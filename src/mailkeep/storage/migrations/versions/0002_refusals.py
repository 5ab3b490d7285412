"""Refusals.

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "refusals",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("address_id", Identifier, nullable=False),
        sa.Column("minute", UtcDateTime, nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("mail_from", sa.String(length=320), nullable=False),
        sa.Column("rcpt_to", sa.String(length=320), nullable=False),
        sa.Column("client_ip", sa.String(length=64), nullable=False),
        sa.Column("client_name", sa.String(length=255), nullable=False),
        sa.Column("first_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.Column("count", BigNumber, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_refusals_account_id")),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_refusals_address_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sa.UniqueConstraint(
            "account_id",
            "address_id",
            "minute",
            "code",
            "status",
            name=op.f("uq_refusals_account_id_address_id_minute_code_status"),
        ),
        **MYSQL,
    )
    op.create_index(
        op.f("ix_refusals_account_id_address_id_id"), "refusals", ["account_id", "address_id", "id"], unique=False
    )
    op.create_index(op.f("ix_refusals_expires_at"), "refusals", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("refusals")
