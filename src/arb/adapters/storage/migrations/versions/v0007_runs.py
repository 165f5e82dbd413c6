"""Findings and plans belong to a run, whatever began it: the schedule's turn is one cause."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every cycle of before is a run of the same number; nothing says what began it."""
    op.rename_table("cycles", "runs")
    # In place, as both databases can: the findings are too many to be copied.
    for table in ("runs", "findings", "plans"):
        op.execute(f"alter table {table} rename column cycle to run")
    op.execute("alter table runs add column cause varchar not null default 'cycle'")
