from collections.abc import AsyncIterator, Iterator

import pytest

from tests.anvil import Anvil, World, started
from tests.dex import Dex


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    """One chain for a file of tests."""
    server = started()
    yield server
    server.remove()


@pytest.fixture
async def world(anvil: Anvil) -> AsyncIterator[World]:
    """The chain as it began, for one test."""
    it = World(anvil)
    before = await it.control("evm_snapshot")
    yield it
    await it.control("evm_revert", before)
    await it.chain.close()


@pytest.fixture
async def dex(world: World) -> Dex:
    """Two tokens and the executor, without a pool."""
    found = Dex(world)
    for symbol in ("USD", "WETH"):
        await found.token(symbol)
    await found.make_executor()
    return found
