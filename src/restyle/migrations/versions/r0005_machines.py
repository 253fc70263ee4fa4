"""Several machines may run the tasks of one database: which they are, what they can draw, and whose a claim is.

Every column has a default, so that a service of the release before goes on beside one of this.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "machines",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("free_memory", sa.BigInteger, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("offer", sa.JSON, nullable=False),
        sa.Column("offer_digest", sa.Text, nullable=False),
        sa.Column("loaded", sa.JSON, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("heard", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machines"),
    )
    op.add_column("keys", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("machine", sa.BigInteger))
    op.add_column("tasks", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("needs", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("tasks", "needs")
    op.drop_column("tasks", "priority")
    op.drop_column("tasks", "machine")
    op.drop_column("keys", "priority")
    op.drop_table("machines")
