"""Styles that accounts keep under a name, and results that stay until their owner removes them."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "styles",
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("picture_bytes", sa.BigInteger, nullable=False),
        sa.Column("thumbnail", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_styles_account_id")),
        sa.PrimaryKeyConstraint("account_id", "code", name=op.f("pk_styles")),
        sa.UniqueConstraint("uid", name=op.f("uq_styles_uid")),
    )
    op.add_column("tasks", sa.Column("favourite", sa.Double))
    op.create_index("ix_tasks_account_id_favourite", "tasks", ["account_id", "favourite"])


def downgrade() -> None:
    op.drop_index("ix_tasks_account_id_favourite", "tasks")
    op.drop_column("tasks", "favourite")
    op.drop_table("styles")
