"""The audit log and its chain.

Revision ID: 0005
Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, Sha256Hex, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.String(36), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("resource", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(255), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("place_sha256", Sha256Hex, nullable=False),
        sa.Column("mac", Sha256Hex, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        **MYSQL,
    )
    op.create_index(op.f("ix_audit_log_account_id_id"), "audit_log", ["account_id", "id"], unique=False)
    op.create_index(
        op.f("ix_audit_log_account_id_action_id"), "audit_log", ["account_id", "action", "id"], unique=False
    )
    op.create_table(
        "audit_places",
        sa.Column("audit_id", Identifier, nullable=False),
        sa.Column("account_id", Identifier),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("client_ip", sa.String(64), nullable=False),
        sa.Column("user_agent", sa.String(512), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_places")),
        **MYSQL,
    )
    op.create_index(op.f("ix_audit_places_account_id"), "audit_places", ["account_id"], unique=False)
    op.create_table(
        "audit_seals",
        sa.Column("seq", BigNumber, autoincrement=False, nullable=False),
        sa.Column("audit_id", Identifier, nullable=False),
        sa.Column("hash", Sha256Hex, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_audit_seals_audit_id")),
        **MYSQL,
    )
    op.get_bind().execute(sa.text("INSERT INTO counters (name, value) VALUES ('audit_seals', 0)"))


def downgrade() -> None:
    op.get_bind().execute(sa.text("DELETE FROM counters WHERE name = 'audit_seals'"))
    op.drop_table("audit_seals")
    op.drop_table("audit_places")
    op.drop_table("audit_log")
