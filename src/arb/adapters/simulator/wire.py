"""The listing and the books as the venue sends them (PLATFORM.md §1.3-1.4)."""

import functools
import hashlib
import json
from decimal import Decimal
from typing import Any

from arb.adapters.simulator.listing import SimEvent, SimMarket
from arb.adapters.simulator.matching import Ladder
from arb.domain.money import from_micro, text

START, END = "2026-01-01T00:00:00Z", "2026-12-31T12:00:00Z"


def number(value: Decimal) -> float:
    """A JSON number; the shortest float of a short decimal is written as that decimal."""
    return float(str(value))


def compact(document: Any) -> bytes:
    """JSON without white space."""
    return json.dumps(document, separators=(",", ":")).encode()


def market(listed: SimMarket) -> dict[str, Any]:
    """A Gamma market."""
    bid, ask = listed.listed_quotes or _quotes(listed)
    said = listed.proposal if listed.resolution is None else listed.resolution
    middle = (bid + ask) / 2 if said is None else said
    prices = [text(middle), text(1 - middle)][: len(listed.outcomes)]
    document: dict[str, Any] = {
        "id": listed.id,
        "version": listed.version,
        "conditionId": listed.condition_id,
        "question": listed.question,
        "slug": listed.slug,
        "outcomes": json.dumps(list(listed.outcomes)),
        "outcomePrices": json.dumps(prices),
        "active": listed.active,
        "closed": listed.closed,
        "archived": False,
        "acceptingOrders": listed.accepting,
        "enableOrderBook": True,
        "negRisk": listed.neg_risk,
        "negRiskOther": False,
        "questionID": listed.condition_id,
        "startDate": START,
        "endDate": END,
        "orderMinSize": number(listed.min_size),
        "orderPriceMinTickSize": number(listed.tick),
        "secondsDelay": listed.delay_seconds,
        "feesEnabled": listed.fees_enabled,
        "bestBid": number(bid),
        "bestAsk": number(ask),
        "spread": number(ask - bid),
        "lastTradePrice": number(bid),
        "volume": "12345.67",
        "volumeNum": number(Decimal("12345.67")),
        "liquidity": "5000.5",
        "liquidityNum": number(Decimal("5000.5")),
        "umaResolutionStatus": "resolved" if listed.resolution is not None else listed.oracle,
        "groupItemTitle": listed.question,
        "description": f"This market resolves to Yes if the answer to {listed.slug} is yes.",
    }
    if listed.neg_risk_id:
        document["negRiskMarketID"] = listed.neg_risk_id
    if listed.version == "v1":
        document["clobTokenIds"] = json.dumps([listed.yes, listed.no])
    else:
        document |= {"clobTokenIds": None, "positionIds": [listed.yes, listed.no]}
    if listed.fee_rate is not None and listed.fees_enabled:
        document["feeSchedule"] = {
            "exponent": 1,
            "rate": number(listed.fee_rate),
            "takerOnly": True,
            "rebateRate": number(Decimal("0.25")),
        }
    return document


def event(listed: SimEvent) -> dict[str, Any]:
    """A Gamma event with its markets."""
    return {
        "id": listed.id,
        "version": listed.version,
        "slug": listed.slug,
        "ticker": listed.slug,
        "title": listed.title,
        "active": True,
        "closed": listed.closed,
        "archived": False,
        "startDate": START,
        "endDate": END,
        "enableOrderBook": True,
        "negRisk": listed.neg_risk,
        "enableNegRisk": listed.neg_risk,
        "negRiskAugmented": listed.augmented,
        "negRiskFeeBips": None,
        "cumulativeMarkets": listed.cumulative,
        "markets": [*map(market, listed.markets), *listed.unreadable],
        "tags": [{"id": "1", "slug": "made-up", "label": "Made up"}],
    }


def clob_market(listed: SimMarket) -> dict[str, Any]:
    """The exchange's compact market."""
    charges = listed.fees_enabled and listed.fee_rate
    return {
        "c": listed.padded_id,
        "t": [
            {"t": listed.yes, "o": listed.outcomes[0]},
            {"t": listed.no, "o": listed.outcomes[-1]},
        ],
        "mos": number(listed.min_size),
        "mts": number(listed.tick),
        "nr": listed.neg_risk,
        "ao": listed.accepting and not listed.closed,
        "sd": listed.delay_seconds,
        "itode": listed.taker_delay,
        "fd": {"r": number(listed.fee_rate), "e": 1, "to": True}
        if charges and listed.fee_rate is not None
        else None,
        "mbf": 0,
        "tbf": 0,
        "rfqe": False,
        "v": listed.version,
    }


def book(listed: SimMarket, token: str) -> dict[str, Any]:
    """A CLOB book: best level last on both sides, decimal strings, and the venue's hash."""
    bids, asks = listed.view(token)
    document: dict[str, Any] = {
        "market": listed.padded_id,
        "asset_id": token,
        "timestamp": str(listed.stamp_ms if token == listed.yes else _no_stamp(listed)),
        "hash": "",
        "bids": _levels(bids),
        "asks": _levels(asks),
        "min_order_size": text(listed.min_size),
        "tick_size": text(listed.tick),
        "neg_risk": listed.neg_risk,
        "last_trade_price": text(from_micro(bids[0][0])) if bids else "",
    }
    document["hash"] = hashlib.sha1(compact(document), usedforsecurity=False).hexdigest()
    return document


def _no_stamp(listed: SimMarket) -> int:
    """A stale NO view was taken some seconds before the YES view."""
    return listed.stamp_ms - (7_000 if listed.stale_no is not None else 0)


@functools.lru_cache(maxsize=4096)
def _levels(levels: Ladder) -> list[dict[str, str]]:
    """Levels as sent, best last; many markets of a load scenario share theirs."""
    return [
        {"price": text(from_micro(price)), "size": text(from_micro(size))}
        for price, size in reversed(levels)
    ]


def _quotes(listed: SimMarket) -> tuple[Decimal, Decimal]:
    bid = from_micro(listed.bids[0][0]) if listed.bids else Decimal(0)
    ask = from_micro(listed.asks[0][0]) if listed.asks else Decimal(1)
    return bid, ask
