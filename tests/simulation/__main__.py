"""Tells the story of one schedule: `python -m tests.simulation SEED`."""

import asyncio
import sys

from arb.views.detail import fact_line
from tests.simulation.world import build_world, run


async def main(seed: int) -> None:
    world = await run(build_world(seed))
    print(f"odds: {world.venue.odds}\nconduct: {world.floor.conduct}")
    for plan, facts in await world.ledger.recent(None):
        print(f"plan {plan.id}: {plan.kind}, {plan.size} shares of {len(plan.legs)} legs")
        for fact in facts:
            print("  ", *fact_line(fact))
        print(f"   {world.ledger.report(plan.id)}")
    print(f"ends: {world.outcomes}, alarms: {world.alarms}, problems: {world.problems}")


asyncio.run(main(int(sys.argv[1])))
