"""The tables, as the last revision under ``migrations/`` leaves them."""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number the database counts up: SQLite does so only for a column of type INTEGER."""


class Raw(sa.types.TypeDecorator[str]):
    """The text of a column just as it is stored, for ``sa.cast(column, Raw)``: reading it never fails.

    A JSON column read as JSON raises where one row holds something else, and takes all rows of the query along.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.LargeBinary() if dialect.name == "sqlite" else sa.Text())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        # What is not UTF-8 becomes escapes that JSON does not know, so that nothing reads it by mistake.
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("total_credits", sa.BigInteger, nullable=False),
    sa.Column("used_credits", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("unlimited", sa.Boolean, nullable=False),
    # May see and change what belongs to the service: models, accounts, the queue.
    sa.Column("operator", sa.Boolean, nullable=False, server_default=sa.false()),
    # Grows by one over all accounts each time a task is claimed: the smallest was served longest ago.
    sa.Column("served", sa.BigInteger, nullable=False, server_default="0", index=True),
    sa.Column("created", sa.Double, nullable=False),
    sa.CheckConstraint("used_credits >= 0", name="used_not_negative"),
    sa.CheckConstraint("unlimited OR used_credits <= total_credits", name="used_within_total"),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("public_key", sa.Text, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    # For people alone; empty where nobody gave one.
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("requires_timestamp", sa.Boolean, nullable=False),
    # Tasks of a higher one go first; those of the same take turns by account.
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created", sa.Double, nullable=False),
)

tasks = sa.Table(
    "tasks",
    metadata,
    # Counts up in order of acceptance, which a uid (whole seconds, one counter per process) does not promise.
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("uid", sa.String(20), nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("seeds", sa.JSON, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("notices", sa.JSON, nullable=False),
    # Names one run of the task. Null while nobody runs it; a finish must show the claim it ran under.
    sa.Column("claim", sa.Text),
    # Whose claim it is: a machine of the fleet; null where one service alone runs the tasks.
    sa.Column("machine", sa.BigInteger),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    # What a machine must have to draw it (restyle.queue.needs); empty: whatever draws.
    sa.Column("needs", sa.Text, nullable=False, server_default=""),
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
    # When its owner marked it; its pictures and its record then stay, and ``expires`` is null.
    sa.Column("favourite", sa.Double),
    sa.Index("ix_tasks_account_id_favourite", "account_id", "favourite"),
    sa.Index("ix_tasks_status_account_id_id", "status", "account_id", "id"),
    sa.Index("ix_tasks_account_id_status", "account_id", "status"),
    sa.Index("ix_tasks_swept_expires", "swept", "expires"),
    sa.Index("ix_tasks_finished", "finished"),
)

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    # Bytes that were free when the machine last said so.
    sa.Column("free_memory", sa.BigInteger, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()),
    # What it can draw (restyle.conversion.offer), and the digest that changes with it.
    sa.Column("offer", sa.JSON, nullable=False),
    sa.Column("offer_digest", sa.Text, nullable=False),
    # SHA-256 of the checkpoints that its workers have loaded.
    sa.Column("loaded", sa.JSON, nullable=False),
    # By the clock of the database, so that those of machines need not agree.
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("heard", sa.Double, nullable=False),
)

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("request_uuid", sa.Text, primary_key=True),
    sa.Column("body_digest", sa.LargeBinary, nullable=False),
    # Stands for the signed text: two requests of one key have the same signature only where they sign the same text.
    sa.Column("signature", sa.String(40)),
    sa.Column("uid", sa.String(20), nullable=False),
    sa.Column("created", sa.Double, nullable=False, index=True),
    sa.Index("ix_requests_account_id_signature", "account_id", "signature"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    # The file's, as its owner knows it.
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("expires", sa.Double, nullable=False, index=True),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    # Of the key that it was asked for with, as its tasks have it.
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False, index=True),
    # A Conversion's values as the form had them, of which the items of a strip differ. Null before that was kept.
    sa.Column("asked", sa.JSON),
    sa.Index("ix_runs_account_id_id", "account_id", "id"),
)

run_items = sa.Table(
    "run_items",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    # What sets it apart in its run: a file's name, a strength, a model, a seed.
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("style", sa.Text, nullable=False),
    # Uploads, or empty: a map for a ControlNet, and what is white where to redraw.
    sa.Column("control", sa.Text, nullable=False, server_default=""),
    sa.Column("mask", sa.Text, nullable=False, server_default=""),
    sa.Column("asked", sa.JSON, nullable=False),
    # Null until it is a task; a task that is tried again is another one.
    sa.Column("uid", sa.String(20), index=True),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("waiting", sa.Boolean, nullable=False),
    sa.Column("error_code", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_message", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_run_items_waiting", "waiting"),
)

styles = sa.Table(
    "styles",
    metadata,
    sa.Column("account_id", sa.ForeignKey("accounts.id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    # Under which its picture is stored; another with every save.
    sa.Column("uid", sa.String(20), nullable=False, unique=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("picture_bytes", sa.BigInteger, nullable=False),
    sa.Column("thumbnail", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)
