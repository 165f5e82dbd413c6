"""The Data API's view of wallets: positions and approvals (PLATFORM.md §1.6)."""

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arb.adapters.simulator import wire
from arb.adapters.simulator.addresses import CHAIN_ID, COLLATERAL, OPERATORS, SPENDERS
from arb.adapters.simulator.bank import UNLIMITED
from arb.adapters.simulator.floor import Floor
from arb.adapters.simulator.listing import SimMarket
from arb.domain.market import Side
from arb.domain.money import MICRO, from_micro

DUST = MICRO // 10
"""Smaller holdings are not shown."""
ROWS_MAX = 1000


class Portfolio:
    """Positions and approvals of any wallet."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._shown: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        """What was shown of a wallet, and when it was true."""

    def routes(self) -> list[Route]:
        """The endpoints."""
        return [
            Route("/v2/positions", self.positions, methods=["GET"]),
            Route("/v2/approvals", self.approvals, methods=["GET"]),
        ]

    async def positions(self, request: Request) -> Response:
        """`GET /v2/positions`: late, and without trifles."""
        asked = request.query_params
        conditions = [one for one in asked.get("condition_id", "").split(",") if one]
        try:
            start = int(asked.get("cursor", "c0").removeprefix("c"))
            size = min(int(asked.get("limit", "100")), ROWS_MAX)
        except ValueError:
            return JSONResponse({"error": "invalid limit or cursor"}, 400)
        found = [
            row
            for row in self._lagging(asked.get("user", "").lower())
            if (not conditions or row["condition_id"] in conditions)
            and asked.get("status", row["status"]) == row["status"]
        ]
        more = f"c{start + size}" if start + size < len(found) else None
        pagination = {"has_more": more is not None, "next_cursor": more}
        answer = {"data": found[start : start + size], "pagination": pagination}
        return Response(wire.compact(answer), media_type="application/json")

    async def approvals(self, request: Request) -> Response:
        """`GET /v2/approvals`: every pair that trading needs, allowed or not."""
        owner, bank = request.query_params.get("user", ""), self._floor.bank
        rows: list[dict[str, Any]] = []
        for spender in SPENDERS:
            amount = bank.allowances.get((owner.lower(), spender), 0)
            shown = "max" if amount >= UNLIMITED else str(amount)
            row = {"token": COLLATERAL, "spender": spender, "standard": "ERC20"}
            rows.append({**row, "approved": amount > 0, "amount": shown})
        for contract, operator in OPERATORS:
            row = {"token": contract, "spender": operator, "standard": "ERC1155"}
            rows.append({**row, "approved": bank.may_move(owner, contract, operator)})
        data = {"address": owner, "chain_id": CHAIN_ID, "contracts": rows}
        return JSONResponse({"data": data})

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
        average, fees = self._paid(wallet, token)
        price = _worth(market, token)
        cost, value = average * size, price * size
        gain = wire.number(value - cost)
        percent = wire.number(round((value - cost) * 100 / cost, 4)) if cost else 0
        other = market.no if yes else market.yes
        return {
            "proxy_wallet": wallet,
            "token_id": token,
            "condition_id": market.padded_id,
            "current_size": wire.number(size),
            "avg_price": wire.number(average),
            "entry_cost_usdc": wire.number(cost),
            "entry_fees_usdc": wire.number(fees),
            "total_cost_usdc": wire.number(cost + fees),
            "current_price": wire.number(price),
            "current_value": wire.number(value),
            "total_size": wire.number(size),
            "realized_pnl": 0,
            "unrealized_pnl": gain,
            "total_pnl": gain,
            "percent_pnl": percent,
            "percent_realized_pnl": 0,
            "status": "OPEN" if market.resolution is None else "REDEEMABLE",
            "redeemable": market.resolution is not None,
            "mergeable": self._floor.bank.shares(wallet, other) > 0,
            "negative_risk": market.neg_risk,
            "archived": False,
            "verified": True,
            "title": market.question,
            "slug": market.slug,
            "outcome": market.outcomes[0] if yes else market.outcomes[-1],
            "opposite_outcome": market.outcomes[-1] if yes else market.outcomes[0],
            "outcome_index": 0 if yes else 1,
            "opposite_token_id": other,
        }

    def _paid(self, wallet: str, token: str) -> tuple[Decimal, Decimal]:
        """Average price and all fees of what a wallet has bought of a token."""
        bought = paid = fees = 0
        for trade in self._floor.trades.values():
            taker = trade.taker
            if not trade.moved:
                continue
            if (taker.wallet.lower(), taker.token, taker.side) == (wallet, token, Side.BUY):
                bought, paid = bought + trade.size, paid + trade.value
                fees += sum(trade.fees)
            for piece in trade.pieces:
                if (piece.wallet.lower(), piece.token, piece.side) == (wallet, token, Side.BUY):
                    bought += piece.size
                    paid += piece.price * piece.size // MICRO
        average = round(Decimal(paid) / Decimal(bought), 6) if bought else Decimal(0)
        return average, from_micro(fees)


def _worth(market: SimMarket, token: str) -> Decimal:
    if market.resolution is not None:
        return market.resolution if token == market.yes else 1 - market.resolution
    bids, _ = market.view(token)
    return from_micro(bids[0][0]) if bids else Decimal(0)
