"""The Studio's further pictures, a map for a ControlNet and a mask; and what the form of a run said."""

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_items", sa.Column("control", sa.Text, nullable=False, server_default=""))
    op.add_column("run_items", sa.Column("mask", sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("asked", sa.JSON))


def downgrade() -> None:
    op.drop_column("runs", "asked")
    op.drop_column("run_items", "mask")
    op.drop_column("run_items", "control")
