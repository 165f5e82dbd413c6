"""The exchange itself: one JSON document in a file, and what orders do to it."""

import json
from decimal import Decimal
from pathlib import Path

from arb.domain.book import Level, walk
from arb.domain.dollars import spend
from arb_toy.fees import ToyFees

RATE = Decimal("0.02")


class ToyExchange:
    """One account, some events, and every order that ever came."""

    def __init__(self, file):
        self.file = Path(file)

    def read(self):
        return json.loads(self.file.read_text())

    def write(self, world):
        self.file.write_text(json.dumps(world))

    def market(self, world, market):
        return next(m for event in world["events"] for m in event["markets"] if m["id"] == market)

    def levels(self, book, side):
        return [Level(Decimal(price), Decimal(size)) for price, size in book[side]]

    def place(self, order, now):
        """Match what an order asks for; returns its trades. The same order again does nothing."""
        world = self.read()
        if order["ref"] in world["orders"]:
            return world["orders"][order["ref"]]
        market, name = order["token"].split("/")
        book = self.market(world, market)[name]
        side = "asks" if order["side"] == "BUY" else "bids"
        levels = self.levels(book, side)
        if order["side"] == "BUY":
            bought = spend(levels, Decimal(order["dollars"]), Decimal(order["limit"]))
            fills, whole = bought.fills, bought.whole
        else:
            within = [level for level in levels if level.price >= Decimal(order["limit"])]
            fills = list(walk(within, Decimal(order["size"])))
            whole = sum(fill.size for fill in fills) == Decimal(order["size"])
        if order["kind"] == "FOK" and not whole:
            fills = ()
        trades = [
            {
                "id": f"{order['ref']}/{number}",
                "ref": order["ref"],
                "token": order["token"],
                "side": order["side"],
                "price": str(fill.price),
                "size": str(fill.size),
                "fee": str(ToyFees(RATE).taker(fill.price, fill.size)),
                "at": now.isoformat(),
            }
            for number, fill in enumerate(fills)
        ]
        self._settle(world, book, side, trades)
        world["orders"][order["ref"]] = trades
        self.write(world)
        return trades

    def redeem(self, ref, token, size):
        """Pay for resolved shares, once."""
        world = self.read()
        if ref not in world["redeemed"]:
            market, name = token.split("/")
            won = self.market(world, market)["resolved"] == name
            world["redeemed"][ref] = str(Decimal(size) if won else Decimal(0))
            world["cash"] = str(Decimal(world["cash"]) + Decimal(world["redeemed"][ref]))
            self._move(world, token, -Decimal(size))
            self.write(world)
        return Decimal(world["redeemed"][ref])

    def _settle(self, world, book, side, trades):
        cash = Decimal(world["cash"])
        for trade in trades:
            price, size, fee = (Decimal(trade[k]) for k in ("price", "size", "fee"))
            sign = 1 if trade["side"] == "BUY" else -1
            # To the millionth, as every account here is kept.
            cash -= sign * (price * size).quantize(Decimal("0.000001"), rounding="ROUND_DOWN") + fee
            self._move(world, trade["token"], sign * size)
            book[side] = [
                [p, s]
                for p, s in (
                    [p, str(Decimal(s) - size if Decimal(p) == price else Decimal(s))]
                    for p, s in book[side]
                )
                if Decimal(s) > 0
            ]
        for market in {trade["token"].split("/")[0] for trade in trades}:
            pair = f"{market}/yes", f"{market}/no"
            both = min(Decimal(world["shares"].get(token, "0")) for token in pair)
            if both > 0:
                cash += both
                for token in pair:
                    self._move(world, token, -both)
        world["cash"] = str(cash)

    def _move(self, world, token, delta):
        world["shares"][token] = str(Decimal(world["shares"].get(token, "0")) + delta)
