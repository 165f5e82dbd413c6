"""A recorded session of the market channel: the book we keep is the book that the venue sends."""

import json
from decimal import Decimal

from arb.adapters.polymarket.maintain import BookTerms, KeptBook
from arb.adapters.polymarket.payloads import LevelPayload
from arb.domain.market import Side
from arb.domain.money import Price


def _levels(side: list[dict[str, str]]) -> list[LevelPayload]:
    return [LevelPayload(level["price"], level["size"]) for level in side]


def test_every_later_book_hash_is_reproduced_by_keeping_the_book(recording):
    folder = recording("ws-session")
    books = json.loads((folder / "polymarket_order_books.json").read_text())
    changes = json.loads((folder / "polymarket_trade_updates.json").read_text())
    trades = json.loads((folder / "polymarket_other.json").read_text())
    first, later = books[:2], books[2:]
    no, yes = (book["asset_id"] for book in first)
    kept = {}
    for book in first:
        terms = BookTerms(tick_size=book["tick_size"], last_trade_price=book["last_trade_price"])
        empty = KeptBook(market=book["market"], token=book["asset_id"], timestamp="", terms=terms)
        kept[book["asset_id"]] = empty.reset(
            book["timestamp"], _levels(book["bids"]), _levels(book["asks"])
        )
        assert kept[book["asset_id"]].hash() == book["hash"]

    stream = [(int(m["timestamp"]), 0, m) for m in changes]
    stream += [(int(m["timestamp"]), 1, m) for m in later]
    reproduced = 0
    for when, kind, message in sorted(stream, key=lambda item: item[:2]):
        if kind == 0:
            for change in message["price_changes"]:
                token = change["asset_id"]
                kept[token] = kept[token].change(
                    message["timestamp"], Side(change["side"]), change["price"], change["size"]
                )
            continue
        # The trade that made the venue send this book is announced right after it.
        trade = min(
            (t for t in trades if 0 <= int(t["timestamp"]) - when < 100),
            key=lambda t: int(t["timestamp"]),
        )
        book = kept[message["asset_id"]].traded(
            Price(Decimal(trade["price"])), of_yes=trade["asset_id"] == yes
        )
        kept[message["asset_id"]] = book
        assert book.hash() == message["hash"]
        reproduced += 1
    assert no != yes
    assert reproduced == len(later) == 14


def test_a_changed_level_changes_the_hash_and_a_size_of_zero_removes_it():
    book = KeptBook(market="m", token="t", timestamp="1", terms=BookTerms())
    book = book.reset("1", _levels([{"price": "0.4", "size": "10"}]), [])
    more = book.change("1", Side.BUY, "0.40", "11")
    assert more.hash() != book.hash()
    assert len(more.bids) == 1
    assert not book.change("1", Side.BUY, "0.4", "0").bids


def test_a_new_tick_is_a_new_epoch():
    book = KeptBook(market="m", token="t", timestamp="1", terms=BookTerms())
    book = book.reset("1", _levels([{"price": "0.4", "size": "10"}]), [])
    after = book.new_tick("0.001")
    assert (after.epoch, after.bids, after.terms.tick_size) == (1, {}, "0.001")
