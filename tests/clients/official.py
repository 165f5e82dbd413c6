"""Every operation of the official Python client: what the embedded exchange has to answer.

The checks are the same for the public and the secure client, sync and async. A check gets the
client and the world, and holds the answer against the exchange's own state.
"""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from polymarket import PriceRequest
from polymarket.errors import RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec

from tests.clients.world import BUILDER, World

CHECKS = {}
PERPS = "perpetuals are another exchange of the company, on hosts of their own"
COMBOS = "combos are quoted by a service of their own, which is not simulated"
SESSIONS = "the registry of session keys is the relayer's; here `/_control` registers them"
LOCAL = "asks nobody"
OUT_OF_SCOPE = {
    **dict.fromkeys(
        (
            "fetch_perps_book",
            "fetch_perps_builder_status",
            "fetch_perps_fees",
            "fetch_perps_instruments",
            "fetch_perps_position_snapshots",
            "fetch_perps_registration",
            "fetch_perps_ticker",
            "fetch_perps_tickers",
            "list_perps_candles",
            "list_perps_funding_history",
            "list_perps_trades",
            "open_perps_session",
            "revoke_perps_credentials",
            "deposit_to_perps",
            "withdraw_from_perps",
        ),
        PERPS,
    ),
    **dict.fromkeys(
        (
            "list_combo_markets",
            "request_combo_quote",
            "accept_combo_quote",
            "wait_for_combo_fill",
            "fetch_rfq_status",
            "open_rfq_session",
            "plan_collateral_return",
            "execute_collateral_return_plan",
        ),
        COMBOS,
    ),
    **dict.fromkeys(
        ("authorize_session_key", "revoke_session_key", "fetch_session_keys"), SESSIONS
    ),
    "download_accounting_snapshot": "an archive whose content nobody has described",
    **dict.fromkeys(("environment", "credentials", "signer", "wallet", "wallet_type"), LOCAL),
    **dict.fromkeys(("is_gasless_ready", "setup_gasless_wallet"), LOCAL),
}


def check(function):
    CHECKS[function.__name__] = function
    return function


def ids(found):
    return [one.id for one in found]


# Gamma.


@check
async def list_events(c, w: World):
    exchange = w.exchange
    v1 = [e for e in exchange.events if e.version == "v1" and not e.closed]
    assert {e.id for e in await c.items("list_events", page_size=7)} == {e.id for e in v1}
    both = await c.items("list_events", version=["v1", "v2"])
    assert {e.id for e in both} == {e.id for e in exchange.events if not e.closed}
    tagged = await c.items("list_events", tag_slug="exclusive")
    assert {e.id for e in tagged} == {e.id for e in v1 if e.neg_risk} != {e.id for e in v1}
    assert await c.items("list_events", tag_slug="sports") == []
    richest = await c.items("list_events", order="volume", ascending=False)
    volumes = [
        sum(m.volume for m in next(e for e in v1 if e.id == one.id).markets) for one in richest
    ]
    assert volumes == sorted(volumes, reverse=True) and len(volumes) == len(v1)
    least = sorted(volumes)[len(volumes) // 2]
    rich = await c.items("list_events", volume_min=float(least))
    assert len(rich) == sum(one >= least for one in volumes) < len(v1)
    weekly = await c.items("list_events", series_ids=1)
    assert {e.id for e in weekly} == {e.id for e in v1 if e.series}
    assert ids(await c.items("list_events", slug=[v1[0].slug])) == [v1[0].id]
    assert await c.items("list_events", live=True) == []
    with pytest.raises(RequestRejectedError, match="order fields are not valid"):
        await c.items("list_events", order="volume_24hr")


@check
async def list_markets(c, w):
    markets = [m for e in w.exchange.events if e.version == "v1" for m in e.markets if not m.closed]
    binary = {m.id for m in markets}
    assert {m.id for m in await c.items("list_markets")} == binary
    found = await c.items("list_markets", order="liquidity", ascending=False)
    money = [Decimal(str(one.metrics.liquidity)) for one in found]
    assert money == sorted(money, reverse=True)
    middle = money[len(money) // 2]
    some = await c.items("list_markets", liquidity_num_min=float(middle))
    assert len(some) == sum(one >= middle for one in money) < len(money)
    (one,) = await c.items("list_markets", condition_ids=[w.market.condition_id])
    assert one.id == w.market.id
    (one,) = await c.items("list_markets", clob_token_ids=[w.market.no])
    assert one.id == w.market.id
    closed = await c.items("list_markets", closed=True)
    assert w.ended.id in ids(closed) and w.market.id not in ids(closed)
    fine = await c.items("list_markets", decimalized=True)
    assert {m.id for m in fine} == {m.id for m in markets if m.tick == Decimal("0.001")}
    v2 = await c.items("list_markets", version="v2", resolution_status="inactive")
    assert len(v2) == sum(m.version == "v2" and not m.closed for m in w.exchange.markets()) > 0


@check
async def get_event(c, w):
    event = await c.call("get_event", slug=w.event.slug)
    assert (event.id, event.title) == (w.event.id, w.event.title)
    assert (await c.call("get_event", id=w.event.id)).slug == w.event.slug
    with pytest.raises(RequestRejectedError, match="slug not found"):
        await c.call("get_event", slug="nothing")


@check
async def get_market(c, w):
    market = await c.call("get_market", slug=w.market.slug)
    assert market.id == w.market.id
    assert market.metrics.volume == w.market.volume
    with pytest.raises(RequestRejectedError, match="id not found"):
        await c.call("get_market", id="999")


@check
async def get_event_tags(c, w):
    event = next(e for e in w.exchange.events if e.neg_risk)
    tags = await c.call("get_event_tags", event.id)
    assert [t.slug for t in tags] == [t.slug for t in event.tags] == ["made-up", "exclusive"]


@check
async def get_market_tags(c, w):
    assert [t.slug for t in await c.call("get_market_tags", w.market.id)] == ["made-up"]


@check
async def list_tags(c, w):
    assert [t.slug for t in await c.items("list_tags")] == ["made-up", "exclusive"]


@check
async def get_tag(c, w):
    assert (await c.call("get_tag", slug="exclusive")).id == "2"
    assert (await c.call("get_tag", id="1")).slug == "made-up"


@check
async def get_related_tags(c, w):
    (link,) = await c.call("get_related_tags", slug="exclusive")
    assert (link.tag_id, link.related_tag_id, link.rank) == (2, 1, 1)


@check
async def get_related_tag_resources(c, w):
    (tag,) = await c.call("get_related_tag_resources", id="1")
    live = sum(e.neg_risk and not e.closed for e in w.exchange.events)
    assert (tag.slug, tag.active_events_count) == ("exclusive", live)


@check
async def list_series(c, w):
    (series,) = await c.items("list_series")
    assert series.slug == "plain-weekly"
    assert {e.id for e in series.events} == {e.id for e in w.exchange.events if e.series}
    assert await c.items("list_series", recurrence="daily") == []


@check
async def get_series(c, w):
    assert (await c.call("get_series", "1")).title == "Plain, every week"


@check
async def search(c, w):
    (found,) = await c.first("search", q="plain 12")
    assert [e.slug for e in found.events] == ["plain-12"]


@check
async def get_public_profile(c, w):
    assert (await c.call("get_public_profile", w.wallet)).wallet.lower() == w.wallet.lower()
    assert await c.call("get_public_profile", "0x" + "9" * 40) is None


@check
async def get_sports(c, w):
    assert await c.call("get_sports") == ()


@check
async def get_sports_market_types(c, w):
    assert (await c.call("get_sports_market_types")).market_types == ()


@check
async def list_teams(c, w):
    assert await c.items("list_teams") == []


@check
async def list_comments(c, w):
    of = {"parent_entity_id": w.event.id, "parent_entity_type": "Event"}
    assert await c.items("list_comments", **of) == []
    assert await c.items("list_comments", holders_only=True, **of) == []


@check
async def list_comments_by_user_address(c, w):
    assert await c.items("list_comments_by_user_address", address=w.wallet) == []


@check
async def get_comment_thread(c, w):
    assert await c.call("get_comment_thread", "1") == ()


# CLOB, public.


@check
async def get_order_book(c, w):
    book = await c.call("get_order_book", asset_id=w.market.yes)
    bid, ask = w.view()
    assert max(level.price for level in book.bids) == bid
    assert min(level.price for level in book.asks) == ask
    assert book.condition_id == w.market.padded_id
    assert book.last_trade_price == Decimal(w.market.last.price) / 10**6


@check
async def get_order_books(c, w):
    tokens = [w.market.yes, w.market.no, "1"]
    books = await c.call("get_order_books", asset_ids=tokens)
    assert {book.asset_id for book in books} == set(tokens[:2])


@check
async def get_price(c, w):
    bid, ask = w.view()
    assert await c.call("get_price", asset_id=w.market.yes, side="BUY") == bid
    assert await c.call("get_price", asset_id=w.market.yes, side="SELL") == ask
    assert await c.call("get_price", asset_id=w.market.no, side="BUY") == 1 - ask


@check
async def get_prices(c, w):
    bid, ask = w.view()
    asked = [PriceRequest(w.market.yes, "BUY"), PriceRequest(w.market.yes, "SELL")]
    asked.append(PriceRequest(w.market.no, "SELL"))
    assert await c.call("get_prices", requests=asked) == {
        w.market.yes: {"BUY": bid, "SELL": ask},
        w.market.no: {"SELL": 1 - bid},
    }


@check
async def get_midpoint(c, w):
    assert await c.call("get_midpoint", asset_id=w.market.yes) == sum(w.view()) / 2


@check
async def get_midpoints(c, w):
    middle = sum(w.view()) / 2
    answer = await c.call("get_midpoints", asset_ids=[w.market.yes, w.market.no, "1"])
    assert answer == {w.market.yes: middle, w.market.no: 1 - middle}


@check
async def get_spread(c, w):
    bid, ask = w.view()
    assert await c.call("get_spread", asset_id=w.market.no) == ask - bid


@check
async def get_spreads(c, w):
    bid, ask = w.view()
    assert await c.call("get_spreads", asset_ids=[w.market.yes]) == {w.market.yes: ask - bid}


@check
async def get_last_trade_price(c, w):
    last = w.market.last
    told = await c.call("get_last_trade_price", asset_id=w.market.yes)
    assert (told.price * 10**6, told.side) == (last.price, last.side)
    quiet = next(m for m in w.exchange.markets() if not m.prints and not m.closed)
    assert await c.call("get_last_trade_price", asset_id=quiet.yes) is None


@check
async def get_last_trade_prices(c, w):
    quiet = next(m for m in w.exchange.markets() if not m.prints and not m.closed)
    (told,) = await c.call("get_last_trade_prices", asset_ids=[w.market.no, quiet.yes])
    assert (told.asset_id, told.price * 10**6) == (w.market.no, 10**6 - w.market.last.price)
    assert told.side != w.market.last.side


@check
async def list_price_history(c, w):
    points = await c.items("list_price_history", asset_id=w.market.yes, interval="1h")
    assert points[-1].price == sum(w.view()) / 2
    other = await c.items("list_price_history", asset_id=w.market.no, interval="1h")
    assert other[-1].price == 1 - points[-1].price
    now = int(datetime.now(UTC).timestamp())
    (exact,) = await c.items("list_price_history", asset_id=w.market.yes, as_of=now + 60)
    assert (exact.price, exact.resolution_seconds) == (points[-1].price, 0)
    assert await c.items("list_price_history", asset_id=w.market.yes, as_of=now - 86_400) == []


@check
async def estimate_market_price(c, w):
    price = await c.call("estimate_market_price", asset_id=w.market.yes, side="BUY", amount=2)
    assert price == w.view()[1]


@check
async def list_builder_trades(c, w):
    (row,) = await c.items("list_builder_trades", builder_code=BUILDER)
    assert (row.taker_order_hash, row.size, row.size_usdc * 10**6) == (
        w.filled,
        40,
        w.fill["value"],
    )
    assert row.fee_usdc * 10**6 == w.fill["fees"]


@check
async def list_current_rewards(c, w):
    rows = await c.items("list_current_rewards")
    paying = {m.padded_id for m in w.exchange.markets() if m.rewards and not m.closed}
    assert {row.condition_id for row in rows} == paying
    mine = next(row for row in rows if row.condition_id == w.market.padded_id)
    assert mine.total_daily_rate == w.market.rewards.per_day


@check
async def list_market_rewards(c, w):
    (row,) = await c.items("list_market_rewards", condition_id=w.market.padded_id)
    assert row.rewards_min_size == w.market.rewards.min_size
    assert row.market_competitiveness > 0  # the resting order scores
    assert {token.asset_id for token in row.tokens} == {w.market.yes, w.market.no}


@check
async def list_reward_markets(c, w):
    rows = await c.items("list_reward_markets", order_by="min_size")
    assert len(rows) == sum(bool(m.rewards) and not m.closed for m in w.exchange.markets())
    (row,) = await c.items("list_reward_markets", query="plain 1?")
    assert (row.market_id, row.event_id) == (w.market.id, w.event.id)
    assert await c.items("list_reward_markets", min_spread=0.9) == []


@check
async def get_current_rebates(c, w):
    assert await c.call("get_current_rebates", date="2026-11-01", maker_address=w.wallet) == ()


# Data API.


@check
async def list_trades(c, w):
    rows = await c.items("list_trades", user=w.wallet, condition_id=w.market.padded_id)
    assert [(r.asset_id, r.side, r.size) for r in rows] == [(w.market.yes, "BUY", 40)]
    assert rows[0].price * 40 * 10**6 == w.fill["value"]
    everything = await c.items("list_trades")
    assert len(everything) == sum(t["moved"] for t in w.truth["trades"])
    assert await c.items("list_trades", filter_type="CASH", filter_amount=1000) == []


@check
async def list_activity(c, w):
    rows = await c.items("list_activity", user=w.wallet)
    kinds = [row.type for row in rows]
    moved = [t for t in w.truth["trades"] if t["moved"] and t["wallet"] == w.wallet]
    assert kinds.count("TRADE") == len(moved)
    assert kinds.count("DEPOSIT") == 1
    (mine,) = [r for r in rows if r.type == "TRADE" and r.condition_id == w.market.padded_id]
    assert mine.amount * 10**6 == w.fill["value"] + w.fill["fees"]
    only = await c.items("list_activity", user=w.wallet, activity_types=["DEPOSIT"])
    assert [row.amount for row in only] == [1000]


@check
async def list_positions(c, w):
    rows = await c.items("list_positions", user=w.wallet)
    held = w.truth["accounts"][w.wallet.lower()]["tokens"]
    assert {row.asset_id: row.current_size * 10**6 for row in rows} == held
    mine = next(row for row in rows if row.asset_id == w.market.yes)
    assert mine.avg_price * 40 * 10**6 == w.fill["value"]
    assert mine.entry_fees_usdc * 10**6 == w.fill["fees"]
    assert (mine.event_slug, mine.end_date.isoformat()) == (w.event.slug, w.market.ends[:10])
    (won,) = await c.items("list_positions", user=w.wallet, status="REDEEMABLE")
    assert (won.asset_id, won.current_price) == (w.ended.yes, 1)
    (holder,) = await c.items("list_positions", condition_id=w.market.padded_id)
    assert holder.wallet.lower() == w.wallet.lower()


@check
async def get_portfolio_value(c, w):
    told = await c.call("get_portfolio_value", user=w.wallet)
    assert told.value == w.view()[0] * w.held() + w.held(w.ended.yes)


@check
async def list_market_holders(c, w):
    rows = await c.items("list_market_holders", condition_ids=w.market.padded_id, include_pnl=True)
    assert {row.asset_id for row in rows} == {w.market.yes, w.market.no}
    (mine,) = next(row for row in rows if row.asset_id == w.market.yes).holders
    assert (mine.amount, mine.avg_price * 40 * 10**6) == (w.held(), w.fill["value"])


@check
async def get_open_interests(c, w):
    (row,) = await c.call("get_open_interests", condition_ids=w.market.padded_id)
    assert row.value == w.held()
    (whole,) = await c.call("get_open_interests")
    assert (whole.condition_id, whole.value) == (None, w.held() + w.held(w.ended.yes))


@check
async def get_event_live_volume(c, w):
    told = await c.call("get_event_live_volume", event_ids=int(w.event.id))
    traded = sum(one.size for one in w.market.prints)
    assert told.taker_volume_total * 10**6 == traded > 0


@check
async def get_resolutions(c, w):
    (row,) = await c.call("get_resolutions", condition_ids=[w.ended.padded_id, w.market.padded_id])
    assert (row.status, row.payouts) == ("resolved", (1, 0))


@check
async def get_token_references(c, w):
    (one,) = await c.call("get_token_references", asset_ids=w.ended.no)
    assert (one.condition_id, one.final_price, one.opposite_asset_id) == (
        w.ended.padded_id,
        0,
        w.ended.yes,
    )


@check
async def get_user_stats(c, w):
    told = await c.call("get_user_stats", user=w.wallet)
    assert (told.traded_market_count, told.all_time_pnl.trade_count) == (2, 2)
    assert await c.call("get_user_stats", user="0x" + "9" * 40) is None


@check
async def get_user_pnl(c, w):
    told = await c.call("get_user_pnl", user=w.wallet, interval="1d", fidelity="1h")
    last = told.points[-1]
    fees = sum(t["fees"] for t in w.truth["trades"] if t["moved"])
    assert last.fees_paid * 10**6 == -fees
    assert (last.trade_count, told.points[0].trade_count) == (2, 0)


@check
async def get_user_volume(c, w):
    told = await c.call("get_user_volume", user=w.wallet)
    spent = sum(t["value"] for t in w.truth["trades"] if t["moved"])
    assert (told.volume, told.volume_usdc * 10**6, told.trade_count) == (50, spent, 2)


@check
async def list_trader_leaderboard(c, w):
    (row,) = await c.items("list_trader_leaderboard", window="day", sort_by="VOLUME")
    assert (row.rank, row.wallet.lower(), row.volume) == (1, w.wallet.lower(), 50)


@check
async def get_trader_leaderboard_standing(c, w):
    told = await c.call("get_trader_leaderboard_standing", user=w.wallet)
    assert (told.pnl_rank, told.volume_rank, told.volume) == (1, 1, 50)


@check
async def list_biggest_winners(c, w):
    (row,) = await c.items("list_biggest_winners")
    cost = next(t["value"] for t in w.truth["trades"] if t["token"] == w.ended.yes)
    assert (row.asset_id, row.pnl * 10**6) == (w.ended.yes, 10 * 10**6 - cost)


@check
async def list_builder_leaderboard(c, w):
    (row,) = await c.items("list_builder_leaderboard")
    assert (row.builder_code, row.volume, row.active_users) == (BUILDER, 40, 1)


@check
async def get_builder_volumes(c, w):
    (row,) = await c.call("get_builder_volumes")
    assert (row.builder_code, row.volume) == (BUILDER, 40)


@check
async def list_combo_positions(c, w):
    assert await c.items("list_combo_positions", user=w.wallet) == []


@check
async def list_combo_activity(c, w):
    assert await c.items("list_combo_activity", user=w.wallet) == []


@check
async def get_trading_approvals_state(c, w):
    of = {} if is_secure(c) else {"wallet": w.wallet}
    assert (await c.call("get_trading_approvals_state", **of)).is_fully_approved


@check
async def close(c, w):
    assert await c.call("close") is None


@check
async def subscribe(c, w):
    token = w.market.yes
    spec = MarketSpec(token_ids=[token], custom_feature_enabled=True)
    stream = await c.call("subscribe", spec)
    news = aiter(stream)
    async with asyncio.timeout(120):
        assert (await anext(news)).type == "book"
        order = {"token": token, "side": "SELL", "price": "0.38", "shares": "1"}
        await w.at.control(trade=order)
        kinds = {(await anext(news)).type for _ in range(2)}
    assert kinds <= {"price_change", "last_trade_price", "best_bid_ask"}
    await stream.close()
    if is_secure(c):
        mine = await c.call("subscribe", UserSpec())
        await mine.close()


def is_secure(c):
    return hasattr(c.inner, "post_order")
