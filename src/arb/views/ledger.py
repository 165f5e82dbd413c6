"""Documents of the ledger, each with an example, and the reads that return them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from arb.views.shape import AT, PLAN_ID, Amount, Moment, shape

MARKET = "0xe82ded34b19254d7c953bc8109302be456127208b904310f92ab930ea8eaa000"
TOKEN = "30767602463077774093601223712399384862862570052209140379650662814599"
FOUND = {
    "id": "7de0fc2455416bb3", "run": 4711, "cycle": 4711, "at": AT, "decision": "refused",
    "kind": "negrisk_no", "event": "six-4-thin-leg", "title": "Six 4 thin leg", "exit": "now",
    "size": "43", "available": "43", "cost": "298.82", "fees": "1.49086", "payoff_worst": "301",
    "profit": "0.68914", "reason": "below_min_profit",
    "detail": "0.23 % of what is paid, at least 2.00 %",
}  # fmt: skip
DONE = {
    "id": PLAN_ID, "run": 4711, "cycle": 4711, "kind": "negrisk_yes", "event": "cheap-yes-1",
    "state": "done", "approved_at": AT, "ended_at": AT, "outlay": "17.871", "payoff_worst": "20",
    "realised": "0", "locked": "17.871", "reason": "", "alarm": "",
}  # fmt: skip
LEG = {
    "market": "cheap-yes-1-3", "outcome": "Yes", "side": "BUY", "limit": "0.24", "size": "20",
    "spend": "4.8", "shares_least": "19.99999", "cost": "4.8", "fee": "0.1824", "token": TOKEN,
    "state": "filled", "bought": "20", "sold": "0",
}  # fmt: skip
TOTALS = {
    "cycles": 1, "opportunities": 9, "trades": 5, "successes": 5, "failures": 0,
    "total_profit": "11.37024", "locked_profit": "5.99408",
}  # fmt: skip

FactLine = list[str]
"""When, what kind of fact, and about what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One candidate and its outcome."""

    id: str
    run: int
    """Belongs to this run of the account."""
    cycle: int
    """The same; its name before runs."""
    at: Moment
    decision: str
    kind: str
    event: str
    title: str
    exit: str | None
    size: Amount | None
    available: Amount | None
    cost: Amount | None
    fees: Amount | None
    payoff_worst: Amount | None
    profit: Amount | None
    reason: str | None
    detail: str
    __pydantic_config__ = shape(**FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified(Opportunity):
    """One candidate with its certificate, as it is kept."""

    certificate: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpportunityDetail(Opportunity):
    """One candidate with its certificate, and with the facts of the plan that it led to."""

    meaning: str
    """The reason in a sentence."""
    legs: list[dict[str, Any]]
    worst_world: dict[str, str]
    """How each market resolves in the world in which it pays least."""
    verdicts: list[dict[str, Any]]
    """What each gate said of it."""
    books: list[dict[str, Any]]
    """At the time, the best levels first."""
    facts: list[FactLine]
    __pydantic_config__ = shape(
        **FOUND, meaning="the certain profit is below the minimum", legs=[],
        worst_world={"six-4-thin-leg-1": "yes"},
        verdicts=[{"gate": "state", "passed": True, "detail": ""}], books=[], facts=[],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan."""

    id: str
    run: int
    """Belongs to this run of the account."""
    cycle: int
    """The same; its name before runs."""
    kind: str
    event: str
    state: Literal["open", "done", "unwound"]
    approved_at: Moment
    ended_at: Moment | None
    outlay: Amount
    payoff_worst: Amount
    realised: Amount
    locked: Amount
    reason: str
    alarm: str
    __pydantic_config__ = shape(**DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLeg:
    """One leg of a plan, and how far it has come."""

    market: str
    outcome: str
    side: str
    limit: Amount
    size: Amount
    spend: Amount
    shares_least: Amount
    cost: Amount
    fee: Amount
    token: str
    state: str
    """`planned`, `sent`, `filled`, `partial` or `refused`."""
    bought: Amount
    sold: Amount
    __pydantic_config__ = shape(**LEG)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDetail(Plan):
    """One plan with its legs and all its facts."""

    title: str
    profit_least: Amount
    legs: list[PlanLeg]
    facts: list[FactLine]
    __pydantic_config__ = shape(
        **DONE, title="Cheap yes 1", profit_least="1.948587", legs=[LEG],
        facts=[[AT, "submitted", "BUY 20 @ 0.24 of cheap-yes-1-3"]],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill."""

    id: str
    plan: str
    slug: str
    """The market as the venue's site names it; like `outcome`, from the plan."""
    outcome: str
    market: str
    token: str
    side: str
    price: Amount
    size: Amount
    fee: Amount
    at: Moment
    state: str
    __pydantic_config__ = shape(
        id=f"{PLAN_ID}/2/BUY/1/0", plan=PLAN_ID, slug="cheap-yes-1-3", outcome="Yes", market=MARKET,
        token=TOKEN, side="BUY", price="0.24", size="20", fee="0.1824", at=AT, state="settled",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """One run with its counts."""

    run: int
    cause: str
    """`cycle`: the schedule's turn. `command`: an operator named one event."""
    cycle: int
    """The same as `run`; its name before runs."""
    started_at: Moment
    ended_at: Moment | None
    duration_ms: int | None
    markets: int | None
    books: int | None
    opportunities: int | None
    summary: dict[str, Any]
    __pydantic_config__ = shape(
        run=4711, cause="cycle", cycle=4711, started_at=AT, ended_at=AT, duration_ms=1004,
        markets=128, books=251, opportunities=9,
        summary={"funnel": {"events": 65, "proved": 9}, "reasons": [["filled", 5]]},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """One step of an attempt on a chain, calculated at one block and not guaranteed."""

    account: str
    """Of its own: nothing of it is added to another."""
    attempt: str
    step: str
    """One of `found`, `refused`, `simulated`, `submitted`, `continued`, `included`, `reverted`,
    `dropped` and `failed`.
    """
    at: Moment
    block: int
    subject: str
    """Of a liquidation the borrower's address."""
    detail: str
    figures: dict[str, str]
    """Integers in a token's smallest unit, and USD as decimal strings, by name."""
    __pydantic_config__ = shape(
        account="liquidations:default", attempt="f0d05e70b45b763f", step="included", at=AT,
        block=4711, subject="0x70997970c51812dc3a010c7d01b50e0d17dc79c8", detail="",
        figures={"gain": "383071251", "returned_usd": "303.26"},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """How one plan ended."""

    at: Moment
    plan: str
    kind: str
    state: str
    realised: Amount
    locked: Amount
    __pydantic_config__ = shape(
        at=AT, plan=PLAN_ID, kind="negrisk_no", state="done", realised="4.4", locked="0"
    )


NO_PRICES = "the ledger knows no prices; a running orchestrator does, see its API"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Shares of one outcome, named as the plan that bought them names them."""

    venue: str
    event: str
    slug: str
    outcome: str
    market: str
    token: str
    shares: Amount
    plan: str
    """The latest plan that traded it; empty: none did."""
    cost: Amount | None
    """What these shares cost, fee included."""
    price_paid: Amount | None
    """What one of them cost on average, fee included."""
    price: Amount | None
    """The highest bid for one when its book was last read."""
    value: Amount | None
    """What they are worth at that price, before fees, if the bid is for as many."""
    priced_at: Moment | None
    """When that book was read."""
    no_value: str
    """Why there is no value; empty: there is one."""
    closes_at: Moment | None
    """When the market was to close when it was bought."""
    plan_paid: Amount | None
    """What the plan has bound until its resolution."""
    plan_pays: Amount | None
    """What the plan pays in the worst world."""
    plan_profit: Amount | None
    """Certain, and not realised yet."""
    __pydantic_config__ = shape(
        venue="polymarket", event="cheap-yes-1", slug="cheap-yes-1-3", outcome="Yes",
        market=MARKET, token=TOKEN, shares="20", plan=PLAN_ID, cost="4.47",
        price_paid="0.2235", price="0.21", value="4.2", priced_at=AT, no_value="", closes_at=AT,
        plan_paid="17.871", plan_pays="20", plan_profit="2.129",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sum of all cycles."""

    cycles: int
    opportunities: int
    trades: int
    successes: int
    failures: int
    total_profit: Amount
    locked_profit: Amount
    __pydantic_config__ = shape(**TOTALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pocket:
    """The account's cash at one venue: it buys nothing at another."""

    cash: Amount
    promised: Amount
    free: Amount
    __pydantic_config__ = shape(cash="9967.36432", promised="0", free="9967.36432")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The account."""

    account: str
    cash: Amount
    free: Amount
    promised: Amount
    pockets: dict[str, Pocket]
    """By venue."""
    locked: Amount
    equity: Amount
    provisional: Amount
    open_plans: int
    volume_today: Amount
    loss_today: Amount
    consecutive_failures: int
    trades_ended: int
    trades_voided: int
    by_event: dict[str, Amount]
    statistics: Totals
    __pydantic_config__ = shape(
        account="paper:default", cash="9967.36432", free="9967.36432", promised="0",
        pockets={"polymarket": {"cash": "9967.36432", "promised": "0", "free": "9967.36432"}},
        locked="44.00592", equity="10011.37024", provisional="0", open_plans=2,
        volume_today="229.5", loss_today="0", consecutive_failures=0, trades_ended=0,
        trades_voided=0, by_event={"cheap-yes-1": "17.871", "cheap-yes-2": "26.13492"},
        statistics=TOTALS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the ledger."""

    account: str
    opened_at: Moment
    opening_cash: Amount
    openings: Mapping[str, Amount]
    """The cash that each venue's pocket was opened with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """What was believed of a trade and what was seen: its kind is stopped until someone looks."""

    kind: str
    venue: str
    plan: str
    believed: str
    seen: str
    at: str
    command: str
    """The command that ends it."""
    __pydantic_config__ = shape(
        kind="negrisk_no", venue="polymarket", plan=PLAN_ID, believed="be $80 by convert",
        seen="the contract refuses: execution reverted", at="2026-11-21T12:00:00+00:00",
        command="arb resume --kind negrisk_no --venue polymarket",
    )  # fmt: skip


class Reads(Protocol):
    """Reads of one account. All raise `LedgerError` when the ledger does not answer."""

    async def opportunities(self, *, limit: int, everything: bool) -> list[Opportunity]:
        """The latest proven opportunities, or every candidate kept, newest first."""
        ...

    async def opportunity(self, id_: str) -> OpportunityDetail | None:
        """One candidate by its id, or by the beginning of it."""
        ...

    async def accounts(self) -> list[Account]:
        """Every account of the ledger, not this one's alone."""
        ...

    async def plans(self, *, limit: int, only_open: bool) -> list[Plan]:
        """The latest plans, newest first."""
        ...

    async def plan(self, id_: str) -> PlanDetail | None:
        """One plan."""
        ...

    async def attempts(self, *, limit: int) -> list[AttemptFact]:
        """The latest steps of attempts on a chain, of every account of attempts."""
        ...

    async def fills(self, *, limit: int) -> list[Fill]:
        """The latest fills, newest first."""
        ...

    async def cycles(self, *, limit: int) -> list[Cycle]:
        """The latest completed cycles, newest first."""
        ...

    async def profits(self, *, limit: int) -> list[Profit]:
        """How the latest plans ended, oldest first."""
        ...

    async def positions(self) -> list[Position]:
        """What is held."""
        ...
