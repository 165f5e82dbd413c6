"""What was traded, counted from the venue's trades beside its price history."""

import contextlib
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket import past
from arb.bootstrap import polymarket
from arb.domain.errors import BadVenueData
from arb.domain.market import MarketId, OutcomeId, VenueId
from arb.domain.money import Price, Shares
from arb.statistical.bars import bars_of
from tests.conftest import exchange_at, settings_for

HOUR = 3600
DAYS = 3
TICK = Price(Decimal("0.001"))


@contextlib.asynccontextmanager
async def told(folder, *, days=DAYS):
    """The past of one market of an exchange that makes up some days of it."""
    async with exchange_at("quiet", 1) as (exchange, address):
        exchange.history.imagine(days, "volume")
        market = exchange.by_slug("plain-1")
        async with polymarket(settings_for(address, folder).settings) as venue:
            yield exchange, market, venue.past, address


async def prices(source, market, *, days=DAYS, counted=True, now=None):
    now = now or SystemClock().now()
    return await source.prices(
        OutcomeId(VenueId("polymarket"), market.yes),
        now - timedelta(days=days),
        now,
        600,
        traded_in=MarketId(market.padded_id) if counted else None,
    )


async def test_each_bar_has_what_was_traded_in_it(tmp_path):
    async with told(tmp_path) as (_, market, source, address):
        assert source.tells_volume
        now = SystemClock().now()
        plain = await prices(source, market, counted=False, now=now)
        found = await prices(source, market, now=now)
        async with httpx.AsyncClient(trust_env=False) as client:
            asked = {"condition_id": market.padded_id, "limit": 1000}
            rows = (await client.get(f"{address}/v2/trades", params=asked)).json()["data"]
    assert len(rows) == DAYS * 24 * 6
    bars, without = bars_of(found.points, HOUR, TICK), bars_of(plain.points, HOUR, TICK)
    assert found.problems == ()
    # Volume is all that is added: the prices are those of the history alone.
    assert [(b.start, b.open, b.high, b.low, b.close) for b in bars] == [
        (b.start, b.open, b.high, b.low, b.close) for b in without
    ]
    assert not any(bar.volume for bar in without)
    traded = Counter()
    for row in rows:
        traded[row["timestamp"] // HOUR * HOUR] += row["size"]
    for bar in bars[1:]:  # within the first bar the history begins
        assert bar.volume == Shares(traded[int(bar.start.timestamp())])
    assert sum(bar.volume > 0 for bar in bars) >= DAYS * 24 - 1


async def test_more_trades_than_are_read_shorten_the_history(tmp_path, monkeypatch):
    monkeypatch.setattr(past, "TRADES_PER_PAGE", 50)
    monkeypatch.setattr(past, "TRADE_PAGES_MAX", 3)
    async with told(tmp_path) as (_, market, source, _):
        found = await prices(source, market)
    (problem,) = found.problems
    assert "more than are read" in problem
    begins = min(point.at for point in found.points)
    assert timedelta(hours=24) < SystemClock().now() - begins < timedelta(hours=26)


async def test_pages_are_read_until_the_trades_are_older_than_what_is_asked_for(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(past, "TRADES_PER_PAGE", 50)
    async with told(tmp_path) as (_, market, source, _):
        read, get = [], source._reader.get

        async def counted(kind, url, params=None):
            read.append(url.rsplit("/", 1)[1])
            return await get(kind, url, params)

        monkeypatch.setattr(type(source._reader), "get", lambda _self, *args: counted(*args))
        found = await prices(source, market, days=1)
    assert found.problems == ()
    assert read.count("trades") == 3  # 144 in a day


async def test_a_trade_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    """A volume that lacks one is no volume."""
    async with told(tmp_path) as (exchange, market, source, _):
        made = exchange.history.imagined_trades

        def spoilt(one):
            return [*made(one)[:-1], (made(one)[-1][0], 500_000, -7)]

        monkeypatch.setattr(
            type(exchange.history), "imagined_trades", lambda _self, one: spoilt(one)
        )
        with pytest.raises(BadVenueData, match="-7 shares"):
            await prices(source, market)
        assert (await prices(source, market, counted=False)).points
