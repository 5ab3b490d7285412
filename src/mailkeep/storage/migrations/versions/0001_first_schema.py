"""The first schema.

Revision ID: 0001
Revises:
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import BigNumber, Identifier, LongText, Sha256Hex, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("tier", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("message_seq", BigNumber, nullable=False),
        sa.Column("storage_bytes", BigNumber, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        **MYSQL,
    )
    op.create_table(
        "blob_deletions",
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("blob_key", name=op.f("pk_blob_deletions")),
        **MYSQL,
    )
    op.create_index(op.f("ix_blob_deletions_queued_at"), "blob_deletions", ["queued_at"], unique=False)
    op.create_table(
        "contents",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("source_key", sa.String(length=255), nullable=False),
        sa.Column("source_sha256", Sha256Hex, nullable=False),
        sa.Column("size_bytes", BigNumber, nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("date", UtcDateTime, nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("text", LongText, nullable=True),
        sa.Column("html", LongText, nullable=True),
        sa.Column("defects", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contents")),
        **MYSQL,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", BigNumber, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        **MYSQL,
    )
    op.create_table(
        "addresses",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.Column("change_seq", BigNumber, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_addresses_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint("address", name=op.f("uq_addresses_address")),
        sa.UniqueConstraint("change_seq", name=op.f("uq_addresses_change_seq")),
        **MYSQL,
    )
    op.create_index(op.f("ix_addresses_account_id_id"), "addresses", ["account_id", "id"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("account_id", Identifier, nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", Sha256Hex, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=True),
        sa.Column("revoked_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_tokens_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        **MYSQL,
    )
    op.create_index(op.f("ix_api_tokens_account_id"), "api_tokens", ["account_id"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("content_id", Identifier, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("declared_type", sa.String(length=255), nullable=False),
        sa.Column("detected_type", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", BigNumber, nullable=False),
        sa.Column("sha256", Sha256Hex, nullable=False),
        sa.Column("disposition", sa.String(length=32), nullable=False),
        sa.Column("mime_content_id", sa.String(length=255), nullable=False),
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name=op.f("fk_attachments_content_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("content_id", "position", name=op.f("uq_attachments_content_id_position")),
        **MYSQL,
    )
    op.create_table(
        "users",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        **MYSQL,
    )
    op.create_index(op.f("ix_users_account_id"), "users", ["account_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("seq", BigNumber, nullable=False),
        sa.Column("address_id", Identifier, nullable=False),
        sa.Column("content_id", Identifier, nullable=False),
        sa.Column("delivery_key", Sha256Hex, nullable=False),
        sa.Column("mail_from", sa.String(length=1024), nullable=False),
        sa.Column("rcpt_to", sa.String(length=1024), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=True),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("snippet", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", BigNumber, nullable=False),
        sa.Column("has_attachments", sa.Boolean(), nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=True),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("transport", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_messages_account_id")),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name=op.f("fk_messages_address_id")),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], name=op.f("fk_messages_content_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("account_id", "seq", name=op.f("uq_messages_account_id_seq")),
        **MYSQL,
    )
    op.create_index(
        op.f("ix_messages_account_id_address_id_delivery_key"),
        "messages",
        ["account_id", "address_id", "delivery_key"],
        unique=False,
    )
    op.create_index(
        op.f("ix_messages_account_id_address_id_seq"), "messages", ["account_id", "address_id", "seq"], unique=False
    )
    op.create_index(op.f("ix_messages_content_id"), "messages", ["content_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account_id", Identifier, nullable=False),
        sa.Column("user_id", Identifier, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("revoked_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sessions_account_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        **MYSQL,
    )
    op.create_index(op.f("ix_sessions_account_id_user_id"), "sessions", ["account_id", "user_id"], unique=False)
    op.execute("INSERT INTO counters (name, value) VALUES ('recipients', 0)")


def downgrade() -> None:
    op.drop_index(op.f("ix_sessions_account_id_user_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_messages_content_id"), table_name="messages")
    op.drop_index(op.f("ix_messages_account_id_address_id_seq"), table_name="messages")
    op.drop_index(op.f("ix_messages_account_id_address_id_delivery_key"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_users_account_id"), table_name="users")
    op.drop_table("users")
    op.drop_table("attachments")
    op.drop_index(op.f("ix_api_tokens_account_id"), table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_index(op.f("ix_addresses_account_id_id"), table_name="addresses")
    op.drop_table("addresses")
    op.drop_table("counters")
    op.drop_table("contents")
    op.drop_index(op.f("ix_blob_deletions_queued_at"), table_name="blob_deletions")
    op.drop_table("blob_deletions")
    op.drop_table("accounts")
