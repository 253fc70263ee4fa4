"""The first tables: accounts, their keys, tasks, and the request_uuids that were seen."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("total_credits", sa.BigInteger, nullable=False),
        sa.Column("used_credits", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("unlimited", sa.Boolean, nullable=False),
        sa.Column("served", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("created", sa.Double, nullable=False),
        sa.CheckConstraint("used_credits >= 0", name=op.f("ck_accounts_used_not_negative")),
        sa.CheckConstraint("unlimited OR used_credits <= total_credits", name=op.f("ck_accounts_used_within_total")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index(op.f("ix_accounts_served"), "accounts", ["served"])
    op.create_table(
        "keys",
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("requires_timestamp", sa.Boolean, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_keys_account_id")),
        sa.PrimaryKeyConstraint("public_key", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_account_id"), "keys", ["account_id"])
    op.create_table(
        "tasks",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("seeds", sa.JSON, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("notices", sa.JSON, nullable=False),
        sa.Column("claim", sa.Text),
        sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
        sa.Column("progress", sa.Double, nullable=False, server_default="0"),
        sa.Column("images", sa.JSON, nullable=False),
        sa.Column("error_code", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error_message", sa.Text, nullable=False, server_default=""),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("finished", sa.Double),
        sa.Column("expires", sa.Double),
        sa.Column("swept", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tasks_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("uid", name=op.f("uq_tasks_uid")),
    )
    op.create_index("ix_tasks_status_account_id_id", "tasks", ["status", "account_id", "id"])
    op.create_index("ix_tasks_account_id_status", "tasks", ["account_id", "status"])
    op.create_index("ix_tasks_swept_expires", "tasks", ["swept", "expires"])
    op.create_index("ix_tasks_finished", "tasks", ["finished"])
    op.create_table(
        "requests",
        sa.Column("account_id", Serial, nullable=False),
        sa.Column("request_uuid", sa.Text, nullable=False),
        sa.Column("body_digest", sa.LargeBinary, nullable=False),
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_requests_account_id")),
        sa.PrimaryKeyConstraint("account_id", "request_uuid", name=op.f("pk_requests")),
    )
    op.create_index(op.f("ix_requests_created"), "requests", ["created"])
