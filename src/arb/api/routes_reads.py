"""The read routes."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from arb.api import schemas
from arb.api.auth import Role
from arb.api.guarded import GuardedRoute, needs
from arb.api.routes import Here, Id, Who, get_health, get_status
from arb.engine.control import UnknownTarget

router = APIRouter(prefix="/api/v1", route_class=GuardedRoute)

Limit = Annotated[
    int, Query(ge=1, le=1000, description="How many, the latest first.", examples=[50])
]
READ = needs(Role.READ)


@router.get(
    "/arbitrage/opportunities", response_model=list[schemas.Opportunity], tags=["arbitrage"], **READ
)
async def opportunities(
    here: Here,
    *,
    limit: Limit = 50,
    everything: Annotated[
        bool, Query(description="Also what was never proved.", examples=[False])
    ] = False,
) -> Any:
    """The latest opportunities and their outcomes."""
    return await here.shared(here.reads.opportunities, limit=limit, everything=everything)


@router.get(
    "/arbitrage/opportunities/{id_}", response_model=schemas.Opportunity, tags=["arbitrage"], **READ
)
async def opportunity(
    here: Here,
    id_: Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$", examples=["7de0fc2455416bb3"])],
) -> Any:
    """One opportunity with its certificate: legs, books at the time, the worst world, verdicts."""
    found = await here.reads.opportunity(id_)
    if found is None:
        raise UnknownTarget(f"there is no opportunity {id_}")
    return found


@router.get(
    "/arbitrage/strategies", response_model=list[schemas.Strategy], tags=["arbitrage"], **READ
)
async def strategies(here: Here) -> Any:
    """The active strategies."""
    names = (await here.control.status()).strategies
    return [{"name": name, "is_active": True} for name in names]


@router.get("/arbitrage/bots", response_model=list[schemas.Bot], tags=["arbitrage"], **READ)
async def bots(here: Here) -> Any:
    """External bots under supervision."""
    return await here.bots.list() if here.bots is not None else []


@router.get("/portfolio", response_model=schemas.Portfolio, tags=["account"], **READ)
async def portfolio(here: Here) -> Any:
    """Cash, reserved and bound amounts, the day's volume and loss, the totals of all cycles."""
    return {
        **await here.shared(here.reads.portfolio),
        "statistics": await here.shared(here.reads.statistics),
    }


@router.get("/portfolio/positions", response_model=list[schemas.Position], tags=["account"], **READ)
async def positions(here: Here) -> Any:
    """What is held."""
    return await here.shared(here.reads.positions)


@router.get("/portfolio/profit", response_model=list[schemas.Profit], tags=["account"], **READ)
async def profit(here: Here, limit: Limit = 1000) -> Any:
    """How the latest plans ended, oldest first."""
    return await here.shared(here.reads.profit, limit)


@router.get("/plans", response_model=list[schemas.Plan], tags=["account"], **READ)
async def plans(
    here: Here,
    *,
    limit: Limit = 50,
    only_open: Annotated[
        bool, Query(description="Only those without an end.", examples=[False])
    ] = False,
) -> Any:
    """The latest plans."""
    return await here.shared(here.reads.plans, limit=limit, only_open=only_open)


@router.get("/plans/{id_}", response_model=schemas.Plan, tags=["account"], **READ)
async def plan(here: Here, id_: Id) -> Any:
    """One plan with its legs and all its facts."""
    found = await here.reads.plan(id_)
    if found is None:
        raise UnknownTarget(f"there is no plan {id_}")
    return found


@router.get("/fills", response_model=list[schemas.Fill], tags=["account"], **READ)
async def fills(here: Here, limit: Limit = 50) -> Any:
    """The latest fills."""
    return await here.shared(here.reads.fills, limit)


@router.get("/cycles", response_model=list[schemas.Cycle], tags=["account"], **READ)
async def cycles(here: Here, limit: Limit = 50) -> Any:
    """The latest cycles: funnel, reasons, completeness, errors."""
    return await here.shared(here.reads.cycles, limit)


@router.get("/config", response_model=list[schemas.Setting], tags=["operation"], **READ)
async def config(here: Here) -> Any:
    """Every setting, where it came from; secrets are masked."""
    return here.reads.config()


@router.get("/alerts", response_model=list[schemas.Alert], tags=["operation"], **READ)
async def alerts(here: Here, limit: Limit = 50) -> Any:
    """All alerts since the start, the latest first: where each was sent, or why not."""
    return here.alerts.latest(limit) if here.alerts is not None else []


@router.get(
    "/audit", response_model=list[schemas.AuditLine], tags=["operation"], **needs(Role.OPERATE)
)
async def audit(here: Here, limit: Limit = 50) -> Any:
    """The latest commands: caller, command, reason, state before and after."""
    return list(here.audit.recent)[::-1][:limit]


@router.get("/overview", response_model=schemas.Overview, tags=["operation"], **READ)
async def overview(here: Here, who: Who) -> Any:
    """Everything that the page shows, in one response, and how old its latest cycle is."""
    report, now = here.control.watch.last_report, here.control.clock.now()
    age = None
    if report is not None:
        age = (now - report.started_at).total_seconds() - report.duration_ms / 1000
    return {
        "you": {"name": who.name, "role": who.role.value},
        "interval_seconds": here.interval_seconds,
        "cycle_age_seconds": None if age is None else max(age, 0.0),
        "status": await get_status(here),
        "health": await get_health(here),
        "portfolio": await portfolio(here),
        "plans": await plans(here, limit=20),
        "positions": await positions(here),
        "profit": await profit(here),
        "cycles": await cycles(here),
        "alerts": await alerts(here),
        "bots": await bots(here),
    }
