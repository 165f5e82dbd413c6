"""A `/books` answer of 500 tokens with 50 levels each, to exact numbers: the usual way and ours."""

import json
import random
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import orjson

from arb.adapters.polymarket.decode import decode_books, slow
from arb.adapters.polymarket.payloads import BookPayload

ROUNDS = 15


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


def main() -> None:
    answer = body()
    ways: list[tuple[str, Callable[[bytes], object]]] = [
        ("orjson + Decimal", orjson_and_decimal),
        ("msgspec + Decimal", msgspec_and_decimal),
        ("ours, book by book", slow),
        ("ours", decode_books),
    ]
    times: dict[str, list[float]] = {name: [] for name, _ in ways}
    for _ in range(ROUNDS):
        for name, way in ways:
            started = time.perf_counter()
            way(answer)
            times[name].append(time.perf_counter() - started)
    usual = statistics.median(times["orjson + Decimal"])
    print(f"/books of 500 tokens x 50 levels, {len(answer):,} bytes, median of {ROUNDS}")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(
            f"  {name:<20} {median * 1e3:8.2f} ms   {usual / median:5.1f} x the usual way's speed"
        )


if __name__ == "__main__":
    main()
