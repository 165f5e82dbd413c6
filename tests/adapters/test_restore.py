"""The way back from a backup: whole, checked first, never over another ledger."""

import os
import sqlite3
import subprocess
import sys
from decimal import Decimal

import pytest

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.storage import open_ledger
from arb.adapters.storage.maintenance import backup, check, restore
from arb.domain.errors import LedgerError, LedgerLocked
from arb.operations.database import restore_ledger
from arb.operations.lock import one_instance
from arb.testing.builders import NOON
from tests.adapters.test_ledger import _facts, _plan, _report
from tests.conftest import environment_for, settings_for


def _url(file):
    return f"sqlite+aiosqlite:///{file}"


async def _fill(file, names):
    ledger = await open_ledger(_url(file), "paper:test")
    await ledger.open_account({POLYMARKET: Decimal(1000)}, NOON)
    for name in names:
        plan = _plan(name)
        await ledger.open_plan(1, plan)
        await ledger.append(plan.id, _facts(plan))
        await ledger.close_plan(_report(plan), NOON)
    return ledger


@pytest.fixture
async def saved(tmp_path):
    """A ledger of two plans, and a backup of it made while a third was being traded."""
    ledger = await _fill(tmp_path / "arb.db", ["a", "b"])
    await backup(_url(tmp_path / "arb.db"), tmp_path / "saved" / "copy.db")
    await ledger.open_plan(2, _plan("c"))
    await ledger.close()
    return tmp_path / "saved" / "copy.db"


async def _cash(file):
    ledger = await open_ledger(_url(file), "paper:test")
    try:
        assert not await check(ledger._db)
        return (await ledger.portfolio(NOON)).cash, [p.id for p in await ledger.open_plans()]
    finally:
        await ledger.close()


async def test_what_was_saved_is_there_again(saved, tmp_path):
    (tmp_path / "arb.db").rename(tmp_path / "broken.db")
    before = saved.read_bytes()
    await restore(saved, _url(tmp_path / "arb.db"))
    assert (tmp_path / "arb.db").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*restoring*"))
    assert saved.read_bytes() == before
    assert sorted(p.name for p in saved.parent.iterdir()) == ["copy.db"]
    assert await _cash(tmp_path / "arb.db") == (Decimal(1001), [])


async def test_a_ledger_that_is_there_is_never_overwritten(saved, tmp_path):
    before = (tmp_path / "arb.db").read_bytes()
    with pytest.raises(LedgerError, match="move it away"):
        await restore(saved, _url(tmp_path / "arb.db"))
    assert (tmp_path / "arb.db").read_bytes() == before
    assert not list(tmp_path.glob("*restoring*"))


async def test_the_journal_of_an_earlier_ledger_is_not_played_into_it(saved, tmp_path):
    other = await _fill(tmp_path / "other" / "arb.db", ["x"])
    journal = (tmp_path / "other" / "arb.db-wal").read_bytes()
    await other.close()
    assert journal
    (tmp_path / "arb.db").unlink()
    for ending in ("-wal", "-shm"):
        (tmp_path / f"arb.db{ending}").write_bytes(journal)
    await restore(saved, _url(tmp_path / "arb.db"))
    assert await _cash(tmp_path / "arb.db") == (Decimal(1001), [])


def _damage(kind, saved):
    if kind == "no file":
        saved.unlink()
    elif kind == "no database":
        saved.write_text("something else entirely" * 500)
    elif kind == "no ledger":
        saved.unlink()
        sqlite3.connect(saved).execute("create table t (a)").connection.close()
    elif kind == "half":
        with saved.open("r+b") as file:
            file.truncate(saved.stat().st_size // 2)
    elif kind == "page":
        with saved.open("r+b") as file:
            file.seek(8 * 4096)
            file.write(os.urandom(8 * 4096))
    else:
        queries = {
            "tampered": "update entries set delta = delta + 1 where asset = 'polymarket/cash' and line = 0",
            "newer": "update alembic_version set version_num = '9999'",
        }
        with sqlite3.connect(saved) as db:
            db.execute(queries[kind])
        db.close()


@pytest.mark.parametrize(
    "kind", ["no file", "no database", "no ledger", "half", "page", "tampered", "newer"]
)
async def test_a_backup_that_is_not_sound_is_refused_and_nothing_is_touched(saved, tmp_path, kind):
    (tmp_path / "arb.db").unlink()
    (tmp_path / "arb.db-wal").write_bytes(b"of an earlier ledger")
    _damage(kind, saved)
    with pytest.raises(LedgerError):
        await restore(saved, _url(tmp_path / "arb.db"))
    assert not (tmp_path / "arb.db").exists()
    assert (tmp_path / "arb.db-wal").read_bytes() == b"of an earlier ledger"
    assert not list(tmp_path.glob("*restoring*"))


async def test_it_waits_for_nobody_who_works_on_the_ledger(saved, tmp_path):
    (tmp_path / "arb.db").unlink()
    loaded = settings_for("http://127.0.0.1:9", tmp_path)
    with one_instance(tmp_path / "arb.db"), pytest.raises(LedgerLocked):
        await restore_ledger(loaded, saved)


async def test_a_server_has_its_own_way_back(saved):
    with pytest.raises(LedgerError, match="server"):
        await restore(saved, "sqlite+aiosqlite://")


def test_backup_and_restore_as_typed(saved, tmp_path):
    def arb(*args):
        env = environment_for("http://127.0.0.1:9", tmp_path)
        command = [sys.executable, "-m", "arb", "db", *args]
        return subprocess.run(
            command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
        )

    assert arb("backup", "now.db").returncode == 0
    refused = arb("restore", "now.db")
    assert refused.returncode == 5
    assert "move it away" in refused.stderr
    (tmp_path / "arb.db").unlink()
    done = arb("restore", "now.db")
    assert done.returncode == 0, done.stderr
    assert "arb.db" in done.stdout
    assert arb("check").returncode == 0
