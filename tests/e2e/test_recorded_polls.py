"""Recorded polls of real exclusive events, against an oracle that tries every size."""

import json
from decimal import Decimal

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.cli.output import render_report
from arb.exchange.api.server import serve
from arb.exchange.market.replay import load_replay
from arb.runtime.running import scan
from tests.conftest import ndjson, settings_for

MICRO = 10**6
PICO = 10**12
CENT, DOLLAR, FEE_STEP = 10**10, 10**12, 10**13


def _oracle(poll, size):
    """Opportunities of one poll, from best quotes of a stated size, by trying every size."""
    found = {}
    for event in poll["gamma_events"]:
        legs = [_quoted(market, poll["clob_quotes"]) for market in event["markets"]]
        no = _best([leg for leg in legs if leg], size, side="no")
        if no:
            found[event["slug"], "negrisk_no"] = no
        exhaustive = not event["negRiskAugmented"] and not any(
            m["closed"] for m in event["markets"]
        )
        yes = _best(legs, size, side="yes") if exhaustive and all(legs) else None
        if yes:
            found[event["slug"], "negrisk_yes"] = yes
    return found


def _quoted(market, quotes):
    """Bid, ask, fee rate and least size in millionths, of a market that trades and is quoted."""
    quote = quotes.get(json.loads(market["clobTokenIds"])[0], {})
    prices = sorted(
        int(Decimal(quote[side]["price"]) * MICRO)
        for side in ("price_buy", "price_sell")
        if quote.get(side) and "price" in quote[side]
    )
    trading = market["acceptingOrders"] and market["active"] and not market["closed"]
    if len(prices) != 2 or not trading:
        return None
    rate = int(Decimal(str(market["feeSchedule"]["rate"])) * MICRO)
    return prices[0], prices[1], rate, int(market["orderMinSize"]) * MICRO


def _best(legs, size, *, side):
    """The best set and size of buying NO at 1 - bid of any two or more, or YES at ask of all."""
    if side == "no":
        offers = [(MICRO - bid, rate, least) for bid, _, rate, least in legs if bid > 0]
        if sum(MICRO - price for price, _, _ in offers) <= MICRO:
            return None
    else:
        offers = [(ask, rate, least) for _, ask, rate, least in legs]
        if sum(price for price, _, _ in offers) >= MICRO:
            return None
    best = None
    for hundredths in range(1, size * 100 + 1):
        shares = hundredths * 10_000
        worth = shares * PICO
        bought = [
            (shares * price * MICRO, shares * rate * price * (MICRO - price))
            for price, rate, least in offers
            if shares >= least and shares * price >= DOLLAR and shares * price % CENT == 0
        ]
        exact = [value - -fee // MICRO for value, fee in bought]
        charged = [value + fee // (FEE_STEP * MICRO) * FEE_STEP for value, fee in bought]
        if side == "no":
            keep = [i for i, cost in enumerate(exact) if cost < worth]
            pays = worth * (len(keep) - 1)
        else:
            keep = list(range(len(exact)))
            pays = worth if len(exact) == len(offers) else 0
        profit = pays - sum(exact[i] for i in keep)
        if len(keep) > 1 and profit > (best[0] if best else 0):
            best = (profit, shares, pays - sum(charged[i] for i in keep))
    return best and (Decimal(best[1]) / MICRO, Decimal(best[2]).scaleb(-18))


def _without_fees(poll):
    """The same poll as if the venue charged nothing: quotes then leave edges now and then."""
    for event in poll["gamma_events"]:
        for market in event["markets"]:
            market["feeSchedule"]["rate"] = 0
    return poll


async def _compare(path, tmp_path, *, every, size, spoil=lambda poll: poll):
    polls = [spoil(poll) for poll in ndjson(path)][::every]
    copy = tmp_path / "polls.ndjson"
    copy.write_text("".join(json.dumps(poll) + "\n" for poll in polls))
    exchange = load_replay(copy, SystemClock(), quote_size=size)
    opportunities = 0
    async with serve(exchange) as address, httpx.AsyncClient(trust_env=False) as client:
        loaded = settings_for(address, tmp_path)
        for number, poll in enumerate(polls):
            answer = await client.post(f"{address}/_control", json={"replay": number})
            assert answer.json() == {"done": True}
            document = render_report(await scan(loaded))
            reported = {
                (one["event"], one["kind"]): (
                    Decimal(one["available_size"]),
                    Decimal(one["profit"]),
                )
                for one in document["opportunities"]
            }
            assert document["completeness"]["markets_unreadable"] == 0
            assert reported == _oracle(poll, size), f"poll {number * every}"
            opportunities += len(reported)
    return len(polls), opportunities


RECORDED = "negrisk-weather/munich_nyc.ndjson.gz"


async def test_recorded_polls_agree_with_the_oracle(recording, tmp_path):
    looked_at, found = await _compare(recording(RECORDED), tmp_path, every=4, size=1200)
    assert looked_at == 46
    assert found > 0


async def test_recorded_polls_without_fees_agree_with_the_oracle(recording, tmp_path):
    looked_at, found = await _compare(
        recording(RECORDED), tmp_path, every=8, size=1200, spoil=_without_fees
    )
    assert looked_at == 23
    assert found > 5


@pytest.mark.full
@pytest.mark.parametrize("size", [100, 1200])
@pytest.mark.parametrize("spoil", [lambda poll: poll, _without_fees], ids=["fees", "free"])
async def test_every_recorded_poll_agrees_with_the_oracle(recording, tmp_path, size, spoil):
    looked_at, _ = await _compare(recording(RECORDED), tmp_path, every=1, size=size, spoil=spoil)
    assert looked_at == 184
