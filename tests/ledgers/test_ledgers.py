"""Ledgers that versions before have written open, migrate, and come to the same figures.

What each version said of its ledger was kept beside it: see README.md.
"""

import asyncio
import contextlib
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from arb.adapters.clock import SystemClock
from arb.adapters.storage import Database, SqlLedger, upgrade
from arb.adapters.storage.codec import dump_fact, dump_plan, load_fact, load_plan
from arb.adapters.storage.columns import EPOCH
from arb.adapters.storage.maintenance import check, revision
from arb.adapters.storage.tables import contradictions, facts, fills, findings, plans, standings
from arb.bootstrap import engine_options, paper_context
from arb.cli.app import app
from arb.domain.bot import BotDeed, BotEvent
from arb.domain.halt import Standing, TradingState
from arb.domain.market import Side
from arb.domain.money import Usd
from arb.domain.money import text as money
from arb.domain.news import Contradicted
from arb.domain.opportunity import Exit, Kind
from arb.domain.order import TradeState
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.engine.contradict import BALANCE, of_plan
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.testing.builders import NOON
from tests.conftest import exchange_at, settings_for
from tests.faults.world import quick, world
from tests.ledgers.kept import all_kept
from tests.ledgers.make import settings_of
from tests.ledgers.say import ask, said_now

KEPT = all_kept()
CONTRADICTED = [kept for kept in KEPT if kept.wallet and kept.about["schema"] >= "0005"]
"""Those that know of contradictions, and have some."""
FILES = [kept for kept in KEPT if kept.case == "eoa"]
LIVE_FACTS = {
    "Submitted", "Answered", "Confirmed", "Voided", "Discovered", "Requested", "Settled",
}  # fmt: skip
"""Every kind of fact, by the name that ledgers know it by."""
DECISIONS = {"approved", "refused", "unproven", "skipped"}

RENAMED = {
    "decision": {"passed": "skipped"},
    "fact": {"requested": "operationrequested", "settled": "operationended"},
}
"""Values that are called something else now, in the documents that commands print."""
BOUND_RISEN = {"2026-11-21": ("status/promised", "report/capital/in_use")}
"""What is reserved for a plan of before orders were dollars: its fees are bounded at any price
within its limits now, and not at the limits."""


@pytest.fixture(params=KEPT, ids=lambda kept: kept.name)
def kept(request):
    return request.param


@pytest.fixture
async def url(kept, tmp_path, request):
    """The ledger in a database of its own."""
    if kept.on_server:
        where = request.getfixturevalue("postgres").database()
    else:
        where = f"sqlite+aiosqlite:///{tmp_path}/arb.db"
    await kept.put(where)
    return where


@pytest.fixture
def about(url, tmp_path, monkeypatch):
    """Makes the commands be about an account of this ledger."""
    monkeypatch.chdir(tmp_path)

    def one(account):
        for name, value in settings_of(account, url).items():
            monkeypatch.setenv(name, value)

    return one


@contextlib.asynccontextmanager
async def opened(url):
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def rows(url, what):
    async with opened(url) as database, database.read() as db:
        return (await db.execute(what)).all()


def test_there_is_a_ledger_of_each_kind():
    cases = {"paper", "eoa", "safe", "deposit", "postgresql"}
    versions = {kept.version for kept in KEPT}
    assert len(versions) >= 3
    assert {(kept.version, kept.case) for kept in KEPT} == {
        (version, case) for version in versions for case in cases
    }


QUESTIONS = (
    "SELECT * FROM opportunities ORDER BY detected_at DESC LIMIT 10",
    "SELECT * FROM bot_performance ORDER BY timestamp DESC LIMIT 10",
    "SELECT * FROM executions ORDER BY execution_time DESC LIMIT 10",
)
"""The user's own, to views in dollars, on both databases."""
VIEWED = ("paper", "postgresql")


@pytest.mark.parametrize(
    "kept",
    [kept for kept in KEPT if kept.version == KEPT[-1].version and kept.case in VIEWED],
    ids=lambda kept: kept.name,
)
async def test_its_views_are_in_dollars_with_dates(kept, url):
    account = (await rows(url, select(plans.c.account)))[0].account
    async with opened(url) as database:
        await upgrade(database)
        for minute, deed in enumerate((BotDeed.ASKED, BotDeed.AGREED, BotDeed.RESTARTING)):
            word = Usd(Decimal("25.5")) if deed is BotDeed.AGREED else None
            at = NOON + timedelta(minutes=minute)
            event = BotEvent(bot="atom", deed=deed, at=at, said_profit=word)
            await SqlLedger(database, account).record_bot(event)
    found, done, executed = [await rows(url, text(line)) for line in QUESTIONS]
    (stored,) = await rows(url, select(plans).where(plans.c.id == executed[0].id))
    assert Decimal(str(executed[0].outlay)) == stored.outlay
    assert datetime.fromisoformat(executed[0].execution_time) - stored.approved_at < timedelta(
        milliseconds=1
    )
    assert all(row.detected_at.endswith("Z") for row in found)
    assert [row.timestamp for row in done] == [
        "2026-11-21T12:02:00.000Z",
        "2026-11-21T12:01:00.000Z",
        "2026-11-21T12:00:00.000Z",
    ]
    assert [(row.asked, row.agreed, row.restarts) for row in done] == [
        (1, 1, 1),
        (1, 1, 0),
        (1, 0, 0),
    ]
    assert [row.said_profit and Decimal(str(row.said_profit)) for row in done] == [
        None,
        Decimal("25.5"),
        None,
    ]


async def test_it_holds_everything_that_a_ledger_can_hold(kept, url):
    stored = [json.loads(row.fact) for row in await rows(url, select(facts.c.fact))]
    kinds = {fact["kind"] for fact in stored}
    states = {row.state for row in await rows(url, select(plans.c.state))}
    decisions = {row.decision for row in await rows(url, select(findings.c.decision))}
    assert states == {"open", "done", "unwound"}
    assert {"Convert", "Redeem"} <= {f["operation"]["kind"] for f in stored if "operation" in f}
    if kept.case == "paper":
        assert decisions == DECISIONS
    else:
        assert kinds == LIVE_FACTS
        assert len(await rows(url, text("select distinct asset from adjustments"))) == 2
        assert len(await rows(url, text("select 1 from accounts"))) == 2
        assert len(await rows(url, text("select 1 from standings"))) > 2
    if kept.on_server:
        assert len(await rows(url, text("select 1 from leaders"))) == 1
    if kept in CONTRADICTED:
        keys = {row.key.partition("/")[0] for row in await rows(url, select(contradictions))}
        assert keys == {"refused", "paid", "balance"}


def test_it_migrates_and_is_sound(kept, about, tmp_path):
    about(kept.account)
    done = CliRunner().invoke(app, ("db", "upgrade"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "arb.db.before-upgrade").exists() != kept.on_server
    assert ask("db", "check", "--json") == {"sound": True, "problems": []}
    assert kept.said["check"] == {"sound": True, "problems": []}


@pytest.mark.parametrize("kept", FILES, ids=lambda kept: kept.name, indirect=True)
def test_a_backup_of_before_is_restored(kept, about, tmp_path, monkeypatch):
    about(kept.account)
    new = tmp_path / "new" / "arb.db"
    monkeypatch.setenv("ARB_DATABASE__URL", f"sqlite+aiosqlite:///{new}")
    done = CliRunner().invoke(app, ("db", "restore", str(tmp_path / "arb.db")))
    assert done.exit_code == 0, done.output
    assert ask("db", "check", "--json") == {"sound": True, "problems": []}
    assert ask("status", "--json")["statistics"] == kept.said["status"]["statistics"]


def test_every_figure_is_as_it_was(kept, url, about, monkeypatch):
    """To the last place, of every account, at the moment at which it was said before."""
    now = datetime.fromisoformat(kept.about["moment"])
    monkeypatch.setattr(SystemClock, "now", lambda _self: now)
    for account, said in sorted(kept.about["said"].items()):
        about(account)
        assert CliRunner().invoke(app, ("db", "upgrade")).exit_code == 0
        before, today = in_todays_words(said), said_now(list(said["explained"]))
        for path in BOUND_RISEN.get(kept.version, ()) if account == kept.account else ():
            more(before, path.split("/"), asyncio.run(bound_of_fees(kept, url)))
        for each in (before, today):
            each["positions"].sort(key=lambda row: row["token"])  # in another order, the same
            each["opportunities"].sort(key=lambda row: row["id"])
        assert list(different(before, today)) == [], account


async def bound_of_fees(kept, url):
    """By how much the fees of the open plan may be more than it expects."""
    async with opened(url) as database:
        (plan,) = await SqlLedger(database, kept.account).open_plans()
    assert plan.outlay_max > plan.outlay
    return plan.outlay_max - plan.outlay


async def test_every_fact_and_plan_can_be_read(kept, url):
    """Nothing of what is stored is lost when it is read and written again."""
    async with opened(url) as database:
        ledger = SqlLedger(database, kept.account)
        stored_plans = await rows(url, select(plans.c.id, plans.c.plan))
        for row in stored_plans:
            plan = load_plan(row.plan)
            # They know no payoffs: their kind says what they pay.
            assert plan.payoff is None
            assert plan.guaranteed([leg.size for leg in plan.legs]) == plan.payoff_worst
            again = json.loads(dump_plan(plan))
            assert list(different(json.loads(row.plan), again)) == []
            stored = await rows(
                url, select(facts.c.fact).where(facts.c.plan == row.id).order_by(facts.c.seq)
            )
            for fact in stored:
                again = json.loads(dump_fact(load_fact(fact.fact)))
                assert list(different(json.loads(fact.fact), again)) == []
            assert await ledger.facts(row.id) == [load_fact(fact.fact) for fact in stored]
    assert len(stored_plans) > 5


WORDS = (
    (plans.c.state, PlanState),
    (plans.c.kind, Kind),
    (fills.c.state, TradeState),
    (fills.c.side, Side),
    (standings.c.state, TradingState),
    (findings.c.kind, Kind),
    (findings.c.exit, Exit),
    (findings.c.reason, Reason),
)


async def test_every_stored_word_is_known(kept, url):
    """What stands in a column of its own is called so today: old rows and new ones are one."""
    for column, words in WORDS:
        stored = {row[0] for row in await rows(url, select(column).distinct())} - {None}
        assert stored, column
        assert stored <= {word.value for word in words}, column


@pytest.mark.parametrize("kept", CONTRADICTED, ids=lambda kept: kept.name, indirect=True)
async def test_the_facts_still_say_what_contradicted_a_proof(kept, url):
    """The words that ledgers store of an exit mean the same; a row that a crash kept back comes."""
    async with opened(url) as database:
        ledger = SqlLedger(database, kept.account)
        found = {
            one.key: (one.venue, one.kind, one.about, one.believed, one.seen)
            for plan, known in await ledger.recent(EPOCH)
            for one in of_plan(plan, known)
        }
    # What a reconciliation found is not in facts.
    told = contradictions.c.key.not_like(f"{BALANCE}%")
    stored = await rows(url, select(contradictions).where(told))
    assert {key.partition("/")[0] for key in found} == {"refused", "paid"}
    assert found == {
        row.key: (row.venue, row.kind, row.about, row.believed, row.seen) for row in stored
    }


ENDS = {
    "paper": PlanState.DONE,
    "eoa": PlanState.DONE,  # it was filled: what is left is to turn it into cash
    "postgresql": PlanState.DONE,  # that was written down, and never sent
    "safe": PlanState.DONE,  # a leg was missing, and is there again
    "deposit": PlanState.UNWOUND,  # it was written down, and never placed
}


async def test_an_open_plan_is_taken_up_and_ends(kept, url, tmp_path, monkeypatch):
    async with opened(url) as database:
        ledger = SqlLedger(database, kept.account)
        # The schema is as it was: paper trading brings it up to date as it starts.
        assert (await revision(database))[0] == kept.about["schema"]
        known = {row.id for row in await ledgers_plans(url)}
        (open_plan,) = [row for row in await ledgers_plans(url) if row.state == "open"]
        goes_on = on_paper if kept.case == "paper" else live
        await goes_on(kept, url, tmp_path, monkeypatch)
        assert not await ledger.open_plans()
        (row,) = [row for row in await ledgers_plans(url) if row.id == open_plan.id]
        assert (row.state, row.locked) == (ENDS[kept.case], 0)
        if row.state == PlanState.UNWOUND:
            assert row.realised == 0
        else:
            assert row.realised > 0
        assert not [p for p in await ledger.locked_plans() if p.id == open_plan.id]
        sums, before = await ledger.statistics(), kept.said["status"]["statistics"]
        new = [row for row in await ledgers_plans(url) if row.id not in known]
        assert len(new) == (kept.case != "paper")
        assert sums.trades == before["trades"] + 1 + len(new)
        gained = sum(one.realised for one in (row, *new))
        assert sums.realised == Decimal(before["total_profit"]) + gained
        assert await check(database) == []


async def ledgers_plans(url):
    return await rows(url, select(plans.c.id, plans.c.state, plans.c.realised, plans.c.locked))


async def on_paper(kept, url, folder, _monkeypatch):
    async with exchange_at("quiet") as (exchange, address):
        kept.show(exchange)
        settings = settings_for(address, folder, **{"database.url": url}).settings
        async with paper_context(settings) as context:
            await ArbitrageOrchestrator(context, engine_options(settings)).setup()


async def live(kept, url, folder, monkeypatch):
    quick(monkeypatch)

    async def before(at):
        kept.show(at.exchange)
        for slug in ("race-1", "race-2", "race-3"):
            at.book(slug, [("0.25", 300)], [("0.36", 300)])
        for token, shares in kept.held["tokens"].items():
            amount = str(Decimal(shares) / 10**6)
            await at.control(give={"wallet": at.wallet, "token": token, "shares": amount})

    async with world(
        folder, wallet=kept.wallet, usd=kept.usd, before=before, **{"database.url": url}
    ) as at:
        await at.ended()
        # Nothing else begins: an operator has paused it, in the version before.
        at.open_again()
        assert not (await at.cycle()).plans
        assert not any(report.plans for report in at.reports)
        # A stop of before holds, and one that was ended is not found again.
        (found,) = await at.ledger.contradictions()
        assert found.key.startswith("paid/")
        told = [news for news in at.news if isinstance(news, Contradicted)]
        assert len(told) == (kept.about["schema"] < "0005")
        await at.check()
        await at.ledger.set_standing(Standing(since=at.context.clock.now(), by_operator=True))
        (report,) = (await at.cycle()).plans
        assert (report.state, report.locked) == (PlanState.DONE, 0)
        await at.check()


# what is compared


def in_todays_words(said):
    """The document with what is called something else today."""
    copy = json.loads(json.dumps(said))
    for row in (*copy["opportunities"], *copy["explained"].values()):
        row["decision"] = RENAMED["decision"].get(row["decision"], row["decision"])
    for story in copy["explained"].values():
        for fact in story["facts"]:
            fact[1] = RENAMED["fact"].get(fact[1], fact[1])
    return copy


def different(before, today, path=""):
    """Where a document of before is not in today's, which may say more."""
    if isinstance(before, dict) and isinstance(today, dict):
        for name, value in before.items():
            if name in today:
                yield from different(value, today[name], f"{path}/{name}")
            else:
                yield f"{path}/{name} is gone"
    elif isinstance(before, list) and isinstance(today, list) and len(before) == len(today):
        for place, (one, other) in enumerate(zip(before, today, strict=True)):
            yield from different(one, other, f"{path}/{place}")
    elif before != today:
        yield f"{path}: {before!r} is {today!r}"


def more(document, path, amount):
    """Add to an amount of a document."""
    *way, last = path
    for name in way:
        document = document[name]
    document[last] = money(Decimal(document[last]) + amount)
