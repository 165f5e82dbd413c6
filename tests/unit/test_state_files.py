"""Our own files as a stranger may leave them: each is refused by name, and refused safely."""

import json
import os

import pytest

from arb.adapters.bots.files import Folder
from arb.adapters.bots.messages import BadDocument
from arb.adapters.bots.status import BotState, read_status, runs, stop_leftover, take_wish
from arb.adapters.clock import SystemClock
from arb.api.audit import AuditError
from arb.api.auth import Role, Tokens, add_token
from arb.api.executed import ExecutedKeys
from arb.domain.errors import ConfigError, LedgerLocked
from arb.files import read_small
from arb.operations.halt_file import Sentinel
from arb.operations.lock import one_instance

DEEP = b"[" * 100_000 + b"]" * 100_000
STRANGE = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe{\x00}\x00",
    "UTF-16": '{"a": "b"}'.encode("utf-16"),
    "deep": DEEP,
    "deep inside": b'{"a": ' + DEEP + b"}",
    "a number": b"7",
    "a huge number": b'{"a": ' + b"9" * 100_000 + b"}",
    "a list": b'["a"]',
    "a text": b'"a"',
    "nothing": b"null",
    "no object": b"{}",
    "a name twice": b'{"a": "b", "a": "c"}',
    "wrong value": b'{"a": ["b"]}',
    "half a character": b'{"a": "\\ud800"}',
    "cut off": b'{"a": "b"',
    "zeros": bytes(4096),
}
strange = pytest.mark.parametrize("raw", STRANGE.values(), ids=STRANGE)


@strange
def test_a_broken_halt_file_halts_everybody(raw, tmp_path):
    path = tmp_path / "arb.db.halt"
    path.write_bytes(raw)
    assert Sentinel(path).reason("paper:default")
    assert Sentinel(path).reason("polymarket:0xab")
    Sentinel(path).put("paper:default", "again")
    assert Sentinel(path).reason("polymarket:0xab")
    Sentinel(path).lift("paper:default")
    assert Sentinel(path).reason("paper:default") is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "link to nothing", "large"])
def test_a_halt_file_that_is_no_file_halts_and_never_waits(kind, tmp_path):
    path = tmp_path / "arb.db.halt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b'{"a": "' + b"b" * 2_000_000 + b'"}')
    else:
        target = tmp_path / "other"
        if kind == "link":
            target.write_text('{"other": "halted"}')
        path.symlink_to(target)
    assert Sentinel(path).reason("paper:default")


def test_a_reason_in_the_halt_file_obeys_no_terminal(tmp_path):
    path = tmp_path / "arb.db.halt"
    path.write_text(json.dumps({"paper:default": "\x1b[2J" + "x" * 10_000}))
    reason = Sentinel(path).reason("paper:default")
    assert "\x1b" not in reason
    assert len(reason) <= 500


@strange
def test_a_broken_file_of_tokens_lets_nobody_in_and_says_so_once(raw, tmp_path):
    path = tmp_path / "tokens.json"
    said = []
    tokens = Tokens([], path, said.append)
    token = add_token(path, "viewer", Role.READ)
    assert tokens.find(token) is not None
    path.write_bytes(raw)
    assert tokens.find(token) is None
    assert tokens.find(token) is None
    assert len(said) == 1
    assert str(path) in said[0]
    path.unlink()
    again = add_token(path, "viewer", Role.READ)
    assert tokens.find(again) is not None
    path.write_bytes(b"{")
    assert tokens.find(again) is None
    assert len(said) == 2


@pytest.mark.parametrize(
    "row",
    [
        {"name": "x", "role": "read", "sha256": "é" * 64},
        {"name": "x", "role": "read", "sha256": ""},
        {"name": "", "role": "read", "sha256": "0" * 64},
        {"name": ["x"], "role": "read", "sha256": "0" * 64},
        {"name": "x", "role": ["read"], "sha256": "0" * 64},
        {"name": "x", "role": "root", "sha256": "0" * 64},
        {"name": "x", "role": "read", "sha256": 7},
        "x",
        None,
    ],
)
def test_a_row_that_is_no_token_makes_the_file_useless(row, tmp_path):
    path = tmp_path / "tokens.json"
    add_token(path, "viewer", Role.READ)
    path.write_text(json.dumps({"tokens": [row]}))
    with pytest.raises(ConfigError, match="no file of tokens"):
        add_token(path, "other", Role.READ)
    assert Tokens([], path).find("anything") is None


@strange
def test_broken_keys_of_carried_out_commands_are_never_taken_for_none(raw, tmp_path):
    path = tmp_path / "executed.json"
    path.write_bytes(raw)
    if raw == b"{}":
        assert ExecutedKeys(path, SystemClock()).get("key") is None
        return
    with pytest.raises(AuditError, match="damaged"):
        ExecutedKeys(path, SystemClock())


@pytest.mark.parametrize(
    "one",
    [
        {"at": "2026-01-01T00:00:00", "answer": None},
        {"at": "soon", "answer": None},
        {"at": 7, "answer": None},
        {"at": "2026-01-01T00:00:00+00:00", "answer": "yes"},
        {"at": "2026-01-01T00:00:00+00:00"},
        {"answer": None},
        None,
    ],
)
def test_a_key_whose_entry_is_none_is_never_taken_for_unknown(one, tmp_path):
    path = tmp_path / "executed.json"
    path.write_text(json.dumps({"key": one}))
    with pytest.raises(AuditError, match="damaged"):
        ExecutedKeys(path, SystemClock())


@strange
def test_a_broken_status_is_unknown_and_never_a_process_to_signal(raw, tmp_path):
    (tmp_path / "atom.json").write_bytes(raw)
    run = Folder(tmp_path)
    status = read_status(run, "atom")
    run.close()
    assert status.state is BotState.UNKNOWN
    assert "cannot be read" in status.last_exit
    assert not runs(status)
    assert not stop_leftover(status)


@pytest.mark.parametrize(
    "change", [{"pid": -1}, {"pid": 2**63}, {"bot_name": "other"}, {"state": "happy"}]
)
def test_a_status_that_says_what_no_supervisor_writes_is_unknown(change, tmp_path):
    good = {"bot_name": "atom", "state": "running", "since": "2026-01-01T00:00:00Z", "pid": 7}
    run = Folder(tmp_path)
    (tmp_path / "atom.json").write_text(json.dumps(good))
    assert read_status(run, "atom").pid == 7
    (tmp_path / "atom.json").write_text(json.dumps({**good, **change}))
    assert read_status(run, "atom").state is BotState.UNKNOWN
    (tmp_path / "atom.json").unlink()
    assert read_status(run, "atom") is None
    run.close()


@strange
def test_a_broken_wish_is_refused_by_name_and_gone(raw, tmp_path):
    (tmp_path / "atom.json").write_bytes(raw)
    control = Folder(tmp_path)
    with pytest.raises(BadDocument):
        take_wish(control, "atom")
    assert take_wish(control, "atom") == ""
    control.close()


def test_the_lock_of_a_stranger_names_a_process_whatever_it_holds(tmp_path):
    ledger = tmp_path / "arb.db"
    with one_instance(ledger):
        (tmp_path / "arb.db.lock").write_bytes(b"\xff" * 100_000)
        with pytest.raises(LedgerLocked) as refused, one_instance(ledger):
            pass
    assert len(str(refused.value)) < 500


def test_a_small_file_is_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert read_small(path, 100) == b"x" * 100
    with pytest.raises(OSError, match="more than 99"):
        read_small(path, 99)
