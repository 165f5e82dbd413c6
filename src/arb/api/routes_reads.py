"""The read routes."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from arb.api import schemas
from arb.api.auth import Role
from arb.api.guarded import GuardedRoute, needs
from arb.api.routes import Here, Id, Who, active, get_health, get_status
from arb.domain.book import OrderBook
from arb.domain.market import OutcomeId, VenueId
from arb.engine.control import UnknownTarget
from arb.views import ledger, sidecars
from arb.views.detail import priced

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute)
arbitrage = APIRouter(prefix="/arbitrage", route_class=GuardedRoute)

Limit = Annotated[
    int, Query(ge=1, le=1000, description="How many, the latest first.", examples=[50])
]
READ = needs(Role.READ)
ATTEMPTS_SHOWN = 20
"""Steps of attempts on the page."""


@arbitrage.get("/opportunities", tags=["arbitrage"], **READ)
async def opportunities(
    here: Here,
    *,
    limit: Limit = 50,
    everything: Annotated[
        bool, Query(description="Also what was never proved.", examples=[False])
    ] = False,
) -> list[ledger.Opportunity]:
    """The latest opportunities and their outcomes."""
    return await here.shared(here.reads.opportunities, limit=limit, everything=everything)


@arbitrage.get("/opportunities/{id_}", tags=["arbitrage"], **READ)
async def opportunity(
    here: Here,
    id_: Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$", examples=["7de0fc2455416bb3"])],
) -> ledger.OpportunityDetail:
    """One opportunity with its certificate: legs, books at the time, the worst world, verdicts."""
    found = await here.reads.opportunity(id_)
    if found is None:
        raise UnknownTarget(f"there is no opportunity {id_}")
    return found


@arbitrage.get("/strategies", tags=["arbitrage"], **READ)
async def strategies(here: Here) -> list[schemas.Strategy]:
    """The active strategies."""
    return [active(one) for one in (await here.control.status()).strategies]


@arbitrage.get("/bots", tags=["arbitrage"], **READ)
async def bots(here: Here) -> list[sidecars.Bot]:
    """External bots under supervision."""
    return list(await here.bots.list()) if here.bots is not None else []


@router.get("/portfolio", tags=["account"], **READ)
async def portfolio(here: Here) -> ledger.Portfolio:
    """Cash, reserved and bound amounts, the day's volume and loss, the totals of all cycles."""
    return await here.shared(here.portfolio)


@router.get("/portfolio/positions", tags=["account"], **READ)
async def positions(here: Here) -> list[ledger.Position]:
    """What is held, what it cost, and what it is worth at the books that were last read."""
    books = here.control.orchestrator.held_books

    def book(held: ledger.Position) -> OrderBook | None:
        return books.get(OutcomeId(VenueId(held.venue), held.token))

    return [priced(held, book(held)) for held in await here.shared(here.reads.positions)]


@router.get("/portfolio/profit", tags=["account"], **READ)
async def profit(here: Here, limit: Limit = 1000) -> list[ledger.Profit]:
    """How the latest plans ended, oldest first."""
    return await here.shared(here.reads.profits, limit=limit)


@router.get("/plans", tags=["account"], **READ)
async def plans(
    here: Here,
    *,
    limit: Limit = 50,
    only_open: Annotated[
        bool, Query(description="Only those without an end.", examples=[False])
    ] = False,
) -> list[ledger.Plan]:
    """The latest plans."""
    return await here.shared(here.reads.plans, limit=limit, only_open=only_open)


@router.get("/plans/{id_}", tags=["account"], **READ)
async def plan(here: Here, id_: Id) -> ledger.PlanDetail:
    """One plan with its legs and all its facts."""
    found = await here.reads.plan(id_)
    if found is None:
        raise UnknownTarget(f"there is no plan {id_}")
    return found


@router.get("/fills", tags=["account"], **READ)
async def fills(here: Here, limit: Limit = 50) -> list[ledger.Fill]:
    """The latest fills."""
    return await here.shared(here.reads.fills, limit=limit)


@router.get("/attempts", tags=["account"], **READ)
async def attempts(here: Here, limit: Limit = 50) -> list[ledger.AttemptFact]:
    """The latest steps of attempts on a chain, liquidations for one: not guaranteed."""
    return await here.shared(here.reads.attempts, limit=limit)


@router.get("/cycles", tags=["account"], **READ)
async def cycles(here: Here, limit: Limit = 50) -> list[ledger.Cycle]:
    """The latest cycles: funnel, reasons, completeness, errors."""
    return await here.shared(here.reads.cycles, limit=limit)


@router.get("/config", tags=["operation"], **READ)
async def config(here: Here) -> list[sidecars.Setting]:
    """Every setting, where it came from; secrets are masked."""
    return here.settings()


@router.get("/alerts", tags=["operation"], **READ)
async def alerts(here: Here, limit: Limit = 50) -> list[sidecars.Alert]:
    """All alerts since the start, the latest first: where each was sent, or why not."""
    return here.alerts.latest(limit) if here.alerts is not None else []


@router.get("/audit", tags=["operation"], **needs(Role.OPERATE))
async def audit(here: Here, limit: Limit = 50) -> list[schemas.AuditLine]:
    """The latest commands: caller, command, reason, state before and after."""
    return [schemas.AuditLine(**line) for line in list(here.audit.recent)[::-1][:limit]]


@router.get("/overview", tags=["operation"], **READ)
async def overview(here: Here, who: Who) -> schemas.Overview:
    """Everything that the page shows, in one response, and how old its latest cycle is."""
    report, now = here.control.watch.last_report, here.control.clock.now()
    statistical = here.control.signals
    age = None
    if report is not None:
        age = (now - report.started_at).total_seconds() - report.duration_ms / 1000
    return schemas.Overview(
        you=schemas.You(name=who.name, role=who.role.value),
        interval_seconds=here.interval_seconds,
        cycle_age_seconds=None if age is None else max(age, 0.0),
        status=await get_status(here),
        health=await get_health(here),
        portfolio=await portfolio(here),
        plans=await plans(here, limit=20),
        positions=await positions(here),
        profit=await profit(here),
        cycles=await cycles(here),
        alerts=await alerts(here),
        bots=await bots(here),
        signals=None if statistical is None else await here.shared(statistical.shown),
        attempts=await attempts(here, limit=ATTEMPTS_SHOWN),
    )
