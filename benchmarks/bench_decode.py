"""A `/books` answer of 500 tokens with 50 levels each, to exact numbers.

The peers make pairs of `Decimal` of the strings that orjson or msgspec decode. Ours checks every
number, order and bound as well, and keeps integers, of which books are built when they are asked
for and levels when they are read. "Book by book" is an answer with white space in it.
"""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import orjson
from common import Report, Row, run, turns

from arb.adapters.polymarket.books import BookTable
from arb.adapters.polymarket.decode import Decoded, decode_books
from arb.adapters.polymarket.payloads import BookPayload
from arb.domain.book import OrderBook

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def body(tokens: int = 500, levels: int = 25) -> bytes:
    chance = random.Random(7)
    books = []
    for _ in range(tokens):
        middle = chance.randint(300, 700)

        def side(prices: range) -> list[dict[str, str]]:
            return [
                {"price": f"{p / 1000:g}", "size": f"{chance.randint(500, 9_999_999) / 100:g}"}
                for p in prices
            ]

        books.append(
            {
                "market": "0x" + "ab" * 32,
                "asset_id": str(chance.randrange(10**75, 10**77)),
                "timestamp": "1763700000000",
                "hash": "ab" * 20,
                "bids": side(range(middle - levels, middle)),
                "asks": side(range(middle + levels, middle, -1)),
                "min_order_size": "5",
                "tick_size": "0.001",
                "neg_risk": False,
                "last_trade_price": "0.42",
            }
        )
    return json.dumps(books, separators=(",", ":")).encode()


def spaced(answer: bytes) -> bytes:
    return json.dumps(json.loads(answer)).encode()


def orjson_and_decimal(answer: bytes) -> list[object]:
    return [
        [
            [(Decimal(level["price"]), Decimal(level["size"])) for level in book[side]]
            for side in ("bids", "asks")
        ]
        for book in orjson.loads(answer)
    ]


def msgspec_and_decimal(answer: bytes) -> list[object]:
    return [
        [[(Decimal(x.price), Decimal(x.size)) for x in side] for side in (book.bids, book.asks)]
        for book in msgspec.json.decode(answer, type=list[BookPayload])
    ]


def asked(decoded: Decoded) -> list[OrderBook]:
    table = BookTable({book.token: (book, NOON) for book in decoded.books})
    return [table[outcome] for outcome in table]


def read(decoded: Decoded) -> list[object]:
    return [(list(book.bids), list(book.asks)) for book in asked(decoded)]


def measure(rounds: int) -> Report:
    answer = body()
    odd = spaced(answer)
    ways = {
        "orjson + Decimal": lambda: orjson_and_decimal(answer),
        "msgspec + Decimal": lambda: msgspec_and_decimal(answer),
        "orjson + Decimal, spaced": lambda: orjson_and_decimal(odd),
        "columns": lambda: decode_books(answer),
        "columns, every book asked": lambda: asked(decode_books(answer)),
        "columns, every level read": lambda: read(decode_books(answer)),
        "book by book": lambda: decode_books(odd),
        "book by book, every book asked": lambda: asked(decode_books(odd)),
    }
    assert len(asked(decode_books(odd))) == len(asked(decode_books(answer))) == 500
    times = turns(ways, rounds)

    def row(what: str, peer: str) -> Row:
        return Row(what, peer, times[peer], times[what])

    ours = [name for name in ways if "Decimal" not in name]
    rows = [
        row(what, f"orjson + Decimal{', spaced' if what.startswith('book') else ''}")
        for what in ours
    ]
    rows.append(row("columns", "msgspec + Decimal"))
    return Report(f"/books of 500 tokens x 50 levels, {len(answer):,} bytes", rows)


if __name__ == "__main__":
    run(measure, rounds=15)
