"""The life of a ledger under one version of the program, ended in the middle of a plan.

It is its own process, with that version's `src` and its checkout on the path: the engine, the
embedded exchange and the tests' world are all that version's own. `python history.py CASE FOLDER
URL` writes the ledger, and FOLDER/exchange.json with what the exchange held at the end.
"""

import asyncio
import contextlib
import json
import random
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.storage.lead import Lead
from arb.bootstrap import cycle_options, paper_desk
from arb.domain.errors import Unavailable
from arb.domain.halt import Standing, TradingState
from arb.engine.orchestrator import ArbitrageOrchestrator
from tests.conftest import settings_for
from tests.faults.world import Builder, eventually, ladder, quick, serve, world

NO_BIDS = ("0.45", "0.40", "0.35")
"""Of three exclusive outcomes: NO of all three costs less than it pays, and is cash at once."""
SIZE = 40


class Death(BaseException):
    """The process ends here."""


class Life:
    """One event after the other, each with an opportunity of its own."""

    def __init__(self, at, exchange):
        self.at, self.exchange = at, exchange
        self.slug, self.shown = "", []

    def show(self, slug, *, yes=False):
        """A new event with one opportunity; everything before it is quiet."""
        self.quiet()
        self.shown.append(slug)
        build = Builder(random.Random(slug))
        build._serial += 100 * len(self.shown)
        markets = [
            build.market(
                f"{slug}-{n}",
                [("0.25", 300)] if yes else [(bid, SIZE), ("0.05", 500)],
                [("0.29", SIZE), ("0.45", 500)] if yes else [(Decimal(bid) + Decimal("0.02"), 300)],
                fee_rate=Decimal("0.04"),
            )
            for n, bid in enumerate(NO_BIDS, start=1)
        ]
        self.slug = slug
        self.exchange.show([*self.exchange.events, build.event(slug, markets, neg_risk=True)])

    def book(self, number, bids, asks):
        market = self.exchange.by_slug(f"{self.slug}-{number}")
        self.exchange.set_book(market.yes, ladder(bids), ladder(asks))

    def quiet(self):
        """The opportunity is gone."""
        for number in (1, 2, 3) if self.slug else ():
            if self.exchange.by_slug(f"{self.slug}-{number}").resolution is None:
                self.book(number, [("0.25", 300)], [("0.36", 300)])

    async def trade(self, state, *, held=False):
        """One cycle with a plan that ends so."""
        report = await self.at.cycle()
        (plan,) = report.plans
        assert plan.state.value == state, plan
        assert (plan.locked > 0) == held, plan
        return plan

    async def resolve(self, slug, ends):
        """Outcomes come true, and what is held of them is paid out."""
        for number, yes in enumerate(ends, start=1):
            await self.at.control(resolve={"market": f"{slug}-{number}", "yes": yes})
        before = await self.at.ledger.locked_plans()

        async def released():
            self.at.orchestrator._resolutions_asked_at = None
            await self.at.orchestrator.collect_resolutions()
            return len(await self.at.ledger.locked_plans()) < len(before)

        await eventually(released)

    async def die(self, part, name):
        """The process ends in a call of a part of the desk, in the middle of a plan."""

        async def dead(*_args, **_more):
            raise Death

        setattr(type(part), name, dead)
        with contextlib.suppress(Death):
            await self.at.cycle()
        assert len(await self.at.ledger.open_plans()) == 1


def operations(desk):
    """What turns tokens into cash; it had another name."""
    return _of_the_venue(desk, "operations", "operations", "settlement")


def trading(desk):
    return _of_the_venue(desk, "trading", "trading")


def books(desk):
    (venue,) = getattr(desk, "venues", {"": desk}).values()
    return venue.books


def _of_the_venue(desk, name, *before):
    """A part of the one venue that there is; the desk kept such parts by venue before."""
    if hasattr(desk, "venues"):
        (venue,) = desk.venues.values()
        return getattr(venue, name)
    kept = next(getattr(desk, each) for each in before if getattr(desk, each, None))
    (one,) = kept.values()
    return one


# on paper


class Paper:
    """A desk on paper beside the exchange."""

    def __init__(self, settings, http, desk):
        self.http, self.desk, self.ledger = http, desk, desk.ledger
        self.orchestrator = ArbitrageOrchestrator(desk, cycle_options(settings))

    async def control(self, **order):
        answer = await self.http.post("/_control", json=order)
        assert answer.status_code == 200, answer.text

    async def cycle(self):
        return await self.orchestrator.scan_cycle()


class Greedy:
    """Proposes what others do, of more than there is: none of it can be proved."""

    name = "greedy"

    def __init__(self, others):
        self.others = others

    def find(self, snapshot):
        return [
            replace(found, legs=tuple(replace(leg, size=leg.size * 10_000) for leg in found.legs))
            for strategy in self.others
            for found in strategy.find(snapshot)
            if hasattr(found, "legs")
        ]


async def on_paper(folder, flags):
    """Decoys and sets of a scenario, then one event after the other, and a death or two."""
    from tests.conftest import build

    exchange = build("demo", 7, SystemClock())
    async with (
        serve(exchange) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http,
    ):
        settings = settings_for(address, folder, **flags).settings

        @contextlib.asynccontextmanager
        async def at_work():
            async with paper_desk(settings) as desk:
                one = Paper(settings, http, desk)
                await one.orchestrator.setup()
                yield one

        async with at_work() as at:
            life = Life(at, exchange)
            strategies = list(at.desk.strategies)
            at.desk.strategies.append(Greedy(strategies))
            await at.cycle()
            at.desk.strategies[:] = strategies
            life.show("redeemed", yes=True)
            await at.cycle()
            await life.resolve("redeemed", ("0", "1", "0"))
            life.show("waiting", yes=True)
            await at.cycle()
            life.show("never-placed")
            sent = trading(at.desk)
            with pytest.MonkeyPatch.context() as once:
                once.setattr(type(sent), "submit", type(sent).submit)  # put back afterwards
                await life.die(sent, "submit")
        async with at_work() as at:
            assert not await at.ledger.open_plans()
            life.at = at
            life.show("done")
            await at.cycle()
            await by_the_operator(at)
            life.show("open")
            await life.die(operations(at.desk), "prepare")
        return left((await http.get("/_truth")).json(), exchange, life)


# live


async def live(folder, flags, *, wallet, death):
    """Plans of every end, what an operator does, and a death in the middle of the last plan."""
    patch = pytest.MonkeyPatch()
    quick(patch)
    flags = {"risk.max_consecutive_failures": 50, "trading.bankroll_usd": 1000, **flags}
    async with world(folder, wallet=wallet, options=None, **flags) as at:
        if flags["database.url"].startswith("postgresql"):
            await lead(flags["database.url"], at.ledger.account)
        async with paper_desk(at.settings) as desk:  # as one tries it before it is real money
            other = Paper(at.settings, at.http, desk)
            await other.orchestrator.setup()
            assert [plan.state.value for plan in (await other.cycle()).plans] == ["done"]
        life = Life(at, at.exchange)
        life.slug = "race"
        life.show("done")
        await life.trade("done")

        life.show("voided")
        await at.conduct(fail=1)
        await life.trade("unwound")
        await at.conduct(fail=0)

        life.show("sold")
        at.before_post = lambda _: worthless(life)
        await life.at.cycle()
        await at.ended()

        life.show("found")
        await at.conduct(hidden=600)
        await at.fault("/orders", "accept_then_drop")
        await life.trade("unwound")
        await at.conduct(hidden=0)

        async def discovered():
            await at.cycle()
            return len((await at.held())["tokens"]) == 0 and not await at.ledger.open_plans()

        await eventually(discovered)
        await at.ended()
        await by_the_operator(at)

        life.show("refused")
        at.before_post = lambda _: at.control(allow={"wallet": at.wallet, "all": False})
        await at.conduct(allowance_at_entry=False, allowances_checked=False)
        await life.trade("done", held=True)
        await at.conduct(allowance_at_entry=True, allowances_checked=True)
        await at.control(allow={"wallet": at.wallet})
        await looked(at, "negrisk_no", "the allowances were gone")

        life.show("redeemed", yes=True)
        await life.trade("done", held=True)
        await life.resolve("redeemed", ("0", "1", "0"))
        life.show("waiting", yes=True)
        await life.trade("done", held=True)

        life.quiet()
        await at.check()
        gift = at.exchange.by_slug("waiting-1").yes
        await at.control(deposit={"wallet": at.wallet, "usd": "12.5"})
        await at.control(give={"wallet": at.wallet, "token": gift, "shares": "3"})
        await at.orchestrator.reconciler.run()
        assert len(at.orchestrator.reconciler.differences) == 2
        await at.orchestrator.reconciler.accept("paid in by hand")
        await at.check()

        life.show("short", yes=True)
        await life.trade("done", held=True)
        await life.resolve("short", ("0", "0", "0"))
        await at.check()

        life.show("open")
        await DEATHS[death](at, life)
        await eventually(at._settled)
        await stand(at, TradingState.HALTED, "paused: over the weekend")
        kept = left(await at.truth(), at.exchange, life)
    patch.undo()
    return kept


def worthless(life):
    """The first leg cannot be had any more, and another can be sold."""
    life.book(1, [("0.02", 300)], [("0.03", 300)])
    life.book(2, [("0.38", 300), ("0.05", 500)], [("0.39", 300)])


async def sent(at, life):
    """Written down, and not sent."""
    await life.die(trading(at.desk), "submit")


async def filled(at, life):
    """Every leg is filled and confirmed; the exit is not requested."""
    await life.die(operations(at.desk), "prepare")


async def requested(at, life):
    """The exit is written down, and not sent."""
    await life.die(operations(at.desk), "submit")


async def partly(at, life):
    """A leg is missing, the others are confirmed, and there are no books to decide by."""

    async def away(*_args, **_more):
        raise Unavailable("no books now")

    def lose_a_leg(_request):
        life.book(1, [("0.42", 300), ("0.05", 500)], [("0.47", 300)])
        type(books(at.desk)).fetch = away

    at.before_post = lose_a_leg
    (report,) = (await at.cycle()).plans
    assert report.state.value == "open", report
    await eventually(at._settled)
    await at.orchestrator.reconciler.run()


DEATHS = {"sent": sent, "filled": filled, "requested": requested, "partly": partly}


# both


async def by_the_operator(at):
    """A halt and its end."""
    await stand(at, TradingState.HALTED, "to have a look")
    await stand(at, TradingState.NORMAL, "")


async def stand(at, state, reason):
    now = at.desk.clock.now()
    standing = Standing(state=state, reason=reason, since=now, by_operator=True)
    await at.ledger.set_standing(standing)


async def lead(url, account):
    """Lead the account on a server for a moment, as a process does for as long as it runs."""
    one = Lead(url=url, account=account, holder="a host, process 1", clock=SystemClock())
    one.start()
    await eventually(lambda: one.leading)
    one.stop()


async def looked(at, kind, why):
    """An operator ends the stop of a kind, where there are such stops."""
    if not hasattr(at.ledger, "contradictions"):
        return
    found = await at.ledger.contradictions()
    assert [str(each.kind) for each in found] == [kind]
    await at.ledger.end_contradictions([each.key for each in found], why, at.desk.clock.now())


def left(truth, exchange, life):
    """What the accounts hold at the exchange, and its events, with all their ids."""
    names = ("id", "slug", "question", "condition_id", "yes", "no", "neg_risk_id")
    events = [event for event in exchange.events if event.slug in life.shown]
    return {
        "accounts": truth["accounts"],
        "events": [
            {
                "id": event.id,
                "slug": event.slug,
                "markets": [
                    {
                        **{name: getattr(market, name) for name in names},
                        "resolution": None if market.resolution is None else str(market.resolution),
                    }
                    for market in event.markets
                ],
            }
            for event in events
        ],
    }


CASES = {
    "paper": on_paper,
    "eoa": lambda folder, flags: live(folder, flags, wallet="eoa", death="filled"),
    "safe": lambda folder, flags: live(folder, flags, wallet="safe", death="partly"),
    "deposit": lambda folder, flags: live(folder, flags, wallet="deposit", death="sent"),
    "postgresql": lambda folder, flags: live(folder, flags, wallet="eoa", death="requested"),
}


def main(case, folder, url):
    """Live it."""
    target = Path(folder)
    flags = {"database.url": url}
    kept = asyncio.run(CASES[case](target, flags))
    (target / "exchange.json").write_text(json.dumps(kept, indent=1, sort_keys=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
