"""Every ledger of ours keeps what `LedgerContract` asks."""

import itertools

import pytest

from arb.adapters.storage import open_ledger
from arb.adapters.storage.outage import ResilientLedger
from arb.testing.contracts import LedgerContract
from arb.testing.fakes import MemoryLedger


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('contract')}/arb.db"


@pytest.fixture(scope="module")
def served(postgres):
    return postgres.database()


NUMBERS = itertools.count()


@pytest.fixture
async def opened_at():
    """Opens ledgers of accounts that only this test has, and closes them after it."""
    number, opened = next(NUMBERS), []

    def at(url, around=lambda ledger: ledger):
        async def opens(account):
            opened.append(around(await open_ledger(url, f"paper:{number}-{account}")))
            return opened[-1]

        return opens

    yield at
    for ledger in opened:
        await ledger.close()


class TestSqlite(LedgerContract):
    @pytest.fixture
    def opens(self, opened_at, file):
        return opened_at(file)


class TestPostgresql(LedgerContract):
    @pytest.fixture
    def opens(self, opened_at, served):
        return opened_at(served)


class TestResilient(LedgerContract):
    @pytest.fixture
    def opens(self, opened_at, file):
        return opened_at(file, lambda ledger: ResilientLedger(ledger, pytest.fail))


class TestMemory(LedgerContract):
    """Its memory is all the store it has: what a new process would open is the same object."""

    @pytest.fixture
    def opens(self):
        ledgers = {}

        async def opens(account):
            return ledgers.setdefault(account, MemoryLedger(account=account))

        return opens
