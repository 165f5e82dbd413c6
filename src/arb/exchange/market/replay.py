"""Recorded markets, served again instant by instant.

Two forms of newline-delimited JSON are read, plain or gzipped: our own, `{"gamma_events": […],
"books": […]}` with raw CLOB books; and recordings of best quotes, where `clob_quotes` holds for
each YES token the `price_buy` and `price_sell` of `GET /price`, which get a stated size.
"""

import gzip
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from arb.domain.errors import ConfigError
from arb.domain.money import MICRO, to_micro
from arb.exchange.market.builder import STAMP_MS
from arb.exchange.market.exchange import Exchange
from arb.exchange.market.listing import END, START, SimEvent, SimMarket
from arb.exchange.market.matching import Ladder
from arb.ports import Clock

QUOTE_SIZE = 100
"""Shares at each best quote of a recording that has no sizes."""


def load_replay(path: Path, clock: Clock, *, quote_size: int = QUOTE_SIZE) -> Exchange:
    """An exchange that shows the recording's first instant; `/_control` moves it to others.

    Raises:
        ConfigError: The file cannot be read as a recording.
    """
    try:
        content = path.read_bytes()
        lines = gzip.decompress(content) if path.suffix == ".gz" else content
        instants = [
            _instant(msgspec.json.decode(line), quote_size) for line in lines.splitlines() if line
        ]
    except (OSError, EOFError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise ConfigError(f"--replay {path} cannot be read: {what}") from error
    if not instants:
        raise ConfigError(f"--replay {path} is empty")
    return Exchange(list(instants[0]), clock, random.Random(0), instants=instants)


def _instant(line: dict[str, Any], quote_size: int) -> list[SimEvent]:
    books = {book["asset_id"]: book for book in line.get("books", [])}
    quotes = line.get("clob_quotes", {})
    return [_event(event, books, quotes, quote_size) for event in line["gamma_events"]]


def _event(
    raw: dict[str, Any], books: dict[str, Any], quotes: dict[str, Any], quote_size: int
) -> SimEvent:
    return SimEvent(
        id=str(raw["id"]),
        slug=raw["slug"],
        title=raw.get("title", raw["slug"]),
        version=raw.get("version") or "v1",
        markets=[_market(market, books, quotes, quote_size) for market in raw["markets"]],
        neg_risk=bool(raw.get("negRisk")),
        augmented=bool(raw.get("negRiskAugmented")),
        closed=bool(raw.get("closed")),
    )


def _market(
    raw: dict[str, Any], books: dict[str, Any], quotes: dict[str, Any], quote_size: int
) -> SimMarket:
    tokens = raw.get("positionIds") or msgspec.json.decode(raw["clobTokenIds"])
    if tokens[0] in books:
        bids, asks = _recorded(books[tokens[0]])
    else:
        bids, asks = _quoted(quotes.get(tokens[0], {}), quote_size)
    schedule = raw.get("feeSchedule")
    return SimMarket(
        id=str(raw["id"]),
        slug=raw["slug"],
        question=raw.get("question", ""),
        condition_id=raw["conditionId"],
        yes=tokens[0],
        no=tokens[1],
        bids=bids,
        asks=asks,
        stamp_ms=int(books.get(tokens[0], {}).get("timestamp", STAMP_MS)),
        version=raw.get("version") or "v1",
        tick=_decimal(raw.get("orderPriceMinTickSize"), "0.01"),
        min_size=_decimal(raw.get("orderMinSize"), "5"),
        fees_enabled=bool(raw.get("feesEnabled")),
        fee_rate=_decimal(schedule["rate"], "0") if schedule else None,
        active=bool(raw.get("active", True)),
        closed=bool(raw.get("closed")),
        accepting=bool(raw.get("acceptingOrders", True)),
        delay_seconds=int(raw.get("secondsDelay") or 0),
        neg_risk=bool(raw.get("negRisk")),
        neg_risk_id=raw.get("negRiskMarketID") or "",
        starts=raw.get("startDate") or START,
        ends=raw.get("endDate") or END,
        volume_before=_decimal(raw.get("volumeNum"), "0"),
    )


def _recorded(book: dict[str, Any]) -> tuple[Ladder, Ladder]:
    def side(name: str, *, falling: bool) -> Ladder:
        levels = ((to_micro(Decimal(x["price"])), to_micro(Decimal(x["size"]))) for x in book[name])
        return tuple(sorted(levels, reverse=falling))

    return side("bids", falling=True), side("asks", falling=False)


def _quoted(quote: dict[str, Any], size: int) -> tuple[Ladder, Ladder]:
    """Best bid and ask of a quote; `price_buy` is the bid: it is the lower one on record."""
    prices = sorted(
        to_micro(Decimal(quote[side]["price"]))
        for side in ("price_buy", "price_sell")
        if quote.get(side) and "price" in quote[side]
    )
    if len(prices) < 2:
        return (), ()
    bid, ask = prices
    return (
        ((bid, size * MICRO),) if bid > 0 else (),
        ((ask, size * MICRO),) if 0 < ask < MICRO else (),
    )


def _decimal(value: Any, default: str) -> Decimal:
    return Decimal(default if value is None else str(value))
