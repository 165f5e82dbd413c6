"""Token buckets by signer for orders and cancels (docs/venue-polymarket.md §5)."""

import math
from dataclasses import dataclass

from arb.exchange.trading.matching_service import MatchingService


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a request may go on, and the limit's headers of its answer."""

    ok: bool
    headers: dict[str, str]


class Limits:
    """One bucket for orders and one for cancels of each signer."""

    def __init__(self, floor: MatchingService) -> None:
        self._floor = floor
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, signer: str, kind: str, cost: int) -> Allowed:
        """Pay for a request: all of it or nothing."""
        conduct, now = self._floor.conduct, self._floor.now()
        orders = kind == "order"
        rate = conduct.order_rate if orders else conduct.cancel_rate
        burst = conduct.order_burst if orders else conduct.cancel_burst
        bucket = self._buckets.setdefault((signer, kind), _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        ok = bucket.tokens >= cost
        bucket.tokens -= cost if ok else 0
        wait = 0 if ok else math.ceil((cost - bucket.tokens) / max(rate, 1))
        headers = {
            "Poly-RateLimit-Remaining": str(int(bucket.tokens)),
            "Poly-RateLimit-Reset": str(int(self._floor.wall()) + wait),
            "Poly-RateLimit-Tier": "standard",
        }
        return Allowed(ok, headers if ok else {**headers, "Retry-After": str(max(wait, 1))})
