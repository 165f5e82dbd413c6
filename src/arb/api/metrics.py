"""Metrics for Prometheus, counted from the news. Names are documented in INTERFACE_SPEC.md."""

from contextlib import suppress
from decimal import Decimal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from arb.domain.attempt import AttemptSums
from arb.domain.decision import Approved, Refused
from arb.domain.errors import LedgerError
from arb.domain.halt import TradingState
from arb.domain.news import (
    Attempted,
    AttemptsChanged,
    AttemptsLooked,
    ChainSeen,
    Contradicted,
    CycleEnded,
    CycleFailed,
    CycleSkipped,
    Decided,
    News,
    PlanEnded,
    PlanResolved,
    PlanStarted,
    QualityAlarm,
    StateChanged,
    Trouble,
)
from arb.domain.record import PlanRecord
from arb.domain.report import CycleReport
from arb.engine.bus import Bus
from arb.engine.control import Control
from arb.engine.watch import Health
from arb.views.sidecars import Bots

CYCLE_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """One process's metrics. Itself an `Observer`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # of the library
        registry = self.registry = CollectorRegistry()
        self.cycles = Counter("arb_cycles", "Cycles by result.", ["result"], registry=registry)
        self.skipped = Counter("arb_cycles_skipped", "Cycles not run.", registry=registry)
        self.seconds = Histogram(
            "arb_cycle_seconds", "Duration of cycles.", buckets=CYCLE_SECONDS, registry=registry
        )
        self.seen = Gauge("arb_seen", "Of the last cycle.", ["what"], registry=registry)
        self.found = Counter(
            "arb_opportunities", "Proven, by decision.", ["kind", "decision"], registry=registry
        )
        self.reasons = Counter(
            "arb_candidates", "Candidates by the reason that ended them.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.begun = Counter("arb_plans_started", "Plans by kind.", ["kind"], registry=registry)
        self.plans = Counter(
            "arb_plans_ended", "Plans by end.", ["kind", "state"], registry=registry
        )
        self.realised = Gauge(
            "arb_realised_usd", "Realised since the start.", ["kind"], registry=registry
        )
        self.cash = Gauge("arb_cash_usd", "Of the account, free or reserved.", registry=registry)
        self.locked = Gauge("arb_locked_usd", "Bound until resolution.", registry=registry)
        self.profit = Gauge(
            "arb_profit_usd", "Realised by the account since it began.", registry=registry
        )
        self.volume = Gauge(
            "arb_volume_today_usd", "Price times size of the UTC day's fills.", registry=registry
        )
        self.drawdown = Gauge(
            "arb_drawdown_percent", "Realised equity below its highest.", registry=registry
        )
        self.failures = Gauge(
            "arb_consecutive_failures", "Failed plans in a row.", registry=registry
        )
        self.inclusion = Gauge(
            "arb_inclusion_rate", "Part of the plans sent since the start that was filled.",
            registry=registry,
        )  # fmt: skip
        self.accuracy = Gauge(
            "arb_simulation_accuracy", "Realised by proved profit since the start.",
            registry=registry,
        )  # fmt: skip
        self.block = Gauge(
            "arb_block_number", "Latest block, while trading live.", ["venue"], registry=registry
        )
        self.gas = Gauge(
            "arb_gas_balance", "Of the wallet, in the chain's coin, while trading live.",
            ["venue", "coin"], registry=registry,
        )  # fmt: skip
        self.attempts = Counter(
            "arb_attempts", "Steps of attempts on a chain.", ["account", "step"],
            registry=registry,
        )  # fmt: skip
        self.attempt_sums = Gauge(
            "arb_attempt_figures", "Of an account of attempts.", ["account", "what"],
            registry=registry,
        )  # fmt: skip
        self.attempt_state = Gauge(
            "arb_attempt_state", "1 for the state of an account of attempts.",
            ["account", "state"], registry=registry,
        )  # fmt: skip
        self.record = PlanRecord()
        self.alarms = Counter(
            "arb_data_quality_alarms", "By problem.", ["problem"], registry=registry
        )
        self.contradictions = Counter(
            "arb_contradictions", "Proofs that reality contradicted.", ["kind"], registry=registry
        )
        self.errors = Counter("arb_errors", "Trouble by where.", ["where"], registry=registry)
        self.state = Gauge("arb_trading_state", "1 for the state.", ["state"], registry=registry)
        self.health = Gauge("arb_health", "1 for the status.", ["status"], registry=registry)
        self.consecutive = Gauge(
            "arb_consecutive_errors", "Failed cycles in a row.", registry=registry
        )
        self.circuits = Gauge(
            "arb_circuit_open", "1 while a host is left alone.", ["host"], registry=registry
        )
        self.traffic = Gauge(
            "arb_venue_requests", "Since the start.", ["what", "endpoint"], registry=registry
        )
        self.waited = Gauge(
            "arb_limiter_wait_seconds", "Waited for the rate limiter since the start.",
            ["endpoint"], registry=registry,
        )  # fmt: skip
        self.recent = Gauge(
            "arb_errors_recent", "Errors within the window of health.", ["where"],
            registry=registry,
        )  # fmt: skip
        self.bots = Gauge("arb_bot_running", "1 while it runs.", ["bot"], registry=registry)
        self.requests = Counter(
            "arb_api_requests", "Answered.", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "arb_api_request_seconds", "Of requests.", buckets=REQUEST_SECONDS, registry=registry
        )
        self.denied = Counter("arb_api_denied", "Refused at the gate.", ["why"], registry=registry)
        self.clients = Gauge("arb_stream_clients", "WebSocket clients.", registry=registry)
        self.dropped = Gauge("arb_stream_dropped", "Too slow, let go of.", registry=registry)

    def __call__(self, news: News) -> None:  # noqa: PLR0912  # one for each kind
        """Count it."""
        self.record(news)
        match news:
            case Decided(finding=Approved(opportunity=found)):
                self.found.labels(str(found.kind), "approved").inc()
            case Decided(finding=Refused(opportunity=found)):
                self.found.labels(str(found.kind), "refused").inc()
            case QualityAlarm(problem=alarm):
                self.alarms.labels(alarm.problem).inc()
            case PlanStarted(plan=plan):
                self.begun.labels(str(plan.kind)).inc()
            case PlanEnded(plan=plan, report=report):
                self.plans.labels(str(plan.kind), report.state.value).inc()
                self.realised.labels(str(plan.kind)).inc(_number(report.realised))
            case Trouble(problem=problem):
                self.errors.labels(problem.kind.value).inc()
            case ChainSeen(venue=venue, state=chain):
                self.block.labels(venue).set(chain.block)
                if chain.gas is not None:
                    self.gas.labels(venue, chain.coin).set(_number(chain.gas))
            case Attempted(account=account, fact=fact):
                self.attempts.labels(account, fact.step.value).inc()
            case AttemptsLooked(account=account, sums=sums):
                for what, figure in figures_of(sums).items():
                    self.attempt_sums.labels(account, what).set(_number(figure))
            case AttemptsChanged(account=account, standing=standing):
                for each in TradingState:
                    is_it = each is standing.state
                    self.attempt_state.labels(account, each.value).set(is_it)
            case Contradicted(found=found):
                self.contradictions.labels(str(found.kind)).inc()
            case StateChanged(state=state):
                self._set_state(state)
            case CycleSkipped():
                self.skipped.inc()
            case CycleEnded(report=report):
                self._ended(report)
            case CycleFailed():
                self.cycles.labels("failed").inc()
            case PlanResolved(plan=plan, report=report):
                self.realised.labels(str(plan.kind)).inc(_number(report.realised))
            case _:
                pass

    async def text(self, control: Control, bus: Bus, bots: Bots | None = None) -> bytes:
        """Everything in the exposition format, with what is only known when asked."""
        report = await control.health()
        for health in Health:
            self.health.labels(health.value).set(health is report.status)
        self.consecutive.set(report.consecutive_errors)
        for host, state in control.venues.circuits().items():
            self.circuits.labels(host).set(state != "closed")
        for name, count in control.venues.traffic().items():
            what, _, endpoint = name.partition(":")
            if what == "waited_ms":
                self.waited.labels(endpoint).set(count / 1000)
            else:
                self.traffic.labels(what, endpoint).set(count)
        self.recent.clear()
        for where, count in report.errors.items():
            self.recent.labels(where).set(count)
        for bot in await bots.list() if bots is not None else ():
            self.bots.labels(bot.bot_id).set(bot.is_running)
        with suppress(LedgerError):  # the health shows it; the last figures stay
            held = await control.ledger.portfolio(control.clock.now())
            sums = await control.ledger.statistics()
            self.cash.set(_number(held.cash))
            self.locked.set(_number(held.locked))
            self.profit.set(_number(sums.realised))
            self.volume.set(_number(held.volume_today))
            self.drawdown.set(_number(held.drawdown_pct))
            self.failures.set(held.consecutive_failures)
        # A rate of nothing is no number: Prometheus shows a gap.
        nothing = Decimal("NaN")
        self.inclusion.set(_number(_or(self.record.inclusion_rate, nothing)))
        self.accuracy.set(_number(_or(self.record.accuracy, nothing)))
        self.clients.set(bus.subscribers)
        self.dropped.set(bus.dropped)
        return generate_latest(self.registry)

    def _ended(self, report: CycleReport) -> None:
        self.cycles.labels("ok" if report.reachable else "unreachable").inc()
        self.seconds.observe(report.duration_ms / 1000)
        seen = report.completeness
        for what, count in (
            ("events", report.events),
            ("markets", report.markets),
            ("books", report.books),
            ("books_missing", seen.books_expected - seen.books_received),
            ("markets_unreadable", seen.markets_unreadable),
            ("data_quality", report.data_quality_count),
        ):
            self.seen.labels(what).set(count)
        for reason, count in report.reasons:
            self.reasons.labels(str(reason)).inc(count)
        self._set_state(report.risk.state)

    def _set_state(self, state: TradingState) -> None:
        for each in TradingState:
            self.state.labels(each.value).set(each is state)


def figures_of(sums: AttemptSums) -> dict[str, Decimal]:
    """An account of attempts in figures: a rate of nothing is no number."""
    nothing = Decimal("NaN")
    return {
        "block": Decimal(sums.block),
        "watched": Decimal(sums.watched),
        "near": Decimal(sums.near),
        "within_reach": Decimal(sums.within_reach),
        "submissions": Decimal(sums.submissions),
        "inclusion_rate": _or(sums.inclusion_rate, nothing),
        "simulation_accuracy": _or(sums.accuracy, nothing),
        "consecutive_failures": Decimal(sums.failures_in_row),
        "consecutive_errors": Decimal(sums.errors_in_row),
        "returned_usd": sums.returned,
        "volume_today_usd": sums.volume_today,
    }


def _or(amount: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if amount is None else amount


def _number(amount: Decimal) -> float:
    """A figure for plotting: nothing is decided by it."""
    return float(amount)
