from collections.abc import AsyncIterator, Iterator

import pytest

from tests.anvil import Anvil, World, started


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
