"""An account may have several keys, which names tell apart."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("name", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("keys", "name")
