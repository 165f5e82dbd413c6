"""Our whole live path against the embedded exchange: gate, ledger, engine, official client, HTTP.

Nothing is faked on our side. Times are short, and what leaves is counted on its way out.
"""

import asyncio
import contextlib
import dataclasses
import json
import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import httpx

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import parse
from arb.adapters.polymarket.client import LivePermit
from arb.bootstrap import engine_options, live_context, live_venue
from arb.domain.fact import Submitted
from arb.domain.money import to_micro
from arb.domain.plan import PlanState
from arb.engine.account import read
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.exchange.api.server import serve
from arb.exchange.market.builder import Builder, ladder
from arb.exchange.market.exchange import Exchange
from arb.publisher import Publisher
from tests.conftest import settings_for
from tests.editing import edited
from tests.exchange.venue import KEY, WALLETS

LIFE, GRACE = timedelta(seconds=0.6), timedelta(seconds=0.2)
SOON = timedelta(seconds=0.1)
SIZE = 40
"""Shares on the best level of every leg of the opportunity."""
RELAYER = {"key": "relayer-key", "address": WALLETS["eoa"]}


def quick(monkeypatch, timeout=3.0):
    """The same machinery with short times."""
    from polymarket.clients import _transport

    # Nothing here speaks TLS, and reading all certificates takes longer than most tests.
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    terms = dataclasses.replace(parse.TERMS, order_life=LIFE, not_found_grace=GRACE)
    monkeypatch.setattr(parse, "TERMS", terms)
    monkeypatch.setattr(_transport, "_DEFAULT_TIMEOUT", httpx.Timeout(timeout))


async def eventually(what, seconds=120.0):
    """Wait until it holds; answers with what it came to."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < end, "it never came to it"
        await asyncio.sleep(0.01)


def race(fee_rate="0.04"):
    """Three exclusive outcomes bid 1.20 in all, and a calm market beside them."""
    build = Builder(random.Random("faults"))
    markets = [
        build.market(
            f"race-{n}",
            [(bid, SIZE), (Decimal(bid) - Decimal("0.01"), 60), ("0.05", 500)],
            [(Decimal(bid) + Decimal("0.02"), 300)],
            fee_rate=Decimal(fee_rate),
        )
        for n, bid in enumerate(("0.45", "0.40", "0.35"), start=1)
    ]
    calm = build.market("calm", [("0.40", 100)], [("0.43", 100)])
    return [build.event("race", markets, neg_risk=True), build.event("calm", [calm])]


def orders_live(monkeypatch, seconds):
    """How long after it was sent an order may still be placed."""
    terms = dataclasses.replace(parse.TERMS, order_life=timedelta(seconds=seconds))
    monkeypatch.setattr(parse, "TERMS", terms)


class World:
    """The exchange, what we trade with at it, and what went between them."""

    def __init__(self, exchange, address, http, settings, wallet):
        self.exchange, self.address, self.http = exchange, address, http
        self.settings, self.wallet = settings, wallet
        self.sent = Counter()
        """How often each signed order has left us."""
        self.bodies = []
        """Every signed order that has left us, as posted."""
        self.asked = Counter()
        self.before_post = None
        self.news = []
        self.reports = []

    # orders to the exchange itself

    async def control(self, **order):
        answer = await self.http.post("/_control", json=order)
        assert answer.status_code == 200, answer.text

    async def conduct(self, **knobs):
        await self.control(conduct=knobs)

    async def chain(self, **conduct):
        await self.control(chain={"conduct": conduct})

    async def fault(self, endpoint, kind="", **more):
        await self.control(fault={"endpoint": endpoint, "kind": kind, "exact": True, **more})

    async def truth(self):
        return (await self.http.get("/_truth")).json()

    def market(self, slug):
        return self.exchange.by_slug(slug)

    def book(self, slug, bids, asks):
        """A book in YES terms."""
        self.exchange.set_book(self.market(slug).yes, ladder(bids), ladder(asks))

    def calm_down(self):
        """The opportunity goes away."""
        for slug in ("race-1", "race-2", "race-3"):
            self.book(slug, [("0.25", 300)], [("0.30", 300)])

    async def expire(self):
        """Our API key is worth nothing any more, until it is derived again."""
        await self.control(conduct={"auth_ttl": 100}, advance=101)

    def open_again(self):
        """The opportunity is there once more."""
        for slug, bid in (("race-1", "0.45"), ("race-2", "0.40"), ("race-3", "0.35")):
            self.book(slug, [(bid, SIZE), ("0.05", 500)], [(Decimal(bid) + Decimal("0.02"), 300)])

    def twin(self, slug="twin"):
        """A second event with the same opportunity; answers with its slug."""
        build = Builder(random.Random("twin"))
        bids = ("0.45", "0.40", "0.35")
        markets = [
            build.market(
                f"{slug}-{n}",
                [(bid, SIZE), ("0.05", 500)],
                [(Decimal(bid) + Decimal("0.02"), 300)],
                fee_rate=Decimal("0.04"),
            )
            for n, bid in enumerate(bids, start=1)
        ]
        self.exchange.show([*self.exchange.events, build.event(slug, markets, neg_risk=True)])
        return slug

    # our side

    async def assemble(self, options=None):
        """A new life of ours over the same ledger: as after a restart."""
        self.stack = contextlib.AsyncExitStack()
        permit = LivePermit(self.wallet)
        self.venue, self.live = await self.stack.enter_async_context(
            live_venue(self.settings, permit)
        )
        self.context = await self.stack.enter_async_context(
            live_context(self.settings, self.live, self.venue, Publisher([self.news.append]))
        )
        self.ledger = self.context.ledger
        self.options = dataclasses.replace(
            engine_options(self.settings),
            ask_pause_seconds=0.02,
            **{"answer_wait": timedelta(seconds=6), **(options or {})},
        )
        self._watch()
        self.orchestrator = ArbitrageOrchestrator(self.context, self.options)
        guard = self.orchestrator.executor.guard
        guard.options = dataclasses.replace(guard.options, duplicate_window=SOON)
        return await self.orchestrator.setup()

    async def leave(self):
        await self.stack.aclose()

    def _watch(self):
        async def note(request):
            path = request.url.path
            self.asked[f"{request.method} {path.split('/0x')[0]}"] += 1
            if request.method == "POST" and path in ("/order", "/orders"):
                said = json.loads(request.content)
                for one in said if isinstance(said, list) else [said]:
                    self.sent[one["order"]["signature"]] += 1
                    self.bodies.append(one)
                if self.before_post is not None:
                    act, self.before_post = self.before_post, None
                    coming = act(request)
                    if asyncio.iscoroutine(coming):
                        await coming

        for name in ("secure_clob", "clob"):
            getattr(self.live.client._ctx, name)._client.event_hooks["request"].append(note)

    async def cycle(self):
        """One cycle; the reports of what it took up and began."""
        self.orchestrator.reconciler._tried = None  # every cycle begins with a reconciliation
        report = await self.orchestrator.scan_cycle()
        self.reports.append(report)
        return report

    async def trade(self):
        """One cycle with one plan, whatever becomes of it."""
        report = await self.cycle()
        assert len(report.plans) == 1, (report.reasons, report.errors)
        found = await self.plans()
        assert len(found) == 1, report.plans  # a plan without a fact: nothing of it was sent
        return report.plans[0], found[0]

    async def plans(self):
        return [plan for plan, _ in await self.ledger.recent(await self.ledger.opened_at())]

    async def account(self, plan):
        return read(await self.ledger.facts(plan.id))

    async def orders(self, plan):
        return [f.order for f in await self.ledger.facts(plan.id) if isinstance(f, Submitted)]

    def lose_a_leg(self, slug="race-1", deep="0.42"):
        """Somebody else takes the best level of a leg just before our first orders arrive."""

        def take(_request):
            self.book(slug, [(deep, 300), ("0.05", 500)], [("0.47", 300)])

        self.before_post = take

    async def restart(self, **options):
        """Our process ends and another takes its ledger up."""
        await self.leave()
        return await self.assemble(options)

    async def ended(self, seconds=120.0):
        """Cycles until nothing is open any more."""

        async def closed():
            if not await self.ledger.open_plans():
                return True
            await self.cycle()
            return False

        await eventually(closed, seconds)

    async def held(self):
        """What the exchange and the chain say that we have: micro-dollars, shares by token."""
        none = {"usd": 0, "tokens": {}}
        return (await self.truth())["accounts"].get(self.wallet.lower(), none)

    async def check(self, *, open_plans=0, by_hand=()):
        """Everything has arrived: the ledger is the truth to the micro-unit, nothing went twice."""
        await eventually(self._settled)
        await self.orchestrator.reconciler.run()
        assert self.orchestrator.reconciler.differences == ()
        portfolio = await self.ledger.portfolio(self.context.clock.now())
        truth, held = await self.truth(), await self.held()
        ours = {
            outcome.token: to_micro(position.shares)
            for outcome, position in portfolio.positions.items()
            if position.shares
        }
        assert to_micro(portfolio.cash) == held["usd"]
        assert ours == held["tokens"]
        assert truth["problems"] == []
        assert not [o for o in truth["orders"] if o["status"] in ("LIVE", "DELAYED")]
        assert len(await self.ledger.open_plans()) == open_plans
        assert max(self.sent.values(), default=0) <= 1
        await self._all_known(truth, by_hand)

    async def _all_known(self, truth, by_hand):
        """Every order of ours at the exchange was written down before, by the hash it has there."""
        refs = {
            fact.order.ref
            for _, facts in await self.ledger.recent(await self.ledger.opened_at())
            for fact in facts
            if isinstance(fact, Submitted)
        }
        ours = {o["id"] for o in truth["orders"] if o["wallet"].lower() == self.wallet.lower()}
        assert ours <= refs | set(by_hand)

    async def _settled(self):
        return not (await self.truth())["unsettled"]


@contextlib.asynccontextmanager
async def world(
    folder,
    *,
    wallet="eoa",
    usd="1000",
    nodes=(),
    options=None,
    edit=None,
    before=None,
    **flags,
):
    """A funded wallet at an exchange with one known opportunity, and what trades at it live.

    Args:
        folder: Where the ledger is.
        wallet: The kind of wallet.
        usd: What it holds.
        nodes: Nodes that are asked before the exchange's own.
        options: Options of the cycle.
        edit: Edits what the exchange answers us; see `tests.editing`.
        before: Called with the world before our side is there.
        flags: Settings.
    """
    exchange = Exchange(race(), SystemClock(), random.Random("faults"), [], [])
    exchange.render_all()
    wallet = WALLETS[wallet]
    async with (
        serve(exchange) as address,
        edited(address, edit) if edit else contextlib.nullcontext(address) as front,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http,
    ):
        settings = settings_for(
            front,
            folder,
            **{
                "polymarket.rpc_urls": (*nodes, f"{address}/rpc"),
                "polymarket.relayer_url": address,
                "polymarket.relayer_key": RELAYER["key"],
                "polymarket.relayer_key_address": RELAYER["address"],
                "polymarket.market_ws_url": address.replace("http", "ws") + "/ws/market",
                "polymarket.user_ws_url": address.replace("http", "ws") + "/ws/user",
                "polymarket.private_key": KEY,
                "polymarket.wallet": wallet,
                "polymarket.relayer_poll_ms": 20,
                "polymarket.attempts": 1,
                "polymarket.settlement_wait_seconds": 0.3,
                "polymarket.settlement_quiet_seconds": 0.6,
                "trading.live": True,
                "trading.max_position_size": 200,
                "arbitrage.plans_per_cycle": 1,
                **flags,
            },
        ).settings
        made = World(exchange, address, http, settings, wallet)
        await made.control(
            deposit={"wallet": wallet, "usd": usd},
            allow={"wallet": wallet},
            conduct={"mined_after": 0.03, "confirmed_after": 0.06},
            chain={
                "conduct": {
                    "block_seconds": 0.02,
                    "mined_after": 0.02,
                    "finality_delay": 0.02,
                    "executed_after": 0.01,
                }
            },
        )
        if before is not None:
            await before(made)
        try:
            await made.assemble(options)
            yield made
        finally:
            await made.leave()


DONE, UNWOUND, OPEN = PlanState.DONE, PlanState.UNWOUND, PlanState.OPEN
