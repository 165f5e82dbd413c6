"""Ends of plans that have not been reported yet: what a crash must not lose."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Ends of before count as told: `arb plans` has had them all along."""
    with op.batch_alter_table("plans") as plans:
        plans.add_column(sa.Column("untold", sa.Integer(), nullable=False, server_default="0"))
        plans.create_index("ix_plans_untold", ["account", "untold"])
