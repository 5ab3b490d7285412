"""The tables. What a customer owns carries `account_id` and is indexed by it first: the tenant wall.

`contents` and `attachments` belong to a transaction of mail, not to a customer: one message to two customers is
stored once. They are only ever reached through a row of `messages`, which has an owner.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mailkeep.storage.types import BigNumber, Identifier, LongBytes, LongJson, LongText, Sha256Hex, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# utf8mb4_bin: two strings are equal when their bytes are, as in SQLite.
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

accounts = Table(
    "accounts",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("tier", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("message_seq", BigNumber, nullable=False, default=0),
    Column("storage_bytes", BigNumber, nullable=False, default=0),
    Column("created_at", UtcDateTime, nullable=False),
    # Whom Stripe knows it as. Stays when the account is deleted: a payment may still be under way.
    Column("stripe_customer_id", String(255), unique=True, index=True),
    **_MYSQL,
)

users = Table(
    "users",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    **_MYSQL,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), nullable=False),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_seen_at", UtcDateTime),
    Column("client_ip", String(64), nullable=False, server_default=""),
    Column("user_agent", String(255), nullable=False, server_default=""),
    Index(None, "account_id", "user_id"),
    **_MYSQL,
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), index=True),
    Column("name", String(100), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("secret_hash", Sha256Hex, nullable=False),
    Column("scopes", LongJson, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    # What it was before it was rotated, and until when that is good still.
    Column("previous_salt", String(32)),
    Column("previous_hash", Sha256Hex),
    Column("previous_until", UtcDateTime),
    **_MYSQL,
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), nullable=False),
    # Unique for ever: an address that was deleted is not given to somebody else, who would receive its mail.
    Column("address", String(320), nullable=False, unique=True),
    Column("label", String(100), nullable=False, default=""),
    Column("status", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    # Where the recipients feed has got to: see storage/recipients.py.
    Column("change_seq", BigNumber, nullable=False, unique=True),
    Index(None, "account_id", "id"),
    **_MYSQL,
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigNumber, nullable=False),
    **_MYSQL,
)

contents = Table(
    "contents",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("source_key", String(255), nullable=False),
    Column("source_sha256", Sha256Hex, nullable=False),
    Column("size_bytes", BigNumber, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("date", UtcDateTime),
    Column("headers", LongJson, nullable=False),
    Column("recipients", LongJson, nullable=False),
    Column("text", LongText),
    Column("html", LongText),
    Column("defects", LongJson, nullable=False),
    Column("structure", LongJson),
    Column("malware", String(255), nullable=False, server_default=""),
    **_MYSQL,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), nullable=False),
    Column("seq", BigNumber, nullable=False),
    Column("address_id", Identifier, ForeignKey("addresses.id"), nullable=False),
    Column("content_id", Identifier, ForeignKey("contents.id"), nullable=False, index=True),
    # What makes a second delivery of the same mail recognisable: see services/ingest.py.
    Column("delivery_key", Sha256Hex, nullable=False),
    Column("mail_from", String(1024), nullable=False),
    Column("rcpt_to", String(1024), nullable=False),
    Column("tag", String(255)),
    Column("from_name", Text, nullable=False),
    Column("from_address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("snippet", String(255), nullable=False),
    Column("size_bytes", BigNumber, nullable=False),
    Column("has_attachments", Boolean, nullable=False),
    Column("read_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("transport", LongJson, nullable=False),
    UniqueConstraint("account_id", "seq"),
    Index(None, "account_id", "address_id", "seq"),
    Index(None, "account_id", "address_id", "delivery_key"),
    Index(None, "account_id", "expires_at"),
    **_MYSQL,
)

# The index that answers searches: see storage/search_index.py. What is deleted takes its part of it along.
search_entries = Table(
    "search_entries",
    metadata,
    Column("account_id", Identifier, primary_key=True),
    Column("seq", BigNumber, primary_key=True, autoincrement=False),
    Column("words", LongBytes, nullable=False),
    ForeignKeyConstraint(["account_id", "seq"], ["messages.account_id", "messages.seq"], ondelete="CASCADE"),
    **_MYSQL,
)

search_blocks = Table(
    "search_blocks",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("block", BigNumber, primary_key=True, autoincrement=False),
    Column("words", LongBytes, nullable=False),
    **_MYSQL,
)

search_queue = Table(
    "search_queue",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("block", BigNumber, primary_key=True, autoincrement=False),
    Column("due_at", UtcDateTime, nullable=False, index=True),
    **_MYSQL,
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("content_id", Identifier, ForeignKey("contents.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("filename", Text, nullable=False),
    Column("declared_type", String(255), nullable=False),
    Column("detected_type", String(255), nullable=False),
    Column("size_bytes", BigNumber, nullable=False),
    Column("sha256", Sha256Hex, nullable=False),
    Column("disposition", String(32), nullable=False),
    Column("mime_content_id", String(255), nullable=False),
    Column("blob_key", String(255), nullable=False),
    Column("section", String(255), nullable=False, server_default=""),
    Column("malware", String(255), nullable=False, server_default=""),
    UniqueConstraint("content_id", "position"),
    **_MYSQL,
)

# One row an address, reply and minute: see storage/refusals.py.
refusals = Table(
    "refusals",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier, ForeignKey("accounts.id"), nullable=False),
    Column("address_id", Identifier, ForeignKey("addresses.id"), nullable=False),
    Column("minute", UtcDateTime, nullable=False),
    Column("code", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(255), nullable=False),
    Column("mail_from", String(320), nullable=False),
    Column("rcpt_to", String(320), nullable=False),
    Column("client_ip", String(64), nullable=False),
    Column("client_name", String(255), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("count", BigNumber, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    UniqueConstraint("account_id", "address_id", "minute", "code", "status"),
    Index(None, "account_id", "address_id", "id"),
    **_MYSQL,
)

# What an account received on a day in UTC: see storage/usage_daily.py.
usage_daily = Table(
    "usage_daily",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True, index=True),
    Column("messages", BigNumber, nullable=False),
    Column("bytes", BigNumber, nullable=False),
    Column("refusals", BigNumber, nullable=False),
    **_MYSQL,
)

# What retention has removed of an account and not yet written a receipt for: see services/retention.py.
retention_tallies = Table(
    "retention_tallies",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("messages", BigNumber, nullable=False),
    Column("bytes", BigNumber, nullable=False),
    **_MYSQL,
)

# Blobs whose row is gone, queued in the transaction that removed it: rows go first, bytes after.
blob_deletions = Table(
    "blob_deletions",
    metadata,
    Column("blob_key", String(255), primary_key=True),
    Column("queued_at", UtcDateTime, nullable=False, index=True),
    **_MYSQL,
)

# Accounts that were deleted and are still being emptied: see services/account_purge.py.
account_deletions = Table(
    "account_deletions",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id"), primary_key=True),
    Column("deleted_at", UtcDateTime, nullable=False),
    **_MYSQL,
)

# Accounts with another tier, whose messages are being given its time of expiry: see services/redating.py.
tier_changes = Table(
    "tier_changes",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id"), primary_key=True),
    Column("tier", String(32), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("done_seq", BigNumber, nullable=False),
    Column("last_seq", BigNumber, nullable=False),
    **_MYSQL,
)

# What Stripe said of each account's subscription: see services/subscription_sync.py.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id"), primary_key=True),
    Column("subscription_id", String(255)),
    Column("status", String(32)),
    Column("price_id", String(255)),
    Column("created_at", UtcDateTime),
    Column("period_end", UtcDateTime),
    Column("cancel_at", UtcDateTime),
    Column("past_due_since", UtcDateTime),
    Column("granted", Boolean, nullable=False),
    Column("look_again_at", UtcDateTime, index=True),
    Column("checked_at", UtcDateTime),
    Column("ticket", BigNumber, nullable=False),
    Column("applied", BigNumber, nullable=False),
    **_MYSQL,
)

# Which of Stripe's events have come; they are forgotten long after Stripe would send them again.
stripe_events = Table(
    "stripe_events",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("type", String(64), nullable=False),
    Column("customer_id", String(255), nullable=False),
    Column("object_id", String(255), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("processed_at", UtcDateTime, index=True),
    **_MYSQL,
)

# Stripe's customers whose account is gone: their subscriptions are to be cancelled. It outlives the account.
stripe_cancellations = Table(
    "stripe_cancellations",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("queued_at", UtcDateTime, nullable=False),
    **_MYSQL,
)

# What was done, by whom: only ever added to. No foreign keys: it outlives whom it is about.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account_id", Identifier),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_id", String(36), nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("detail", String(255), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("place_sha256", Sha256Hex, nullable=False),
    Column("mac", Sha256Hex, nullable=False),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "action", "id"),
    **_MYSQL,
)

# What is personal of a record. It goes with the account; the record holds its salted hash, and stays provable.
audit_places = Table(
    "audit_places",
    metadata,
    Column("audit_id", Identifier, primary_key=True),
    Column("account_id", Identifier, index=True),
    Column("salt", String(32), nullable=False),
    Column("client_ip", String(64), nullable=False),
    Column("user_agent", String(512), nullable=False),
    **_MYSQL,
)

# The chain over the records: see services/audit_sealing.py.
audit_seals = Table(
    "audit_seals",
    metadata,
    Column("seq", BigNumber, primary_key=True, autoincrement=False),
    Column("audit_id", Identifier, nullable=False, unique=True),
    Column("hash", Sha256Hex, nullable=False),
    **_MYSQL,
)

# Requests that are done once, however often they are sent: see services/idempotency.py. `is_done` is set in the
# transaction of the deed itself; status, body and location are the answer, once there is one.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", Identifier, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("key_sha256", Sha256Hex, primary_key=True),
    Column("fingerprint", Sha256Hex, nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("is_done", Boolean, nullable=False),
    Column("status", Integer),
    Column("body", LongBytes),
    Column("location", String(255)),
    Index(None, "account_id", "claimed_at"),
    **_MYSQL,
)

# Failed log-ins and registrations, by a digest of who tried: see services/lockout.py. No customer's data.
attempts = Table(
    "attempts",
    metadata,
    Column("digest", Sha256Hex, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    **_MYSQL,
)
