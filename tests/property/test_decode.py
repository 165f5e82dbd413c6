"""Both decoders of books against a naive one: equal on what is valid, never laxer on what is not."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arb.adapters.polymarket import decode
from arb.domain import bounds
from arb.domain.errors import BadVenueData
from arb.domain.money import MICRO

prices = st.sets(st.integers(1, 9999), max_size=6).map(
    lambda ticks: [f"{tick / 10_000:.4f}".rstrip("0") for tick in sorted(ticks)]
)
sizes = st.one_of(
    st.integers(1, 99_999_999).map(str),
    st.decimals("0.000001", "99999999", places=6, allow_nan=False).map(str),
    st.decimals("0.01", "99999", places=2).map(str),
)


SPELLINGS = (
    *("0", ".5", "0.5", "0.50", "00.5", "0.5000001", "1E-7", "1e2", "7", "1", "1.5", "-1", "+3"),
    *(
        "100.30000000000001",
        "99999999.999999",
        "100000000",
        "100000000.1",
        "123456789",
        "0.0000009",
    ),
    *("1.", ".", "1..2", "1_0", "", " 1", "\u0661", "NaN", "Infinity", "1E99", "9" * 31),
    "0." + "0" * 70,
)
spellings = st.sampled_from(SPELLINGS)
odd_levels = st.fixed_dictionaries(
    {
        "price": st.one_of(spellings, st.integers(1, 99).map(lambda cents: f"0.{cents:02}")),
        "size": st.one_of(spellings, sizes),
    }
)


@st.composite
def answers(draw):
    books = []
    for number in range(draw(st.integers(0, 4))):
        book = {"market": "0xab", "asset_id": str(number), "timestamp": "1763700000000"}
        book |= {"hash": "h"}
        for side, order in (("bids", 1), ("asks", -1)):
            book[side] = [{"price": p, "size": draw(sizes)} for p in draw(prices)[::order]]
        book["tick_size"] = "0.01"
        books.append(book)
    return books


def _compact(books):
    return json.dumps(books, separators=(",", ":")).encode()


bodies = answers().map(_compact)


@st.composite
def odd_bodies(draw):
    """Answers of which some books hold levels that are spelled, ordered or doubled unusually."""
    books = draw(answers())
    for book in draw(st.lists(st.sampled_from(books), max_size=2)) if books else ():
        side = draw(st.sampled_from(["bids", "asks"]))
        mixed = book[side] + draw(st.lists(odd_levels, max_size=3))
        book[side] = draw(st.permutations(mixed))
    return json.dumps(books).encode() if draw(st.booleans()) else _compact(books)


def _columns(book):
    return (book.token, book.timestamp, book.digest, *book.side(book.bids), *book.side(book.asks))


def _plain(body):
    return [_columns(book) for book in decode.slow(body).books]


def _naive_side(levels, *, rising):
    """Prices and sizes of a side, best first; `None`: the book is lost."""
    found = {}
    for level in levels:
        try:
            price, size = bounds.number(level["price"]), bounds.number(level["size"])
        except ValueError:
            return None
        if not 0 < price < 1 or not 0 <= size <= 10**8:
            return None
        shares = int(size * MICRO)
        if price * MICRO == int(price * MICRO) and shares:
            found[price] = min(shares, found.get(price, shares))
    best_first = sorted(found, reverse=rising)
    return [int(price * MICRO) for price in best_first], [found[price] for price in best_first]


def _naive(body):
    """What is to be read of an answer whose books are all of the right shape, level by level."""
    books = []
    for book in json.loads(body, parse_float=Decimal):
        bids = _naive_side(book["bids"], rising=True)
        asks = _naive_side(book["asks"], rising=False)
        if bids is not None and asks is not None:
            books.append((book["asset_id"], book["timestamp"], book["hash"], *bids, *asks))
    return books


@settings(max_examples=400)
@given(bodies)
def test_fast_plain_and_naive_agree_on_valid_answers(body):
    assert [_columns(book) for book in decode._fast(body)] == _plain(body) == _naive(body)


@settings(max_examples=600)
@given(odd_bodies())
def test_odd_levels_are_read_as_the_naive_reader_reads_them(body):
    decoded = decode.decode_books(body)
    assert [_columns(book) for book in decoded.books] == _naive(body)
    lost = len(json.loads(body)) - len(decoded.books)
    assert sum(problem.where != "level" for problem, _ in decoded.problems) == lost


@pytest.mark.parametrize("field", ["price", "size"])
def test_each_spelling_is_read_as_the_naive_reader_reads_it(field):
    books = []
    for spelling in SPELLINGS:
        level = {"price": "0.25", "size": "12345.25", field: spelling}
        for asks in ([level], [level, {"price": "0.125", "size": "7"}]):
            book = {"asset_id": str(len(books)), "timestamp": "", "hash": "", "bids": []}
            books.append({**book, "asks": asks})
    body = _compact(books)
    assert _plain(body) == _naive(body)
    each = [_compact([book]) for book in books]
    assert [decode.decode_books(one).books[:1] != () for one in each] == [
        _naive(one) != [] for one in each
    ]


@settings(max_examples=500)
@given(bodies, st.data())
def test_a_spoilt_answer_is_never_read_differently_by_the_fast_path(body, data):
    spoilt = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        if spoilt:
            place = data.draw(st.integers(0, len(spoilt) - 1))
            spoilt[place] = data.draw(st.sampled_from(list(b'0123456789.,:[]{}"eE-+ \\xpsb\xff')))
    try:
        expected = _plain(bytes(spoilt))
    except BadVenueData:
        expected = None
    try:
        found = [_columns(book) for book in decode.decode_books(bytes(spoilt)).books]
    except BadVenueData:
        found = None
    assert found == expected


def test_unordered_levels_spaces_and_other_key_orders_are_read_too():
    book = {
        "asset_id": "1",
        "asks": [{"size": "1", "price": "0.5"}, {"price": "0.6", "size": "2"}],
        "bids": [{"price": "0.4", "size": "0"}, {"price": "0.3", "size": "7"}],
    }
    decoded = decode.decode_books(json.dumps([book]).encode())
    assert not decoded.problems
    assert _columns(decoded.books[0])[3:] == (
        [300_000],
        [7_000_000],
        [500_000, 600_000],
        [1_000_000, 2_000_000],
    )


def test_a_bad_book_is_lost_alone():
    good = {"asset_id": "1", "bids": [], "asks": [{"price": "0.5", "size": "1"}]}
    bad = [
        {**good, "asset_id": "2", "asks": [{"price": "1.5", "size": "1"}]},
        {**good, "asset_id": "3", "asks": [{"price": "0.5", "size": "-1"}]},
        {**good, "asset_id": "4", "asks": [{"price": "NaN", "size": "1"}]},
        {**good, "asset_id": "5", "asks": [{"price": 0.5, "size": "1"}]},
        {**good, "asset_id": "6", "asks": [{"price": "0.00", "size": "3.56"}]},
        {**good, "asset_id": "7", "asks": None},
        {"asset_id": "8"},
        7,
    ]
    decoded = decode.decode_books(json.dumps([*bad, good]).encode())
    assert [book.token for book in decoded.books] == ["1"]
    assert len(decoded.problems) == len(bad)


def _asks(*levels):
    """The asks that are read of some levels, best first, and what is said of them."""
    asks = [{"price": price, "size": size} for price, size in levels]
    book = {"asset_id": "1", "bids": [{"price": "0.3", "size": "7"}], "asks": asks}
    decoded = decode.decode_books(json.dumps([book], separators=(",", ":")).encode())
    (found,) = decoded.books
    assert found.side(found.bids) == ([300_000], [7_000_000])
    return dict(zip(*found.side(found.asks), strict=True)), [p.what for p, _ in decoded.problems]


@pytest.mark.parametrize(
    ("levels", "read", "named"),
    [
        # Of levels at one price the smaller counts, however often and in whatever spelling.
        ([("0.5", "4"), ("0.50", "5")], {500_000: 4_000_000}, "twice"),
        ([("0.5", "5"), ("0.6", "1"), ("0.5", "4")], {500_000: 4_000_000, 600_000: 10**6}, "twice"),
        ([("0.5", "4"), ("0.5", "4"), ("0.5", "9")], {500_000: 4_000_000}, "2 levels"),
        # Of a size finer than shares are the rest is left out.
        ([("0.5", "100.30000000000001")], {500_000: 100_300_000}, ""),
        ([("0.5", "100.2999999999999")], {500_000: 100_299_999}, ""),
        ([("0.5", "1E-7"), ("0.6", "5")], {600_000: 5_000_000}, ""),
        ([("0.5", "0.0000009")], {}, ""),
        ([("0.5", "0"), ("0.6", "5")], {600_000: 5_000_000}, ""),
        # A price between all ticks is none that could be bought at.
        ([("0.5000001", "3"), ("0.6", "5")], {600_000: 5_000_000}, "asks[0]: 0.5000001 is finer"),
        ([("1E-7", "3"), ("0.6", "5")], {600_000: 5_000_000}, "1 levels"),
    ],
)
def test_an_odd_level_makes_a_book_smaller_and_never_larger(levels, read, named):
    found, said = _asks(*levels)
    assert found == read
    assert bool(said) is bool(named)
    assert named in "".join(said)


def test_no_byte_within_a_number_is_read_differently_by_the_fast_path():
    body = b'[{"asset_id":"1","bids":[],"asks":[{"price":"0.5625","size":"12345.25"}]}]'
    first, last = body.index(b"0.5625"), body.index(b"12345.25") + 8
    for place in range(first, last):
        for byte in range(256):
            spoilt = body[:place] + bytes([byte]) + body[place + 1 :]
            try:
                expected = _plain(spoilt)
            except BadVenueData:
                expected = None
            try:
                found = [_columns(book) for book in decode.decode_books(spoilt).books]
            except BadVenueData:
                found = None
            assert found == expected, spoilt
