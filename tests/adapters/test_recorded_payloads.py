"""One recorded example of each answer that we read, and the traps that the venue sets."""

import json
from decimal import Decimal

import msgspec
import pytest

from arb.adapters.polymarket import catalog, parse
from arb.adapters.polymarket.decode import decode_books
from arb.adapters.polymarket.payloads import EventPayload, decode
from arb.domain.errors import BadVenueData
from arb.domain.fees import FREE, CurveFees
from arb.domain.market import EventId, Exclusive, Resolution


def _first(path):
    document = json.loads(path.read_text())
    return document[0] if isinstance(document, list) else document


def _market(document):
    return parse.market(msgspec.json.encode(document), EventId("1"))


def test_a_recorded_event_is_read_with_all_its_markets(recording):
    document = _first(recording("payloads/rest-ws/gamma_event.json"))
    payload = decode(msgspec.json.encode(document), EventPayload, "event")
    markets = [parse.market(raw, EventId(payload.id)) for raw in payload.markets]
    parsed = parse.event(payload, markets, 0)
    assert len(markets) == len(document["markets"]) > 0
    assert parsed.event.open_ended == bool(document.get("negRiskAugmented"))
    assert all(m.rules.tick == Decimal("0.001") for m in markets)


@pytest.mark.parametrize(
    "name",
    [
        "gamma_market.json",
        "gamma_market_sports_market_map_handicap.json",
        "gamma_market_sports_market_money_line.json",
    ],
)
def test_recorded_markets_are_read(recording, name):
    document = _first(recording(f"payloads/rest-ws/{name}"))
    market = _market(document)
    assert (market.yes_name, market.no_name) == tuple(json.loads(document["outcomes"]))
    assert [market.yes.token, market.no.token] == json.loads(document["clobTokenIds"])
    assert not market.count_in_ids


def test_recorded_closed_markets_take_no_orders(recording):
    for name in ("accepting_false", "accepting_true"):
        document = _first(recording(f"payloads/rest-ws/gamma_market_closed_binary_{name}.json"))
        market = _market(document)
        assert market.closed
        assert not market.accepting


def test_a_recorded_market_of_an_older_kind_is_read_and_is_not_resolved_for_certain(recording):
    document = _first(recording("payloads/rest-ws/gamma_market_closed_nonbinary_legacy.json"))
    market = _market(document)
    assert (market.yes_name, market.closed) == ("Long", True)
    assert parse.resolution(msgspec.json.encode(document)) is None


def test_a_market_of_three_outcomes_is_refused():
    with pytest.raises(BadVenueData, match="3 outcomes"):
        _market(_listed(outcomes='["Home", "Draw", "Away"]', clobTokenIds='["1", "2", "3"]'))


def test_a_recorded_book_is_read_although_it_has_spaces_and_no_terms(recording):
    document = recording("payloads/rest-ws/clob_book_response.json").read_bytes()
    (book,) = decode_books(b"[" + document + b"]").books
    assert book.side(book.bids) == (
        [500_000, 490_000, 480_000],
        [150_000_000, 200_000_000, 100_000_000],
    )
    assert book.best_ask == 510_000


def test_odd_levels_of_public_reports(recording):
    decoded = decode_books(recording("cases/b35_levels.json").read_bytes())
    asks = {book.token: book.side(book.asks) for book in decoded.books}
    assert asks == {
        "1": ([500_000], [4_000_000]),  # a price twice: the smaller of the two
        "2": ([500_000], [100_300_000]),  # the noise of floats
        "4": ([600_000], [5_000_000]),  # a level of no size
    }
    named = [problem.where for problem, _ in decoded.problems]
    assert named == ["level", "book 3.asks[0]"]  # the third offers at no price


def _listed(**changes):
    return {
        "conditionId": "0x" + "ab" * 32,
        "slug": "m",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": '["1", "2"]',
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "fees"),
    [
        ({}, FREE),
        ({"feesEnabled": False}, FREE),
        ({"feesEnabled": True}, None),
        ({"feesEnabled": True, "feeSchedule": None}, None),
        ({"feesEnabled": True, "feeSchedule": {"rate": "much"}}, None),
        ({"feesEnabled": True, "feeSchedule": {"rate": 0.04, "exponent": 1.5}}, None),
        ({"feesEnabled": True, "feeSchedule": {"rate": 7, "exponent": 1}}, None),
        (
            {"feesEnabled": True, "feeSchedule": {"rate": 0.04, "exponent": 1, "takerOnly": True}},
            CurveFees(Decimal("0.04")),
        ),
    ],
)
def test_fees_are_as_stated_free_where_none_are_charged_and_never_zero_for_want_of_a_word(
    changes, fees
):
    assert _market(_listed(**changes)).fees == fees


def test_a_v2_market_is_traded_by_position_ids_and_has_a_padded_condition_id():
    short = "0x02" + "cd" * 30
    market = _market(
        _listed(version="v2", conditionId=short, clobTokenIds=None, positionIds=["7", "8"])
    )
    assert (market.id, market.yes.token, market.count_in_ids) == (short + "00", "7", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "v3"},
        {"conditionId": "0x12"},
        {"clobTokenIds": None},
        {"clobTokenIds": '["1", "1"]'},
        {"clobTokenIds": '["1"]'},
        {"clobTokenIds": "not json"},
        {"outcomes": '["Yes"]'},
        {"orderPriceMinTickSize": 0},
        {"orderMinSize": -5},
        {"orderMinSize": "many"},
        {"active": "perhaps"},
    ],
)
def test_a_market_that_cannot_be_trusted_is_refused_with_the_place(changes):
    with pytest.raises(BadVenueData, match="market"):
        _market(_listed(**changes))


def _event(markets, **changes):
    payload = EventPayload(id="1", slug=msgspec.Raw(b'"e"'), neg_risk=True, **changes)
    return parse.event(payload, markets, changes.pop("missing", 0))


def test_what_makes_an_event_exclusive_complete_and_convertible():
    markets = [_of_group("a", n) for n in range(3)]
    ids = tuple(m.id for m in markets)
    whole = _event(markets)
    assert whole.exclusive == (Exclusive(ids, complete=True),)
    assert whole.event.convertible
    assert _event(markets, neg_risk_augmented=True).exclusive == (Exclusive(ids, complete=False),)
    assert _event(markets, cumulative_markets=True).exclusive == ()
    assert not _event(markets, neg_risk_fee_bips=msgspec.Raw(b"10")).event.convertible
    assert not _event(markets, neg_risk_fee_bips=msgspec.Raw(b'"1e99999"')).event.convertible
    payload = EventPayload(id="1", slug=msgspec.Raw(b'"e"'), neg_risk=True)
    assert parse.event(payload, markets, 1).exclusive == (Exclusive(ids, complete=False),)
    plain = [*markets[:2], _market(_listed())]
    assert _event(plain).exclusive == ()


def _of_group(group, number):
    listed = {"conditionId": "0x" + f"{number:064x}", "negRisk": True}
    return _market(_listed(**listed, **({"negRiskMarketID": group} if group else {})))


def test_each_group_of_an_event_is_exclusive_by_itself_and_none_is_complete():
    markets = [_of_group("a" if n < 3 else "b", n) for n in range(5)]
    ids = tuple(m.id for m in markets)
    parsed = _event(markets)
    assert parsed.exclusive == (Exclusive(ids[:3], False), Exclusive(ids[3:], False))
    assert not parsed.event.convertible
    assert "not all" in parsed.event.contradiction


def test_a_market_without_a_group_excludes_nothing():
    markets = [_of_group("a", 0), _of_group("a", 1), _of_group("", 2)]
    parsed = _event(markets)
    assert parsed.exclusive == (Exclusive(tuple(m.id for m in markets[:2]), False),)
    assert not parsed.event.convertible


def test_an_event_that_names_another_group_than_its_markets_is_not_complete():
    markets = [_of_group("a", n) for n in range(3)]
    parsed = _event(markets, neg_risk_market_id="b")
    assert not parsed.exclusive[0].complete
    assert not parsed.event.convertible


def test_an_outcome_that_stands_for_others_makes_the_event_open():
    markets = [_of_group("a", n) for n in range(3)]
    payload = EventPayload(id="1", slug=msgspec.Raw(b'"e"'), neg_risk=True)
    parsed = parse.event(payload, markets, 0, other=True)
    assert parsed.event.open_ended
    assert not parsed.exclusive[0].complete


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, ""),
        ({"umaResolutionStatus": None}, ""),
        ({"umaResolutionStatus": "requested"}, ""),
        ({"umaResolutionStatus": "proposed"}, "proposed"),
        ({"umaResolutionStatus": "disputed"}, "disputed"),
        ({"umaResolutionStatus": "settled"}, "settled"),
        ({"umaResolutionStatus": "a word of next year"}, "a word of next year"),
        ({"resolutionStatus": "inactive"}, ""),
        ({"resolutionStatus": "active"}, "active"),
    ],
)
def test_a_resolution_that_has_begun_is_known_by_any_word_for_it(changes, word):
    assert _market(_listed(**changes)).resolving == word


@pytest.mark.parametrize(
    "changes",
    [
        {"outcomePrices": [0.4, 0.6]},
        {"outcomePrices": {"odd": True}},
        {"endDate": 1790000000},
        {"active": None},
        {"closed": None},
        {"slug": None},
        {"tags": None},
        {"volume": [], "umaResolutionStatuses": 5},
    ],
)
def test_a_field_that_trading_does_not_rest_on_loses_no_market(changes):
    assert _market(_listed(**changes)).accepting


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"negRisk": "true"}, "negRisk"),
        ({"orderMinSize": 10**40}, "orderMinSize"),
        ({"acceptingOrders": "yes"}, "acceptingOrders"),
        ({"clobTokenIds": '["1", "²"]'}, "clobTokenIds"),
    ],
)
def test_a_market_that_is_lost_is_named_with_its_field(changes, field):
    with pytest.raises(BadVenueData) as refused:
        _market(_listed(**changes))
    assert _listed()["slug"] in str(refused.value)
    assert field in str(refused.value)


@pytest.mark.parametrize(
    "size",
    ["1e99999", "1e-99999", "1" + "0" * 100, '"1_0"', '"\u0661"', '" 5 "', '"NaN"', "true", "[]"],
)
def test_numbers_are_bounded_before_anything_is_computed_with_them(size):
    text = json.dumps(_listed(orderMinSize=5)).replace(
        '"orderMinSize": 5', f'"orderMinSize": {size}'
    )
    assert size in text
    with pytest.raises(BadVenueData, match="not a number within bounds"):
        parse.market(text.encode(), EventId("1"))


def test_fees_that_are_stated_in_an_unknown_way_are_unknown_and_not_free():
    assert _market(_listed(feesEnabled="yes", feeSchedule=None)).fees is None


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        (
            {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'},
            Resolution.YES,
        ),
        (
            {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0", "1"]'},
            Resolution.NO,
        ),
        (
            {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["0.5", "0.5"]'},
            Resolution.SPLIT,
        ),
        ({"closed": True, "umaResolutionStatus": "proposed", "outcomePrices": '["1", "0"]'}, None),
        ({"closed": False, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}, None),
        (
            {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": [1, 0]},
            Resolution.YES,
        ),
        (
            {"closed": True, "umaResolutionStatus": "settled", "outcomePrices": '["0", "1"]'},
            Resolution.NO,
        ),
    ],
)
def test_only_a_final_resolution_counts(changes, ended):
    assert parse.resolution(msgspec.json.encode(_listed(**changes))) is ended


@pytest.mark.parametrize(
    "prices",
    ['["0.99", "0.01"]', '["0.7", "0.7"]', "[]", '["1"]', '["1", "1"]', "[", "no list", None, {}],
)
def test_a_resolution_whose_prices_do_not_say_how_is_named(prices):
    ended = _listed(closed=True, umaResolutionStatus="resolved", outcomePrices=prices)
    with pytest.raises(BadVenueData, match=r"market m\.outcomePrices"):
        parse.resolution(msgspec.json.encode(ended))


@pytest.mark.parametrize(
    ("module", "short"), [("01", True), ("02", True), ("04", True), ("ab", False)]
)
def test_v2_ids_of_every_module_are_also_looked_up_by_their_short_name(module, short):
    long = "0x" + module + "11" * 30 + "00"
    assert catalog._gamma_names(long) == ([long, long[:-2]] if short else [long])
