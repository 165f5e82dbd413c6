"""What the venue says in two places is compared before money rests on it: over real HTTP, on paper.

The inputs are made after public bug reports of neighbouring software. Nothing in them is a profit
that was not one before, so whatever is found beyond the unedited world is a phantom.
"""

import asyncio
import json
from decimal import Decimal

import pytest

from arb.cli.output import render_report
from arb.domain.errors import NotAskedFor, UnknownName
from arb.runtime.running import preview, run_once
from tests.conftest import exchange_at, settings_for
from tests.editing import edited

FAIR = ("decoy-stale-gamma", "six-6-fees", "decoy-fee-killed")


async def _run(tmp_path, edit, seed=7):
    async with exchange_at("demo", seed) as (_, address), edited(address, edit) as front:
        report, _, _ = await run_once(settings_for(front, tmp_path))
    return render_report(report)


def _events(change):
    """An edit of the list of events alone."""

    def edit(path, query, document):
        return change(document) if path == "/events/keyset" else document

    return edit


def _unedited(path, query, document):
    return document


def _found(report):
    return {
        (one["event"], one["kind"], one["profit"], one["exit"]) for one in report["opportunities"]
    }


def _filled(report):
    return {one["event"] for one in report["opportunities"] if one["decision"] == "approved"}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The world as it is."""
    report = asyncio.run(_run(tmp_path_factory.mktemp("usual"), _unedited))
    assert len(report["opportunities"]) == 10
    return report


def _alarms(report):
    return [one for one in report["data_quality"] if one["problem"] == "listed_differently"]


def _reverse(event):
    first = event["markets"][0]
    first["clobTokenIds"] = json.dumps(json.loads(first["clobTokenIds"])[::-1])


async def test_tokens_in_another_order_than_the_exchange_names_them(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            if event["slug"] in FAIR:
                _reverse(event)
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual)
    phantoms = [one for one in report["opportunities"] if one["event"] in FAIR]
    assert phantoms
    assert {one["reason"] for one in phantoms} == {"market_changed"}
    alarms = [one for one in report["data_quality"] if one["problem"] == "market_changed"]
    assert len(alarms) >= len(phantoms)
    assert all("the exchange names token" in one["detail"] for one in alarms)


def _rename(token):
    token.pop("o")


def _swap_names(token):
    token["o"] = {"Yes": "No", "No": "Yes"}[token["o"]]


@pytest.mark.parametrize("spoil", [_rename, _swap_names])
async def test_tokens_that_the_exchange_names_otherwise_or_not_at_all(tmp_path, spoil):
    def edit(path, query, document):
        if path.startswith("/clob-markets/"):
            for token in document["t"]:
                spoil(token)
        return document

    report = await _run(tmp_path, edit)
    assert report["plans"] == []
    assert {one["reason"] for one in report["opportunities"]} <= {
        "market_changed",
        "crossed_book",
        "below_min_profit",
    }
    assert report["data_quality_count"] > 3


async def test_neg_risk_here_and_not_there(tmp_path):
    def edit(path, query, document):
        if path.startswith("/clob-markets/"):
            document["nr"] = False
        return document

    report = await _run(tmp_path, edit)
    assert report["plans"] == []


async def test_the_markets_of_two_groups_in_one_event(tmp_path, usual):
    def change(page):
        one = next(e for e in page["events"] if e["slug"] == "decoy-stale-gamma")
        two = next(e for e in page["events"] if e["slug"] == "six-6-fees")
        one["markets"] += two["markets"]
        page["events"].remove(two)
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert any("neg-risk group" in one["what"] for one in report["errors"])
    (alarm,) = _alarms(report)
    assert alarm["detail"] == (
        "decoy-stale-gamma: not all of its markets are of one neg-risk group"
    )


async def test_an_outcome_for_others_makes_the_set_open_whatever_its_event_says(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            if event["slug"] == "cheap-yes-1":
                event.pop("negRiskAugmented", None)
                event["markets"][-1] |= {"negRiskOther": True, "outcomePrices": None}
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - {"cheap-yes-1"}
    assert {"kind": "negrisk_yes", "event": "cheap-yes-1", "reason": "augmented"}.items() <= next(
        one for one in report["skipped"] if one["event"] == "cheap-yes-1"
    ).items()


STATUS = {"cheap-yes-1": "disputed", "cheap-yes-2": "proposed", "cheap-no-1": "resolved"}


async def test_what_is_being_resolved_is_not_bought(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            for market in event["markets"] if event["slug"] in STATUS else ():
                market["umaResolutionStatus"] = STATUS[event["slug"]]
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - STATUS.keys()
    why = {one["event"]: one["reason"] for one in report["skipped"] if one["event"] in STATUS}
    assert why == dict.fromkeys(STATUS, "being_resolved")


WORDS = {
    "cheap-yes-1": ("umaResolutionStatus", "challenged"),
    "cheap-yes-2": ("umaResolutionStatus", "Disputed"),
    "cheap-no-1": ("umaResolutionStatus", "a word of next year"),
    "cheap-no-2": ("resolutionStatus", "active"),
    "cheap-no-3": ("umaResolutionStatus", " proposed"),
}


async def test_one_market_of_a_set_that_is_being_resolved_by_any_word_is_enough(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            if event["slug"] in WORDS:
                name, word = WORDS[event["slug"]]
                event["markets"][-1][name] = word
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - WORDS.keys()
    why = {one["event"]: one["reason"] for one in report["passed"] if one["event"] in WORDS}
    assert why == dict.fromkeys(WORDS, "being_resolved")


@pytest.mark.parametrize("word", ["closed", "archived"])
async def test_nothing_of_an_event_that_is_over_is_bought(tmp_path, usual, word):
    def change(page):
        for event in page["events"]:
            if event["slug"] in STATUS:
                event[word] = True
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - STATUS.keys()


AGAIN = ("cheap-yes-1", "cheap-yes-2", "cheap-no-2")


def _twice_on_a_page(page):
    page["events"] += [event for event in page["events"] if event["slug"] in AGAIN]
    return page


def _twice_in_its_event(page):
    for event in page["events"]:
        if event["slug"] in ("cheap-yes-1", "cheap-no-3"):
            event["markets"].append(event["markets"][0])
    return page


def _in_two_events(page):
    by_slug = {event["slug"]: event for event in page["events"]}
    hub = json.loads(json.dumps(by_slug["plain-1"]))
    hub |= {"id": "999001", "slug": "hub", "markets": [by_slug["cheap-yes-1"]["markets"][0]]}
    page["events"].insert(0, hub)
    return page


async def test_events_that_come_on_two_pages_are_one_thing_each(tmp_path, usual):
    asked = []

    def edit(path, query, document):
        if path == "/events/keyset":
            asked.append(query.get("after_cursor"))
            if asked[-1] is None:
                document["next_cursor"] = "again"
            else:
                again = [event for event in document["events"] if event["slug"] in AGAIN]
                document["events"] = again
        return document

    async with (
        exchange_at("demo", 7) as (_, address),
        edited(address, edit, deaf=("after_cursor",)) as front,
    ):
        report, _, _ = await run_once(settings_for(front, tmp_path))
    document = render_report(report)
    assert asked == [None, "again"]
    assert _found(document) == _found(usual)
    assert document["completeness"] == usual["completeness"]


@pytest.mark.parametrize("change", [_twice_on_a_page, _twice_in_its_event, _in_two_events])
async def test_what_is_listed_twice_is_one_thing(tmp_path, usual, change):
    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert (
        report["completeness"]["markets_unreadable"] == usual["completeness"]["markets_unreadable"]
    )


async def test_one_market_in_two_versions_makes_its_set_incomplete(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            if event["slug"] == "cheap-yes-1":
                event["markets"].append(event["markets"][0] | {"orderMinSize": 50})
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - {"cheap-yes-1"}
    assert any("listed twice, differently" in one["what"] for one in report["errors"])


RESOLVING = {"umaResolutionStatus": "disputed"}
REGROUPED = {"negRiskMarketID": "0x" + "cd" * 32}
CLOSED = {"acceptingOrders": False}


def _again_in_its_event(page, slug, change):
    (event,) = [one for one in page["events"] if one["slug"] == slug]
    event["markets"].append(event["markets"][0] | change)


def _again_on_another_page(page, slug, change):
    (event,) = [one for one in page["events"] if one["slug"] == slug]
    first, *others = event["markets"]
    page["events"].append(event | {"markets": [first | change, *others]})


def _again_in_another_event(page, slug, change):
    (event,) = [one for one in page["events"] if one["slug"] == slug]
    hub = {"id": "999001", "slug": "hub", "markets": [event["markets"][0] | change]}
    page["events"].insert(0, event | hub)


def _first_in_another_event(page, slug, change):
    """The version that is told first is the one that would be wrong to believe."""
    (event,) = [one for one in page["events"] if one["slug"] == slug]
    hub = {"id": "999001", "slug": "hub", "markets": [dict(event["markets"][0])]}
    event["markets"][0] |= change
    page["events"].insert(0, event | hub)


@pytest.mark.parametrize("change", [RESOLVING, REGROUPED, CLOSED])
@pytest.mark.parametrize(
    "again",
    [
        _again_in_its_event,
        _again_on_another_page,
        _again_in_another_event,
        _first_in_another_event,
    ],
)
@pytest.mark.parametrize("slug", ["cheap-yes-1", "cheap-no-2"])
async def test_a_market_told_in_two_ways_is_not_traded_whatever_the_set(
    tmp_path, usual, slug, again, change
):
    names = []

    def edit(page):
        names.append(page_market(page, slug))
        again(page, slug, change)
        return page

    report = await _run(tmp_path, _events(edit))
    (first,) = set(names)
    legs = [leg["market"] for one in report["opportunities"] for leg in one["legs"]]
    assert legs
    assert first not in legs
    assert _filled(report) - {slug} == _filled(usual) - {slug}
    assert first in {one["market"] for one in _alarms(report)}
    for count in ("markets_listed", "markets_unreadable"):
        assert report["completeness"][count] == usual["completeness"][count]
    if slug == "cheap-yes-1":
        (passed,) = [one for one in report["skipped"] if one["event"] == slug]
        assert passed["reason"] in ("listed_differently", "missing_outcome")


def page_market(page, slug):
    return next(one["markets"][0]["slug"] for one in page["events"] if one["slug"] == slug)


@pytest.mark.parametrize("sent", [2026, 1.5, True, ["a"], {"en": "a"}, None])
async def test_words_for_people_lose_no_market_whatever_they_are_sent_as(tmp_path, usual, sent):
    def change(page):
        for event in page["events"]:
            event["title"] = sent
            for market in event["markets"]:
                market["question"] = sent
                if market.get("version") != "v2":
                    market["positionIds"] = "none"
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert report["completeness"] == usual["completeness"]


async def test_tokens_of_v2_may_be_sent_as_json_in_a_string(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            for market in event["markets"]:
                if market.get("version") == "v2":
                    market["positionIds"] = json.dumps(market["positionIds"])
                    market["clobTokenIds"] = 5
        return page

    assert _found(await _run(tmp_path, _events(change))) == _found(usual)


async def test_other_is_an_outcome_of_v2_like_any_where_all_ids_are_there(tmp_path, usual):
    def change(page):
        (event,) = [one for one in page["events"] if one["slug"] == "cheap-yes-v2"]
        event["markets"][-1]["negRiskOther"] = True
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)


async def test_a_market_in_two_events_is_counted_once(tmp_path, usual):
    report = await _run(tmp_path, _events(_in_two_events))
    assert report["completeness"] == usual["completeness"]

    def lost(page):
        (event,) = [one for one in page["events"] if one["slug"] == "cheap-yes-1"]
        event["markets"][0]["conditionId"] = "0x1"
        return _in_two_events(page)

    report = await _run(tmp_path / "lost", _events(lost))
    before = usual["completeness"]
    assert report["completeness"]["markets_listed"] == before["markets_listed"]
    assert report["completeness"]["markets_unreadable"] == before["markets_unreadable"] + 1


def _ignoring():
    """The exchange as it answers when it does not know a filter."""

    def edit(path, query, document):
        if path == "/events/keyset":
            for number, event in enumerate(document["events"]):
                event["tags"] = [{"slug": "politics" if number % 2 else "sports"}]
                event["liquidity"] = "5000.5" if number % 2 else 10
        return document

    return edit


@pytest.mark.parametrize(
    ("key", "asked", "kept"),
    [
        ("polymarket.tag_slug", "politics", 0.5),
        ("polymarket.tag_slug", "weather", 0),
        ("polymarket.liquidity_min", 5000, 0.5),
        ("polymarket.liquidity_min", 5001, 0),
        ("polymarket.liquidity_min", 10, 1),
    ],
)
async def test_what_a_filter_should_have_kept_out_is_left_out_and_said(
    tmp_path, usual, key, asked, kept
):
    async with (
        exchange_at("demo", 7) as (_, address),
        edited(address, _ignoring(), deaf=("tag_slug", "liquidity_min")) as front,
    ):
        report, _, _ = await run_once(settings_for(front, tmp_path, **{key: asked}))
    document = render_report(report)
    named = [one["what"] for one in document["errors"] if "not asked for" in one["what"]]
    events, before = document["funnel"]["events"], usual["funnel"]["events"]
    assert abs(events - before * kept) <= 2
    assert bool(named) is (kept < 1)
    assert len(_found(document)) < 10 or kept == 1


@pytest.mark.parametrize("flag", ["negRiskAugmented", "cumulativeMarkets"])
async def test_one_event_told_in_two_ways_is_not_complete(tmp_path, usual, flag):
    def change(page):
        (event,) = [one for one in page["events"] if one["slug"] == "cheap-yes-1"]
        page["events"].append(event | {flag: True})
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - {"cheap-yes-1"}
    assert any("listed twice, differently" in one["what"] for one in report["errors"])


async def test_a_token_that_the_exchange_names_twice_is_not_believed(tmp_path):
    def edit(path, query, document):
        if path.startswith("/clob-markets/"):
            one, two = document["t"]
            swapped = [one | {"o": two["o"]}, two | {"o": one["o"]}]
            document["t"] = [*swapped, one, two]
        return document

    assert (await _run(tmp_path, edit))["plans"] == []


async def test_an_event_of_v2_with_fewer_outcomes_than_its_ids_say_is_not_complete(tmp_path, usual):
    def change(page):
        (event,) = [one for one in page["events"] if one["slug"] == "cheap-yes-v2"]
        event["markets"].pop()
        return page

    report = await _run(tmp_path, _events(change))
    assert not [one for one in report["opportunities"] if one["event"] == "cheap-yes-v2"]


async def test_prices_as_numbers_lose_no_market(tmp_path, usual):
    def change(page):
        for event in page["events"]:
            for market in event["markets"]:
                market["outcomePrices"] = [float(x) for x in json.loads(market["outcomePrices"])]
                market["endDate"] = 1790000000
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert report["completeness"] == usual["completeness"]


@pytest.mark.parametrize(
    ("of_event", "of_market"),
    [
        ({"closed": None, "archived": None, "tags": None}, {"active": None, "closed": None}),
        ({"id": int, "tags": "none"}, {"endDate": None, "umaResolutionStatus": None}),
        ({"endDate": "2026-12-31", "volume": "1e400"}, {"endDate": "2026-12-31", "volume": []}),
    ],
)
async def test_fields_of_another_type_that_no_proof_rests_on_lose_nothing(
    tmp_path, usual, of_event, of_market
):
    def spoil(one, fields):
        for name, value in fields.items():
            one[name] = value(one[name]) if callable(value) else value

    def change(page):
        for event in page["events"]:
            spoil(event, of_event)
            for market in event["markets"]:
                if not market.get("closed"):
                    spoil(market, of_market)
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert report["completeness"] == usual["completeness"]


HOLES = [
    ({"markets": None}, {}),
    ({"markets": []}, {}),
    ({"markets": "none"}, {}),
    ({"markets": [None, 7, []]}, {}),
    ({"slug": None}, {}),
    ({"id": None}, {}),
    ({}, {"clobTokenIds": None}),
    ({}, {"clobTokenIds": "[]"}),
    ({}, {"clobTokenIds": ""}),
    ({}, {"clobTokenIds": '["7", "7"]'}),
    ({}, {"outcomes": None}),
    ({}, {"outcomes": '["Yes"]'}),
    ({}, {"outcomePrices": None}),
    ({}, {"endDate": None}),
    ({}, {"endDate": "2026-11-03"}),
    ({}, {"conditionId": ""}),
    ({}, {"conditionId": None}),
    ({}, {"orderPriceMinTickSize": 0}),
    ({}, {"orderPriceMinTickSize": "0.0025"}),
    ({}, {"orderMinSize": "5"}),
    ({}, {"orderMinSize": -5}),
    ({}, {"question": None, "slug": None}),
    ({}, {"volume": "1e400", "liquidity": -0.0}),
    ({}, {"acceptingOrders": None, "enableOrderBook": None}),
]
"""What an event and its market lack, the market's tokens being known to nobody."""


async def test_events_without_markets_and_markets_without_tokens_cost_the_others_nothing(
    tmp_path, usual
):
    def change(page):
        (plain,) = [one for one in page["events"] if one["slug"] == "plain-1"]
        for number, (of_event, of_market) in enumerate(HOLES):
            made = json.loads(json.dumps(plain))
            made |= {"id": f"77{number}", "slug": f"odd-{number}", "tags": None}
            tokens = [str(10**70 + 2 * number), str(10**70 + 2 * number + 1)]
            made["markets"][0] |= {
                "slug": f"odd-{number}",
                "conditionId": f"0x{number:064x}",
                "clobTokenIds": json.dumps(tokens),
                **of_market,
            }
            page["events"].insert(0, made | of_event)
        page["events"].insert(0, None)
        return page

    report = await _run(tmp_path, _events(change))
    assert _found(report) == _found(usual)
    assert _filled(report) == _filled(usual)
    said = " ".join(one["what"] for one in report["errors"])
    for number in (0, 2, 6, 8, 10, 15):
        assert f"odd-{number}" in said


async def test_one_event_in_two_ways_leaves_no_set_of_it(tmp_path, usual):
    """Were its markets steps of one ladder, any number of them could come true."""

    def change(page):
        (event,) = [one for one in page["events"] if one["slug"] == "cheap-no-2"]
        page["events"].append(event | {"cumulativeMarkets": True})
        return page

    report = await _run(tmp_path, _events(change))
    assert _filled(report) == _filled(usual) - {"cheap-no-2"}
    assert not [one for one in report["opportunities"] if one["event"] == "cheap-no-2"]
    assert len(_alarms(report)) > 1


async def test_an_event_that_is_thrown_away_is_not_counted(tmp_path):
    def edit(path, query, document):
        if path == "/events/keyset" and "slug" in query:
            document["events"] += everything["events"][:5]
        elif path == "/events/keyset":
            everything.update(document)
        return document

    everything = {}
    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        loaded = settings_for(front, tmp_path)
        await run_once(loaded)
        look, _ = await preview(loaded, "cheap-yes-1")
    assert look.completeness.markets_listed == len(look.listed.markets) == 4


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ("plain-1", NotAskedFor, "there is no such event"),
        ("no-such-one", NotAskedFor, "there is no such event"),
    ],
)
async def test_an_event_that_was_not_asked_for_is_not_shown(tmp_path, asked, error, said):
    def edit(path, query, document):
        if path == "/events/keyset" and "slug" in query:
            document["events"] = everything["events"][:1]
        elif path == "/events/keyset":
            everything.update(document)
        return document

    everything = {}
    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        loaded = settings_for(front, tmp_path)
        await run_once(loaded)
        with pytest.raises(error, match=said):
            await preview(loaded, asked)


async def test_an_event_that_the_venue_does_not_have_is_a_name_typed_wrong(tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        with pytest.raises(UnknownName, match="no event plain-0; nearest: plain-"):
            await preview(settings_for(address, tmp_path), "plain-0")


async def test_payouts_go_by_the_names_of_the_tokens_and_only_to_what_was_asked(tmp_path):
    """Two cycles: a YES set is bought, its event resolves, and the listing turns the tokens."""
    reversed_now = []

    def edit(path, query, document):
        if path == "/markets/keyset" and reversed_now:
            for market in document["markets"]:
                if market.get("clobTokenIds"):
                    market["clobTokenIds"] = json.dumps(json.loads(market["clobTokenIds"])[::-1])
        return document

    async with exchange_at("demo", 7) as (exchange, address), edited(address, edit) as front:
        loaded = settings_for(front, tmp_path, **{"arbitrage.resolution_check_interval": 0})
        _, before, _ = await run_once(loaded)
        assert before.locked > 0
        for number in range(1, 5):
            assert exchange.resolve(f"cheap-yes-1-{number}", Decimal(number == 1))
        reversed_now.append(True)
        report, after, _ = await run_once(loaded)
        assert after.locked == before.locked
        assert any("the exchange names token" in one.what for one in report.errors)
        reversed_now.clear()
        _, paid, _ = await run_once(loaded)
        assert paid.locked < before.locked


async def test_a_payout_that_was_not_asked_for_is_named_and_pays_nothing(tmp_path):
    seen = {}

    def edit(path, query, document):
        if path == "/events/keyset":
            seen.update({m["slug"]: m for e in document["events"] for m in e["markets"]})
        if path == "/markets/keyset":
            ended = {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": "[1, 0]"}
            document["markets"] = [seen["plain-1"] | ended]
        return document

    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        loaded = settings_for(front, tmp_path, **{"arbitrage.resolution_check_interval": 0})
        await run_once(loaded)
        report, _, _ = await run_once(loaded)
    assert any("was not asked for" in one.what for one in report.errors)
