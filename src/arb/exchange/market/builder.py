"""Making markets and events from a seed."""

import random
from collections.abc import Sequence
from decimal import Decimal

from arb.domain.money import to_micro
from arb.exchange.market.listing import EXCLUSIVE, MADE_UP, SimEvent, SimMarket
from arb.exchange.market.matching import Ladder
from arb.exchange.market.positions import NO, YES, condition, event_id, position

Quote = tuple[str | Decimal, int]
"""A price and whole shares."""
STAMP_MS = 1_790_000_000_000


class Builder:
    """Makes ids that look like the venue's; the same seed makes the same ids."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._serial = 500_000

    def market(
        self, slug: str, bids: Sequence[Quote], asks: Sequence[Quote], **fields: object
    ) -> SimMarket:
        """A market with these YES ladders, best first."""
        return self.listed(slug, ladder(bids), ladder(asks), **fields)

    def listed(self, slug: str, bids: Ladder, asks: Ladder, **fields: object) -> SimMarket:
        """A market with these YES ladders in millionths."""
        id_ = self.serial()
        if fields.get("version", "v1") == "v1":
            condition, yes, no = self._hex(32), self._token(), self._token()
        else:
            condition, yes, no = self._structural()
        return SimMarket(
            id=id_,
            slug=slug,
            question=f"{slug.replace('-', ' ').capitalize()}?",
            condition_id=condition,
            yes=yes,
            no=no,
            bids=bids,
            asks=asks,
            stamp_ms=STAMP_MS + self.chance.randrange(10_000),
            volume_before=Decimal(int(id_) * 7919 % 10_000_000) / 100,
            **fields,  # type: ignore[arg-type]  # named fields of SimMarket
        )

    def event(
        self,
        slug: str,
        markets: Sequence[SimMarket],
        *,
        neg_risk: bool = False,
        augmented: bool = False,
        other: bool = True,
    ) -> SimEvent:
        """An event of these markets; of a v2 one the last is "Other", or that is not listed."""
        neg_risk_id = self._hex(32)[:-2] + "00" if neg_risk else ""
        for market in markets:
            market.neg_risk, market.neg_risk_id = neg_risk, neg_risk_id
        id_, positions = self.serial(), b""
        if neg_risk and markets and markets[0].version == "v2":
            positions = event_id(f"{id_}/{slug}", len(markets) - int(other))
            for index, market in enumerate(markets):
                market.condition_id = condition(positions, index)
                market.yes = position(positions, index, YES)
                market.no = position(positions, index, NO)
        return SimEvent(
            id=id_,
            slug=slug,
            title=slug.replace("-", " ").capitalize(),
            markets=list(markets),
            version=markets[0].version if markets else "v1",
            neg_risk=neg_risk,
            augmented=augmented,
            positions=positions,
            tags=(MADE_UP, EXCLUSIVE) if neg_risk else (MADE_UP,),
        )

    def exclusive(
        self, slug: str, tops: Sequence[tuple[Decimal, int]], **fields: object
    ) -> list[SimMarket]:
        """Markets of an exclusive event with these best bids, a thin spread, and worse levels."""
        tick = Decimal(str(fields.get("tick", "0.01")))
        markets = []
        for number, (bid, size) in enumerate(tops):
            spread = tick * self.chance.randint(1, 3)
            deep_bids: list[Quote] = [
                (bid, size),
                *(
                    (bid - fall, self.chance.randint(50, 400))
                    for fall in (Decimal("0.12"), Decimal("0.16"))
                    if bid - fall >= tick
                ),
            ]
            asks: list[Quote] = [
                (ask, self.chance.randint(50, 400))
                for ask in (bid + spread, bid + spread + Decimal("0.05"))
                if ask < 1
            ]
            markets.append(self.market(f"{slug}-{number + 1}", deep_bids, asks, **fields))
        return markets

    def split(self, total: Decimal, parts: int, *, least: Decimal, tick: Decimal) -> list[Decimal]:
        """Prices on the grid, none below `least`, that add up to `total`."""
        units = int((total - least * parts) / tick)
        cuts = sorted(self.chance.randint(0, units) for _ in range(parts - 1))
        shares = [b - a for a, b in zip([0, *cuts], [*cuts, units], strict=True)]
        return [least + tick * share for share in shares]

    def serial(self) -> str:
        """The next small id."""
        self._serial += 1
        return str(self._serial)

    def _structural(self) -> tuple[str, str, str]:
        """Condition id and position ids of protocol v2: the module, eight zeros in place, a side.

        docs/venue-polymarket.md §6.3 and §7.2.
        """
        raw = bytearray(b"\x02" + self.chance.randbytes(30))
        raw[19:27] = bytes(8)
        yes = int.from_bytes(raw, "big") << 8
        return "0x" + raw.hex(), str(yes), str(yes + 1)

    def _hex(self, size: int) -> str:
        return "0x" + self.chance.randbytes(size).hex()

    def _token(self) -> str:
        return str(self.chance.randrange(10**75, 10**77))


def ladder(quotes: Sequence[Quote]) -> Ladder:
    """Quotes in millionths."""
    return tuple((to_micro(Decimal(price)), to_micro(Decimal(size))) for price, size in quotes)
