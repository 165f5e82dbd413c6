"""Cash is kept by venue: money at one venue buys nothing at another."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BEFORE, ONLY_VENUE = "USD", "polymarket"
"""What cash was called, and the one venue that ledgers before this schema can be of."""


def upgrade() -> None:
    """All cash of the time before is at the one venue that there was."""
    op.create_table(
        "pockets",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opening_cash", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"], name=op.f("fk_pockets_account")),
        sa.PrimaryKeyConstraint("account", "venue", name=op.f("pk_pockets")),
    )
    db = op.get_bind()
    db.execute(
        sa.text(
            "insert into pockets (account, venue, currency, opened_at, opening_cash) "
            "select account, :venue, :currency, opened_at, opening_cash from accounts"
        ),
        {"venue": ONLY_VENUE, "currency": BEFORE},
    )
    for table in ("entries", "adjustments"):
        db.execute(
            sa.text(f"update {table} set asset = :now where asset = :before"),  # ours
            {"now": f"{ONLY_VENUE}/cash", "before": BEFORE},
        )
