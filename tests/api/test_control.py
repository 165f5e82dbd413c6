"""What commands do, to a running orchestrator and by themselves."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal

import pytest
import websockets

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage.queries import LedgerReads
from arb.api import shared
from arb.api.metrics import Metrics
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Approved, Refused
from arb.domain.errors import LedgerError
from arb.domain.halt import Pause, RiskStatus, Standing, TradingState
from arb.domain.news import Contradicted, CycleEnded, CycleSkipped, KindResumed, Trouble
from arb.domain.opportunity import Kind
from arb.domain.reason import Reason
from arb.domain.report import CycleReport, Problem, ProblemKind
from arb.engine.bus import Bus, TooSlow
from arb.engine.watch import Health, Watch
from arb.net.circuit import Circuit, CircuitState
from arb.operations.account_views import read, read_status
from arb.statistical.names import SIGNAL_STRATEGIES
from arb.views.shape import as_json
from tests.api.conftest import world
from tests.conftest import environment_for, settings_for
from tests.programs import arb

PRICES = ("price", "value", "priced_at", "no_value")
NORMAL = RiskStatus(can_trade=True, state=TradingState.NORMAL)


def _report(*, reachable=True, cycle=1, risk=NORMAL):
    now = SystemClock().now()
    return CycleReport(
        run=cycle, mode="dry-run", account="a", started_at=now, duration_ms=1, risk=risk,
        reachable=reachable,
    )  # fmt: skip


class Later(SystemClock):
    shift = timedelta(0)

    def now(self):
        return super().now() + self.shift

    def monotonic(self):
        return super().monotonic() + self.shift.total_seconds()


async def test_a_paused_orchestrator_scans_and_does_not_trade(served):
    async with served.client() as client:
        answer = (await client.post("/api/v1/bot/pause", json={"reason": "tea"})).json()
        assert answer["changed"]
        assert answer["status"]["paused"]
        report = await served.found.orchestrator.scan_cycle()
        assert report.funnel.proved > 0
        assert not report.plans
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "paused"
        await client.post("/api/v1/bot/resume", json={})
        report = await served.found.orchestrator.scan_cycle()
        assert report.plans
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "healthy"


def _contradiction(kind, venue=POLYMARKET):
    return Contradiction(
        key=f"refused/{kind}/{venue}",
        venue=venue,
        kind=kind,
        about="57cc",
        believed="be $80 by convert",
        seen="the contract refuses",
        at=SystemClock().now(),
    )


async def test_a_stopped_kind_is_shown_and_resumed_by_its_name_alone(served):
    ledger, told = served.found.control.ledger, []
    served.found.control.news.subscribe(told.append)
    await ledger.contradict(_contradiction(Kind.EXCLUSIVE_NO))
    await ledger.contradict(_contradiction(Kind.EXHAUSTIVE_YES))
    async with served.client() as client:
        status = (await client.get("/api/v1/bot/status")).json()
        assert [c["kind"] for c in status["contradictions"]] == ["negrisk_no", "negrisk_yes"]
        assert status["contradictions"][0]["command"] == (
            "arb resume --kind negrisk_no --venue polymarket"
        )
        report = await served.found.orchestrator.scan_cycle()
        refused = {f.reason for f in report.findings if isinstance(f, Refused)}
        assert Reason.CONTRADICTED in refused
        assert not [f for f in report.findings if isinstance(f, Approved)]
        # A resumption of all trading is not one of a kind that somebody has to look at.
        await client.post("/api/v1/bot/resume", json={})
        assert len(await ledger.contradictions()) == 2
        answer = await client.post("/api/v1/bot/resume", json={"kind": "negrisk_no"})
        assert answer.json()["changed"]
        again = await client.post("/api/v1/bot/resume", json={"kind": "negrisk_no"})
        assert not again.json()["changed"]
        (left,) = again.json()["status"]["contradictions"]
        assert left["kind"] == "negrisk_yes"
        wrong = await client.post("/api/v1/bot/resume", json={"kind": "negrisk_maybe"})
        assert wrong.status_code == 422
        report = await served.found.orchestrator.scan_cycle()
        kinds = {f.opportunity.kind for f in report.findings if isinstance(f, Approved)}
        assert Kind.EXCLUSIVE_NO in kinds
        assert Kind.EXHAUSTIVE_YES not in kinds
    (resumed,) = [n for n in told if isinstance(n, KindResumed)]
    assert (resumed.kind, resumed.venue) == (Kind.EXCLUSIVE_NO, POLYMARKET)
    assert [n.found.kind for n in told if isinstance(n, Contradicted)] == [
        Kind.EXCLUSIVE_NO,
        Kind.EXHAUSTIVE_YES,
    ]


async def test_a_kind_is_resumed_at_one_venue_or_wherever_it_is_stopped(served):
    ledger, told = served.found.control.ledger, []
    served.found.control.news.subscribe(told.append)
    for venue in (POLYMARKET, "elsewhere", "third"):
        await ledger.contradict(_contradiction(Kind.EXCLUSIVE_NO, venue))
    await ledger.contradict(_contradiction(Kind.EXHAUSTIVE_YES))
    async with served.client() as client:

        async def resumed(**body):
            answer = await client.post("/api/v1/bot/resume", json=body)
            assert answer.status_code == 200, answer.text
            shown = answer.json()
            left = [(c["kind"], c["venue"]) for c in shown["status"]["contradictions"]]
            return shown["changed"], shown["resumed_at"], sorted(left)

        yes = ("negrisk_yes", "polymarket")
        others = [("negrisk_no", "polymarket"), ("negrisk_no", "third"), yes]
        assert await resumed(kind="negrisk_no", venue="elsewhere") == (True, ["elsewhere"], others)
        assert await resumed(kind="negrisk_no", venue="elsewhere") == (False, [], others)
        assert await resumed(kind="negrisk_no") == (True, ["polymarket", "third"], [yes])
        assert await resumed() == (False, [], [yes])
        alone = await client.post("/api/v1/bot/resume", json={"venue": "polymarket"})
        assert alone.status_code == 422
        assert "goes with a kind" in alone.json()["error"]["message"]
        recorded = (await client.get("/api/v1/audit")).json()
    assert [n.venue for n in told if isinstance(n, KindResumed)] == [
        "elsewhere",
        "polymarket",
        "third",
    ]
    assert any(line.get("venue") == "elsewhere" for line in recorded)


async def test_a_kind_is_resumed_without_lifting_a_halt(served):
    await served.found.control.ledger.contradict(_contradiction(Kind.EXCLUSIVE_NO))
    async with served.client() as client:
        await client.post("/api/v1/bot/pause", json={"reason": "tea"})
        answer = await client.post("/api/v1/bot/resume", json={"kind": "negrisk_no"})
        assert answer.json()["status"]["paused"]


async def test_a_halt_in_the_middle_of_a_cycle_stops_the_next_order(served):
    trading = served.found.control.venues.trading(POLYMARKET)
    submit = trading.submit
    sent = []

    async def noting(orders):
        sent.append(len(orders))
        await served.control.halt("now")
        return await submit(orders)

    trading.submit = noting
    await served.found.orchestrator.scan_cycle()
    assert len(sent) == 1
    assert served.control.switch.check()
    await served.control.resume("")
    assert not served.control.switch.check()


async def test_a_resume_in_the_ledger_lets_go_of_the_switch(served):
    await served.control.halt("now")
    ticks = []

    async def tick():
        ticks.append(served.control.switch.check())

    await served.control._tick(tick)
    later = SystemClock().now() + timedelta(seconds=1)
    await served.found.control.ledger.set_standing(Standing(since=later, by_operator=True))
    await served.control._tick(tick)
    assert [bool(one) for one in ticks] == [True, False]


async def test_a_ledger_that_is_away_does_not_keep_a_halt_from_working(served, monkeypatch):
    async def away(_):
        raise LedgerError("away")

    monkeypatch.setattr(served.found.control.ledger, "set_standing", away)
    with pytest.raises(LedgerError):
        await served.control.halt("now")
    assert served.control.switch.check()


async def test_stop_and_start(served):
    ticks = []

    async def tick():
        ticks.append(1)

    async with served.client() as client:
        assert (await client.post("/api/v1/bot/stop", json={})).json()["changed"]
        await served.control._tick(tick)
        assert not ticks
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "stopped"
        assert (await client.get("/readyz")).status_code == 503
        assert not (await client.post("/api/v1/bot/stop", json={})).json()["changed"]
        assert (await client.post("/api/v1/arbitrage/monitoring/start", json={})).json()["changed"]
        await served.control._tick(tick)
        assert ticks
        assert (await client.get("/readyz")).status_code == 200


async def test_strategies_come_and_go_at_run_time(served):
    async with served.client() as client:
        for name in ("negrisk_no", "negrisk_yes", "binary_complement"):
            path = f"/api/v1/bot/strategy/remove/{name}"
            assert (await client.delete(path)).status_code == 200
            assert (await client.delete(path)).status_code == 404
        report = await served.found.orchestrator.scan_cycle()
        assert report.funnel.candidates == 0
        body = {"strategy_name": "negrisk_no"}
        assert (await client.post("/api/v1/bot/strategy/add", json=body)).json()["changed"]
        assert not (await client.post("/api/v1/bot/strategy/add", json=body)).json()["changed"]
        report = await served.found.orchestrator.scan_cycle()
        assert report.funnel.proved > 0
        listed = (await client.get("/api/v1/bot/strategies/available")).json()
        assert [one["name"] for one in listed if one["is_active"]] == ["negrisk_no"]


async def test_statistical_strategies_are_refused_where_they_are_not_enabled(served):
    async with served.client() as client:
        body = {"strategy_name": "RSIStrategy", "symbol": "cheap-yes-1-1"}
        for answer in (
            await client.post("/api/v1/bot/strategy/add", json=body),
            await client.delete("/api/v1/bot/strategy/remove/RSIStrategy"),
            await client.get("/api/v1/signals"),
            await client.post("/api/v1/signals/resume", json={}),
        ):
            assert answer.status_code == 404
            message = answer.json()["error"]["message"]
            assert "with ARB_SIGNALS__ENABLED=true they do, on paper" in message
        listed = (await client.get("/api/v1/bot/strategies/available")).json()
        assert not {one["name"] for one in listed} & set(SIGNAL_STRATEGIES)


async def test_execute_looks_anew_through_every_gate_and_only_once_per_key(served):
    async with served.client() as client:
        await client.post("/api/v1/bot/pause", json={})
        await served.found.orchestrator.scan_cycle()
        found = (await client.get("/api/v1/arbitrage/opportunities")).json()
        wanted = next(one for one in found if one["kind"] == "negrisk_no" and one["exit"] == "now")
        body = {"opportunity_id": wanted["id"], "reason": "by hand"}
        path = "/api/v1/arbitrage/execute"
        assert (await client.post(path, json=body)).status_code == 409
        await client.post("/api/v1/bot/resume", json={})
        headers = {"idempotency-key": "one"}
        first = (await client.post(path, json=body, headers=headers)).json()
        again = (await client.post(path, json=body, headers=headers)).json()
        assert first["filled"] == 1
        assert again == first
        plan = first["plans"][0]["id"]
        shown = (await client.get(f"/api/v1/plans/{plan}")).json()
        assert shown["run"] == first["run"] == shown["cycle"]
        latest, before = (await client.get("/api/v1/cycles")).json()[:2]
        assert (latest["run"], latest["cause"]) == (first["run"], "command")
        assert (before["run"], before["cause"]) == (wanted["run"], "cycle")
        assert shown["event"] == wanted["event"]
        assert shown["legs"]
        assert shown["facts"]
        assert (await client.get(f"/api/v1/arbitrage/opportunities/{plan}")).json()["worst_world"]
        unknown = {"opportunity_id": "ffffffffffffffff"}
        assert (await client.post(path, json=unknown)).status_code == 404


READS = {
    "opportunities": "arbitrage/opportunities",
    "plans": "plans",
    "fills": "fills",
    "cycles": "cycles",
    "profits": "portfolio/profit",
    "positions": "portfolio/positions",
}


@pytest.mark.parametrize("read", READS)
async def test_all_clients_share_what_is_read_of_the_ledger(settled, monkeypatch, read):
    monkeypatch.setattr(shared, "FRESH_SECONDS", 1e9)
    monkeypatch.setattr(shared, "OLD_SECONDS", 1e9)
    real, reads = getattr(LedgerReads, read), []

    async def counted(self, **asked):
        reads.append(asked)
        return await real(self, **asked)

    monkeypatch.setattr(LedgerReads, read, counted)
    async with settled.client() as client:
        asked = [client.get(f"/api/v1/{READS[read]}") for _ in range(10)]
        answers = {answer.text for answer in await asyncio.gather(*asked)}
    assert len(answers) == len(reads) == 1
    assert json.loads(answers.pop())


async def test_the_shell_prints_the_documents_of_the_api_to_the_byte(settled):
    loaded = settings_for("http://127.0.0.1:9", settled.folder)
    found = await read(loaded, lambda reads: reads.opportunities(limit=50))
    (plan, *_) = await read(loaded, lambda reads: reads.plans(limit=1))
    looks = {
        "arbitrage/opportunities": lambda reads: reads.opportunities(limit=50),
        f"arbitrage/opportunities/{found[0].id}": lambda reads: reads.explained(found[0].id),
        "plans": lambda reads: reads.plans(limit=50),
        f"plans/{plan.id}": lambda reads: reads.plan(plan.id),
        "fills": lambda reads: reads.fills(limit=50),
        "cycles": lambda reads: reads.cycles(limit=50),
        "portfolio/positions": lambda reads: reads.positions(),
        "portfolio/profit": lambda reads: reads.profits(limit=1000),
    }
    async with settled.client() as client:
        for path, look in looks.items():
            document = as_json(await read(loaded, look))
            answered = (await client.get(f"/api/v1/{path}")).text
            if path == "portfolio/positions":
                # What they are worth is known where their books were read.
                for mine, theirs in zip(document, json.loads(answered), strict=True):
                    assert Decimal(theirs["value"]) > 0
                    mine |= {name: theirs[name] for name in PRICES}
            printed = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            assert printed == answered
            assert len(printed) > 100
        account = (await client.get("/api/v1/portfolio")).json()
    status = (await read_status(loaded)).document()
    both = account.keys() & status.keys()
    assert {"cash", "promised", "locked", "statistics"} <= both
    assert {name: status[name] for name in both} == {name: account[name] for name in both}


async def test_the_stream_tells_everything_in_order_without_a_gap(served):
    url = served.address.replace("http", "ws") + "/ws/arbitrage"
    async with websockets.connect(url, proxy=None, additional_headers=served.headers()) as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "snapshot"
        await served.found.orchestrator.scan_cycle()
        told = []
        while not told or told[-1]["type"] != "cycle_ended":
            told.append(json.loads(await asyncio.wait_for(socket.recv(), 120)))
        assert [one["seq"] - first["seq"] for one in told] == list(range(1, len(told) + 1))
        kinds = {one["type"] for one in told}
        assert {"cycle_started", "books_fetched", "opportunity", "plan_ended"} <= kinds


async def test_a_client_that_does_not_read_is_let_go_of(served):
    url = served.address.replace("http", "ws") + "/ws/arbitrage"
    bus = next(one for one in served.found.control.news.observers if isinstance(one, Bus))
    slow = await websockets.connect(
        url, proxy=None, additional_headers=served.headers(), max_queue=1
    )
    async with websockets.connect(
        url, proxy=None, additional_headers=served.headers(), max_queue=None
    ) as quick:
        await quick.recv()
        while bus.subscribers < 2:
            await asyncio.sleep(0.01)
        news, got = CycleSkipped("x" * 5000), 0
        for _ in range(100):
            for _ in range(100):
                bus(news)
            while got < bus.seq:
                got = json.loads(await asyncio.wait_for(quick.recv(), 120))["seq"]
            if bus.dropped:
                break
        assert (bus.dropped, bus.subscribers) == (1, 1)
        assert got == bus.seq
    slow.transport.abort()
    await slow.wait_closed()


async def test_a_queue_that_is_full_ends_its_subscription_and_no_other():
    bus = Bus(lambda news: isinstance(news, CycleSkipped))
    slow, quick = bus.subscribe(2), bus.subscribe(10)
    for number in range(4):
        bus(CycleSkipped(str(number)))
        bus(CycleEnded(_report()))  # not wanted, so it gets no number
    with pytest.raises(TooSlow):
        await slow.next()
    with pytest.raises(TooSlow):
        await slow.next()
    assert [(await quick.next()).seq for _ in range(4)] == [1, 2, 3, 4]
    assert (bus.dropped, bus.subscribers) == (1, 1)


def test_health_follows_the_thresholds():
    clock = Later()
    watch = Watch(clock)
    standing = Standing()

    def health(running=True, standing=standing):
        return watch.health(standing, running=running).status

    watch.begin()
    assert health() is Health.HEALTHY
    assert health(running=False) is Health.STOPPED
    for _ in range(5):
        watch(CycleEnded(_report(reachable=False)))
    assert health() is Health.DEGRADED
    clock.shift += timedelta(minutes=5)
    assert health() is Health.UNHEALTHY
    watch(CycleEnded(_report()))
    assert health() is Health.HEALTHY
    halted = TradingState.HALTED
    assert health(standing=Standing(state=halted, reason="10 failed")) is Health.UNHEALTHY
    paused = Standing(state=halted, reason="x", pause=Pause.UNTIL_RESUMED)
    assert health(standing=paused) is Health.PAUSED
    # By its type alone, whatever its reason reads like.
    assert health(standing=Standing(state=halted, reason="paused: x")) is Health.UNHEALTHY
    assert health(standing=Standing(state=halted, by_operator=True)) is Health.PAUSED


FAILING = {
    ProblemKind.VENUE,
    ProblemKind.LEDGER,
    ProblemKind.PLAN,
    ProblemKind.RECONCILIATION,
    ProblemKind.REDEEM,
    ProblemKind.COMMAND,
}


@pytest.mark.parametrize("kind", ProblemKind)
def test_a_problem_fails_a_cycle_by_its_kind_whatever_its_place_is_called(kind):
    watch, metrics = Watch(Later()), Metrics()
    for observe in (watch, metrics):
        observe(Trouble(Problem(kind=kind, where="plan 57cc", what="KeyError")))
    assert metrics.registry.get_sample_value("arb_errors_total", {"where": kind.value}) == 1
    watch(CycleEnded(_report()))
    assert watch.consecutive == (kind in FAILING)
    assert watch.errors() == {kind.value: 1}
    assert watch.outage
    for _ in range(9):
        watch(Trouble(Problem(kind=kind, where="market 57cc", what="no answer", away=True)))
        watch(CycleEnded(_report()))
    assert watch.must_pause == (kind in FAILING)
    assert watch.outage  # of those ten only the first was not for want of an answer


def test_errors_leave_the_window_after_an_hour():
    clock = Later()
    watch = Watch(clock)
    for _ in range(10):
        watch(Trouble(Problem(kind=ProblemKind.VENUE, where="venue", what="away")))
        watch(CycleEnded(_report()))
    assert watch.must_pause
    assert watch.errors() == {"venue": 10}
    clock.shift += timedelta(hours=1, seconds=1)
    assert not watch.must_pause
    assert watch.errors() == {}


async def test_ten_failed_cycles_in_a_row_pause_it_until_an_operator_resumes(served):
    await _tick_often(served, _in_trouble, 9)
    await _tick_often(served, _away, 3)  # which counts for nothing here
    async with served.client() as client:
        health = (await client.get("/api/v1/bot/health")).json()
        assert (health["status"], health["consecutive_errors"]) == ("paused", 12)
        assert (await served.control.ledger.standing()).outage
        await client.post("/api/v1/bot/resume", json={})
        await _tick_often(served, _in_trouble, 10)
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "paused"
        halted = (await client.get("/api/v1/alerts")).json()[0]
        assert (halted["level"], halted["condition"]) == ("critical", "paused")
        assert "10 cycles in a row failed" in halted["text"]
        await _tick_often(served, _well, 5)
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "paused"
        await client.post("/api/v1/bot/resume", json={})
        assert (await client.get("/api/v1/bot/health")).json()["status"] == "healthy"


async def test_health_names_every_closed_interlock_and_is_judged_as_before(served):
    async with served.client() as client:
        before = (await client.get("/api/v1/bot/health")).json()
        assert before["blocked_by"] == []
        served.control.switch.reason = "halted: by a test"
        health = (await client.get("/api/v1/bot/health")).json()
    assert health["blocked_by"] == [
        {"code": "halted_by_command", "reason": "halted: by a test", "stops": "sending"}
    ]
    assert (health["status"], health["reasons"]) == (before["status"], before["reasons"])


async def test_the_status_of_a_running_one_names_what_blocks_it(served):
    env = {
        **environment_for("http://127.0.0.1:9", served.folder),
        "ARB_API__PORT": served.address.rpartition(":")[2],
        "ARB_API__TOKEN": served.headers()["authorization"].removeprefix("Bearer "),
    }

    async def status(*args):
        done = await asyncio.to_thread(arb, "status", *args, env=env, cwd=served.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "sends no order" not in await status()
    served.control.switch.reason = "halted: by a test"
    said = " ".join((await status()).split())
    assert "It sends no order: halted: by a test (halted_by_command)." in said
    (blocked,) = json.loads(await status("--json"))["orchestrator"]["health"]["blocked_by"]
    assert blocked["code"] == "halted_by_command"


async def test_an_outage_is_over_after_three_cycles_that_succeed_in_a_row(served):
    ledger = served.control.ledger
    await _tick_often(served, _away, 10)
    assert (await ledger.standing()).outage
    await _tick_often(served, _well, 2)
    await _tick_often(served, _unanswered, 1)
    await _tick_often(served, _well, 2)
    assert (await ledger.standing()).outage
    await _tick_often(served, _well, 1)
    assert (await ledger.standing()).state is TradingState.NORMAL
    await _tick_often(served, _away, 10)
    await served.control.pause("lunch")
    await _tick_often(served, _well, 5)
    assert (await ledger.standing()).text == "paused: lunch"


async def test_who_resumes_in_the_ledger_is_not_paused_again_for_old_failures(served):
    ledger = served.control.ledger
    await _tick_often(served, _in_trouble, 10)
    await ledger.set_standing(Standing(since=served.control.clock.now(), by_operator=True))
    await _tick_often(served, _in_trouble, 9)
    assert (await ledger.standing()).state is TradingState.NORMAL
    await _tick_often(served, _in_trouble, 1)
    assert (await ledger.standing()).paused


async def test_reset_errors_closes_circuits(served):
    reader = served.control.venues[POLYMARKET].circuits.__self__
    host = served.address.removeprefix("http://")
    reader._circuits[host] = Circuit(state=CircuitState.OPEN, failures=9)
    async with served.client() as client:
        await client.post("/api/v1/bot/reset-errors", json={})
        health = (await client.get("/api/v1/bot/health")).json()
    assert health["circuits"][host] == health["circuit_breaker_state"] == "closed"


async def _tick_often(served, news, times):
    """So many cycles that come to this."""

    async def cycle():
        for one in news():
            served.found.control.news.publish(one)

    for _ in range(times):
        await served.control._tick(cycle)


def _well():
    return [CycleEnded(_report(risk=RiskStatus(can_trade=False, state=TradingState.HALTED)))]


def _away():
    return [CycleEnded(_report(reachable=False))]


def _unanswered():
    """The listing and the books are read, and a node does not answer."""
    return [
        Trouble(
            Problem(
                kind=ProblemKind.RECONCILIATION, where="reconciliation", what="no node", away=True
            )
        ),
        *_well(),
    ]


def _in_trouble():
    return [
        Trouble(Problem(kind=ProblemKind.PLAN, where="plan 7", what="KeyError: 'price'")),
        *_well(),
    ]


async def test_metrics_count_what_happened(settled):
    async with settled.client() as client:
        text = (await client.get("/metrics")).text
        held = (await client.get("/api/v1/portfolio")).json()
        config = (await client.get("/api/v1/config")).json()
    assert 'arb_cycles_total{result="ok"} 1.0' in text
    assert 'arb_opportunities_total{decision="approved"' in text
    assert 'arb_health{status="healthy"} 1.0' in text
    sums = held["statistics"]
    assert f"arb_cash_usd {float(held['cash'])}" in text
    assert f"arb_locked_usd {float(held['locked'])}" in text
    assert f"arb_profit_usd {float(sums['total_profit'])}" in text
    assert float(sums["total_profit"]) > 0
    assert 'arb_venue_requests{endpoint="books",what="requests"}' in text
    assert 'arb_limiter_wait_seconds{endpoint="books"}' in text
    assert 'route="/api/v1/bot/status"' not in text
    assert next(one for one in config if one["name"] == "api.port")["value"] == "0"


async def test_secrets_are_masked_in_what_is_shown(tmp_path, monkeypatch):
    flags = {"api.token": "a-secret-of-the-settings-012345"}
    async with world(tmp_path, monkeypatch, **flags) as found, found.client() as client:
        text = (await client.get("/api/v1/config")).text
    assert "a-secret-of-the-settings" not in text
    assert "********" in text
