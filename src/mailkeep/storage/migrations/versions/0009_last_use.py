"""Sessions say where they come from and when they were seen; tokens when they were used, and can be rotated.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from mailkeep.storage.types import Sha256Hex, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("last_seen_at", UtcDateTime))
    op.add_column("sessions", sa.Column("client_ip", sa.String(64), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("user_agent", sa.String(255), nullable=False, server_default=""))
    op.add_column("api_tokens", sa.Column("last_used_at", UtcDateTime))
    op.add_column("api_tokens", sa.Column("previous_salt", sa.String(32)))
    op.add_column("api_tokens", sa.Column("previous_hash", Sha256Hex))
    op.add_column("api_tokens", sa.Column("previous_until", UtcDateTime))


def downgrade() -> None:
    for column in ("previous_until", "previous_hash", "previous_salt", "last_used_at"):
        op.drop_column("api_tokens", column)
    for column in ("user_agent", "client_ip", "last_seen_at"):
        op.drop_column("sessions", column)
