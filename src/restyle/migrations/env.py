"""Run by Alembic: brings the connection that :mod:`restyle.database` hands over up to date, in its transaction."""

from alembic import context

from restyle.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
