"""docs/fault-catalogue.md §A: orders whose outcome is not known, duplicates, cancels."""

import asyncio
import dataclasses
from datetime import timedelta

import httpx
import pytest
from starlette.responses import Response, StreamingResponse

from arb.adapters.polymarket import trading
from arb.adapters.polymarket.approvals import Approvals
from arb.adapters.polymarket.client import in_time
from arb.domain.money import Usd
from arb.domain.order import Final
from arb.interlocks import no_opening
from tests.exchange.venue import place
from tests.faults.world import DONE, OPEN, UNWOUND, eventually, orders_live

LOST = [
    {"kind": "accept_then_drop"},
    {"kind": "accept_then_rst"},
    {"kind": "accept_then_5xx"},
    {"kind": "accept_then_hang"},
    {"kind": "accept_then_hang", "delay": 1.5},
]
NAMES = ["dropped", "reset", "500", "stall", "late"]


async def resting(at, price="0.30", size=10):
    """An order of the account that somebody has placed by hand."""
    answer = await place(at.live.client, at.market("calm").yes, price, size)
    at.sent.clear()
    return answer.order_id


@pytest.mark.parametrize("fault", LOST, ids=NAMES)
async def test_a01_accept_then_timeout_is_found_again_by_hash_and_never_resent(at, fault):
    await at.fault("/orders", **fault)
    report, plan = await at.trade()
    assert report.state is DONE
    assert [at.asked["POST /orders"], at.asked["POST /order"]] == [1, 0]
    assert len(at.sent) == len(plan.legs) == 3
    await at.check()


@pytest.mark.parametrize("fault", LOST, ids=NAMES)
async def test_a01_a_single_order_without_an_answer_is_found_again_and_never_resent(at, fault):
    at.lose_a_leg()
    await at.fault("/order", method="POST", **fault)
    report, plan = await at.trade()
    assert report.state is DONE
    assert [at.asked["POST /orders"], at.asked["POST /order"]] == [1, 1]
    assert len(at.sent) == len(plan.legs) + 1
    await at.check()


@pytest.mark.parametrize("fault", LOST[:2], ids=NAMES[:2])
async def test_a01_an_answer_lost_before_a_restart_is_found_by_the_next_life(make, fault):
    at = await make(options={})
    await at.fault("/orders", **fault)
    await at.fault("/data/trades", status=500, times=-1)
    at.orchestrator.executor.options = at.options = waiting(at.options, 0.5)
    report, _ = await at.trade()
    assert report.state is OPEN
    await at.control(clear=True)
    (report,) = await at.restart()
    assert report.state is DONE
    assert at.asked["POST /orders"] == 1
    await at.check()


def waiting(options, seconds):
    """How long a plan waits for an answer before the next cycle takes it up."""
    return dataclasses.replace(options, answer_wait=timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_5xx", "status": 500},
        {"kind": "accept_then_5xx", "status": 502},
        {"kind": "accept_then_5xx", "status": 520},
        {"kind": "truncate"},
        {"kind": "html_200"},
    ],
    ids=["500", "502", "520", "truncated", "html"],
)
@pytest.mark.parametrize("endpoint", ["/orders", "/order"])
async def test_a02_whatever_a_gateway_says_after_the_order_got_in_is_no_refusal(
    at, endpoint, fault
):
    if endpoint == "/order":
        at.lose_a_leg()
    await at.fault(endpoint, method="POST", **fault)
    report, _ = await at.trade()
    assert report.state is DONE
    assert at.asked["POST /orders"] == 1
    await at.check()


async def test_a03_what_never_left_is_known_to_have_failed_at_once(at):
    def nobody_there(request):
        request.url = httpx.URL("http://127.0.0.1:9/orders")
        at.calm_down()

    at.before_post = nobody_there
    report, plan = await at.trade()
    assert report.state is UNWOUND
    assert "never sent" in report.reason
    assert at.asked["GET /data/order"] == 0
    assert (await at.truth())["orders"] == []
    await at.check()
    assert all(isinstance(a, Final) for a in (await at.account(plan)).answers.values())


@pytest.mark.parametrize("kind", ["refuse", "rst", "hang"])
async def test_a03_what_may_have_left_is_asked_about_until_it_proves_never_placed(at, kind):
    await at.fault("/orders", kind)
    at.before_post = lambda _: at.calm_down()
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert "never placed" in report.reason
    assert at.asked["GET /data/order"] > 1
    assert at.asked["POST /orders"] == 1
    await at.check()


async def test_a04_a_read_that_fails_after_the_post_does_not_lose_its_answer(at):
    await at.fault("/data/trades", status=500, after_post=True, times=3)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


@pytest.mark.parametrize("status", ["queued", "unmatched"])
async def test_a05_an_answer_with_an_unheard_of_status_is_asked_about(at, status):
    await at.conduct(answers_as=status)
    report, _ = await at.trade()
    assert report.state is DONE
    assert at.asked["POST /orders"] == 1
    await at.check()


@pytest.mark.parametrize("status", [500, 503, 429, 520])
async def test_a06_nothing_is_posted_again_by_itself(at, status):
    await at.fault("/orders", status=status, body="html")
    at.before_post = lambda _: at.calm_down()
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert at.asked["POST /orders"] == 1
    assert (await at.truth())["orders"] == []
    await at.check()


@pytest.mark.parametrize("endpoint", ["/orders", "/order"])
async def test_a07_an_order_that_is_there_already_is_adopted(at, endpoint):
    async def twice(request):
        answer = await at.http.post(
            request.url.path, content=request.content, headers=dict(request.headers)
        )
        assert answer.is_success

    async def first(request):
        if endpoint == "/orders":
            await twice(request)
        else:
            at.book("race-1", [("0.42", 300), ("0.05", 500)], [("0.47", 300)])
            at.before_post = twice

    at.before_post = first
    report, _ = await at.trade()
    assert report.state is DONE
    assert len((await at.truth())["trades"]) == 3
    await at.check()


async def test_a07_a_venue_that_answers_the_same_order_the_same_again(at):
    async def twice(request):
        await at.http.post(request.url.path, content=request.content, headers=dict(request.headers))

    await at.conduct(duplicates="same")
    at.before_post = twice
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_a08_an_order_is_written_down_by_its_hash_before_it_first_leaves(at):
    known = []

    async def look(_request):
        (plan,) = await at.plans()
        known.extend(order.ref for order in await at.orders(plan))

    at.before_post = look
    await at.trade()
    assert len(known) == 3
    assert {order["id"] for order in (await at.truth())["orders"]} == set(known)
    await at.check()


@pytest.mark.parametrize("rows", [0, 1, 2])
async def test_a09_rows_of_a_batch_that_are_not_explained_are_asked_about(at, rows):
    await at.fault("/orders", "batch_partial", rows=rows)
    report, plan = await at.trade()
    first = (await at.orders(plan))[:3]
    assert len({o["id"] for o in (await at.truth())["orders"]} & {o.ref for o in first}) == rows
    assert report.state is (DONE if rows else UNWOUND)
    at.calm_down()
    await at.check()


async def test_a09_a_batch_of_which_nothing_is_said_got_in(at):
    await at.fault("/orders", "batch_unknown")
    report, _ = await at.trade()
    assert report.state is DONE
    assert at.asked["POST /orders"] == 1
    await at.check()


def _each(*changes):
    """The three rows of the answer, each with fields of its own; `...` takes one away."""

    def change(rows):
        assert len(rows) == len(changes) == 3
        both = [row | fields for row, fields in zip(rows, changes, strict=True)]
        return [{k: v for k, v in row.items() if v is not ...} for row in both]

    return change


def _all(**fields):
    return _each(fields, fields, fields)


def _in_capitals(rows):
    return [row | {"orderID": "0x" + row["orderID"][2:].upper()} for row in rows]


BLANK, NULL = dict.fromkeys(("makingAmount", "takingAmount"), ""), {"makingAmount": None}
ODD = {
    "reversed": lambda rows: rows[::-1],
    "doubled": lambda rows: rows * 2,
    "a row missing": lambda rows: rows[1:],
    "amounts blank, null, numbers": _each(BLANK, NULL, {"takingAmount": 31.5}),
    "trade ids missing, null": _each({"tradeIDs": ...}, {"tradeIDs": None}, {}),
    "ids in capitals": _in_capitals,
    "live, empty, delayed": _each({"status": "live"}, {"status": ""}, {"status": "delayed"}),
    "an error as a row": lambda rows: [{"error": "try again"}, *rows[1:]],
    "an error as a body": lambda rows: {"error": "try again"},
    # Ours.
    "ids of another, null, missing": _each(
        {"orderID": "0x" + "ab" * 32}, {"orderID": None}, {"orderID": ...}
    ),
    "the first row for all": lambda rows: [dict(rows[0]) for _ in rows],
    "rows that are none": lambda rows: [None, 7, "matched"],
    "trade ids of nobody": _all(tradeIDs=["nobody's"]),
    "no success, and yet matched": _all(success=False, errorMsg=""),
}


@pytest.mark.parametrize("how", ODD)
async def test_a09_an_odd_answer_to_a_post_is_asked_about_and_nothing_goes_twice(make, how):
    posts = []

    def edit(path, query, document):
        if path != "/orders" or not isinstance(document, list):
            return document
        posts.append(path)
        return ODD[how](document)

    at = await make(edit=edit)
    report, _ = await at.trade()
    assert (report.state, posts) == (DONE, ["/orders"])
    await at.check()


async def test_a09_what_was_refused_and_taken_is_found_and_carried_to_its_end(make):
    def edit(path, query, document):
        if path == "/orders" and isinstance(document, list):
            return Response('{"error": "not enough balance"}', 400)
        return document

    at = await make(edit=edit)
    report, plan = await at.trade()
    assert (report.state, len(at.sent)) == (UNWOUND, 3)
    await eventually(at._settled)
    assert len((await at.held())["tokens"]) == 3
    for slug in ("race-1", "race-2", "race-3"):
        at.book(slug, [("0.30", 300)], [("0.36", 300)])

    async def discovered():
        await at.cycle()
        return (await at.account(plan)).held

    await eventually(discovered)
    await at.ended()
    assert (len(at.sent), any((await at.account(plan)).held.values())) == (3, False)
    await at.check()


async def test_a01_an_answer_to_a_post_that_never_ends_is_asked_about(make, monkeypatch):
    """Its pieces come steadily: the client's own limit is between two of them."""
    monkeypatch.setattr(trading, "in_time", lambda *_: in_time(3))

    def edit(path, query, document):
        if path == "/orders" and isinstance(document, list):
            return StreamingResponse(_drips(), media_type="application/json")
        return document

    async def _drips():
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    at = await make(edit=edit)
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


@pytest.mark.parametrize(
    ("end", "state"), [("match", DONE), ("unmatch", UNWOUND), ("cancel", UNWOUND)]
)
async def test_a10_delayed_is_on_its_way_and_nothing_is_sent_meanwhile(at, end, state, monkeypatch):
    orders_live(monkeypatch, 2)
    at.orchestrator.executor.options = waiting(at.options, 6)
    await at.conduct(matching_delay=1, delayed_end=end)
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["GET /data/order"] > 4)
    assert len(at.sent) == 3
    at_first = await at.truth()
    assert {o["status"] for o in at_first["orders"]} == {"DELAYED"}
    if end != "match":
        at.calm_down()
    report, _ = await trading
    assert report.state is state
    await at.check()


async def test_a10_delayed_for_longer_than_an_order_lives(at):
    await at.conduct(matching_delay=1.0)
    report, _ = await at.trade()
    assert report.state is DONE
    assert len(at.sent) == 3
    await at.check()


async def test_a11_a_fak_that_is_live_with_nothing_filled_fills_later(at):
    await at.conduct(fak_async=0.3)
    at.lose_a_leg()
    report, _ = await at.trade()
    assert report.state is DONE
    assert len(at.sent) == 4
    await at.check()


@pytest.mark.parametrize("missing", ["error", "null"])
async def test_a12_not_found_is_not_never_placed(at, missing, monkeypatch):
    orders_live(monkeypatch, 60)  # posting may take its time
    await at.conduct(trades_lag=0.3, missing_order=missing, confirmed_after=0.1)
    report, _ = await at.trade()
    assert report.state is DONE
    assert len(at.sent) == 3
    await at.check()


async def test_a12_trades_on_many_pages(at):
    await at.conduct(page_size=1)
    await at.fault("/orders", "accept_then_drop")
    report, _ = await at.trade()
    assert report.state is DONE
    await at.check()


async def test_a13_an_order_that_does_not_show_for_long_keeps_its_money_reserved(at, monkeypatch):
    orders_live(monkeypatch, 10)
    await at.conduct(hidden=60)
    await at.fault("/orders", "accept_then_drop")
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["GET /data/order"] > 4)
    (plan,) = await at.plans()
    portfolio = await at.ledger.portfolio(at.context.clock.now())
    assert portfolio.promised >= plan.outlay
    assert plan.markets <= portfolio.busy
    await at.conduct(hidden=0)
    report, _ = await trading
    assert report.state is DONE
    assert len(at.sent) == 3
    await at.check()


async def test_a13_an_order_that_shows_after_it_was_given_up_is_discovered(at):
    await at.conduct(hidden=600)
    await at.fault("/orders", "accept_then_drop")
    report, plan = await at.trade()
    assert report.state is UNWOUND
    await at.cycle()
    assert no_opening(at.orchestrator.reconciler.interlocks)
    assert len(at.sent) == 3
    await at.conduct(hidden=0)

    async def discovered():
        await at.cycle()
        return (await at.account(plan)).held

    await eventually(discovered)
    await at.ended()
    assert len(at.sent) == 3
    await at.check()


async def test_a14_a_cancel_that_loses_to_a_fill_tells_nothing_of_the_order(at):
    ref = await resting(at)
    await at.conduct(fill_before_cancel=1)
    assert await at.live.trading.cancel_all() == (ref,)
    await at.control(advance=1)
    await at.orchestrator.reconciler.run()
    assert "trade" in {d.what for d in at.orchestrator.reconciler.differences}
    report = await at.cycle()
    assert not report.plans
    assert not report.risk.can_trade
    (trade,) = await at.live.trading.trades_since(await at.ledger.opened_at())
    assert (trade.ref, trade.fills[0].size) == (ref, 10)


async def test_a15_what_was_matched_is_read_from_the_trades_not_from_the_cancel(at):
    ref = await resting(at)
    await at.control(
        trade={"token": at.market("calm").yes, "side": "SELL", "price": "0.30", "shares": "104"}
    )
    assert await at.live.trading.cancel_all() == ()
    (trade,) = await at.live.trading.trades_since(await at.ledger.opened_at())
    assert trade.ref == ref
    assert sum(fill.size for fill in trade.fills) < 10


async def test_a16_cancelling_while_an_order_has_no_answer_loses_neither(at):
    await at.fault("/orders", "accept_then_hang", delay=0.2)
    trading = asyncio.create_task(at.trade())
    await eventually(lambda: at.asked["POST /orders"])
    assert await at.live.trading.cancel_all() == ()
    report, _ = await trading
    assert report.state is DONE
    await at.check()


async def test_a17_a_fill_that_is_seen_before_the_answer_is_known_for_our_own(at):
    await at.fault("/orders", "accept_then_hang", delay=0.8)
    trading = asyncio.create_task(at.trade())

    async def traded():
        return len((await at.truth())["trades"]) == 3

    await eventually(traded)
    await at.orchestrator.reconciler.run()
    assert at.orchestrator.reconciler.differences == ()
    assert not trading.done()
    report, _ = await trading
    assert report.state is DONE
    await at.check()


@pytest.mark.parametrize("knobs", [{"cancel_fails": 1}, {"mode": "disabled"}])
async def test_a18_a_cancel_of_everything_names_what_is_left(at, knobs):
    refs = {await resting(at), await resting(at, "0.29")}
    await at.conduct(**knobs)
    assert set(await at.live.trading.cancel_all()) == refs
    await at.orchestrator.reconciler.run()
    assert {d.about for d in at.orchestrator.reconciler.differences} >= refs
    assert not (await at.cycle()).plans
    await at.control(clear=True)
    assert await at.live.trading.cancel_all() == ()
    await at.check(by_hand=refs)


async def test_a19_no_order_of_ours_hangs_on_a_heartbeat(at):
    await at.conduct(heartbeat_ttl=0.05, heartbeat_mismatch=False)
    await at.live.client.send_order_heartbeat()
    await at.conduct(heartbeat_mismatch=True)
    report, _ = await at.trade()
    assert report.state is DONE
    assert at.asked["POST /v1/heartbeats"] == 1
    await at.check()


@pytest.mark.parametrize("wallet", ["eoa", "deposit"])
async def test_a20_a_missing_allowance_is_never_granted_on_the_way(make, wallet):
    at = await make(wallet=wallet)
    await at.control(allow={"wallet": at.wallet, "all": False})
    at.before_post = lambda _: at.calm_down()
    report, _ = await at.trade()
    assert report.state is UNWOUND
    assert "allowance" in report.reason
    approvals = await Approvals(at.live.rpc, at.live.contracts, at.wallet).read(Usd(1))
    assert not any(one.granted for one in approvals)
    await at.check()


async def test_a21_no_order_waits_for_ever_without_an_alarm(at):
    await at.fault("/orders", "accept_then_drop")
    for endpoint in ("/data/trades", "/data/orders"):
        await at.fault(endpoint, status=500, times=-1)
    at.orchestrator.executor.options = waiting(at.options, 0.5)
    report, plan = await at.trade()
    assert report.state is OPEN
    assert "without an answer" in report.reason
    for _ in range(2):
        again = await at.cycle()
        assert not again.plans
    assert len(at.sent) == 3
    assert (await at.account(plan)).unanswered is not None
    await at.control(clear=True)
    await at.ended()
    await at.check()
