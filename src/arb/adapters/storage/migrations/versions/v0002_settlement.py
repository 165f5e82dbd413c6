"""Trades and their settlement, alarms of plans, and what an operator books by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Fills of before settled as they happened: they were on paper."""
    with op.batch_alter_table("fills") as fills:
        fills.add_column(sa.Column("trade", sa.String(), nullable=False, server_default=""))
        fills.add_column(sa.Column("state", sa.String(), nullable=False, server_default="settled"))
    with op.batch_alter_table("plans") as plans:
        plans.add_column(sa.Column("alarm", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=True),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.account"], name=op.f("fk_adjustments_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
    )
