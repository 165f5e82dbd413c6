"""A venue with something of everything, for clients that others have written.

One account has bought and settled, rests an order, has split on chain and holds a market that was
resolved: whatever a client asks for, the exchange's own state says what the answer has to be.
"""

import asyncio
import contextlib
import functools
import inspect
from dataclasses import dataclass, field
from decimal import Decimal

from polymarket.auth import BuilderApiKey

from tests.exchange.venue import KEY, WALLETS, Venue, signed, venue

BUILDER = "0x" + "b1" * 32
RELAYER = BuilderApiKey(key="builder", secret="c2VjcmV0", passphrase="word")
SCENARIO = "demo"
CENT = Decimal("0.01")


@dataclass
class World:
    """What has happened, and where to look it up."""

    at: Venue
    market: object = None
    """Where the account has traded and rests an order."""
    ended: object = None
    """Resolved for YES, which the account holds."""
    wallet: str = WALLETS["eoa"]
    filled: str = ""
    """The id of the order that was filled, and of the one that rests."""
    resting: str = ""
    truth: dict = field(default_factory=dict)
    """What the exchange itself says of accounts, orders and trades."""

    @property
    def exchange(self):
        return self.at.exchange

    @property
    def event(self):
        return self.exchange.event_of(self.market)

    def view(self, token=None):
        """Best bid and best ask of the market now, in dollars."""
        bids, asks = self.market.view(token or self.market.yes)
        return Decimal(bids[0][0]) / 10**6, Decimal(asks[0][0]) / 10**6

    async def look(self):
        """Read the truth anew."""
        self.truth = await self.at.truth()
        return self.truth

    def held(self, token=None):
        """Shares of the account in an outcome."""
        tokens = self.truth["accounts"][self.wallet.lower()]["tokens"]
        return Decimal(tokens.get(token or self.market.yes, 0)) / 10**6

    def cash(self):
        return Decimal(self.truth["accounts"][self.wallet.lower()]["usd"]) / 10**6

    def order(self, id_):
        return next(one for one in self.truth["orders"] if one["id"] == id_)

    @property
    def fill(self):
        """The trade of the order that was filled."""
        return next(one for one in self.truth["trades"] if one["taker"] == self.filled)


class Client:
    """An official client, sync or async, called in one way; the exchange runs in this very loop."""

    def __init__(self, inner):
        self.inner, self.is_async = inner, type(inner).__name__.startswith("Async")
        self.where = getattr(inner, "environment", None)

    async def call(self, name, *args, **more):
        bound = functools.partial(getattr(self.inner, name), *args, **more)
        if not self.is_async:
            return await asyncio.to_thread(bound)
        answer = bound()
        return await answer if inspect.isawaitable(answer) else answer

    async def items(self, name, *args, **more):
        paginator = await self.call(name, *args, **more)
        if self.is_async:
            return [item async for item in paginator.iter_items()]
        return await asyncio.to_thread(lambda: list(paginator.iter_items()))

    async def first(self, name, *args, **more):
        """The items of the first page."""
        paginator = await self.call(name, *args, **more)
        if self.is_async:
            return (await paginator.first_page()).items
        return (await asyncio.to_thread(paginator.first_page)).items

    async def again(self, **more):
        """Another client of the same kind for the same account."""
        same = {"private_key": KEY, "wallet": WALLETS["eoa"], "environment": self.where}
        maker = Client(type(self.inner))
        maker.is_async = self.is_async
        return Client(await maker.call("create", **same, **more))

    async def done(self, name, *args, **more):
        """A transaction, and its end."""
        handle = await self.call(name, *args, **more)
        if self.is_async:
            return await handle.wait()
        return await asyncio.to_thread(handle.wait)


@contextlib.asynccontextmanager
async def world():
    async with venue(SCENARIO) as at:
        await at.control(chain={"conduct": {"block_seconds": 0.01, "mined_after": 0.01}})
        await at.conduct(mined_after=0.2, confirmed_after=0.4)
        it = World(at)
        it.market = at.market("plain-1")
        it.ended = at.market("plain-2")
        async with at.client("eoa", key=KEY) as client:
            bought = await client.post_order(
                await signed(client, it.market.yes, "0.43", 40, life="FOK", builder_code=BUILDER)
            )
            it.filled = bought.order_id
            await client.post_order(await signed(client, it.ended.yes, "0.43", 10, life="FOK"))
            await at.settle()
            it.resting = (
                await client.post_order(await signed(client, it.market.yes, "0.39", 30))
            ).order_id
        await at.control(resolve={"market": "plain-2", "yes": "1"})
        await it.look()
        yield it
