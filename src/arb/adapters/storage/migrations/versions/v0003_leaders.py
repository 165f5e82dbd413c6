"""Who led an account, and when: the newest token is the one that may write."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There is no leader yet; a ledger in a file never needs a row."""
    op.create_table(
        "leaders",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "token", name=op.f("pk_leaders")),
    )
