"""The listing and the books as the venue sends them (docs/venue-polymarket.md §1.3, §1.4)."""

import functools
import hashlib
import json
from decimal import Decimal
from typing import Any

from arb.domain.money import MICRO, from_micro, text
from arb.exchange.market.addresses import COLLATERAL
from arb.exchange.market.history import price_of
from arb.exchange.market.listing import (
    END,
    START,
    Rewards,
    Series,
    SimEvent,
    SimMarket,
    Tag,
    traded,
)
from arb.exchange.market.matching import Ladder

DAY = 86_400


def number(value: Decimal) -> float:
    """A JSON number; the shortest float of a short decimal is written as that decimal."""
    return float(str(value))


def compact(document: Any) -> bytes:
    """JSON without white space."""
    return json.dumps(document, separators=(",", ":")).encode()


def market(listed: SimMarket, now: float) -> dict[str, Any]:
    """A Gamma market at a time in Unix seconds."""
    (bid, ask), rests, volume = quotes(listed), liquidity(listed), listed.volume
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
        "marketMakerAddress": "",
        "startDate": listed.starts,
        "endDate": listed.ends,
        "createdAt": listed.starts,
        "orderMinSize": number(listed.min_size),
        "orderPriceMinTickSize": number(listed.tick),
        "secondsDelay": listed.delay_seconds,
        "feesEnabled": listed.fees_enabled,
        "bestBid": number(bid),
        "bestAsk": number(ask),
        "spread": number(ask - bid),
        "lastTradePrice": number(from_micro(listed.last.price)) if listed.last else 0,
        "volume": text(volume),
        "volumeNum": number(volume),
        "volume24hr": number(traded(listed.prints, now - DAY)),
        "liquidity": text(rests),
        "liquidityNum": number(rests),
        "umaResolutionStatus": oracle_status(listed),
        "groupItemTitle": listed.question,
        "description": f"This market resolves to Yes if the answer to {listed.slug} is yes.",
    }
    if listed.rewards is not None:
        document |= {
            "rewardsMinSize": number(listed.rewards.min_size),
            "rewardsMaxSpread": number(listed.rewards.max_spread),
            "clobRewards": [clob_reward(listed.rewards, listed.padded_id)],
        }
    if listed.neg_risk_id:
        document["negRiskMarketID"] = listed.neg_risk_id
    if listed.version == "v1":
        document["clobTokenIds"] = json.dumps([listed.yes, listed.no])
    else:
        document |= {
            "clobTokenIds": None,
            "positionIds": [listed.yes, listed.no],
            "resolutionStatus": resolution_status(listed),
        }
    if listed.fee_rate is not None and listed.fees_enabled:
        document["feeSchedule"] = {
            "exponent": 1,
            "rate": number(listed.fee_rate),
            "takerOnly": True,
            "rebateRate": number(Decimal("0.25")),
        }
    return document


def oracle_status(listed: SimMarket) -> str:
    """Where the oracle stands."""
    return "resolved" if listed.resolution is not None else listed.oracle


def resolution_status(listed: SimMarket) -> str:
    """The same in the words of protocol v2; nothing of a v1 market."""
    if listed.version == "v1":
        return ""
    if listed.resolution is not None:
        return "resolved"
    return "active" if listed.oracle else "inactive"


def event(listed: SimEvent, now: float) -> dict[str, Any]:
    """A Gamma event with its markets at a time in Unix seconds."""
    document: dict[str, Any] = {
        "id": listed.id,
        "version": listed.version,
        "slug": listed.slug,
        "ticker": listed.slug,
        "title": listed.title,
        "active": True,
        "closed": listed.closed,
        "archived": False,
        **event_figures(listed, now),
        "createdAt": event_dates(listed)[0],
        "startDate": event_dates(listed)[0],
        "endDate": event_dates(listed)[1],
        "enableOrderBook": True,
        "negRisk": listed.neg_risk,
        "enableNegRisk": listed.neg_risk,
        "negRiskAugmented": listed.augmented,
        "negRiskFeeBips": None,
        "cumulativeMarkets": listed.cumulative,
        "markets": [*(market(one, now) for one in listed.markets), *listed.unreadable],
        "tags": [tag(one) for one in listed.tags],
    }
    if listed.series is not None:
        document["series"] = [series(listed.series)]
    return document


def event_dates(listed: SimEvent) -> tuple[str, str]:
    """When an event's first market starts and its last one ends."""
    markets = listed.markets
    return (
        min((one.starts for one in markets), default=START),
        max((one.ends for one in markets), default=END),
    )


def event_figures(listed: SimEvent, now: float) -> dict[str, float]:
    """What an event's markets have together."""
    markets = listed.markets
    return {
        "volume": number(sum((one.volume for one in markets), Decimal(0))),
        "volume24hr": number(sum((traded(one.prints, now - DAY) for one in markets), Decimal(0))),
        "liquidity": number(sum((liquidity(one) for one in markets), Decimal(0))),
    }


def tag(one: Tag) -> dict[str, Any]:
    """A Gamma tag."""
    return {"id": str(one.id), "slug": one.slug, "label": one.label}


def series(one: Series) -> dict[str, Any]:
    """A Gamma series without its events."""
    return {
        "id": str(one.id),
        "slug": one.slug,
        "ticker": one.slug,
        "title": one.title,
        "seriesType": "single",
        "recurrence": one.recurrence,
        "active": True,
        "closed": False,
        "archived": False,
    }


def clob_reward(one: Rewards, condition_id: str) -> dict[str, Any]:
    """What a market pays for liquidity, as Gamma lists it."""
    return {
        "id": str(one.id),
        "conditionId": condition_id,
        "assetAddress": COLLATERAL,
        "rewardsAmount": 0,
        "rewardsDailyRate": number(one.per_day),
        "startDate": START[:10],
        "endDate": END[:10],
    }


def clob_market(listed: SimMarket) -> dict[str, Any]:
    """The exchange's compact market."""
    charges, pays = listed.fees_enabled and listed.fee_rate, listed.rewards
    return {
        "c": listed.padded_id,
        "gst": None,
        "r": {"mi": number(pays.min_size), "ma": number(pays.max_spread)} if pays else {},
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
        "ibce": False,
        "oas": 0,
        "fd": {"r": number(listed.fee_rate), "e": 1, "to": True}
        if charges and listed.fee_rate is not None
        else None,
        "mbf": 0,
        "tbf": 0,
        "rfqe": False,
        "v": listed.version,
    }


def clob_listed(listed: SimMarket) -> dict[str, Any]:
    """The exchange's long market, as `GET /markets` lists it."""
    charges = 1000 if listed.fees_enabled and listed.fee_rate else 0
    return {
        **clob_simplified(listed),
        "question": listed.question,
        "question_id": listed.condition_id,
        "description": f"This market resolves to Yes if the answer to {listed.slug} is yes.",
        "market_slug": listed.slug,
        "end_date_iso": listed.ends,
        "game_start_time": None,
        "seconds_delay": listed.delay_seconds,
        "fpmm": "",
        "maker_base_fee": 0,
        "taker_base_fee": charges,
        "notifications_enabled": True,
        "neg_risk": listed.neg_risk,
        "neg_risk_market_id": listed.neg_risk_id,
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "enable_order_book": True,
        "accepting_order_timestamp": listed.starts,
        "minimum_order_size": number(listed.min_size),
        "minimum_tick_size": number(listed.tick),
        "is_50_50_outcome": listed.resolution == Decimal("0.5"),
        "tags": ["All"],
    }


def clob_simplified(listed: SimMarket) -> dict[str, Any]:
    """The exchange's short market, as `GET /simplified-markets` lists it."""
    pays = listed.rewards
    rates: list[dict[str, Any]] | None = None
    if pays is not None:
        rates = [{"asset_address": COLLATERAL, "rewards_daily_rate": number(pays.per_day)}]
    return {
        "condition_id": listed.padded_id,
        "rewards": {
            "rates": rates,
            "min_size": number(pays.min_size) if pays else 0,
            "max_spread": number(pays.max_spread) if pays else 0,
        },
        "tokens": [clob_token(listed, yes=True), clob_token(listed, yes=False)],
        "active": listed.active,
        "closed": listed.closed,
        "archived": False,
        "accepting_orders": listed.accepting and not listed.closed,
    }


def clob_token(listed: SimMarket, *, yes: bool) -> dict[str, Any]:
    """An outcome as the exchange's markets list it: its price, and whether it has won."""
    now, end = price_of(listed), listed.resolution
    worth = end if end is not None else from_micro(MICRO // 2 if now is None else now)
    return {
        "token_id": listed.yes if yes else listed.no,
        "outcome": listed.outcomes[0 if yes else -1],
        "price": number(worth if yes else 1 - worth),
        "winner": end is not None and end == (1 if yes else 0),
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
        # Of both outcomes the price of YES, in three decimals (recorded 2026-02-28).
        "last_trade_price": f"{from_micro(listed.last.price):.3f}" if listed.last else "",
    }
    document["hash"] = hashlib.sha1(compact(document), usedforsecurity=False).hexdigest()
    return document


def stream_book(listed: SimMarket, token: str) -> dict[str, Any]:
    """A book as the market channel sends it: the same hash, less of the terms."""
    whole = book(listed, token)
    return {k: v for k, v in whole.items() if k not in ("min_order_size", "neg_risk")}


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


@functools.lru_cache(maxsize=4096)
def _behind(bids: Ladder, asks: Ladder) -> Decimal:
    bid = sum(price * size for price, size in bids)
    ask = sum((MICRO - price) * size for price, size in asks)
    return from_micro((bid + ask) // MICRO)


def liquidity(listed: SimMarket) -> Decimal:
    """The dollars that rest in a market's book: what its buyers of YES and of NO would pay."""
    return _behind(listed.bids, listed.asks)


def quotes(listed: SimMarket) -> tuple[Decimal, Decimal]:
    """Best bid and ask of YES as Gamma claims them."""
    if listed.listed_quotes is not None:
        return listed.listed_quotes
    bid = from_micro(listed.bids[0][0]) if listed.bids else Decimal(0)
    ask = from_micro(listed.asks[0][0]) if listed.asks else Decimal(1)
    return bid, ask


def share(price: int, *, yes: bool) -> float:
    """A price of YES in millionths as a number, seen from one outcome."""
    return number(from_micro(price if yes else MICRO - price))
