"""Alembic's way in: run the migrations on the connection that :mod:`geminid.store.migrate` hands over."""

from alembic import context

from geminid.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
