"""What contradicted a proof: its kind of trade is stopped until an operator has looked."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None is known of the time before."""
    op.create_table(
        "contradictions",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("believed", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("ended_why", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(
            ["account"], ["accounts.account"], name=op.f("fk_contradictions_account")
        ),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_contradictions")),
    )
