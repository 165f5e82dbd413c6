"""The ledger's tables. Rows of all accounts share them; nothing is ever summed across accounts."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from arb.adapters.storage.columns import DecisionName, MicroUnits, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("account", String, primary_key=True),
    Column("opened_at", UtcTime, nullable=False),
    Column("opening_cash", MicroUnits, nullable=False),  # of the pockets that it began with
)

pockets = Table(
    "pockets",
    metadata,
    Column("account", String, ForeignKey("accounts.account"), primary_key=True),
    Column("venue", String, primary_key=True),
    Column("currency", String, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("opening_cash", MicroUnits, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    # The names are of the time when it was called `cycles`.
    Column("account", String, ForeignKey("accounts.account", name="fk_cycles_account")),
    Column("run", Integer),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),  # empty: cut off in the middle
    Column("duration_ms", Integer),
    Column("markets", Integer),
    Column("books", Integer),
    Column("opportunities", Integer),
    Column("reachable", Integer),
    Column("summary", Text),  # funnel, reasons, completeness, errors as JSON
    Column("cause", String, nullable=False, server_default="cycle"),  # `RunCause`
    PrimaryKeyConstraint("account", "run", name="pk_cycles"),
)

findings = Table(
    "findings",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("run", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("decision", DecisionName, nullable=False),  # approved, refused, unproven, skipped
    Column("kind", String, nullable=False),
    Column("event", String, nullable=False),
    Column("title", String, nullable=False),
    Column("exit", String),
    Column("size", MicroUnits),
    Column("available", MicroUnits),
    Column("cost", MicroUnits),
    Column("fees", MicroUnits),
    Column("payoff_worst", MicroUnits),
    Column("profit", MicroUnits),
    Column("reason", String),
    Column("detail", Text, nullable=False),
    Column("certificate", Text, nullable=False),  # legs, books, verdicts as JSON
    Index("ix_findings_recent", "account", "run"),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("run", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("event", String, nullable=False),
    Column("state", String, nullable=False),
    Column("approved_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outlay", MicroUnits, nullable=False),
    Column("payoff_worst", MicroUnits, nullable=False),
    Column("realised", MicroUnits, nullable=False),
    Column("locked", MicroUnits, nullable=False),
    Column("reason", Text, nullable=False),
    Column("plan", Text, nullable=False),  # the whole plan as JSON
    Column("alarm", Text, nullable=False, server_default=""),
    Column("untold", Integer, nullable=False, server_default="0"),  # 1: ended, not reported yet
    CheckConstraint("state in ('open', 'done', 'unwound')", name="state"),
    Index("ix_plans_recent", "account", "approved_at"),
    Index("ix_plans_untold", "account", "untold"),
)

facts = Table(
    "facts",
    metadata,
    Column("plan", String, ForeignKey("plans.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("key", String, nullable=False),  # the same fact has the same key
    Column("at", UtcTime, nullable=False),
    Column("fact", Text, nullable=False),
    UniqueConstraint("plan", "key"),
)

fills = Table(
    "fills",
    metadata,
    Column("id", String, primary_key=True),  # order id and number
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("plan", String, ForeignKey("plans.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("order_id", String, nullable=False),
    Column("venue", String, nullable=False),
    Column("token", String, nullable=False),
    Column("market", String, nullable=False),
    Column("side", String, nullable=False),
    Column("price", MicroUnits, nullable=False),
    Column("size", MicroUnits, nullable=False),
    Column("fee", MicroUnits, nullable=False),
    Column("shown", MicroUnits, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("trade", String, nullable=False, server_default=""),
    Column("state", String, nullable=False, server_default="settled"),
    CheckConstraint("price > 0 and price < 1000000", name="price"),
    CheckConstraint("size > 0", name="size"),
    CheckConstraint("fee >= 0", name="fee"),
    Index("ix_fills_recent", "account", "at"),
)

entries = Table(
    "entries",
    metadata,
    Column("plan", String, ForeignKey("plans.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("asset", String, nullable=False),  # venue/cash, or venue:token
    Column("market", String),  # of a token, where the fact names it
    Column("delta", MicroUnits, nullable=False),
    Index("ix_entries_account", "account", "asset"),
)

adjustments = Table(
    "adjustments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("asset", String, nullable=False),  # venue/cash, or venue:token
    Column("market", String),
    Column("delta", MicroUnits, nullable=False),
    Column("reason", Text, nullable=False),
)

standings = Table(
    "standings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime),
    Column("by_operator", Integer, nullable=False),
    CheckConstraint("state in ('normal', 'throttled', 'halted')", name="state"),
)

contradictions = Table(
    "contradictions",
    metadata,
    Column("account", String, ForeignKey("accounts.account"), primary_key=True),
    Column("key", String, primary_key=True),  # the same contradiction has the same key
    Column("venue", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("about", String, nullable=False),
    Column("believed", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("told", Integer, nullable=False, server_default="0"),
    Column("ended_at", UtcTime),  # empty: its kind is stopped
    Column("ended_why", Text, nullable=False, server_default=""),
)

bot_events = Table(
    "bot_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # Bots run before the account is opened: no foreign key.
    Column("account", String, nullable=False),
    Column("bot", String, nullable=False),
    Column("deed", String, nullable=False),  # `BotDeed`
    Column("at", UtcTime, nullable=False),
    Column("plan", String),
    Column("detail", Text, nullable=False, server_default=""),
    Column("said_profit", MicroUnits),  # the bot's word
    Column("said_transaction", String, nullable=False, server_default=""),
    Index("ix_bot_events_bot", "account", "bot", "id"),
    Index("ix_bot_events_plan", "plan"),
)

signal_strategies = Table(
    "signal_strategies",
    metadata,
    Column("account", String, ForeignKey("accounts.account"), primary_key=True),
    Column("strategy", String, primary_key=True),
    Column("venue", String, primary_key=True),
    Column("token", String, primary_key=True),
    Column("market", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("timeframe", String, nullable=False),
    Column("params", Text, nullable=False),  # as JSON
    Column("added_at", UtcTime, nullable=False),
    Column("followed", UtcTime),
)

equity_marks = Table(
    "equity_marks",
    metadata,
    Column("account", String, ForeignKey("accounts.account"), primary_key=True),
    Column("at", UtcTime, primary_key=True),
    Column("worth", MicroUnits, nullable=False),  # cash, and what is held at the bids
)

attempt_facts = Table(
    "attempt_facts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String, ForeignKey("accounts.account"), nullable=False),
    Column("attempt", String, nullable=False),
    Column("step", String, nullable=False),  # `AttemptStep`
    Column("at", UtcTime, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("figures", Text, nullable=False, server_default="{}"),  # by name, as JSON
    Index("ix_attempt_facts_account", "account", "id"),
)

leaders = Table(
    "leaders",
    metadata,
    # Leading comes before the account is opened: no foreign key.
    Column("account", String, primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),  # the newest one leads
    Column("holder", String, nullable=False),  # host and process
    Column("since", UtcTime, nullable=False),
)
