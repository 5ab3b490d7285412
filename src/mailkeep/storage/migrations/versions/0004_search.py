"""The search index.

Revision ID: 0004
Revises: 0003

Messages that are there already get their entries from services/search_filling.py, which the mark in `counters` asks
for: it reads every message, and can go on where it was interrupted.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, LongBytes, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
MARK = "search_to_fill"


def upgrade() -> None:
    op.create_table(
        "search_entries",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("seq", BigNumber, autoincrement=False, nullable=False),
        sa.Column("words", LongBytes, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "seq"],
            ["messages.account_id", "messages.seq"],
            name=op.f("fk_search_entries_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_search_entries")),
        **MYSQL,
    )
    op.create_table(
        "search_blocks",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", BigNumber, autoincrement=False, nullable=False),
        sa.Column("words", LongBytes, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_search_blocks_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "bucket", "block", name=op.f("pk_search_blocks")),
        **MYSQL,
    )
    op.create_table(
        "search_queue",
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("block", BigNumber, autoincrement=False, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_search_queue_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "block", name=op.f("pk_search_queue")),
        **MYSQL,
    )
    op.create_index(op.f("ix_search_queue_due_at"), "search_queue", ["due_at"], unique=False)
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT 1 FROM messages LIMIT 1")).first() is not None:
        connection.execute(sa.text("INSERT INTO counters (name, value) VALUES (:name, 1)"), {"name": MARK})


def downgrade() -> None:
    op.get_bind().execute(sa.text("DELETE FROM counters WHERE name = :name"), {"name": MARK})
    op.drop_table("search_queue")
    op.drop_table("search_blocks")
    op.drop_table("search_entries")
