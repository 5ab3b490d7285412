"""The tree of a message's parts, and what a scanner found.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contents", sa.Column("structure", sa.JSON(), nullable=True))
    op.add_column("contents", sa.Column("malware", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("attachments", sa.Column("section", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("attachments", sa.Column("malware", sa.String(length=255), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("attachments", "malware")
    op.drop_column("attachments", "section")
    op.drop_column("contents", "malware")
    op.drop_column("contents", "structure")
