"""The ledgers of versions before, put back as they were."""

import gzip
import json
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from arb.domain.money import from_micro
from arb.exchange.market.builder import Builder

HERE = Path(__file__).parent
SIZE = 40
OPEN = "open"
"""The event of the plan that is open."""


@dataclass(frozen=True)
class Kept:
    """One ledger, and what the version that wrote it said of it."""

    version: str
    case: str

    @property
    def name(self):
        return f"{self.version} {self.case}"

    @property
    def on_server(self):
        return self.case == "postgresql"

    @property
    def wallet(self):
        """The kind of wallet; empty on paper."""
        return {"paper": "", "postgresql": "eoa"}.get(self.case, self.case)

    @property
    def stem(self):
        return HERE / self.version / self.case

    @cached_property
    def about(self):
        return json.loads(gzip.decompress(self.stem.with_suffix(".json.gz").read_bytes()))

    @property
    def account(self):
        """The account that the case is about; a wallet's ledger has one on paper beside it."""
        return max(self.about["said"])

    @property
    def said(self):
        """What was said of it."""
        return self.about["said"][self.account]

    async def put(self, url):
        """Make the ledger in an empty database."""
        sql = gzip.decompress(self.stem.with_suffix(".sql.gz").read_bytes()).decode()
        if self.on_server:
            import asyncpg

            server = await asyncpg.connect(url.replace("+asyncpg", ""))
            try:
                await server.execute(sql)
            finally:
                await server.close()
            return
        with closing(sqlite3.connect(url.partition(":///")[2])) as file:
            file.executescript(sql)

    # what was at the exchange

    @property
    def held(self):
        """What the account held there: millionths of dollars, and of shares by token."""
        (one,) = self.about["exchange"]["accounts"].values()
        return one

    @property
    def usd(self):
        return str(from_micro(self.held["usd"]))

    def show(self, exchange):
        """The exchange has the events again, with the ids of then."""
        shown = [*exchange.events]
        resolved = {}
        for event in self.about["exchange"]["events"]:
            build = Builder(random.Random(event["slug"]))
            made = [_market(build, each, event["slug"]) for each in event["markets"]]
            again = build.event(event["slug"], made, neg_risk=True)
            again.id = event["id"]
            for market, before in zip(made, event["markets"], strict=True):
                market.neg_risk_id = before["neg_risk_id"]
                if before["resolution"] is not None:
                    resolved[market.slug] = Decimal(before["resolution"])
            shown.append(again)
        exchange.show(shown)
        for slug, yes in resolved.items():
            assert exchange.resolve(slug, yes)


def _market(build, before, event):
    """A market with the ids of then, as quiet as it was; the open plan's can be traded."""
    bid = {"open-1": "0.42", "open-2": "0.40", "open-3": "0.35"}.get(before["slug"])
    if bid is None:
        book = [("0.25", 300)], [("0.36", 300)]
    else:
        book = [(bid, SIZE), ("0.05", 500)], [(Decimal(bid) + Decimal("0.02"), 300)]
    market = build.market(before["slug"], *book, fee_rate=Decimal("0.04"))
    for name in ("id", "question", "condition_id", "yes", "no"):
        setattr(market, name, before[name])
    return market


def all_kept():
    """Every ledger there is, the oldest version first."""
    return [
        Kept(folder.name, file.name.removesuffix(".sql.gz"))
        for folder in sorted(HERE.glob("20*"))
        for file in sorted(folder.glob("*.sql.gz"))
    ]
