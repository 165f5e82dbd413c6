"""The Data API v2: what the public sees of trades, holders, prices and wallets.

See docs/venue-polymarket.md §1.6.

Positions and approvals are in `portfolio`. The paths of v1 were retired on 2026-10-24.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro
from arb.exchange.api.accounting import Account, Accounts, Part
from arb.exchange.api.answers import (
    Invalid,
    data_page,
    enveloped,
    guarded,
    listed,
    refused,
    whole,
)
from arb.exchange.api.portfolio import Portfolio
from arb.exchange.market import payloads
from arb.exchange.market.listing import SimEvent, SimMarket
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import HOUSE

Row = dict[str, Any]
HOUR, DAY = 3600, 86_400
WINDOWS = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY, "all": None}
SPANS = {
    "1h": HOUR,
    "6h": 6 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "1w": 7 * DAY,
    "1m": 30 * DAY,
}
STEPS = {"1h": HOUR, "3h": 3 * HOUR, "12h": 12 * HOUR, "18h": 18 * HOUR, "1d": DAY}
PNL_POINTS_MAX = 1000
CONDITIONS_MAX = 20
TOKENS_MAX = 50
MARKETS_SHOWN_MAX = 10_000
USER_NEEDED = "user is required"
NO_WALLET, NO_TRANSACTION = "0x" + "0" * 40, "0x" + "0" * 64
"""Of trades that are made up."""


class Data:
    """The endpoints over settled trades, holdings and the history of prices."""

    def __init__(self, floor: MatchingService, accounts: Accounts, portfolio: Portfolio) -> None:
        self._floor, self._exchange = floor, floor.exchange
        self._accounts, self._portfolio = accounts, portfolio

    def routes(self) -> list[Route]:
        """All but positions and approvals."""
        get: list[tuple[str, Callable[[Request], Response]]] = [
            ("/v2/trades", self.trades),
            ("/v2/activity", self.activity),
            ("/v2/value", self.value),
            ("/v2/holders", self.holders),
            ("/v2/oi", self.open_interest),
            ("/v2/live-volume", self.live_volume),
            ("/v2/prices-history", self.prices_history),
            ("/v2/resolutions", self.resolutions),
            ("/v2/tokens", self.tokens),
            ("/v2/user-stats", self.user_stats),
            ("/v2/user-pnl", self.user_pnl),
            ("/v2/user-volume", self.user_volume),
            ("/v2/leaderboard", self.leaderboard),
            ("/v2/biggest-winners", self.biggest_winners),
            ("/v2/builders/leaderboard", self.builders),
            ("/v2/builders/volume", self.builder_volume),
            ("/v2/positions/combos", self.no_combos),
            ("/v2/activity/combos", self.no_combos),
        ]
        return [Route(path, guarded(act, _refuse), methods=["GET"]) for path, act in get]

    def trades(self, request: Request) -> Response:
        """`GET /v2/trades`: the newest first; takers alone unless asked otherwise."""
        asked = request.query_params
        user, side = asked.get("user", "").lower(), asked.get("side")
        takers = asked.get("taker_only", "true").lower() != "false"
        least = _amount(asked, "filter_amount")
        in_cash = asked.get("filter_type", "CASH") == "CASH"
        rows = [
            self._trade(part)
            for part in self._wanted(asked)
            if (not user or part.wallet.lower() == user)
            and (part.taker or not takers)
            and side in (None, part.side.value)
            and from_micro(part.dollars if in_cash else part.size) >= least
        ]
        if not user and side in (None, Side.BUY.value):
            rows = [*self._imagined(asked), *rows]
        return data_page(request, rows[::-1])

    def _imagined(self, asked: QueryParams) -> list[Row]:
        """Trades from before the exchange was opened, where such are made up: of no wallet."""
        rows = [
            {
                "proxy_wallet": NO_WALLET,
                "token_id": market.yes,
                "condition_id": market.padded_id,
                "side": Side.BUY.value,
                "size": size,
                "price": _number(price),
                "timestamp": unix,
                "transaction_hash": NO_TRANSACTION,
                **self._named(market),
                "outcome": _outcome(market, market.yes),
                "outcome_index": 0,
            }
            for market in self._markets(asked)
            for unix, price, size in self._exchange.history.imagined_trades(market)
        ]
        return sorted(rows, key=lambda row: int(row["timestamp"]))

    def activity(self, request: Request) -> Response:
        """`GET /v2/activity`: everything that a wallet has done, the newest first."""
        asked = request.query_params
        user = _user(asked)
        kinds, side = set(listed(asked, "type")), asked.get("side")
        rows = [
            {**self._trade(part), "type": "TRADE", "usdc_size": _number(part.paid)}
            for part in self._wanted(asked)
            if part.wallet.lower() == user and side in (None, part.side.value)
        ]
        if side is None:
            rows += self._acts(user, asked)
        if asked.get("exclude_deposits_withdrawals", "true").lower() == "false" and side is None:
            rows += self._deposits(user, asked)
        kept = [row for row in rows if not kinds or row["type"] in kinds]
        falling = asked.get("sort_direction", "DESC") != "ASC"
        kept.sort(key=lambda row: row["timestamp"], reverse=falling)
        return data_page(request, kept)

    def value(self, request: Request) -> Response:
        """`GET /v2/value`: what a wallet's holdings would bring."""
        asked = request.query_params
        user = _user(asked)
        rows = self._portfolio.rows(user, self._conditions(asked))
        total = sum((Decimal(str(row["current_value"])) for row in rows), Decimal(0))
        return enveloped({"proxy_wallet": user, "value": payloads.number(total)})

    def holders(self, request: Request) -> Response:
        """`GET /v2/holders`: the holders of a market's outcomes, the largest first."""
        asked = request.query_params
        markets = self._markets(asked)
        if not markets:
            raise Invalid("condition_id is required")
        least = _amount(asked, "min_balance")
        costs = asked.get("include_pnl", "false").lower() == "true"
        return data_page(
            request,
            [
                {"token_id": token, "holders": self._holders(market, token, least, costs=costs)}
                for market in markets
                for token in (market.yes, market.no)
            ],
        )

    def open_interest(self, request: Request) -> Response:
        """`GET /v2/oi`: the dollars behind each market's outcomes; of all without any named."""
        asked = request.query_params
        if not self._conditions(asked):
            whole_ = sum(self._outstanding(market) for market in self._exchange.markets())
            return enveloped([{"condition_id": "GLOBAL", "value": _number(whole_)}])
        return enveloped(
            [
                {"condition_id": one.padded_id, "value": _number(self._outstanding(one))}
                for one in self._markets(asked)
            ]
        )

    def live_volume(self, request: Request) -> Response:
        """`GET /v2/live-volume`: shares that takers have traded in events."""
        wanted = listed(request.query_params, "event_id")
        if not wanted:
            raise Invalid("event_id is required")
        found = [
            (market.padded_id, sum(one.size for one in market.prints))
            for event in self._exchange.events
            if event.id in wanted
            for market in event.markets
        ]
        conditions = [{"condition_id": id_, "taker_volume": _number(n)} for id_, n in found]
        total = _number(sum(n for _, n in found))
        return enveloped({"taker_volume_total": total, "conditions": conditions})

    def prices_history(self, request: Request) -> Response:
        """`GET /v2/prices-history`: by interval, by window, or as of one time."""
        asked, now = request.query_params, self._exchange.unix()
        market = self._exchange.market_of(asked.get("token_id", ""))
        ways = [name for name in ("interval", "start", "as_of") if asked.get(name)]
        if len(ways) != 1:
            raise Invalid("exactly one of interval, start or as_of is required")
        if market is None:
            return data_page(request, [])
        yes, history = asked["token_id"] == market.yes, self._exchange.history
        if ways == ["as_of"]:
            moment = whole(asked, "as_of", 0)
            price = history.at(market, moment)
            found = [] if price is None else [(moment, price)]
            return data_page(request, [_point(t, p, 0, yes=yes) for t, p in found])
        seconds = max(whole(asked, "bucket_seconds", 60), 1)
        start, end = float(whole(asked, "start", 0)), float(whole(asked, "end", int(now)))
        if ways == ["interval"]:
            span = SPANS.get(asked["interval"])
            if span is None and asked["interval"] not in ("max", "all"):
                raise Invalid("invalid interval")
            start, end = (now - span if span else 0), now
        points = history.buckets(market, start, min(end, now), seconds)
        current = history.at(market, end)
        if current is not None:
            # The bucket that is still open.
            points.append((int(min(end, now)), current))
        rows = [_point(t, p, seconds, yes=yes) for t, p in points]
        return data_page(request, rows, MARKETS_SHOWN_MAX)

    def resolutions(self, request: Request) -> Response:
        """`GET /v2/resolutions`: payouts as an e6 pair."""
        asked = request.query_params
        conditions = {*self._conditions(asked), *listed(asked, "condition_ids")}
        events, question = set(listed(asked, "event_id")), asked.get("question_id")
        rows = [
            _resolution(market)
            for event in self._exchange.events
            for market in event.markets
            if market.resolution is not None
            and (
                market.padded_id in conditions
                or event.id in events
                or market.condition_id == question
            )
        ]
        return enveloped(rows)

    def tokens(self, request: Request) -> Response:
        """`GET /v2/tokens`: what outcome tokens are."""
        asked = request.query_params
        wanted, conditions = listed(asked, "token_id"), listed(asked, "condition")
        if len(wanted) > TOKENS_MAX:
            raise Invalid(f"token_id accepts at most {TOKENS_MAX} values")
        rows = []
        for event in self._exchange.events:
            for place, market in enumerate(event.markets):
                named = {market.condition_id, market.padded_id} & set(conditions)
                rows += [
                    self._token(event, market, place, index)
                    for index, token in enumerate((market.yes, market.no))
                    if named or token in wanted
                ]
        return enveloped(rows)

    def user_stats(self, request: Request) -> Response:
        """`GET /v2/user-stats`: nothing of a wallet that has never traded."""
        user = _user(request.query_params)
        account = self._accounts.account(user)
        if not account.trades:
            return enveloped(None)
        markets = {self._condition(token) for token in account.holdings}
        wins = [one.realized for one in account.holdings.values()]
        return enveloped(
            {
                "proxy_wallet": user,
                "trades": len(markets),
                "biggest_win": _number(max([*wins, 0])),
                "views": 0,
                "all_time_pnl": self._pnl(account, self._floor.unix()),
            }
        )

    def user_pnl(self, request: Request) -> Response:
        """`GET /v2/user-pnl`: what a wallet had made at each step."""
        asked, now = request.query_params, self._floor.unix()
        user = _user(asked)
        interval, fidelity = asked.get("interval", "1d"), asked.get("fidelity", "1h")
        span, step = SPANS.get(interval), STEPS.get(fidelity)
        if (span is None and interval not in ("max", "all")) or step is None:
            raise Invalid("invalid interval or fidelity")
        first = min((part.trade.unix for part in self._accounts.parts()), default=now)
        start = max(now - (span or PNL_POINTS_MAX * step), first - step)
        points: list[Row] = []
        at = now
        while at > start and len(points) < PNL_POINTS_MAX:
            points.append(self._pnl(self._accounts.account(user, until=at), at))
            at -= step
        return enveloped(
            {
                "proxy_wallet": user,
                "interval": interval,
                "fidelity": fidelity,
                "source_fidelity": fidelity,
                "points": points[::-1],
            }
        )

    def user_volume(self, request: Request) -> Response:
        """`GET /v2/user-volume`."""
        asked = request.query_params
        since = whole(asked, "start", 0)
        until = float(asked["end"]) if asked.get("end", "").isdecimal() else float("inf")
        account = self._accounts.account(_user(asked), until=until, since=since)
        return enveloped(
            {
                "volume": _number(account.shares),
                "volume_usdc": _number(account.dollars),
                "trade_count": account.trades,
            }
        )

    def leaderboard(self, request: Request) -> Response:
        """`GET /v2/leaderboard`: by profit or by volume; with `user` where that wallet stands."""
        asked = request.query_params
        found = self._standings(asked.get("time_period", "day"))
        by_profit = sorted(found, key=lambda row: -row["pnl"])
        by_volume = sorted(found, key=lambda row: -row["volume"])
        user = asked.get("user", "").lower()
        if user:
            row = next((one for one in found if one["user_id"] == user), None)
            if row is None:
                return enveloped(None)
            ranks = {
                "rank_pnl": by_profit.index(row) + 1,
                "rank_volume": by_volume.index(row) + 1,
            }
            return enveloped({**row, **ranks})
        rows = by_volume if asked.get("sort_by", "PNL") == "VOLUME" else by_profit
        return data_page(request, [{"rank": n, **row} for n, row in enumerate(rows, start=1)])

    def biggest_winners(self, request: Request) -> Response:
        """`GET /v2/biggest-winners`: positions of resolved markets that have made something."""
        rows: list[Row] = []
        for wallet in self._accounts.wallets():
            for token, held in self._accounts.account(wallet).holdings.items():
                market = self._exchange.market_of(token)
                event = self._exchange.event_of(market) if market is not None else None
                if market is None or event is None or market.resolution is None:
                    continue
                value = held.shares * self._accounts.worth(token) // MICRO
                gain = held.realized + value - held.cost
                if gain > 0:
                    rows.append(_winner(wallet, token, market, event, (gain, held.cost, value)))
        rows.sort(key=lambda row: -row["pnl"])
        return data_page(request, [{"win_rank": n, **row} for n, row in enumerate(rows, start=1)])

    def builders(self, request: Request) -> Response:
        """`GET /v2/builders/leaderboard`: whose code is on how much."""
        span = WINDOWS.get(request.query_params.get("time_period", "day"))
        since = self._floor.unix() - span if span else 0
        rows = self._built(part for part in self._accounts.parts() if part.trade.unix >= since)
        return data_page(request, rows)

    def builder_volume(self, request: Request) -> Response:
        """`GET /v2/builders/volume`: the same by calendar day."""
        days: dict[str, list[Part]] = {}
        for part in self._accounts.parts():
            day = datetime.fromtimestamp(part.trade.unix, UTC).date().isoformat()
            days.setdefault(day, []).append(part)
        most = whole(request.query_params, "limit", 30)
        latest = sorted(days)[-most:]
        return enveloped([{**row, "date": day} for day in latest for row in self._built(days[day])])

    def no_combos(self, request: Request) -> Response:
        """Combos are another venue's business: there are none."""
        _user(request.query_params)
        return data_page(request, [])

    def _wanted(self, asked: QueryParams) -> list[Part]:
        """Parts of trades of the markets, events and times that are asked for."""
        self._floor.advance()
        conditions, events = self._conditions(asked), set(listed(asked, "event_id"))
        start, end = whole(asked, "start", 0), whole(asked, "end", 0)
        return [
            part
            for part in self._accounts.parts()
            if (not conditions or part.trade.market.padded_id in conditions)
            and (not events or self._event_of(part.trade.market).id in events)
            and part.trade.unix >= start
            and (not end or part.trade.unix <= end)
        ]

    def _conditions(self, asked: QueryParams) -> set[str]:
        found = set(listed(asked, "condition_id"))
        if len(found) > CONDITIONS_MAX:
            raise Invalid(f"condition_id accepts at most {CONDITIONS_MAX} values")
        return found

    def _markets(self, asked: QueryParams) -> list[SimMarket]:
        found = (self._exchange.by_condition(one) for one in sorted(self._conditions(asked)))
        return [one for one in found if one is not None]

    def _condition(self, token: str) -> str:
        market = self._exchange.market_of(token)
        return "" if market is None else market.padded_id

    def _event_of(self, market: SimMarket) -> SimEvent:
        event = self._exchange.event_of(market)
        assert event is not None  # what is traded is listed
        return event

    def _trade(self, part: Part) -> Row:
        market = part.trade.market
        return {
            "proxy_wallet": part.wallet,
            "token_id": part.token,
            "condition_id": market.padded_id,
            "side": part.side.value,
            "size": _number(part.size),
            "price": payloads.number(part.price),
            "timestamp": part.trade.unix,
            "transaction_hash": part.trade.transaction,
            **self._named(market),
            "outcome": _outcome(market, part.token),
            "outcome_index": 0 if part.token == market.yes else 1,
        }

    def _named(self, market: SimMarket) -> Row:
        slug = self._event_of(market).slug
        return {"title": market.question, "slug": market.slug, "icon": "", "event_slug": slug}

    def _acts(self, user: str, asked: QueryParams) -> list[Row]:
        conditions = self._conditions(asked)
        start, end = whole(asked, "start", 0), whole(asked, "end", 0)
        rows: list[Row] = []
        for act, unix, transaction in self._accounts.acts():
            market = self._exchange.market_of(act.tokens[0])
            late = bool(end) and unix > end
            if act.wallet.lower() != user or market is None or unix < start or late:
                continue
            if conditions and market.padded_id not in conditions:
                continue
            rows.append(
                {
                    "proxy_wallet": user,
                    "type": act.kind,
                    "timestamp": int(unix),
                    "transaction_hash": transaction,
                    "condition_id": market.padded_id,
                    "size": _number(act.shares),
                    "usdc_size": _number(act.dollars),
                    **self._named(market),
                }
            )
        return rows

    def _deposits(self, user: str, asked: QueryParams) -> list[Row]:
        if self._conditions(asked) or listed(asked, "event_id"):
            return []
        return [
            {
                "proxy_wallet": user,
                "type": "DEPOSIT" if one.amount > 0 else "WITHDRAWAL",
                "timestamp": int(one.unix),
                "transaction_hash": "0x" + hashlib.sha256(f"{user}/{n}".encode()).hexdigest(),
                "usdc_size": _number(abs(one.amount)),
            }
            for n, one in enumerate(self._floor.bank.deposits)
            if one.wallet == user
        ]

    def _holders(self, market: SimMarket, token: str, least: Decimal, *, costs: bool) -> list[Row]:
        held = [
            (wallet, shares)
            for (wallet, one), shares in self._floor.bank.tokens.items()
            if one == token and shares > 0 and from_micro(shares) >= least and wallet != HOUSE
        ]
        rows: list[Row] = []
        for wallet, shares in sorted(held, key=lambda one: (-one[1], one[0])):
            row: Row = {
                "proxy_wallet": wallet,
                "token_id": token,
                "amount": _number(shares),
                "outcome_index": 0 if token == market.yes else 1,
                "display_username_public": False,
                "verified": False,
            }
            if costs:
                known = {one["token_id"]: one for one in self._portfolio.rows(wallet, set())}
                names = ("avg_price", "entry_cost_usdc", "current_price", "current_value")
                gains = ("realized_pnl", "unrealized_pnl", "total_pnl")
                row |= {name: known.get(token, {}).get(name) for name in (*names, *gains)}
            rows.append(row)
        return rows

    def _outstanding(self, market: SimMarket) -> int:
        """Shares of YES that are held: each is backed by a dollar."""
        tokens = self._floor.bank.tokens.items()
        return sum(shares for (_, token), shares in tokens if token == market.yes)

    def _token(self, event: SimEvent, market: SimMarket, place: int, index: int) -> Row:
        v2 = market.version == "v2"
        kind = ("neg_risk" if market.neg_risk else "binary") if v2 else "v1_ctf"
        end = market.resolution
        return {
            "token_id": (market.yes, market.no)[index],
            "condition_id": market.padded_id,
            "structural_condition_id": market.padded_id if v2 else None,
            "module": kind,
            "outcome_index": index,
            "clob_index": index,
            "outcome": market.outcomes[0 if index == 0 else -1],
            "opposite_token_id": (market.no, market.yes)[index],
            "resolved": end is not None,
            "final_price": None if end is None else payloads.number(end if index == 0 else 1 - end),
            "title": market.question,
            "market_slug": market.slug,
            "closed": market.closed,
            "neg_risk": market.neg_risk,
            "neg_risk_market_id": market.neg_risk_id or None,
            "question_index": place if market.neg_risk else None,
            "event_id": int(event.id),
            "event_slug": event.slug,
        }

    def _pnl(self, account: Account, unix: float) -> Row:
        held = account.holdings.items()
        value = sum(one.shares * self._accounts.worth(token) // MICRO for token, one in held)
        open_ = value - sum(one.cost for _, one in held)
        return {
            "timestamp": int(unix),
            "source_block": 0,
            "trade_count": account.trades,
            "realized_market_pnl": _number(account.realized - account.fees),
            "realized_lp_pnl": 0,
            "realized_combo_pnl": 0,
            "realized_pnl": _number(account.realized - account.fees),
            "unrealized_pnl": _number(open_),
            "position_pnl": _number(account.realized - account.fees + open_),
            "trade_pnl": _number(account.realized + open_),
            "fees": _number(-account.fees),
            "fees_paid": _number(-account.fees),
            "volume": _number(account.shares),
            "volume_usdc": _number(account.dollars),
        }

    def _standings(self, window: str) -> list[Row]:
        if window not in WINDOWS:
            raise Invalid("invalid time_period")
        span = WINDOWS[window]
        since = self._floor.unix() - span if span else 0
        rows: list[Row] = []
        for wallet in self._accounts.wallets():
            account = self._accounts.account(wallet, since=since)
            figures = self._pnl(account, 0)
            gain = Decimal(str(figures["realized_pnl"])) + Decimal(str(figures["unrealized_pnl"]))
            rows.append(
                {
                    "user_id": wallet,
                    "user_name": "",
                    "profile_image": "",
                    "x_username": "",
                    "pnl": payloads.number(gain),
                    "volume": figures["volume"],
                    "verified": False,
                }
            )
        return rows

    def _built(self, parts: Iterable[Part]) -> list[Row]:
        shares: dict[str, int] = {}
        users: dict[str, set[str]] = {}
        for part in parts:
            code = self._code(part)
            if code:
                shares[code] = shares.get(code, 0) + part.size
                users.setdefault(code, set()).add(part.wallet)
        best: Sequence[str] = sorted(shares, key=lambda code: -shares[code])
        return [
            {
                "rank": rank,
                "builder_name": code[:10],
                "builder_code": code,
                "profile_image": "",
                "verified": False,
                "volume": _number(shares[code]),
                "active_users": len(users[code]),
            }
            for rank, code in enumerate(best, start=1)
        ]

    def _code(self, part: Part) -> str:
        """The builder's code on a part's order."""
        if part.taker:
            return part.trade.taker.builder
        makers = (self._floor.orders.get(piece.maker) for piece in part.trade.pieces)
        return next((o.order.builder for o in makers if o and o.order.wallet == part.wallet), "")


def _resolution(market: SimMarket) -> Row:
    assert market.resolution is not None  # only resolved ones are listed
    yes = market.resolution
    structure = "ATOMIC_NEGRISK" if market.version == "v2" else "INCREMENTAL_NEGRISK"
    return {
        "condition_id": market.padded_id,
        "status": "resolved",
        "extended_review": False,
        "was_disputed": market.oracle == "disputed",
        "new_version_q": False,
        "transaction_hash": "",
        "log_index": "",
        "payouts": [int(yes * MICRO), int((1 - yes) * MICRO)],
        "last_update_timestamp": _iso(market.resolved_unix),
        "resolved_at": _iso(market.resolved_unix),
        "resolution_source": "reported",
        "was_arbitrated": False,
        "market_type": structure if market.neg_risk else "BINARY",
    }


def _winner(
    wallet: str, token: str, market: SimMarket, event: SimEvent, amounts: tuple[int, int, int]
) -> Row:
    gain, cost, value = amounts
    return {
        "user_id": wallet,
        "pnl": _number(gain),
        "initial_value": _number(cost),
        "final_value": _number(value),
        "resolved_at": int(market.resolved_unix),
        "event_title": event.title,
        "kind": "market",
        "condition_id": market.padded_id,
        "position_id": token,
        "event_id": int(event.id),
        "event_slug": event.slug,
        "user_name": "",
        "profile_image": "",
    }


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(int(unix), UTC).isoformat().replace("+00:00", "Z")


def _point(unix: int, price: int, seconds: int, *, yes: bool) -> Row:
    return {
        "timestamp": unix,
        "price": payloads.share(price, yes=yes),
        "resolution_seconds": seconds,
    }


def _outcome(market: SimMarket, token: str) -> str:
    return market.outcomes[0] if token == market.yes else market.outcomes[-1]


def _number(micro: int) -> float:
    return payloads.number(from_micro(micro))


def _user(asked: QueryParams) -> str:
    user = asked.get("user", "").lower()
    if not user:
        raise Invalid(USER_NEEDED)
    return user


def _amount(asked: QueryParams, name: str) -> Decimal:
    try:
        return Decimal(asked.get(name, "0"))
    except ArithmeticError:
        raise Invalid(f"invalid {name}") from None


def _refuse(what: str) -> Response:
    return refused(what, 400)
