"""Alerts: rules, quiet hours, rates; a real webhook, a real mail server; channels that hang."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal

import httpx
import pytest

from arb.adapters.notify.apprise import masked
from arb.adapters.notify.console import Console
from arb.adapters.notify.courier import QUEUE_MAX, Courier
from arb.adapters.notify.record import KEPT, Record
from arb.adapters.notify.rules import (
    Alert,
    AlertOptions,
    Conditions,
    Gate,
    Level,
    Verdict,
    conditions,
    next_summary,
    of_news,
)
from arb.adapters.notify.wording import summary
from arb.adapters.polymarket.terms import POLYMARKET
from arb.domain.contradiction import Contradiction
from arb.domain.halt import TradingState
from arb.domain.money import Usd, text
from arb.domain.news import Contradicted, CycleSkipped, StateChanged, Trouble
from arb.domain.opportunity import Kind
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.domain.report import Problem, ProblemKind, Statistics
from arb.runtime.alerts import list_alerts
from arb.runtime.running import run_once, run_scheduled
from arb.testing import builders as make
from tests.conftest import ROOT, exchange_at, settings_for

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPTIONS = AlertOptions(balance_low=Usd(Decimal(100)), volume_max=Usd(Decimal(50_000)))
RICH = make.portfolio(10_000)


def _alert(level=Level.HIGH, key="k", sentence="something"):
    return Alert(level=level, condition="k", key=key, sentence=sentence)


@pytest.mark.parametrize(
    ("news", "level"),
    [
        (StateChanged(TradingState.HALTED, "10 plans in a row failed"), Level.CRITICAL),
        (StateChanged(TradingState.THROTTLED, "daily loss"), Level.HIGH),
        (StateChanged(TradingState.NORMAL, ""), None),
        (
            Trouble(Problem(kind=ProblemKind.PLAN, where="plan abc", what="the exit failed")),
            Level.CRITICAL,
        ),
        (
            Trouble(Problem(kind=ProblemKind.BOT, where="bot atom", what="ended 6 times")),
            Level.HIGH,
        ),
        (
            Trouble(
                Problem(
                    kind=ProblemKind.RECONCILIATION, where="reconciliation", what="cash differs"
                )
            ),
            Level.HIGH,
        ),
        (Trouble(Problem(kind=ProblemKind.AUDIT, where="audit", what="disk full")), Level.HIGH),
        (Trouble(Problem(kind=ProblemKind.BOOKS, where="/books", what="503")), None),
        (CycleSkipped("late"), None),
    ],
)
def test_news_has_a_level(news, level):
    alert = of_news(news)
    assert (alert.level if alert else None) is level
    if alert:
        assert alert.sentence


ALERTING = {
    ProblemKind.PLAN: (Level.CRITICAL, "plan"),
    ProblemKind.BOT: (Level.HIGH, "bot"),
    ProblemKind.RECONCILIATION: (Level.HIGH, "reconciliation"),
    ProblemKind.AUDIT: (Level.HIGH, "audit"),
}


@pytest.mark.parametrize("kind", ProblemKind)
def test_a_problem_alerts_by_its_kind_whatever_its_place_is_called(kind):
    for word in ProblemKind:
        alert = of_news(Trouble(Problem(kind=kind, where=f"{word} 57cc", what=f"{word} 57cc")))
        assert (alert and (alert.level, alert.condition)) == ALERTING.get(kind), word


@pytest.mark.parametrize(
    ("portfolio", "key", "level"),
    [
        (make.portfolio("99.99"), "balance", Level.CRITICAL),
        (replace(RICH, consecutive_failures=2), "failures", Level.HIGH),
        (replace(RICH, volume_today=Usd(Decimal(40_001))), "volume", Level.MEDIUM),
    ],
)
def test_the_account_has_conditions(portfolio, key, level):
    assert [(a.key, a.level) for a in Conditions(OPTIONS).look(portfolio)] == [(key, level)]
    assert Conditions(OPTIONS).look(RICH) == []


def test_a_contradiction_is_critical_and_told_once_each():
    def alert(key):
        return of_news(
            Contradicted(
                Contradiction(
                    key=key,
                    venue=POLYMARKET,
                    kind=Kind.EXCLUSIVE_NO,
                    about="57cc",
                    believed="be $80 by convert",
                    seen="the contract refuses: execution reverted",
                    at=NOON,
                )
            )
        )

    first, other = alert("refused/57cc"), alert("paid/57cc")
    assert first.level is Level.CRITICAL
    for said in ("negrisk_no at polymarket", "be $80", "refuses", "arb resume --kind negrisk_no"):
        assert said in first.sentence
    gate = Gate(OPTIONS)
    verdicts = [gate.admit(each, NOON) for each in (first, first, other)]
    assert verdicts == [Verdict.SENT, Verdict.REPEATED, Verdict.SENT]


def test_limits_themselves_are_no_alert():
    at = replace(
        RICH,
        pockets=make.portfolio(100).pockets,
        consecutive_failures=1,
        volume_today=Usd(Decimal(40_000)),
    )
    assert Conditions(OPTIONS).look(at) == []


def test_the_inclusion_rate_looks_back_on_so_many_plans():
    watched = Conditions(OPTIONS)
    for number in range(9):
        watched.plan_ended(Reason.FILLED if number < 4 else Reason.EXECUTION_FAILED)
        assert watched.look(RICH) == []
    watched.plan_ended(Reason.EXECUTION_FAILED)
    (alert,) = watched.look(RICH)
    assert alert.level is Level.HIGH
    assert "4 of the last 10" in alert.sentence
    for _ in range(6):
        watched.plan_ended(Reason.FILLED)
    assert watched.look(RICH) == []


def test_the_same_is_sent_again_only_after_a_while_unless_it_gets_worse():
    gate = Gate(OPTIONS)
    sent, repeated = Verdict.SENT, Verdict.REPEATED
    assert gate.admit(_alert(), NOON) is sent
    assert gate.admit(_alert(), NOON + timedelta(minutes=59)) is repeated
    assert gate.admit(_alert(Level.CRITICAL), NOON + timedelta(minutes=59)) is sent
    assert gate.admit(_alert(), NOON + timedelta(minutes=61)) is repeated
    assert gate.admit(_alert(), NOON + timedelta(minutes=120)) is sent
    assert gate.suppressed == 2


def test_what_was_critical_is_new_after_its_end_and_what_flaps_is_not():
    gate, halt = Gate(OPTIONS), _alert(Level.CRITICAL, "state")
    for _ in range(2):
        assert gate.admit(halt, NOON) is Verdict.SENT
        gate.over("state")
    assert gate.admit(_alert(Level.HIGH, "state"), NOON) is Verdict.SENT
    gate.over("state")
    assert gate.admit(_alert(Level.HIGH, "state"), NOON) is Verdict.REPEATED


def test_no_more_than_so_many_an_hour_but_everything_that_is_critical():
    gate = Gate(replace(OPTIONS, per_hour=3))
    said = [gate.admit(_alert(key=str(n)), NOON) for n in range(10)]
    assert said == [Verdict.SENT] * 3 + [Verdict.TOO_MANY] * 7
    assert gate.suppressed == 7
    assert gate.admit(_alert(Level.CRITICAL, "worse"), NOON) is Verdict.SENT
    assert gate.admit(_alert(key="later"), NOON + timedelta(hours=1)) is Verdict.SENT


def test_what_is_low_leaves_half_of_the_hour_to_the_rest():
    gate = Gate(replace(OPTIONS, per_hour=5))
    said = [gate.admit(_alert(Level.LOW, str(n)), NOON) for n in range(4)]
    assert said == [Verdict.SENT] * 3 + [Verdict.TOO_MANY]
    assert gate.admit(_alert(Level.MEDIUM, "a"), NOON) is Verdict.SENT
    assert gate.admit(_alert(Level.LOW, "b"), NOON) is Verdict.TOO_MANY
    assert gate.admit(_alert(Level.HIGH, "c"), NOON) is Verdict.SENT


def test_a_clock_that_is_set_back_silences_nothing():
    gate = Gate(replace(OPTIONS, per_hour=3))
    for number in range(3):
        assert gate.admit(_alert(key=str(number)), NOON) is Verdict.SENT
    before = NOON - timedelta(days=30)
    assert gate.admit(_alert(key="0"), before) is Verdict.SENT
    assert gate.admit(_alert(key="0"), before) is Verdict.REPEATED


def test_quiet_hours_hold_back_all_but_the_critical_until_the_morning():
    gate = Gate(replace(OPTIONS, quiet_from=clock_time(22), quiet_to=clock_time(7)))
    night = NOON.replace(hour=23)
    quiet, later = Verdict.QUIET_HOURS, night + timedelta(hours=3)
    assert gate.admit(_alert(Level.MEDIUM, "a", "first"), night) is quiet
    assert gate.admit(_alert(Level.HIGH, "b", "second"), later) is quiet
    assert gate.admit(_alert(Level.CRITICAL, "c"), later) is Verdict.SENT
    assert not gate.waiting(night + timedelta(hours=7, minutes=59))
    morning = gate.waiting(night + timedelta(hours=8))
    assert morning.level is Level.HIGH
    assert "first" in morning.sentence
    assert "second" in morning.sentence
    assert not gate.waiting(night + timedelta(hours=9))
    assert gate.admit(_alert(key="d"), NOON) is Verdict.SENT


def test_below_the_level_nothing_is_sent():
    gate = Gate(replace(OPTIONS, level=Level.HIGH))
    assert gate.admit(_alert(Level.MEDIUM), NOON) is Verdict.BELOW_LEVEL


def test_what_was_decided_is_on_record_once_with_its_fate():
    record = Record()
    first = record.add(_alert(), Verdict.SENT, NOON)
    first.channels = {"console": "waiting", "json (1)": "waiting"}
    first.arrived("console", "")
    first.arrived("json (1)", "no answer")
    again = record.add(_alert(), Verdict.REPEATED, NOON + timedelta(minutes=1))
    assert again is first
    assert (first.again, first.last_at) == (1, NOON + timedelta(minutes=1))
    assert first.channels == {"console": "sent", "json (1)": "no answer"}
    for _ in range(3):
        record.add(_alert(Level.LOW, "low"), Verdict.BELOW_LEVEL, NOON)
    record.add(_alert(), Verdict.SENT, NOON + timedelta(hours=2))
    assert [(one.alert.key, one.again) for one in record.latest(9)] == [
        ("k", 0), ("low", 2), ("k", 1),
    ]  # fmt: skip
    for number in range(2 * KEPT):
        record.add(_alert(key=str(number)), Verdict.SENT, NOON)
    assert len(record.latest(10 * KEPT)) == KEPT


def test_a_summary_is_due_once_a_day():
    assert next_summary(NOON, clock_time(0, 0)) == NOON.replace(hour=0) + timedelta(days=1)
    assert next_summary(NOON, clock_time(18, 30)) == NOON.replace(hour=18, minute=30)
    day = Statistics(cycles=20, successes=3, failures=1, realised=Usd(Decimal(3)))
    whole = Statistics(cycles=30, successes=4, failures=1, realised=Usd(Decimal(8)))
    said = summary(day, whole, RICH)
    assert "20 cycles" in said
    assert "3 plans done, 1 failed" in said
    assert "realised $3, $8 since" in said


def test_every_condition_of_the_user_is_listed():
    words = " ".join(sentence for _, sentence in conditions(OPTIONS))
    for what in ("halted", "cash", "throttled", "50 %", "2 or more", "80 %", "summary"):
        assert what in words


class Hanging:
    name = "hanging"

    def send(self, _alert):
        time.sleep(60)


class Raising:
    name = "raising"

    def send(self, _alert):
        raise RuntimeError("no network")


class Kept:
    def __init__(self):
        self.name, self.alerts, self.arrived = "kept", [], threading.Event()

    def send(self, alert):
        self.alerts.append(alert)
        self.arrived.set()


def test_a_channel_that_hangs_or_raises_holds_nothing_up():
    kept, told = Kept(), []
    courier = Courier([Hanging(), Raising(), kept], 0.01)
    began = time.monotonic()
    for number in range(3 * QUEUE_MAX):
        courier.send(_alert(key=str(number)), lambda *said: told.append(said))
    assert time.monotonic() - began < 20  # each of the many that hang would take a minute
    assert kept.arrived.wait(120)
    assert not courier.close(seconds=2)
    hanging, raising, last = (lane.counts for lane in courier.lanes)
    assert hanging["dropped"] >= QUEUE_MAX
    assert raising["failed"] > 0
    assert ("raising", "RuntimeError: no network") in told
    assert ("hanging", "dropped: too many were waiting") in told
    assert ("kept", "") in told
    assert last["sent"] + last["dropped"] == 3 * QUEUE_MAX


def test_a_channel_gets_three_attempts():
    tries = []

    class Flaky:
        name = "flaky"

        def send(self, alert):
            tries.append(alert)
            if len(tries) < 3:
                raise OSError("later")

    courier = Courier([Flaky()], pause_seconds=0.01)
    courier.send(_alert())
    assert courier.close()
    assert courier.lanes[0].counts == {"sent": 1}


def test_the_console_shows_one_plain_alert(capsys):
    Console(stream=sys.stdout).send(_alert(sentence="a\x1b[2Jb"))
    assert capsys.readouterr().out == "ALERT HIGH: a [2Jb\n"


def test_an_address_is_shown_by_its_kind_alone():
    assert masked("tgram://123456:ABC-DEF/chat") == "tgram://********"
    assert masked("nonsense") == "?://********"


class _Smtp:
    """As much of a mail server as a client needs."""

    def __init__(self):
        self.mails = []

    async def talk(self, reader, writer):
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                mail = b""
                while (piece := await reader.readline()) not in (b".\r\n", b""):
                    mail += piece
                self.mails.append(mail.decode())
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
            await writer.drain()
            if word == b"QUIT":
                break
        writer.close()


def _arb(*arguments, cwd, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARB_")}
    path = os.pathsep.join([str(ROOT / "src"), inherited.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "arb", *arguments],
        env={**inherited, "PYTHONPATH": path, **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_a_test_alert_reaches_a_real_webhook(webhook, tmp_path):
    pytest.importorskip("apprise")
    url = f"json://user:hunter2secret@127.0.0.1:{webhook.server_port}/hook"
    done = _arb("alerts", "test", cwd=tmp_path, ARB_ALERTS__URLS=url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "json://******** (1): sent.\n"
    assert "This is a test" in webhook.got[0]["message"]
    assert "hunter2secret" not in done.stdout + done.stderr


def test_a_webhook_that_refuses_is_said_and_the_secret_is_not(webhook, tmp_path):
    pytest.importorskip("apprise")
    webhook.status = 500
    url = f"json://user:hunter2secret@127.0.0.1:{webhook.server_port}/hook"
    done = _arb("alerts", "test", "--json", cwd=tmp_path, ARB_ALERTS__URLS=url)
    assert done.returncode == 5
    assert json.loads(done.stdout)["channels"][0]["sent"] is False
    assert "hunter2secret" not in done.stdout + done.stderr


async def test_a_test_alert_reaches_a_real_mail_server(tmp_path):
    pytest.importorskip("apprise")
    smtp = _Smtp()
    server = await asyncio.start_server(smtp.talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"mailto://127.0.0.1:{port}?from=arb@example.org&to=me@example.org&mode=insecure"
    done = await asyncio.to_thread(_arb, "alerts", "test", cwd=tmp_path, ARB_ALERTS__URLS=url)
    server.close()
    assert done.returncode == 0, done.stderr
    assert "me@example.org" in smtp.mails[0]


def test_without_a_channel_the_fix_is_named(tmp_path):
    done = _arb("alerts", "test", cwd=tmp_path)
    assert done.returncode == 2
    assert "ARB_ALERTS__URLS" in done.stderr
    listed = _arb("alerts", "list", "--json", cwd=tmp_path)
    assert len(json.loads(listed.stdout)["conditions"]) == 23


def test_a_wrong_address_is_refused_without_showing_it(tmp_path):
    pytest.importorskip("apprise")
    done = _arb("alerts", "list", cwd=tmp_path, ARB_ALERTS__URLS="nosuch://s3cr3tpart/x")
    assert done.returncode == 2
    assert "ARB_ALERTS__URLS" in done.stderr
    assert "s3cr3tpart" not in done.stderr


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_a_low_balance_is_told_and_a_dead_webhook_does_not_stop_the_cycle(webhook, tmp_path):
    pytest.importorskip("apprise")
    alive = f"json://127.0.0.1:{webhook.server_port}/"
    flags = {
        "alerts.urls": f"{alive} json://127.0.0.1:9/",
        "alerts.balance_low_usd": 100_000,
        "bots.definitions": "",
    }
    async with exchange_at("demo", 1) as (_, address):
        _, statistics, _ = await run_once(settings_for(address, tmp_path, **flags))
    assert statistics.successes > 0
    assert any("balance is low" in got["message"] for got in webhook.got)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("asked", [True, False])
async def test_a_trade_that_is_filled_is_told_where_that_is_asked_for(asked, webhook, tmp_path):
    pytest.importorskip("apprise")
    flags = {
        "alerts.urls": f"json://127.0.0.1:{webhook.server_port}/",
        "alerts.trades": asked,
        "bots.definitions": "",
    }
    async with exchange_at("demo", 1) as (_, address):
        loaded = settings_for(address, tmp_path, **flags)
        report, _, _ = await run_once(loaded)
    done = [plan for plan in report.plans if plan.state is PlanState.DONE]
    told = [got["message"] for got in webhook.got if "is filled:" in got["message"]]
    assert len(told) == (len(done) if asked else 0)
    assert all(line.startswith("[DRY RUN] Plan ") for line in told)
    if asked:
        assert any(line.endswith(f"a profit of ${text(done[0].realised)}.") for line in told)
        row = {"level": "LOW", "condition": "a trade is filled", "sent": True}
        assert row in list_alerts(loaded)["conditions"]


async def test_the_api_hears_what_happens_beside_alerts(tmp_path, monkeypatch):
    """Both listen to one list: who comes later must hear as much as who came first."""
    found = asyncio.get_running_loop().create_future()
    monkeypatch.chdir(tmp_path)
    async with exchange_at("demo", 7) as (_, address):
        flags = {"api.enabled": True, "api.port": 0, "alerts.console": True}
        loaded = settings_for(address, tmp_path, **flags, **{"arbitrage.scan_interval": 0.3})
        run = asyncio.create_task(
            run_scheduled(loaded, lambda _: None, 5, ready=lambda *told: found.set_result(told))
        )
        where, token = await found
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=where, headers=headers, trust_env=False) as client:
            for _ in range(100):
                metrics = (await client.get("/metrics")).text
                if 'arb_cycles_total{result="ok"}' in metrics:
                    break
                await asyncio.sleep(0.02)
            health = (await client.get("/api/v1/bot/health")).json()
        await run
    assert 'arb_cycles_total{result="ok"}' in metrics
    assert health["last_successful_update"]
