"""One target per parser and state file: what is read, what its contract names, what is wrong.

A target reads spoilt bytes. It may raise what its contract names and nothing else, and what it
reads is held against an independent, naive reading of the same bytes.
"""

import asyncio
import functools
import hashlib
import json
import os
import re
import tempfile
import zlib
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import httpx

from arb.adapters.bots import definition, printing
from arb.adapters.bots.files import Folder
from arb.adapters.bots.messages import (
    BadDocument,
    Command,
    Ended,
    Heartbeat,
    Intent,
    Leg,
    Reported,
    Result,
    clean,
    dump,
    parse,
    word,
)
from arb.adapters.bots.status import BotState, Status, read_status, runs, take_wish
from arb.adapters.polymarket import calls, rows
from arb.adapters.polymarket.books import BookTable
from arb.adapters.polymarket.catalog import PolymarketCatalog
from arb.adapters.polymarket.contracts import Contracts
from arb.adapters.polymarket.decode import decode_books
from arb.adapters.polymarket.fees import FeeBook
from arb.adapters.polymarket.holdings import BALANCE_MAX, Holdings
from arb.adapters.polymarket.maintain import BookTerms, KeptBook
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.payloads import BookPayload, decode
from arb.adapters.polymarket.quarantine import Quarantine
from arb.adapters.polymarket.questions import Questions
from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.shards.messages import (
    BadMessage,
    Names,
    dump_answer,
    dump_part,
    glimpse_of,
    load_answer,
    load_part,
)
from arb.api.audit import Audit, AuditError, check, head_of
from arb.api.auth import Principal, Role, add_token, digest_of, read_tokens
from arb.api.executed import ExecutedKeys
from arb.config.sources import load, read_toml
from arb.domain.book import BookMap, Level, OrderBook
from arb.domain.errors import BadVenueData, ConfigError, RateLimited, Unavailable, VenueError
from arb.domain.market import OutcomeId, Side
from arb.domain.money import MICRO, Price, Shares, to_micro
from arb.domain.opportunity import Opportunity
from arb.domain.snapshot import Snapshot
from arb.domain.sweep import Glimpse, part_of
from arb.engine.decide import find
from arb.net.http import HttpOptions, HttpReader
from arb.net.rpc import Rpc, RpcOptions
from arb.operations.halt_file import Sentinel
from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from tests.fuzz import keystores, onchain, seeds
from tests.fuzz.reading import Target, exact, must, naive
from tests.fuzz.seeds import NOW

WALLET = "0x" + "11" * 20
SIZE_MAX = 10**8
SIZE_TEXT_MAX = 20
"""Characters: a longer one may have more digits than any size."""
STRATEGIES = (BinaryComplement(), NegRiskNo(), NegRiskYes())


@functools.cache
def loop():
    return asyncio.new_event_loop()


def run(work):
    return loop().run_until_complete(work)


class Answering:
    """A reader that answers every question with the same bytes; markets with their own word."""

    def __init__(self, body, words=None):
        self.body, self.words = body, words

    async def get(self, endpoint, url, params=None):
        if endpoint == "clob-markets" and self.words is not None:
            return self.words.get(url.rpartition("/")[2], b"{}")
        return self.body

    query = get


@functools.cache
def nobody():
    return Rpc(RpcOptions(urls=()), monotonic=lambda: 0.0)


def catalog(body, words=None):
    options = PolymarketOptions(quarantine_folder="", pages_max=1)
    reader, quarantine = Answering(body, words), Quarantine(None, 0)
    questions = Questions(options, nobody(), Contracts(), quarantine, lambda: 0.0)
    return PolymarketCatalog(options, reader, quarantine, lambda: 0.0, questions)


# Venue -------------------------------------------------------------------------------------------


def read_books(raw, _folder):
    decoded = decode_books(raw)
    said = naive(raw)
    must(isinstance(said, list) or not decoded.books, "books out of no list")
    table = BookTable({book.token: (book, NOW) for book in decoded.books})
    for book in decoded.books:
        own = [row for row in said if isinstance(row, dict) and row.get("asset_id") == book.token]
        must(any(_same_book(book, row) for row in own), f"no such book: {book.token[:80]}")
        built = (
            table[OutcomeId(POLYMARKET, book.token)] if len(table) == len(decoded.books) else None
        )
        for levels, rising in ((built.bids, False), (built.asks, True)) if built else ():
            prices = [level.price for level in levels]
            must(prices == sorted(set(prices), reverse=not rising), "not best first")
            must(
                all(0 < level.price < 1 and 0 < level.size <= SIZE_MAX for level in levels),
                "bounds",
            )


def _same_book(book, row):
    for name, where in (("bids", book.bids), ("asks", book.asks)):
        prices, sizes = book.side(where)
        read = list(zip(prices, sizes, strict=True))
        said = [_level(level) for level in row.get(name) or []]
        good = [level for level in said if level is not None and level[1]]
        unique = len({price for price, _ in good}) == len(good)
        if not set(read) <= set(good) or len(set(read)) != len(read):
            return False
        if None not in said and unique and len(read) != len(good):
            return False
    return row.get("timestamp", "") == book.timestamp and row.get("hash", "") == book.digest


def _level(level):
    price, size = (
        exact(level.get(name)) if isinstance(level, dict) else None for name in ("price", "size")
    )
    if price is None or size is None:
        return None
    micro = price * MICRO, size * MICRO
    if micro[0].denominator != 1:
        return None
    in_bounds = 0 < micro[0] < MICRO and 0 <= micro[1] <= SIZE_MAX * MICRO
    return (int(micro[0]), int(micro[1])) if in_bounds else None  # of finer sizes never more


def read_kept_book(raw, _folder):
    """Messages of the market channel, one book after another."""
    for payload in decode(raw, list[BookPayload], "books"):
        kept = KeptBook(market="m", token="t", timestamp="0", terms=BookTerms())
        kept = kept.reset("1", payload.bids, payload.asks)
        for level in payload.bids:
            kept = kept.change("2", Side.BUY, level.price, level.size)
            left = kept.bids.get(Decimal(level.price))
            must(exact(level.price) is not None and exact(level.size) is not None, "no numbers")
            must((left is None) == (exact(level.size) == 0), "a level of size 0, or another")
        must(len(kept.hash()) == 40, "no hash")


def books_for(universe):
    """Mirrored books at which YES of three outcomes costs less than it pays."""

    def side(price):
        return (Level(Price(Decimal(price)), Shares(Decimal(100))),)

    return BookMap(
        OrderBook(outcome=outcome, bids=side(bid), asks=side(ask), received_at=NOW, stamped_at=NOW)
        for market in universe.markets.values()
        for outcome, bid, ask in ((market.yes, "0.2", "0.3"), (market.no, "0.7", "0.8"))
    )


def read_events(raw, _folder):
    """A listing, and on to the proof of what it would be worth at cheap books."""
    source = catalog(raw)
    universe = run(source.universe() if len(raw) % 2 else source.event("cheap-no-2"))
    document = naive(raw)
    listed = {}
    for market in _objects(document):
        name = market.get("conditionId")
        if isinstance(name, str):
            listed.setdefault(name.ljust(66, "0") if len(name) == 64 else name, []).append(market)
    for market in universe.markets.values():
        own = listed.get(market.id, [])
        must(any(_same_market(market, one) for one in own), f"no such market: {market.id}")
        must(market.event in universe.events, "a market of no event")
    found = find(STRATEGIES, Snapshot(universe=universe, books=books_for(universe), taken_at=NOW))
    for opportunity in found.opportunities:
        must(isinstance(opportunity, Opportunity), "an opportunity")
        for amount in (opportunity.cost, opportunity.payoff_worst, opportunity.outlay_max):
            must(amount.is_finite() and 0 <= amount < 10**12, f"an amount of {amount}")
        to_micro(opportunity.cost), to_micro(opportunity.size)


def _objects(document):
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    for part in document if isinstance(document, list) else ():
        yield from _objects(part)


def _same_market(market, said):
    v2 = said.get("version") == "v2"
    listed = said.get("positionIds" if v2 else "clobTokenIds")
    tokens = (
        listed
        if isinstance(listed, list)
        else naive((listed or "").encode("utf-8", "surrogateescape"))
    )
    tick = said.get("orderPriceMinTickSize")
    return (
        tokens == [market.yes.token, market.no.token]
        and (tick is None or Fraction(market.rules.tick) == exact(tick))
        and bool(said.get("negRisk")) == (not market.can_split)
        and not (said.get("closed") is True and not market.closed)
    )


@functools.cache
def _market():
    universe, (name, _) = seeds.answers()["universe"], seeds.answers()["words"][0]
    return universe.markets[next(id_ for id_ in universe.markets if id_.startswith(name))]


def read_word(raw, _folder):
    """The exchange's word on a market, and its fees."""
    market = _market()
    (word,) = run(catalog(raw, {market.id: raw}).confirm([market])).values()
    said = naive(raw)
    if word.known:
        must(isinstance(said, dict), "a word out of no object")
        if not word.differences:
            must(exact(said["mts"]) == Fraction(market.rules.tick), "another tick")
            must(
                {token["t"] for token in said["t"]} == {market.yes.token, market.no.token}, "tokens"
            )
            must(bool(said.get("nr")) == (not market.can_split), "neg risk")
    try:
        fees = run(FeeBook(PolymarketOptions(), Answering(raw), lambda: 0.0).of(market.id))
    except VenueError:
        return
    must(0 <= fees.rate <= 1 and 0 <= fees.exponent <= 8, "fees without bounds")
    fees.taker(Price(Decimal("0.999999")), Shares(Decimal("99999999.999999")))


def read_payouts(raw, _folder):
    universe = seeds.answers()["universe"]
    words = dict(seeds.answers()["words"])
    asked = [id_ for id_ in universe.markets if id_ in words]
    paid = run(catalog(raw, words).payouts(asked))
    outcomes = {
        o: market
        for m in asked
        for o in (universe.markets[m].yes, universe.markets[m].no)
        for market in [m]
    }
    must(paid.keys() <= outcomes.keys(), "a payout that nobody asked for")
    for market in {outcomes[outcome] for outcome in paid}:
        known = universe.markets[market]
        must(paid[known.yes] + paid[known.no] == 1, "payouts that do not add up")
        must(0 <= paid[known.yes] <= 1, "a payout beyond a dollar")


PIECE = {
    "order_id": "0x" + "2" * 64,
    "asset_id": "7" * 77,
    "maker_address": WALLET,
    "owner": "own",
    "side": "SELL",
    "price": "0.48",
    "matched_amount": "12.5",
}
TRADE = {
    "id": "t1",
    "taker_order_id": "0x" + "1" * 64,
    "market": "0x" + "3" * 64,
    "asset_id": "7" * 77,
    "side": "BUY",
    "trader_side": "TAKER",
    "price": "0.48",
    "size": "12.5",
    "status": "TRADE_STATUS_CONFIRMED",
    "bucket_index": 0,
    "transaction_hash": "0x" + "4" * 64,
    "match_time": "1790000000",
    "last_update": "1790000001",
    "maker_orders": [PIECE],
}
ACCOUNT = [
    {"data": [TRADE, {**TRADE, "id": "t2", "trader_side": "MAKER"}], "next_cursor": "LTE="},
    {"data": [{"id": "0x" + "5" * 64, "status": "LIVE"}], "next_cursor": "LTE="},
]


def read_rows(raw, _folder):
    """A page of the account's trades, or of its orders: what can be read, and what is lost."""
    page = rows.page(raw, "trades")
    read, lost = rows.trades(page.rows)
    ids, gone = rows.order_ids(page.rows)
    said = [one for one in naive(raw)["data"] if isinstance(one, dict)]
    stated = [one.get("id") for one in said]
    must(
        len(read) + len(lost) <= len(page.rows) and all(id_ in stated for id_ in ids),
        "a row out of nothing",
    )
    must(len(ids) + len(gone) <= len(page.rows), "more orders than rows")
    for one in read:
        own = [row for row in said if row.get("id") == one.id]
        # One that is no size is made up for by the pieces (`rows`), where they say it.
        sizes = [
            size
            for row in own
            if (size := exact(row.get("size")))
            and len(row["size"]) <= SIZE_TEXT_MAX
            and Fraction(1, MICRO) <= size < SIZE_MAX
        ]
        must(own and (len(sizes) < len(own) or Fraction(one.size) in sizes), "another size")
        for price, size in (
            (one.price, one.size),
            *((p.price, p.matched_amount) for p in one.maker_orders),
        ):
            must(0 < price < 1 and 0 < size < 10**30, f"{size} @ {price}")


NODE = [
    {"jsonrpc": "2.0", "id": 2, "result": "0x89"},
    {"jsonrpc": "2.0", "id": 2, "result": "0x" + f"{32:064x}{2:064x}{5:064x}{6:064x}"},
    {"jsonrpc": "2.0", "id": 2, "result": "0x" + f"{7:064x}"},
    {"jsonrpc": "2.0", "id": 2, "result": "0x" + f"{2**255:064x}"},
    {"jsonrpc": "2.0", "id": 2, "result": {"number": "0x5", "hash": "0x1", "timestamp": "0x9"}},
    {
        "jsonrpc": "2.0",
        "id": 2,
        "result": {
            "status": "0x1",
            "transactionHash": "0x1",
            "blockNumber": "0x5",
            "blockHash": "0x2",
            "gasUsed": "0x5208",
        },
    },
    {"jsonrpc": "2.0", "id": 2, "error": {"code": 3, "message": "execution reverted: no"}},
]
V2 = OutcomeId(POLYMARKET, str(2 << 248))


def read_node(raw, _folder):
    async def node(request):
        if b"eth_chainId" in request.content:
            return httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"result":"0x89"}')
        asked = json.loads(request.content)["id"]
        return httpx.Response(200, content=raw.replace(b'"id": 2', b'"id": %d' % asked))

    async def ask():
        rpc = Rpc(
            RpcOptions(urls=("http://node.test",)),
            monotonic=lambda: 0.0,
            transport=httpx.MockTransport(node),
        )
        rpc._nodes[0].verified = True
        held = Holdings(rpc, Contracts(), WALLET)
        questions = (
            held.cash,
            lambda: held.of([V2, V2]),
            rpc.block,
            rpc.gas_price,
            lambda: rpc.receipt("0x1"),
            lambda: rpc.call(calls.market_data(Contracts(), "0x" + "22" * 31 + "00")),
            lambda: rpc.call(calls.question_count(Contracts(), "0x" + "22" * 32)),
        )
        problems = []
        first = zlib.crc32(raw) % len(questions)
        asked = [questions[first], questions[(first + 3) % len(questions)]]
        for question in asked:
            try:
                found = await question()
            except VenueError as error:
                problems.append(error)
                continue
            amounts = list(found.values()) if isinstance(found, dict) else [found]
            for amount in amounts:
                if isinstance(amount, Decimal):
                    must(0 <= amount <= BALANCE_MAX // MICRO, "more than there is")
                elif isinstance(amount, int):
                    must(0 <= amount < 2**256, "more than 32 bytes")
        await rpc.close()
        if len(problems) == len(asked):
            raise problems[0]

    run(ask())


HEADERS = [
    b"429|retry-after: 7|{}",
    b"429|retry-after: Sat, 21 Nov 2026 12:00:07 GMT|{}",
    b"425|retry-after: 0.5|{}",
    b"503|retry-after: 120|busy",
    b'400|content-type: application/json|{"error": "no"}',
    b"200|content-length: 2|[]",
    b"301|location: https://elsewhere.test/x|",
]


def read_headers(raw, _folder):
    status, _, rest = raw.partition(b"|")
    header, _, body = rest.partition(b"|")
    name, _, value = header.partition(b": ")
    code = int(status) if status.isdigit() and 200 <= int(status[:4]) <= 599 else 429

    def answer(_request):
        return httpx.Response(code, headers=[(name or b"retry-after", value)], content=body)

    async def ask():
        reader = HttpReader(
            HttpOptions(attempts=1),
            monotonic=lambda: 0.0,
            now=lambda: NOW,
            transport=httpx.MockTransport(answer),
        )
        try:
            found = await reader.get("x", "http://venue.test/x")
        finally:
            await reader.close()
        must(found == body, "another body")

    try:
        run(ask())
    except RateLimited as error:
        wait = error.retry_after_seconds
        must(wait is None or 0 <= wait <= 30, f"a wait of {wait}")
        if value.strip().isascii() and value.strip().isdigit() and name.lower() == b"retry-after":
            must(wait == min(int(value.strip()[:20]), 30), "another wait than was asked for")
        raise


# Workers and bots --------------------------------------------------------------------------------

NAMES = Names(prefix="arb")


@functools.cache
def _part():
    universe = seeds.answers()["universe"]
    events = sorted(universe.events.values(), key=lambda event: len(event.markets))[:3]
    return part_of(universe, events)


def part_seeds():
    part = load_part(dump_part("s1", 1, _part()), NAMES.parts("s1"), NAMES)
    glimpse = Glimpse(nominated=frozenset(list(_part().events)[:1]), fresh=1, received=2)
    return [dump_part("s1", 1, _part()), dump_answer(part, "w", glimpse)]


def read_message(raw, _folder):
    try:
        part = load_part(raw, NAMES.parts("s1"), NAMES)
    except BadMessage:
        answer = load_answer(raw, "s1")
        glimpse = glimpse_of(answer, _part())
        must(glimpse.nominated <= _part().events.keys(), "an event that nobody asked about")
        return
    said = naive(raw)
    must(len(part.markets) == len(said["markets"]), "another number of markets")
    for market, one in zip(part.markets, said["markets"], strict=True):
        must(Fraction(market.rules.tick) == exact(one["rules"]["tick"]), "another tick")
        must(market.yes.token == one["yes"]["token"], "another token")
    universe = part.universe()
    try:
        find(STRATEGIES, Snapshot(universe=universe, books=books_for(universe), taken_at=NOW))
    except KeyError as error:
        raise BadMessage(f"an event that is not there: {error}") from None


def bot_seeds():
    until = NOW + timedelta(seconds=30)
    leg = Leg(
        id="p/1", venue="polymarket", market="0x1", token="1", side="BUY", limit="0.5", shares="10"
    )
    documents = [
        Command(
            id="0" * 32,
            command="execute_arbitrage",
            bot_name="atom",
            issued_at=NOW,
            expires_at=until,
            orders=(leg,),
            ended=(Ended(order="p/1", state="filled"),),
        ),
        Result(
            schema=1,
            id="0" * 32,
            bot_name="atom",
            success=True,
            timestamp=1.5,
            orders=(Intent(id="p/1", price="0.5", shares="10"),),
            fills=(Reported(order="p/1", price="0.5", shares="10", fee="0.01"),),
            data={"profit": 25.5, "tx_hash": "0x123..."},
        ),
        Heartbeat(bot_name="atom", status="fine", timestamp="now", pid=77),
    ]
    return [dump(one) for one in documents]


def read_bot_document(raw, _folder):
    read, problem = 0, None
    for kind in (Command, Result, Heartbeat):
        try:
            found = parse(raw, kind)
        except BadDocument as error:
            problem = error
            continue
        read += 1
        must(naive(raw)["bot_name"] == found.bot_name, "another bot")
        if kind is not Result:
            continue
        profit, transaction = word(found)
        must(profit is None or abs(profit) < 10**9, "a profit beyond all bounds")
        must(clean(transaction) == transaction, "a transaction that terminals obey")
        for one in (*(found.fills or ()), *(found.orders or ())):
            must(0 <= Decimal(one.price) < 10**12 and 0 <= Decimal(one.shares) < 10**12, "bounds")
    if problem is not None and not read:
        raise problem


PRINTED = [
    b"SEND\n",
    b"SEND p/1 0.5 10\nSEND p/2 0.4 3\n",
    b"thinking\nREFUSE too dear\n",
    b"REFUSE\nSEND\n",
]


def read_printed(raw, _folder):
    command = parse(bot_seeds()[0], Command)
    found = printing.answer("atom", command, raw[: printing.OUTPUT_MAX])
    must(found.success == bool(found.orders), "yes without an order")
    if re.search(rb"^\s*REFUSE(\s|$)", raw, re.MULTILINE) and b"\xff" not in raw:
        must(not found.success, "yes after a no")


STATUS = {
    "bot_name": "atom",
    "state": "running",
    "since": "2026-01-01T00:00:00Z",
    "pid": 7,
    "started": 5,
    "restarts": 1,
    "last_exit": "",
    "beat": "fine",
    "beat_at": "2026-01-01T00:00:01Z",
}


def read_bot_state(raw, folder):
    (folder / "atom.json").write_bytes(raw)
    place = Folder(folder)
    try:
        status = read_status(place, "atom")
        must(isinstance(status, Status), "nothing where there is a file")
        said = naive(raw)
        if status.state is not BotState.UNKNOWN:
            must(
                (said["bot_name"], said["state"]) == ("atom", status.state.value), "another status"
            )
            must(status.pid == int(said.get("pid", "0")), "another process")
        must(not runs(status), "a process that is not there")
        wish = take_wish(place, "atom")
        must(wish == said["wish"], "another wish")
        must(take_wish(place, "atom") == "", "a wish twice")
    finally:
        place.close()


BOTS = [
    b"""[bot.atom]
command = ["python3", "bot.py"]
does = "decides"
kinds = ["binary_complement"]
heartbeat_timeout = 120
restarts_max = 5
[bot.atom.limits]
memory_mb = 512
[[route]]
name = "risk"
when = "risk > 50"
bot = "atom"
[[route]]
bot = ""
"""
]


def read_definitions(raw, folder):
    path = folder / "bots.toml"
    path.write_bytes(raw)
    found = definition.read(read_toml(path), "bots.toml")
    for one in found.definitions.values():
        must(one.command and 0 <= one.restarts_max <= 100, "a bot without bounds")
    for rule in found.rules:
        must(
            rule.holds({"risk": Decimal(1)}) in (True, False)
            if rule.measure in ("", "risk")
            else True,
            "a rule",
        )


# Our own files -----------------------------------------------------------------------------------

HALTED = [
    b'{"paper:default": "by the operator"}',
    b'{"paper:default": "x", "polymarket:0xab": "y \\u00e9"}',
    b"",
]


def read_halt(raw, folder):
    path = folder / "arb.db.halt"
    path.write_bytes(raw)
    reason = Sentinel(path).reason("paper:default")
    try:
        raw.decode("utf-8")
    except ValueError:
        plain = False
    else:
        said = naive(raw, number=float)
        plain = isinstance(said, dict) and said and all(isinstance(w, str) for w in said.values())
    if not plain or "paper:default" in said:
        must(reason, "a broken halt file does not halt")
    said_of_it = "-" if reason is None else reason
    must(0 < len(said_of_it) <= 500 and said_of_it.isprintable(), "a reason that a terminal obeys")


@functools.cache
def token_seeds():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokens.json"
        tokens = [add_token(path, f"t{number}", role) for number, role in enumerate(Role)]
        return [path.read_bytes()], frozenset(map(digest_of, tokens))


def read_token_file(raw, folder):
    path = folder / "tokens.json"
    path.write_bytes(raw)
    path.chmod(0o600)
    good = token_seeds()[1]
    for token in read_tokens(path):
        must(re.fullmatch("[0-9a-f]{64}", token.digest), "no hash")
        must(token.digest in good or token.digest.encode() in raw, "a token out of nothing")
        must(f'"{token.role.value}"'.encode() in raw or b"\\u" in raw, "a role out of nothing")


class _Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


EXECUTED = [
    json.dumps(
        {f"{number}/key": {"at": (NOW - timedelta(hours=number)).isoformat(), "answer": answer}}
    ).encode()
    for number, answer in enumerate((None, {"plan": "p", "legs": [{"a": 1.5}]}, {"x": [1, "y"]}))
]


def read_executed(raw, folder):
    path = folder / "executed.json"
    path.write_bytes(raw)
    kept = ExecutedKeys(path, _Clock())
    said = naive(raw)
    must(isinstance(said, dict), "keys out of no object")
    for key, one in said.items():
        at = datetime.fromisoformat(one["at"])
        found = kept.get(key)
        must(
            (found is None) == (NOW - at >= timedelta(hours=24)),
            "a key that was carried out is not known",
        )
        must(found is None or (found.answer is None) == (one["answer"] is None), "another answer")


@functools.cache
def audit_seeds():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"

        async def write():
            audit = Audit(path, _Clock())
            for number in range(4):
                await audit.write(
                    Principal("me", Role.TRADE),
                    "pause",
                    "done",
                    reason=f"tea {number}",
                    before={"n": number},
                )

        asyncio.run(write())
        return path.read_bytes(), head_of(path).read_bytes()


def read_audit(raw, folder):
    """The record spoilt, its head whole, and the other way round. Both checks must be right."""
    path = folder / "audit.jsonl"
    log, head = audit_seeds()
    spoils_head = raw.startswith(b"H")
    path.write_bytes(log if spoils_head else raw)
    head_of(path).write_bytes(raw[1:] if spoils_head else head)
    found = check(path)
    if spoils_head:
        said = naive(raw[1:])
        if found.whole:
            lines = log.splitlines()
            number = int(said["lines"])
            must(number <= len(lines), "more lines than there are")
            last = json.loads(lines[number - 1])["hash"] if number else "0" * 64
            must(number == 0 or said["hash"] == last, "another hash")
    elif raw == log:
        must(found.whole, "a whole record is not")
    else:
        torn = raw.startswith(log) and b"\n" not in raw[len(log) :]
        must(found.whole == torn, f"{found}")
    recent = Audit(path, _Clock()).recent
    must(
        all(hashlib.sha256 and isinstance(line["who"], str) for line in recent), "a line of nobody"
    )


def audit_inputs():
    log, head = audit_seeds()
    return [log, b"H" + head]


SETTINGS = [
    b"""[arbitrage]
scan_interval = 30
plans_per_cycle = 10
[trading]
max_position_size = 1000.0
bankroll_usd = "10000"
account = "paper:default"
[risk]
max_daily_loss = 500
price_collar = 0.25
[strategies]
enabled = ["binary_complement"]
[polymarket]
rpc_urls = ["https://node.test/v2/abcdefghijklmnopqrstuvwx"]
read_timeout_seconds = 5.0
requests_per_10_seconds = { books = 400 }
[database]
url = "sqlite+aiosqlite:///data/arb.db"
"""
]


def read_settings(raw, folder):
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "mine.toml").write_bytes(raw)
    settings = load("mine", folder=folder).settings
    for number in (
        settings.trading.max_position_size,
        settings.risk.max_daily_loss,
        settings.trading.bankroll_usd,
    ):
        must(0 <= number <= 10**9 and to_micro(number) >= 0, f"an amount of {number}")
    must(0.01 <= settings.arbitrage.scan_interval <= 365 * 86_400, "an interval")
    must(0 < settings.polymarket.read_timeout_seconds <= 10**12, "a time-out")


VARIABLES = [
    b"ARB_TRADING__BANKROLL_USD=10000",
    b"ARB_ARBITRAGE__SCAN_INTERVAL=30",
    b"ARB_RISK__MAX_OPEN_POSITIONS=20",
    b'ARB_POLYMARKET__REQUESTS_PER_10_SECONDS={"books": 400}',
    b'ARB_POLYMARKET__RPC_URLS=["https://a.test/x", "https://b.test/y"]',
    b"ARB_STRATEGIES__ENABLED=binary_complement,negrisk_no",
    b"ARB_DATABASE__URL=sqlite+aiosqlite:///data/arb.db",
    b"ARB_ALERTS__URLS=json://user:secret@host.test/x",
    b"ARB_API__PORT=8000",
    b"ARB_POLYMARKET__LIQUIDITY_MIN=100",
]


def read_variable(raw, folder):
    name, _, value = raw.partition(b"=")
    name, value = name.replace(b"\0", b"") or b"ARB_", value.replace(b"\0", b"")
    if not name.upper().startswith(b"ARB_"):
        raise ConfigError("another program's variable")
    name = name[:20_000]
    os.environb[name] = value
    try:
        load(folder=folder)
    except ConfigError as error:
        must(len(str(error)) < 2000, "an error without end")
        must("secret" not in str(error) or b"secret@" not in value, "a password in an error")
        raise
    finally:
        del os.environb[name]


def _events():
    return seeds.answers()["events"]


def _json(documents):
    return [json.dumps(one).encode() for one in documents]


VENUE = (VenueError,)
TARGETS = {
    target.name: target
    for target in (
        Target(
            name="books",
            seeds=lambda: seeds.answers()["books"],
            contract=(BadVenueData,),
            read=read_books,
        ),
        Target(
            name="market channel",
            seeds=lambda: seeds.answers()["books"],
            contract=(BadVenueData,),
            read=read_kept_book,
        ),
        Target(name="events and markets", seeds=_events, contract=VENUE, read=read_events),
        Target(
            name="exchange's word",
            seeds=lambda: [word for _, word in seeds.answers()["words"][:1]],
            contract=(),
            read=read_word,
        ),
        Target(
            name="trades and orders",
            seeds=lambda: _json(ACCOUNT),
            contract=(BadVenueData,),
            read=read_rows,
        ),
        Target(
            name="payouts",
            seeds=lambda: seeds.answers()["closed"],
            contract=VENUE,
            read=read_payouts,
        ),
        Target(name="nodes", seeds=lambda: _json(NODE), contract=VENUE, read=read_node),
        Target(
            name="HTTP headers",
            seeds=lambda: HEADERS,
            contract=(Unavailable, RateLimited, BadVenueData),
            read=read_headers,
        ),
        Target(name="workers", seeds=part_seeds, contract=(BadMessage,), read=read_message),
        Target(name="mailbox", seeds=bot_seeds, contract=(BadDocument,), read=read_bot_document),
        Target(name="printed", seeds=lambda: PRINTED, contract=(BadDocument,), read=read_printed),
        Target(
            name="bot status and wishes",
            seeds=lambda: _json([STATUS, {"wish": "stop"}]),
            contract=(BadDocument,),
            read=read_bot_state,
        ),
        Target(
            name="bot definitions",
            seeds=lambda: BOTS,
            contract=(ConfigError,),
            read=read_definitions,
        ),
        Target(name="halt file", seeds=lambda: HALTED, contract=(), read=read_halt),
        Target(
            name="tokens",
            seeds=lambda: token_seeds()[0],
            contract=(ConfigError,),
            read=read_token_file,
        ),
        Target(
            name="executed keys", seeds=lambda: EXECUTED, contract=(AuditError,), read=read_executed
        ),
        Target(name="audit", seeds=audit_inputs, contract=(), read=read_audit),
        Target(
            name="settings file",
            seeds=lambda: SETTINGS,
            contract=(ConfigError,),
            read=read_settings,
        ),
        Target(
            name="settings' variables",
            seeds=lambda: VARIABLES,
            contract=(ConfigError,),
            read=read_variable,
        ),
        *keystores.TARGETS,
        *onchain.TARGETS,
    )
}
