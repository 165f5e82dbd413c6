"""An operator's halt cancels resting orders at every venue without the event loop."""

import asyncio
from dataclasses import replace

import pytest

from arb.config.sources import Loaded
from arb.domain.errors import Unavailable
from arb.domain.market import VenueId
from arb.engine.venues import Venues
from arb.publisher import Publisher
from arb.runtime import running
from arb.runtime.killswitch import kill_switch
from tests.exchange.venue import place


async def _open_orders(client):
    return (await client.list_open_orders().first_page()).items


async def test_a_live_runs_switch_cancels_at_its_venues(at, monkeypatch):
    """As a run wires it: the switch calls the bundle's own way out, from a thread."""
    made = []

    def watched(*given):
        made.append(kill_switch(*given))
        return made[-1]

    monkeypatch.setattr(running, "kill_switch", watched)
    await at.leave()  # one writer: the run below opens the same ledger
    loaded = Loaded(settings=at.settings, sources={})
    async with running._context(loaded, Publisher(), live=True, lead=None) as (context, _):
        await at.control(allow={"wallet": at.wallet})
        client = context.venues[VenueId("polymarket")].trading._session.client
        placed = await place(client, at.market("calm").yes, "0.02", "20", post_only=True)
        assert placed.ok
        assert len(await _open_orders(client)) == 1
        (switch,) = made
        assert list(await asyncio.to_thread(switch.cancel_all)) == []
        assert await _open_orders(client) == ()


async def test_a_venue_that_fails_does_not_keep_the_others_orders_in_the_book(at):
    ours = at.context.venues[VenueId("polymarket")]
    asked = []

    def refused():
        asked.append("refused")
        raise Unavailable("it is away")

    def partly():
        asked.append("partly")
        return ["order-7"]

    several = Venues(
        [
            replace(ours, id=VenueId("away"), cancel_all_blocking=refused),
            replace(ours, id=VenueId("slow"), cancel_all_blocking=None),
            replace(ours, id=VenueId("partly"), cancel_all_blocking=partly),
        ]
    )
    with pytest.raises(Unavailable, match=r"away: Unavailable: it is away; order-7 not cancelled"):
        several.cancel_all_blocking()
    assert asked == ["refused", "partly"]
    assert list(Venues([replace(ours, cancel_all_blocking=partly)]).cancel_all_blocking()) == [
        "order-7"
    ]
