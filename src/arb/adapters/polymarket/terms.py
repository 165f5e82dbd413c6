"""Polymarket's name and its terms of trade."""

from datetime import timedelta
from decimal import Decimal

from arb.domain.market import VenueId
from arb.domain.money import Shares
from arb.domain.venue import PairExit, TimeInForce, VenueTerms

POLYMARKET = VenueId("polymarket")

TERMS = VenueTerms(
    batch_max=15,  # docs/venue-polymarket.md §3.5
    order_life=timedelta(seconds=60),
    not_found_grace=timedelta(seconds=15),
    dust=Shares(Decimal("0.01")),
    times_in_force=(TimeInForce.FOK, TimeInForce.FAK),
    orders_per_second_max=40,  # of each signer: docs/venue-polymarket.md §5
    complement_shares_book=True,
    pair_exit=PairExit.MERGE,
)
