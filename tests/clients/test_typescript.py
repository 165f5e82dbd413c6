"""The embedded exchange answers the official TypeScript clients: every operation, as the venue does.

The scripts in `typescript/` call each operation once against a venue in which something of
everything has happened; here their answers are held against the exchange's own state.
"""

import asyncio
import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from arb.exchange.market.addresses import COLLATERAL, CONDITIONAL_TOKENS, STANDARD_EXCHANGE
from tests.clients.world import BUILDER, KEY, world

pytestmark = pytest.mark.full
HERE = Path(__file__).parent / "typescript"
NONE = "node and npm are needed to run the clients for TypeScript"
OTHER = "0x" + "77" * 20


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The clients at their exact versions, from the registry that npm is set up for."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(NONE)
    folder = tmp_path_factory.mktemp("typescript")
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"npm cannot install the clients: {done.stderr[-500:]}")
    return folder


def facts(it):
    v2 = next(m for m in it.exchange.markets() if m.version == "v2" and not m.closed)
    return {
        "address": it.at.address,
        "key": KEY,
        "wallet": it.wallet,
        "yes": it.market.yes,
        "no": it.market.no,
        "id": it.market.id,
        "slug": it.market.slug,
        "condition": it.market.padded_id,
        "ended": it.ended.padded_id,
        "event": {"id": it.event.id, "slug": it.event.slug},
        "resting": it.resting,
        "filled": it.filled,
        "builder": BUILDER,
        "position": v2.yes,
        "collateral": COLLATERAL,
        "tokens": CONDITIONAL_TOKENS,
        "exchange": STANDARD_EXCHANGE,
        "other": OTHER,
    }


async def answers(folder, it, script, *more):
    """What a script reports: the client's operations, and what each call gave."""
    (folder / f"facts-{script}.json").write_text(json.dumps(facts(it)))
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        environment.pop(name, None)
    process = await asyncio.create_subprocess_exec(
        "node",
        f"{script}.mjs",
        f"facts-{script}.json",
        *more,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-3000:]
    told = json.loads(out)
    await it.look()
    return told["operations"], told["answers"]


def judged(told, checks, it):
    """What is wrong, by operation."""
    wrong = {}
    for name, check in checks.items():
        answer = told.get(name, {"error": "never called"})
        if "error" in answer:
            wrong[name] = answer["error"]
            continue
        try:
            fits = check(answer["value"], it)
        except (LookupError, TypeError, ArithmeticError, ValueError, StopIteration) as error:
            fits, answer = False, f"{error!r} of {str(answer)[:600]}"
        if not fits:
            wrong[name] = str(answer)[:600]
    return wrong


def number(value):
    return Decimal(str(value))


def paying(it):
    return {m.padded_id for m in it.exchange.markets() if m.rewards and not m.closed}


def everything(it):
    return {m.padded_id for m in it.exchange.markets()}


def conditions(rows):
    return {row["condition_id"] for row in rows}


BID, ASK = Decimal("0.40"), Decimal("0.43")
LAST = Decimal("0.43")


CLOB_V2 = {
    "getOk": lambda v, w: v == "OK",
    "getVersion": lambda v, w: v == 2,
    "getServerTime": lambda v, w: v > 1_790_000_000,
    "getMarkets": lambda v, w: conditions(v["data"]) == everything(w),
    "getSimplifiedMarkets": lambda v, w: conditions(v["data"]) == everything(w),
    "getSamplingMarkets": lambda v, w: conditions(v["data"]) == paying(w),
    "getSamplingSimplifiedMarkets": lambda v, w: conditions(v["data"]) == paying(w),
    "getMarket": lambda v, w: v["market_slug"] == w.market.slug,
    "getClobMarketInfo": lambda v, w: {one["t"] for one in v["t"]} == {w.market.yes, w.market.no},
    "getOrderBook": lambda v, w: (
        (number(v["bids"][-1]["price"]), number(v["asks"][-1]["price"])) == (BID, ASK)
    ),
    "getOrderBookHash": lambda v, w: v[0] == v[1],
    "getOrderBooks": lambda v, w: {one["asset_id"] for one in v} == {w.market.yes, w.market.no},
    "getTickSize": lambda v, w: number(v) == w.market.tick,
    "getNegRisk": lambda v, w: v is False,
    "getFeeRateBps": lambda v, w: v == 1000,
    "getFeeExponent": lambda v, w: v == 1,
    "getMidpoint": lambda v, w: number(v["mid"]) == (BID + ASK) / 2,
    "getMidpoints": lambda v, w: number(v[w.market.no]) == 1 - (BID + ASK) / 2,
    "getPrice": lambda v, w: [number(one["price"]) for one in v] == [BID, ASK],
    "getPrices": lambda v, w: (
        number(v[w.market.yes]["BUY"]) == BID and number(v[w.market.no]["SELL"]) == 1 - BID
    ),
    "getSpread": lambda v, w: number(v["spread"]) == ASK - BID,
    "getSpreads": lambda v, w: number(v[w.market.yes]) == ASK - BID,
    "getLastTradePrice": lambda v, w: (number(v["price"]), v["side"]) == (LAST, "BUY"),
    "getLastTradesPrices": lambda v, w: {one["side"] for one in v} == {"BUY", "SELL"},
    "getPricesHistory": lambda v, w: number(v["history"][-1]["p"]) == (BID + ASK) / 2,
    "calculateMarketPrice": lambda v, w: number(v) == ASK,
    "getCurrentRewards": lambda v, w: conditions(v) == paying(w),
    "getRawRewardsForMarket": lambda v, w: v[0]["rewards_min_size"] == w.market.rewards.min_size,
    "getMarketTradesEvents": lambda v, w: [one["size"] for one in v] == ["40"],
    "getBuilderTrades": lambda v, w: [one["builderCode"] for one in v["trades"]] == [BUILDER],
    "createApiKey": lambda v, w: len(v["key"]) == 36,
    "deriveApiKey": lambda v, w: len(v["key"]) == 36,
    "createOrDeriveApiKey": lambda v, w: len(v["key"]) == 36,
    "getApiKeys": lambda v, w: v[1] in v[0],
    "getClosedOnlyMode": lambda v, w: v == {"closed_only": False},
    "getOrder": lambda v, w: (v["price"], v["original_size"]) == ("0.39", "30"),
    "getOpenOrders": lambda v, w: [one["id"] for one in v] == [w.resting],
    "getPreMigrationOrders": lambda v, w: v == [],
    "getTrades": lambda v, w: [one["taker_order_id"] for one in v] == [w.filled],
    "getTradesPaginated": lambda v, w: v["count"] == 2,
    "getNotifications": lambda v, w: w.filled in {one["payload"].get("order_id") for one in v},
    "dropNotifications": lambda v, w: v[0][1:] == v[1],
    "getBalanceAllowance": lambda v, w: int(v["balance"]) > 0,
    "updateBalanceAllowance": lambda v, w: v in ({}, None),
    "isOrderScoring": lambda v, w: v == {"scoring": True},
    "areOrdersScoring": lambda v, w: v == {w.resting: True, w.filled: False},
    "getEarningsForUserForDay": lambda v, w: v == [],
    "getTotalEarningsForUserForDay": lambda v, w: v == [],
    "getUserEarningsAndMarketsConfig": lambda v, w: conditions(v) == paying(w),
    "getRewardPercentages": lambda v, w: v == {w.market.padded_id: 100},
    "createBuilderApiKey": lambda v, w: v.keys() == {"key", "secret", "passphrase"},
    "getBuilderApiKeys": lambda v, w: len(v) == 1,
    "revokeBuilderApiKey": lambda v, w: v == ["OK", []],
    "createReadonlyApiKey": lambda v, w: len(v["apiKey"]) == 36,
    "getReadonlyApiKeys": lambda v, w: len(v) == 1,
    "deleteReadonlyApiKey": lambda v, w: v == [True, []],
    "postHeartbeat": lambda v, w: v[0]["heartbeat_id"] != v[1]["heartbeat_id"],
    "createOrder": lambda v, w: (v["makerAmount"], v["takerAmount"]) == ("1500000", "5000000"),
    "createMarketOrder": lambda v, w: v["makerAmount"] == "2000000",
    "createExchangeV3OrderFromAmounts": lambda v, w: v["takerAmount"] == "5000000",
    "postOrder": lambda v, w: w.order(v["orderID"])["price"] == 310_000,
    "postOrders": lambda v, w: (
        [w.order(one["orderID"])["price"] for one in v] == [310_000, 320_000]
    ),
    "createAndPostOrder": lambda v, w: w.order(v["orderID"])["price"] == 330_000,
    "createAndPostMarketOrder": lambda v, w: (
        v["status"] == "matched"
        and w.order(v["orderID"])["matched"] == number(v["takingAmount"]) * 10**6
        and len(v["transactionsHashes"]) == 1
    ),
    "cancelOrder": lambda v, w: w.order(v["canceled"][0])["status"] == "CANCELED",
    "cancelOrders": lambda v, w: set(v[0]) == set(v[1]["canceled"]),
    "cancelMarketOrders": lambda v, w: v[0] in v[1]["canceled"],
    "cancelAll": lambda v, w: (
        v[0] in v[1]["canceled"] and not [o for o in w.truth["orders"] if o["status"] == "LIVE"]
    ),
    "deleteApiKey": lambda v, w: v[0] == "OK" and "Unauthorized" in v[1],
}


async def test_every_operation_of_clob_client_v2(installed):
    async with world() as it:
        operations, told = await answers(installed, it, "clob_v2")
        assert set(operations) == CLOB_V2.keys()
        wrong = judged(told, CLOB_V2, it)
    assert not wrong, json.dumps(wrong, indent=1)


RETIRED = "asks a path of Data API v1, which the venue has retired"
PERPS = "perpetuals are another exchange of the company, on hosts of their own"
COMBOS = "combos are quoted by a service of their own, which is not simulated"
UNIFIED_OUT = {
    **dict.fromkeys(
        (
            "listPositions",
            "listClosedPositions",
            "listComboPositions",
            "fetchPortfolioValue",
            "fetchTradedMarketCount",
            "listMarketPositions",
            "listActivity",
            "listComboActivity",
            "listBuilderLeaderboard",
            "fetchBuilderVolume",
            "listTraderLeaderboard",
            "fetchEventLiveVolume",
            "listOpenInterest",
            "listMarketHolders",
            "listTrades",
        ),
        RETIRED,
    ),
    **dict.fromkeys(
        (
            "fetchPerpsBook",
            "fetchPerpsFees",
            "fetchPerpsInstruments",
            "fetchPerpsTicker",
            "fetchPerpsTickers",
            "listPerpsCandles",
            "listPerpsFundingHistory",
            "listPerpsTrades",
            "depositToPerps",
            "openPerpsSession",
            "revokePerpsCredentials",
            "withdrawFromPerps",
        ),
        PERPS,
    ),
    **dict.fromkeys(
        (
            "listComboMarkets",
            "openRfqSession",
            "planCollateralReturn",
            "executeCollateralReturnPlan",
        ),
        COMBOS,
    ),
    "downloadAccountingSnapshot": "an archive whose content nobody has described",
}


def events(it):
    """What is listed where no version is asked for."""
    return [e for e in it.exchange.events if e.version == "v1" and not e.closed]


def payable(rows, it):
    return {row["conditionId"] for row in rows} == paying(it)


PUBLIC = {
    "listEvents": lambda v, w: set(v) == {e.id for e in events(w)},
    "fetchEvent": lambda v, w: (v["id"], v["title"]) == (w.event.id, w.event.title),
    "fetchEventTags": lambda v, w: [one["slug"] for one in v] == ["made-up"],
    "listMarkets": lambda v, w: (
        set(v)
        == {m.id for e in w.exchange.events if e.version == "v1" for m in e.markets if not m.closed}
    ),
    "fetchMarket": lambda v, w: v["conditionId"] == w.market.condition_id,
    "fetchMarketTags": lambda v, w: [one["slug"] for one in v] == ["made-up"],
    "listSeries": lambda v, w: [one["slug"] for one in v] == ["plain-weekly"],
    "fetchSeries": lambda v, w: (
        {e["id"] for e in v["events"]} == {e.id for e in w.exchange.events if e.series}
    ),
    "listTags": lambda v, w: [one["slug"] for one in v] == ["made-up", "exclusive"],
    "fetchTag": lambda v, w: v["id"] == "2",
    "fetchRelatedTags": lambda v, w: [one["relatedTagId"] for one in v] == [1],
    "fetchRelatedTagResources": lambda v, w: (
        v[0]["activeEventsCount"] == sum(not e.closed for e in w.exchange.events)
    ),
    "search": lambda v, w: [one["slug"] for one in v["events"]] == ["plain-12"],
    "listSports": lambda v, w: v == [],
    "fetchSportsMarketTypes": lambda v, w: v == {"marketTypes": []},
    "listTeams": lambda v, w: v == [],
    "fetchPublicProfile": lambda v, w: v["wallet"].lower() == w.wallet.lower(),
    "listComments": lambda v, w: v == [],
    "fetchCommentsById": lambda v, w: v == [],
    "listCommentsByUserAddress": lambda v, w: v == [],
    "listMarketClarifications": lambda v, w: v == [],
    "fetchMidpoint": lambda v, w: number(v) == (BID + ASK) / 2,
    "fetchMidpoints": lambda v, w: number(v[w.market.no]) == 1 - (BID + ASK) / 2,
    "fetchPrice": lambda v, w: [number(one) for one in v] == [BID, ASK],
    "fetchPrices": lambda v, w: number(v[w.market.yes]["BUY"]) == BID,
    "fetchOrderBook": lambda v, w: number(v["bids"][-1]["price"]) == BID,
    "fetchOrderBooks": lambda v, w: {one["tokenId"] for one in v} == {w.market.yes, w.market.no},
    "fetchSpread": lambda v, w: number(v) == ASK - BID,
    "fetchSpreads": lambda v, w: {number(one) for one in v.values()} == {ASK - BID},
    "fetchLastTradePrice": lambda v, w: (number(v["price"]), v["side"]) == (LAST, "BUY"),
    "fetchLastTradePrices": lambda v, w: {one["side"] for one in v} == {"BUY", "SELL"},
    "fetchPriceHistory": lambda v, w: number(v[-1]["p"]) == (BID + ASK) / 2,
    "estimateMarketPrice": lambda v, w: number(v) == ASK,
    "listBuilderTrades": lambda v, w: [one["takerOrderHash"] for one in v] == [w.filled],
    "listCurrentRewards": payable,
    "listMarketRewards": lambda v, w: number(v[0]["rewardsMinSize"]) == w.market.rewards.min_size,
    "subscribe": lambda v, w: (v["type"], v["payload"]["bids"][-1]["price"]) == ("book", "0.4"),
}
SECURE = {
    **PUBLIC,
    "fetchOrder": lambda v, w: (v["price"], v["status"]) == ("0.39", "LIVE"),
    "listOpenOrders": lambda v, w: [one["id"] for one in v] == [w.resting],
    "listAccountTrades": lambda v, w: [one["size"] for one in v] == ["40"],
    "fetchClosedOnlyMode": lambda v, w: v is False,
    "fetchNotifications": lambda v, w: w.filled in {one["payload"].get("order_id") for one in v},
    "dropNotifications": lambda v, w: v[0][1:] == v[1],
    "fetchOrderScoring": lambda v, w: v is True,
    "fetchOrdersScoring": lambda v, w: v == {w.resting: True, w.filled: False},
    "listUserEarningsForDay": lambda v, w: v == [],
    "fetchTotalEarningsForUserForDay": lambda v, w: v == [],
    "listUserEarningsAndMarketsConfig": payable,
    "fetchRewardPercentages": lambda v, w: v == {w.market.padded_id: 100},
    "createLimitOrder": lambda v, w: v["makerAmount"] == "1500000",
    "createMarketOrder": lambda v, w: v["makerAmount"] == "2000000",
    "placeLimitOrder": lambda v, w: w.order(v["orderId"])["price"] == 330_000,
    "postOrder": lambda v, w: w.order(v["orderId"])["price"] == 310_000,
    "postOrders": lambda v, w: (
        [w.order(one["orderId"])["price"] for one in v] == [310_000, 320_000]
    ),
    "placeMarketOrder": lambda v, w: (
        w.order(v["orderId"])["matched"] == number(v["takingAmount"]) * 10**6 > 0
    ),
    "waitForOrderFillSettlement": lambda v, w: len(v) == 1 and len(v[0]) == 66,
    "cancelOrder": lambda v, w: w.order(v["canceled"][0])["status"] == "CANCELED",
    "cancelOrders": lambda v, w: set(v[0]) == set(v[1]["canceled"]),
    "cancelMarketOrders": lambda v, w: v[0] in v[1]["canceled"],
    "cancelAll": lambda v, w: (
        v[0] in v[1]["canceled"] and not [o for o in w.truth["orders"] if o["status"] == "LIVE"]
    ),
    "approveErc20": lambda v, w: v["transactionHash"].startswith("0x"),
    "setupTradingApprovals": lambda v, w: v is None,
    "splitPosition": lambda v, w: v["transactionHash"].startswith("0x"),
    # Six split and two merged again.
    "mergePositions": lambda v, w: w.held(w.market.no) == 4,
    "redeemPositions": lambda v, w: w.held(w.ended.yes) == 0,
    "transferErc20": lambda v, w: w.truth["accounts"][OTHER]["usd"] == 3_000_000,
    "approveErc1155ForAll": lambda v, w: v["transactionHash"].startswith("0x"),
}


@pytest.mark.parametrize(("kind", "checks"), [("public", PUBLIC), ("secure", SECURE)])
async def test_every_operation_of_the_unified_client(installed, kind, checks):
    async with world() as it:
        operations, told = await answers(installed, it, "unified", kind)
        left = set(operations) - checks.keys() - UNIFIED_OUT.keys()
        assert not left
        assert checks.keys() <= set(operations)
        wrong = judged(told, checks, it)
    assert not wrong, json.dumps(wrong, indent=1)
