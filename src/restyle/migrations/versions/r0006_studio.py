"""What the Studio keeps: pictures that people bring, what they asked for together. And operators."""

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_uploads_account_id"),
    )
    op.create_index("ix_uploads_account_id", "uploads", ["account_id"])
    op.create_index("ix_uploads_expires", "uploads", ["expires"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_runs_account_id"),
    )
    op.create_index("ix_runs_account_id_id", "runs", ["account_id", "id"])
    op.create_index("ix_runs_created", "runs", ["created"])
    op.create_table(
        "run_items",
        sa.Column("run_id", sa.String(20), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("style", sa.Text, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("uid", sa.String(20)),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.Column("error_code", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error_message", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_run_items"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_items_run_id", ondelete="CASCADE"),
    )
    op.create_index("ix_run_items_uid", "run_items", ["uid"])
    op.create_index("ix_run_items_waiting", "run_items", ["waiting"])


def downgrade() -> None:
    op.drop_table("run_items")
    op.drop_table("runs")
    op.drop_table("uploads")
    op.drop_column("accounts", "operator")
