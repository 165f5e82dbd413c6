"""What bots did, and three views of the ledger for people: in dollars, with dates as text."""

import sqlalchemy as sa
from alembic import op

from arb.adapters.storage.views import create_views

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is known of bots of the time before."""
    op.create_table(
        "bot_events",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("bot", sa.String(), nullable=False),
        sa.Column("deed", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.String()),
        sa.Column("detail", sa.Text(), nullable=False, server_default=""),
        sa.Column("said_profit", sa.BigInteger()),
        sa.Column("said_transaction", sa.String(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_events")),
    )
    op.create_index("ix_bot_events_bot", "bot_events", ["account", "bot", "id"])
    op.create_index("ix_bot_events_plan", "bot_events", ["plan"])
    # They hold nothing, so the newest revision alone makes them, as they are now.
    create_views(op.get_bind())
