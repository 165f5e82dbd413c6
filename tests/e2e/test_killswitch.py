"""`arb halt` as another process, against a process whose event loop is stuck or whose ledger is."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import signal
import sqlite3
import subprocess
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from polymarket import AsyncSecureClient

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.emergency import cancel_all
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.adapters.storage.database import file_of
from arb.domain.errors import Unavailable
from arb.domain.halt import Standing, TradingState
from arb.domain.market import MarketId, OutcomeId, Side
from arb.domain.money import Price, Shares, Usd
from arb.domain.news import StateChanged, Trouble
from arb.domain.order import Order, OrderId
from arb.domain.venue import TimeInForce
from arb.engine.guard import Guard
from arb.engine.options import GuardOptions
from arb.exchange.market.scenario import build
from arb.interlocks import no_sending
from arb.operations.halt_file import Sentinel, sentinel_of
from arb.runtime import killswitch
from arb.runtime.demo import exchange_process
from arb.runtime.killswitch import DEAD, kill_switch
from arb.testing import builders
from tests.conftest import environment_for
from tests.exchange.venue import KEY, WALLETS, environment, place
from tests.programs import ARB, arb

NOWHERE = "http://127.0.0.1:9"
ACCOUNT = "paper:default"


def _arb(*args, cwd, address=NOWHERE, **more):
    return arb(*args, env=environment_for(address, cwd), cwd=cwd, **more)


def _start(*args, cwd, address=NOWHERE):
    return subprocess.Popen(
        [*ARB, *args],
        env=environment_for(address, cwd),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Watched:
    """A switch on a ledger in a folder, with what it says and when."""

    def __init__(self, folder, **more):
        self.folder, self.file = folder, folder / "arb.db"
        self.said = []
        self.switch = kill_switch(
            f"sqlite+aiosqlite:///{self.file}",
            ACCOUNT,
            lambda news: self.said.append((time.time(), news)),
        )
        for name, value in more.items():
            setattr(self.switch, name, value)

    def when(self, state):
        return next(at for at, news in self.said if getattr(news, "state", None) is state)

    @property
    def sentinel(self):
        return self.file.with_name("arb.db.halt")


def why(switch):
    """Why nothing may be sent, by this switch."""
    found = no_sending(switch.interlocks)
    return found and found.reason


def _until(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.005)


def _busy(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


BLOCKS = {"busy": _busy, "asleep": time.sleep}


@contextlib.asynccontextmanager
async def _resting_order(address):
    """A funded wallet with an order in the book, and how to take it back by hand."""
    import httpx

    market = build("quiet", 1, SystemClock()).by_slug("plain-1")
    wallet = WALLETS["eoa"]
    async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
        order = {"deposit": {"wallet": wallet, "usd": "100"}, "allow": {"wallet": wallet}}
        assert (await http.post("/_control", json=order)).status_code == 200
    client = await AsyncSecureClient.create(
        private_key=KEY, wallet=wallet, environment=environment(address)
    )
    try:
        answer = await place(client, market.yes, "0.02", "20", post_only=True)
        assert answer.ok
        keys = client.credentials

        def by_hand():
            key = (keys.key, keys.secret, keys.passphrase)
            return cancel_all(address, wallet, *key, lambda: int(time.time()), time.monotonic)

        yield client, by_hand
    finally:
        await client.close()


@pytest.mark.parametrize("block", BLOCKS)
async def test_a_stuck_loop_is_stopped_and_its_orders_are_taken_back(block, tmp_path):
    assert _arb("resume", cwd=tmp_path).returncode == 0
    sent = []
    async with exchange_process("quiet", 1) as address, _resting_order(address) as (client, by):
        watched = Watched(tmp_path)

        def take_back():
            left = by()
            sent.append(time.time())
            return left

        watched.switch.cancel_all = take_back
        with watched.switch as switch:
            assert why(switch) is None
            began = time.time()
            halting = _start("halt", "--reason", "testing", cwd=tmp_path)
            BLOCKS[block](5)  # the event loop stands still: nothing of it can help
            ended = time.time()
            assert switch.halted.is_set()
            assert "testing" in why(switch)
            halting.communicate(timeout=120)
        page = await client.list_open_orders().first_page()
    assert halting.returncode == 0
    assert page.items == ()
    said = watched.sentinel.stat().st_mtime  # when the operator's word was there to be read
    noticed = watched.when(TradingState.HALTED)
    assert noticed < ended
    print(
        f"halt said after {said - began:.3f} s, noticed {noticed - said:+.3f} s, "
        f"cancel-all answered {sent[0] - said:+.3f} s"
    )
    assert noticed - said < 4  # 0.1 s where nothing else runs; the loop stands still for five
    assert len(sent) >= 2  # an order that was on its way would have been caught, too


async def test_the_ledger_alone_is_word_enough(tmp_path):
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/arb.db", ACCOUNT)
    await ledger.open_account({POLYMARKET: Usd(Decimal(100))}, SystemClock().now())
    halted = Standing(state=TradingState.HALTED, reason="by hand", by_operator=True)
    watched = Watched(tmp_path)
    with watched.switch as switch:
        await ledger.set_standing(dataclasses.replace(halted, by_operator=False))
        await asyncio.sleep(0.3)
        assert why(switch) is None  # the program's own halt still lets it unwind
        await ledger.set_standing(halted)
        end = time.monotonic() + 120
        while not why(switch) and time.monotonic() < end:
            _busy(0.05)  # the event loop stands still: nothing of it can help
        assert "by hand" in why(switch)
        assert watched.when(TradingState.HALTED)
        await ledger.set_standing(Standing(by_operator=True))
        _until(lambda: not why(switch))
    await ledger.close()


def test_it_works_while_another_connection_holds_the_ledger(tmp_path):
    assert _arb("resume", cwd=tmp_path).returncode == 0
    watched = Watched(tmp_path)
    holder = sqlite3.connect(watched.file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with watched.switch as switch:
        assert why(switch) is None
        done = _arb("halt", "--reason", "locked out", cwd=tmp_path)
        assert done.returncode == 0
        assert "halted by the file" in done.stderr
        assert "locked" in done.stderr
        assert "locked out" in why(switch)
        assert _arb("resume", cwd=tmp_path).returncode == 5  # not written down: still halted
        assert why(switch)
        holder.execute("ROLLBACK")
        holder.close()
        status = json.loads(_arb("status", "--json", cwd=tmp_path).stdout)
        assert (status["state"], status["reason"]) == ("halted", "locked out")
        assert _arb("resume", cwd=tmp_path).returncode == 0
        _until(lambda: not why(switch))
        assert not watched.sentinel.exists()
    assert [type(news) for _, news in watched.said] == [StateChanged, StateChanged]


def test_nothing_passes_the_guard_while_halted(tmp_path):
    clock, market = SystemClock(), builders.market("m")
    pair = builders.books(market, bids=[("0.40", "50")], asks=[("0.43", "50")])
    books = {book.outcome: dataclasses.replace(book, received_at=clock.now()) for book in pair}
    order = Order(
        id=OrderId("p/1"),
        market=MarketId("m"),
        outcome=OutcomeId("polymarket", "m-yes"),
        side=Side.BUY,
        limit=Price(Decimal("0.43")),
        size=Shares(Decimal(10)),
        time_in_force=TimeInForce.FAK,
        expires_at=clock.now() + timedelta(minutes=1),
    )
    watched = Watched(tmp_path)
    limits = GuardOptions(
        max_position_size=Usd(Decimal(1000)),
        price_collar=Price(Decimal("0.5")),
        max_book_age=timedelta(seconds=60),
    )
    guard = Guard(limits, clock, watched.switch.interlocks)
    assert guard.forbids([order], books).reason == DEAD  # nobody watches yet
    with watched.switch as switch:
        assert guard.forbids([order], books) is None
        Sentinel(watched.sentinel).put(ACCOUNT, "enough")
        # No wait: the file is looked at before each order.
        assert guard.forbids([order], books).reason == "stopped by the operator: enough"
        Sentinel(watched.sentinel).lift(ACCOUNT)
        _until(lambda: not why(switch))
        assert guard.forbids([order], books) is None
    assert guard.forbids([order], books).reason == DEAD


def test_before_the_first_run(tmp_path):
    assert _arb("halt", cwd=tmp_path).returncode == 0
    watched = Watched(tmp_path)
    with watched.switch as switch:
        assert why(switch) == "stopped by the operator"
    done = _arb("resume", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Trading is normal.")


async def test_the_file_alone_stops_a_run_also_when_it_is_empty(tmp_path):
    (tmp_path / "arb.db.halt").touch()
    async with exchange_process("demo", 1) as address:

        def run():
            return _arb("run", "--once", "--json", cwd=tmp_path, address=address)

        halted = await asyncio.to_thread(run)
        assert halted.returncode == 4
        report = json.loads(halted.stdout)
        assert report["plans"] == []
        assert (report["risk"]["can_trade"], report["risk"]["state"]) == (False, "halted")
        assert report["statistics"]["failures"] == 0
        assert (await asyncio.to_thread(_arb, "resume", cwd=tmp_path)).returncode == 0
        traded = await asyncio.to_thread(run)
    assert traded.returncode == 0
    assert json.loads(traded.stdout)["plans"]


async def test_a_running_orchestrator_sends_nothing_from_a_second_after_the_halt(tmp_path):
    async with exchange_process("moving", 5) as address:
        running = await asyncio.to_thread(
            _start, "run", "--interval", "0.1", cwd=tmp_path, address=address
        )
        for line in running.stderr:
            if "Executing" in line:
                break
        done = await asyncio.to_thread(_arb, "halt", cwd=tmp_path)
        said = (tmp_path / "arb.db.halt").stat().st_mtime
        await asyncio.sleep(3)
        running.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(running.communicate, timeout=120)
    assert (done.returncode, running.returncode) == (0, 0), errors
    assert "Trading is halted: stopped by the operator" in errors
    with contextlib.closing(sqlite3.connect(tmp_path / "arb.db")) as db:
        (sent,) = db.execute("SELECT max(at) FROM facts WHERE fact LIKE '%submitted%'").fetchone()
        (scanned,) = db.execute("SELECT max(started_at) FROM runs").fetchone()
    assert sent / 10**6 < said + 1
    assert scanned / 10**6 > said + 2  # scanning went on


def test_taking_back_goes_on_until_nothing_is_left_and_alarms_when_time_is_up(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(killswitch, "SWEEP_AGAIN_SECONDS", 0.1)
    answers = iter([Unavailable("cancel-all: HTTP 503"), ["0xabc"], ["0xabc"], [], []])
    asked = []

    def take_back():
        asked.append(time.monotonic())
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watched = Watched(tmp_path, sweep_deadline_seconds=0.8)
    watched.sentinel.touch()
    with watched.switch as switch:
        time.sleep(0.3)
        assert asked == []
        switch.cancel_all = take_back  # trading that starts later
        _until(lambda: len(asked) == 5)
        time.sleep(0.5)
        assert len(asked) == 5
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses[0] < pauses[1] < pauses[2]
    told = [news for _, news in watched.said]
    assert "503" in next(news.problem.what for news in told if isinstance(news, Trouble))
    assert [n.reason for n in told if isinstance(n, StateChanged)][-1].endswith("0xabc")


def test_a_halt_after_a_resumption_takes_back_again(tmp_path):
    asked = []
    watched = Watched(tmp_path, cancel_all=lambda: asked.append(1) or [])
    sentinel = Sentinel(watched.sentinel)
    with watched.switch as switch:
        for round_ in (1, 2):
            sentinel.put(ACCOUNT, f"round {round_}")
            _until(lambda: asked)
            asked.clear()
            sentinel.lift(ACCOUNT)
            _until(lambda: not why(switch))


def test_a_verdict_that_is_too_old_is_not_relied_on(tmp_path, monkeypatch):
    monkeypatch.setattr(killswitch, "LOOK_SECONDS", 60)  # as after SIGSTOP: the watch is behind
    watched = Watched(tmp_path)
    assert _arb("resume", cwd=tmp_path).returncode == 0
    with watched.switch as switch:
        assert why(switch) is None
        with contextlib.closing(sqlite3.connect(watched.file)) as db, db:
            db.execute(
                "INSERT INTO standings (account, state, reason, by_operator) VALUES (?, ?, ?, 1)",
                (ACCOUNT, "halted", "unseen"),
            )
        time.sleep(1.1)
        assert why(switch) == "stopped by the operator: unseen"
        switch._stop.set()
        monkeypatch.setattr(killswitch, "STOP_WAIT_SECONDS", 0)


def test_the_file_keeps_accounts_apart(tmp_path):
    sentinel = Sentinel(tmp_path / "x.halt")
    sentinel.put("one", "first")
    sentinel.put("two", "")
    assert sentinel.reason("one") == "first"
    assert sentinel.reason("two") == "no reason given"
    assert sentinel.reason("three") is None
    sentinel.lift("one")
    assert (sentinel.reason("one"), sentinel.reason("two")) == (None, "no reason given")
    sentinel.lift("two")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'"halt"'])
def test_a_file_that_cannot_be_understood_halts_everybody(content, tmp_path):
    sentinel = Sentinel(tmp_path / "x.halt")
    sentinel.path.write_bytes(content)
    assert sentinel.reason("anybody")
    sentinel.put("anybody", "more")
    assert sentinel.reason("somebody else")
    sentinel.lift("anybody")
    assert sentinel.reason("anybody") is None


def test_a_full_disk_still_halts(tmp_path, monkeypatch):
    sentinel = Sentinel(tmp_path / "x.halt")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("arb.operations.halt_file.os.fsync", full)
    sentinel.put("one", "why")
    assert sentinel.reason("one")
    assert [path.name for path in tmp_path.iterdir()] == ["x.halt"]


@pytest.mark.parametrize("path", ["arb.db", "data/a b%20c.db", "/var/x.db", "/var/x.db?cache=1"])
def test_the_file_is_beside_the_ledger(path):
    url = f"sqlite+aiosqlite:///{path}"
    assert str(sentinel_of(url).path) == f"{file_of(url)}.halt"


def test_where_the_file_is():
    assert sentinel_of("sqlite+aiosqlite:///:memory:") is None
    assert sentinel_of("sqlite+aiosqlite://") is None
    assert str(sentinel_of("sqlite+aiosqlite:///data/arb.db").path) == "data/arb.db.halt"
    server = sentinel_of("postgresql+asyncpg://me:secret@db.example:5432/arb")
    assert str(server.path) == "data/db.example-arb.halt"
