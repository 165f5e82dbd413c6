"""What resting orders score, and notifications and builders' trades of more than one account."""

from decimal import Decimal

from eth_account import Account

from arb.exchange.market.listing import Rewards
from tests.exchange.venue import KEY, place, venue

ANOTHER = "0x" + "22" * 32
TERMS = Rewards(1, Decimal(20), Decimal(3), Decimal(100))


def another(at):
    return at.client(Account.from_key(ANOTHER).address, key=ANOTHER)


async def test_scores_fall_with_the_square_of_the_distance_and_are_shared():
    async with venue() as at, at.client(key=KEY) as one, another(at) as two:
        # The middle is 0.415, and 3 cents from it is too far.
        market = at.market(rewards=TERMS)
        near = await place(one, market.yes, "0.40", 40)
        mirrored = await place(two, market.no, "0.56", 36)  # as if YES were sold at 0.44
        far = await place(one, market.yes, "0.38", 100)
        small = await place(one, market.yes, "0.40", 10)
        told = await one.get_orders_scoring(order_ids=[near.order_id, far.order_id, small.order_id])
        assert list(told.values()) == [True, False, False]
        assert await two.get_order_scoring(order_id=mirrored.order_id) is True
        # Nobody sees whether another's order scores.
        assert await one.get_order_scoring(order_id=mirrored.order_id) is False
        mine, theirs = Decimal("0.25") * 40, (Decimal("0.5") / 3) ** 2 * 36
        for client, score in ((one, mine), (two, theirs)):
            share = (await client.get_reward_percentages())[market.padded_id]
            assert Decimal(str(share)) == round(score * 100 / (mine + theirs), 6)
        (row,) = [
            item
            async for item in one.list_market_rewards(condition_id=market.padded_id).iter_items()
        ]
        assert Decimal(str(row.market_competitiveness)) == round(mine + theirs, 6)
        await one.cancel_all()
        assert await one.get_reward_percentages() == {}


async def test_each_side_of_a_trade_is_notified_of_its_own_order():
    async with venue() as at, at.client(key=KEY) as maker, another(at) as taker:
        market = at.market()
        resting = await place(maker, market.yes, "0.41", 30)
        await place(taker, market.no, "0.59", 10, life="FOK")
        (told,) = await maker.get_notifications()
        assert (told.type, told.payload.order_id) == (2, resting.order_id)
        assert (told.payload.matched_size, told.payload.remaining_size) == (10, 20)
        (other,) = await taker.get_notifications()
        assert (other.payload.asset_id, other.payload.side) == (market.no, "BUY")
        await maker.cancel_order(order_id=resting.order_id)
        assert [one.type for one in await maker.get_notifications()] == [1, 2]
        await maker.drop_notifications(ids=[told.id])
        assert [one.type for one in await maker.get_notifications()] == [1]


async def test_a_trade_that_fails_on_chain_is_notified_and_nowhere_in_the_data_api():
    async with venue() as at, at.client(key=KEY) as client:
        market = at.market()
        await at.conduct(fail=1)
        await place(client, market.yes, "0.43", 10, life="FOK")
        await at.settle()
        assert [one.type for one in await client.get_notifications()] == [8, 2]
        async for _ in client.list_trades(user=client.wallet).iter_items():
            raise AssertionError("a trade that moved nothing is shown")
        assert await client.get_user_stats(user=client.wallet) is None
