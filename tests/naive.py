"""What the field's bots do, to show that the tests would tell it from the right thing."""

from arb.domain.fact import Submitted


async def send_then_write(self, plan, orders, _books):
    """An executor's `_send` that writes down what was sent once it has been sent."""
    trading = self.venues.trading(plan.legs[0].outcome.venue)
    prepared = await trading.prepare(orders)
    answers = await trading.submit(prepared)
    at = self.clock.now()
    await self.ledger.append(plan.id, [Submitted(order=o, at=at) for o in prepared])
    return await self._write_answers(plan, prepared, answers)
