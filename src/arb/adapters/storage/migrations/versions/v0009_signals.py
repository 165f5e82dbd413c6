"""Strategies that follow signals, and what their account was worth from time to time."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No strategy followed signals in the time before."""
    op.create_table(
        "signal_strategies",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("timeframe", sa.String(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("followed", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.account"], name=op.f("fk_signal_strategies_account")
        ),
        sa.PrimaryKeyConstraint(
            "account", "strategy", "venue", "token", name=op.f("pk_signal_strategies")
        ),
    )
    op.create_table(
        "equity_marks",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("worth", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.account"], name=op.f("fk_equity_marks_account")
        ),
        sa.PrimaryKeyConstraint("account", "at", name=op.f("pk_equity_marks")),
    )
