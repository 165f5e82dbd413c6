"""How Alembic reaches the ledger: through the connection that `maintenance` hands it."""

from alembic import context

from arb.adapters.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
