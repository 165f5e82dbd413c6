"""What the API shows of the ledger: the storage's queries as documents."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from arb.adapters.storage import Database
from arb.adapters.storage.queries import FOUND_COLUMNS, FoundRow, LedgerReads
from arb.config.sources import Loaded
from arb.domain.fact import Answered, Discovered, Fact, Submitted, Voided
from arb.domain.market import MarketId, Side
from arb.domain.money import Shares, text
from arb.domain.plan import PlannedLeg
from arb.domain.reason import Reason
from arb.operations.account_views import account_document, plain, statistics_document, tell
from arb.operations.redaction import safe
from arb.ports import Clock, Ledger

Document = dict[str, Any]


class LedgerDocuments:
    """See `arb.api.reads.Reads`. Reads through connections of its own, which wait for no writer."""

    def __init__(self, loaded: Loaded, ledger: Ledger, clock: Clock) -> None:
        self._loaded, self._ledger, self._clock = loaded, ledger, clock
        self._db = Database(loaded.settings.database.url)
        self._reads = LedgerReads(self._db, ledger.account)

    async def close(self) -> None:
        """Close all connections."""
        await self._db.close()

    async def portfolio(self) -> Document:
        """See `Reads`."""
        held = await self._ledger.portfolio(self._clock.now())
        return {
            "account": self._ledger.account,
            **account_document(held),
            "free": text(held.free),
            "equity": text(held.equity),
            "by_event": {event: text(bound) for event, bound in held.by_event.items()},
        }

    async def statistics(self) -> Document:
        """See `Reads`."""
        return statistics_document(await self._ledger.statistics())

    async def positions(self) -> Sequence[Document]:
        """See `Reads`."""
        return [plain(asdict(row)) for row in await self._reads.positions()]

    async def profit(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        return [plain(asdict(row)) for row in await self._reads.profits(limit=limit)]

    async def opportunities(self, *, limit: int, everything: bool) -> Sequence[Document]:
        """See `Reads`."""
        rows = await self._reads.opportunities(limit=limit, everything=everything)
        return [_found(row) for row in rows]

    async def opportunity(self, id_: str) -> Document | None:
        """See `Reads`."""
        rows = await self._reads.findings_like(id_)
        if len(rows) != 1:
            return None
        row = rows[0]
        meaning = Reason(row.reason).sentence if row.reason else "every gate passed"
        facts = [tell(fact) for fact in await self._reads.facts(row.id)]
        story = {**_found(row), "meaning": meaning}
        return {**story, **row.certificate, "facts": facts}

    async def plans(self, *, limit: int, only_open: bool) -> Sequence[Document]:
        """See `Reads`."""
        rows = await self._reads.plans(limit=limit, only_open=only_open)
        return [plain(asdict(row)) for row in rows]

    async def plan(self, id_: str) -> Document | None:
        """See `Reads`."""
        found = await self._reads.plan(id_)
        if found is None:
            return None
        row, approved = found
        facts = await self._reads.facts(id_)
        legs = [
            {**_leg(leg), **_progress(f"{id_}/{number}/", leg.size, facts)}
            for number, leg in enumerate(approved.legs)
        ]
        names = {leg.market: leg.market_slug for leg in approved.legs}
        told = [_named(tell(fact), fact, approved.legs, names) for fact in facts]
        return {
            **plain(asdict(row)),
            "title": approved.event_title,
            "profit_least": text(approved.profit_least),
            "legs": legs,
            "facts": told,
        }

    async def fills(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        return [plain(asdict(row)) for row in await self._reads.fills(limit=limit)]

    async def cycles(self, limit: int) -> Sequence[Document]:
        """See `Reads`."""
        rows = await self._reads.cycles(limit=limit)
        return [plain({name: getattr(row, name) for name in _names(row)}) for row in rows]

    def config(self) -> Sequence[Document]:
        """See `Reads`."""
        return [
            {"name": one.name, "value": safe(one.shown), "source": one.source}
            for one in self._loaded.all()
        ]


def _found(row: FoundRow) -> Document:
    return plain({name: getattr(row, name) for name in FOUND_COLUMNS})


def _leg(leg: PlannedLeg) -> Document:
    return {
        "market": leg.market_slug,
        "outcome": leg.outcome_name,
        "side": leg.side.value,
        "limit": text(leg.limit),
        "size": text(leg.size),
        "spend": text(leg.dollars),
        "shares_least": text(leg.least),
        "cost": text(leg.value),
        "fee": text(leg.fee),
        "token": leg.outcome.token,
    }


def _progress(order: str, wanted: Shares, facts: Sequence[Fact]) -> dict[str, str]:
    """How far a leg has come, by the facts of its orders, whose ids begin so."""
    state, shares = "planned", {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
    for fact in facts:
        match fact:
            case Submitted(order=sent) if sent.id.startswith(order):
                state = "sent"
            case Answered(order=id_, answer=answer) if id_.startswith(order):
                state = "answered"
                for fill in answer.fills:
                    shares[fill.side] += fill.size
            case Discovered(order=id_, fills=fills) if id_.startswith(order):
                for fill in fills:
                    shares[fill.side] += fill.size
            case Voided(order=id_, fills=fills) if id_.startswith(order):
                for fill in fills:
                    shares[fill.side] -= fill.size
            case _:
                pass
    bought = shares[Side.BUY]
    if state == "answered":
        state = "filled" if bought >= wanted else "partial" if bought else "refused"
    return {"state": state, "bought": text(bought), "sold": text(shares[Side.SELL])}


def _named(
    told: list[str], fact: Fact, legs: Sequence[PlannedLeg], names: Mapping[MarketId, str]
) -> list[str]:
    """A fact with the market's name where it had its id, or none."""
    at, kind, about = told
    for market, name in names.items():
        about = about.replace(market, name)
    order = getattr(fact, "order", None)
    if isinstance(order, str):
        about = f"{legs[int(order.split('/')[1])].market_slug}: {about}"
    return [at, kind, about]


def _names(row: Any) -> list[str]:
    return list(row.__dataclass_fields__)
