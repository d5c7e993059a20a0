"""Alembic's entry: runs the migrations on the connection that `database` has opened, or on none for a new revision."""

from __future__ import annotations

from alembic import context

from autograder.ledger.models import Base

connection = context.config.attributes["connection"]
# SQLite can't alter a column: Alembic copies the table instead.
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
