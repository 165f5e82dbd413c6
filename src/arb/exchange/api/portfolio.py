"""The Data API's view of wallets: positions and approvals (docs/venue-polymarket.md §1.6)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arb.domain.money import MICRO, from_micro
from arb.exchange.api.accounting import Accounts, worth
from arb.exchange.api.answers import Invalid, data_page, enveloped, guarded, listed, refused
from arb.exchange.market import payloads
from arb.exchange.market.addresses import (
    AUTO_REDEEMER,
    CHAIN_ID,
    COLLATERAL,
    OPERATORS,
    PERPS_DEPOSIT,
    SPENDERS,
)
from arb.exchange.market.listing import SimMarket
from arb.exchange.trading.bank import UNLIMITED
from arb.exchange.trading.matching_service import MatchingService
from arb.exchange.trading.orders import HOUSE

DUST = MICRO // 10
"""Smaller holdings are not shown."""
ROWS_MAX = 1000
SORTS = {
    "CURRENT_VALUE": "current_value",
    "PRICE": "current_price",
    "TOKENS": "current_size",
    "UNREALIZED_PNL": "unrealized_pnl",
    "REALIZED_PNL": "realized_pnl",
    "TOTAL_PNL": "total_pnl",
    "TIMESTAMP": "last_event_at",
}
FEATURES = {PERPS_DEPOSIT: "perps", AUTO_REDEEMER: "auto-redeem"}
"""What a permission is for, where it is not for trading."""


class Portfolio:
    """Positions and approvals of any wallet."""

    def __init__(self, floor: MatchingService, accounts: Accounts) -> None:
        self._floor, self._accounts = floor, accounts
        self._shown: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        """What was shown of a wallet, and when it was true."""

    def routes(self) -> list[Route]:
        """The endpoints."""
        return [
            Route("/v2/positions", guarded(self.positions, _refuse), methods=["GET"]),
            Route("/v2/approvals", guarded(self.approvals, _refuse), methods=["GET"]),
        ]

    def positions(self, request: Request) -> Response:
        """`GET /v2/positions`: late, and without trifles."""
        asked = request.query_params
        user, conditions = asked.get("user", "").lower(), set(listed(asked, "condition_id"))
        if not user and len(conditions) != 1:
            raise Invalid("user or exactly one condition_id is required")
        events, title = set(listed(asked, "event_id")), asked.get("title", "").lower()
        wallets = [user] if user else self._holders()
        found = [
            row
            for wallet in wallets
            for row in self.rows(wallet, conditions, closed=asked.get("status") == "CLOSED")
            if (not events or row["event_id"] in events)
            and title in row["title"].lower()
            and _has(row, asked.get("status"))
        ]
        least = Decimal(asked.get("filter_amount", "0"))
        amount = "current_size" if asked.get("filter_type") == "TOKENS" else "current_value"
        found = [row for row in found if Decimal(str(row[amount])) >= least]
        if "sort_by" in asked:
            name = SORTS.get(asked["sort_by"])
            if name is None:
                raise Invalid("invalid sort_by")
            falling = asked.get("sort_direction", "DESC") != "ASC"
            found.sort(key=lambda row: row[name], reverse=falling)
        return data_page(request, found, ROWS_MAX)

    def rows(
        self, wallet: str, conditions: set[str], *, closed: bool = False
    ) -> list[dict[str, Any]]:
        """A wallet's positions as the index shows them, or those that it has left."""
        shown = self._closed(wallet) if closed else self._lagging(wallet)
        return [row for row in shown if not conditions or row["condition_id"] in conditions]

    def approvals(self, request: Request) -> Response:
        """`GET /v2/approvals`: every pair that trading needs, allowed or not."""
        owner, bank = request.query_params.get("user", ""), self._floor.bank
        rows: list[dict[str, Any]] = []
        for spender in SPENDERS:
            amount = bank.allowances.get((owner.lower(), spender), 0)
            shown = "max" if amount >= UNLIMITED else str(amount)
            row = _pair(COLLATERAL, spender, "ERC20")
            rows.append({**row, "approved": amount > 0, "amount": shown})
        for contract, operator in OPERATORS:
            row = _pair(contract, operator, "ERC1155")
            rows.append({**row, "approved": bank.may_move(owner, contract, operator)})
        now = datetime.fromtimestamp(self._floor.unix(), UTC).isoformat().replace("+00:00", "Z")
        return enveloped(
            {"address": owner, "chain_id": CHAIN_ID, "checked_at": now, "contracts": rows}
        )

    def _holders(self) -> list[str]:
        held = self._floor.bank.tokens.items()
        return sorted({wallet for (wallet, _), amount in held if amount >= DUST} - {HOUSE})

    def _closed(self, wallet: str) -> list[dict[str, Any]]:
        """What a wallet has traded and holds no more."""
        markets = self._floor.exchange
        return [
            row
            for token in self._accounts.account(wallet).holdings
            for market in [markets.market_of(token)]
            if market is not None and not self._floor.bank.shares(wallet, token)
            for row in [{**self._row(wallet, market, token, 0), "status": "CLOSED"}]
        ]

    def _lagging(self, wallet: str) -> list[dict[str, Any]]:
        conduct, now = self._floor.conduct, self._floor.now()
        if conduct.positions_zero:
            return []
        at, rows = self._shown.get(wallet, (float("-inf"), []))
        if now - at >= conduct.positions_lag:
            self._floor.advance()
            rows = [
                self._row(wallet, market, token, held)
                for (owner, token), held in sorted(self._floor.bank.tokens.items())
                if owner == wallet and held >= DUST
                for market in [self._floor.exchange.market_of(token)]
                if market is not None
            ]
            self._shown[wallet] = (now, rows)
        return rows

    def _row(self, wallet: str, market: SimMarket, token: str, held: int) -> dict[str, Any]:
        yes, size = token == market.yes, from_micro(held)
        history = self._accounts.account(wallet).holdings[token]
        bought = from_micro(history.bought)
        average = round(from_micro(history.spent) / bought, 6) if history.bought else Decimal(0)
        price = from_micro(worth(market, token))
        cost, value = average * size, price * size
        fees, realized = from_micro(history.fees), from_micro(history.realized)
        open_ = value - cost
        event, other = self._floor.exchange.event_of(market), market.no if yes else market.yes
        return {
            "proxy_wallet": wallet,
            "token_id": token,
            "condition_id": market.padded_id,
            "current_size": payloads.number(size),
            "avg_price": payloads.number(average),
            "entry_cost_usdc": payloads.number(cost),
            "entry_fees_usdc": payloads.number(fees),
            "total_cost_usdc": payloads.number(cost + fees),
            "current_price": payloads.number(price),
            "current_value": payloads.number(value),
            "total_size": payloads.number(bought),
            "realized_pnl": payloads.number(realized),
            "unrealized_pnl": payloads.number(open_),
            "total_pnl": payloads.number(open_ + realized),
            "percent_pnl": _percent(open_, cost),
            "percent_realized_pnl": _percent(realized, from_micro(history.spent)),
            "status": "OPEN" if market.resolution is None else "REDEEMABLE",
            "redeemable": market.resolution is not None,
            "mergeable": self._floor.bank.shares(wallet, other) > 0,
            "negative_risk": market.neg_risk,
            "archived": False,
            "verified": False,
            "title": market.question,
            "slug": market.slug,
            "icon": "",
            "event_id": event.id if event else "",
            "event_slug": event.slug if event else "",
            "end_date": market.ends[:10],
            "first_entry_at": int(history.first_unix),
            "last_event_at": int(history.last_unix),
            "name": "",
            "profile_image": "",
            "outcome": market.outcomes[0] if yes else market.outcomes[-1],
            "opposite_outcome": market.outcomes[-1] if yes else market.outcomes[0],
            "outcome_index": 0 if yes else 1,
            "opposite_token_id": other,
        }


def _has(row: dict[str, Any], status: str | None) -> bool:
    """Whether a position is one of a status of the filter, which knows more than a row shows."""
    match status:
        case None | "CLOSED":
            return True
        case "MERGEABLE":
            return row["status"] == "OPEN" and bool(row["mergeable"])
        case "REDEEMABLE_LOST":
            return row["status"] == "REDEEMABLE" and not row["current_price"]
        case _:
            return bool(row["status"] == status)


def _pair(token: str, spender: str, standard: str) -> dict[str, Any]:
    feature = FEATURES.get(spender, "trading")
    return {
        "id": f"{standard}/{token[:8]}/{spender[:8]}",
        "feature": feature,
        "token": token,
        "spender": spender,
        "standard": standard,
    }


def _refuse(what: str) -> Response:
    return refused(what, 400)


def _percent(part: Decimal, whole: Decimal) -> float:
    return payloads.number(round(part * 100 / whole, 4)) if whole else 0
