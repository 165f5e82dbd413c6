"""The mailbox against strangers: thirty hostile files, writers that are killed, made-up documents."""

import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arb.adapters.bots.files import Folder
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.messages import (
    BYTES_MAX,
    BadDocument,
    Command,
    Heartbeat,
    Intent,
    Reported,
    Result,
    dump,
    parse,
)
from arb.adapters.clock import SystemClock
from arb.domain.errors import ConfigError

ID = "a" * 32
GOOD = {"schema": 1, "id": ID, "bot_name": "atom", "success": True}


@pytest.fixture
def box(tmp_path):
    mailbox = Mailbox(tmp_path / "comm", SystemClock())
    yield mailbox
    mailbox.close()


def _old(path):
    os.utime(path, (time.time() - 100,) * 2, follow_symlinks=False)


def _text(content):
    def make(path, _secret):
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        _old(path)

    return make


def _with(**changes):
    return _text({**GOOD, **changes})


def _link(path, secret):
    path.symlink_to(secret)


def _loop(path, _secret):
    path.symlink_to(path.name)


def _hard(path, secret):
    os.link(secret, path)


def _hard_to_claim(path, _secret):
    path.write_text(json.dumps(GOOD))
    os.link(path, path.with_name(".atom_result.claimed.json"))


def _socket(path, _secret):
    here = os.getcwd()  # noqa: PTH109
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


def _sparse(path, _secret):
    with path.open("wb") as file:
        file.truncate(50_000_000_000)


def _owner(path, _secret):
    path.write_text(json.dumps(GOOD))
    if os.geteuid():
        path.unlink()
        path.symlink_to("/etc/passwd")
    else:
        os.chown(path, 65534, 65534)


def _folder(path, _secret):
    (path / "deep" / "deeper").mkdir(parents=True)


def _device(path, _secret):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


HOSTILE = {
    "symbolic link to a secret": _link,
    "symbolic link to itself": _loop,
    "symbolic link to a device that never ends": lambda p, _: p.symlink_to("/dev/zero"),
    "symbolic link to a folder": lambda p, _: p.symlink_to("/etc"),
    "dangling symbolic link": lambda p, _: p.symlink_to("/nowhere/at/all"),
    "hard link to a secret": _hard,
    "hard link to the name it is claimed under": _hard_to_claim,
    "pipe that nobody writes to": lambda p, _: os.mkfifo(p),
    "socket": _socket,
    "device": _device,
    "folder": _folder,
    "another user's file": _owner,
    "sparse file of 50 GB": _sparse,
    "too large": _text(b'{"a": "' + b"x" * BYTES_MAX + b'"}'),
    "empty": _text(b""),
    "half a document": _text(json.dumps(GOOD)[:40].encode()),
    "garbage": _text(bytes(range(256))),
    "no UTF-8": _text(b'{"schema": 1, "id": "\xff\xfe", "bot_name": "atom", "success": true}'),
    "ten thousand brackets": _text(b"[" * 10_000 + b"]" * 10_000),
    "deep objects": _text(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "a list": _text([GOOD]),
    "another schema": _with(schema=2),
    "another bot's name": _with(bot_name="adom"),
    "traversal in the id": _with(id="../../../etc/passwd\x00"),
    "ANSI in the name": _with(bot_name="\x1b[2Jatom"),
    "line feeds in the id": _with(id="a\n2026-01-15 15:30:00 | CRITICAL | forged"),
    "infinite price": _text(
        b'{"schema":1,"id":"a","bot_name":"atom","success":true,'
        b'"orders":[{"id":"o","price":"Infinity","shares":"1"}]}'
    ),
    "negative shares": _with(orders=[{"id": "o", "price": "0.5", "shares": "-5"}]),
    "numbers in place of texts": _with(orders=[{"id": "o", "price": 0.5, "shares": 1e308}]),
    "a million fills": _with(fills=[{"order": "o", "price": "0.5", "shares": "1"}] * 1_001),
}


def test_there_are_thirty():
    assert len(HOSTILE) == 30


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_result_is_contained(what, box, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({**GOOD, "reason": "leaked"}))
    before = secret.read_bytes()
    HOSTILE[what](box.path / "results" / "atom_result.json", secret)
    began = time.process_time()
    answers = [box.claim_result("atom") for _ in range(4)]
    assert time.process_time() - began < 1
    assert answers == [None] * 4
    assert sum(box.put_aside.values()) >= 1
    assert secret.read_bytes() == before
    left = {path.name for path in (box.path / "results").iterdir()}
    assert not left
    (box.path / "results" / "atom_result.json").write_text(json.dumps(GOOD))
    assert box.claim_result("atom").id == ID


@pytest.mark.parametrize("what", [name for name in HOSTILE if "claimed" not in name])
def test_a_hostile_heartbeat_or_command_is_contained(what, box, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({**GOOD, "status": "leaked"}))
    HOSTILE[what](box.path / "commands" / "atom_command.json", secret)
    assert box.expire("atom") is None
    HOSTILE[what](box.path / "heartbeats" / "atom_heartbeat.json", secret)
    beat = box.heartbeat("atom")
    assert beat is None or beat.heartbeat.status == "running"
    assert json.loads(secret.read_text())["status"] == "leaked"


def test_words_of_a_bot_never_speak_to_the_terminal(box):
    from arb.adapters.bots.messages import clean

    forged = "no\x1b[2J\r\n2026-01-15 | CRITICAL | forged\u202e"
    (box.path / "results" / "atom_result.json").write_text(json.dumps({**GOOD, "reason": forged}))
    found = clean(box.claim_result("atom").reason)
    assert found.isprintable()


def test_strangers_are_put_aside_and_counted(box):
    for name in ("x y", "other_result.json", "$(reboot)", "-rf"):
        (box.path / "results" / name).write_text("{}")
    (box.path / "results" / "atom_result.json").write_text(json.dumps(GOOD))
    (box.path / "results" / ".new.tmp").write_text("{")
    box.sweep(["atom"])
    assert box.put_aside["stranger"] == 4
    left = sorted(path.name for path in (box.path / "results").iterdir())
    assert left == [".new.tmp", "atom_result.json"]


def test_what_is_put_aside_is_bounded(box):
    for number in range(150):
        (box.path / "results" / f"x{number}").write_text("{}")
    box.sweep(["atom"])
    assert box.put_aside["stranger"] == 150
    assert len(list((box.path / "quarantine").iterdir())) == 100


def test_a_result_is_had_once_and_again_after_a_crash(box):
    path = box.path / "results" / "atom_result.json"
    path.write_text(json.dumps(GOOD))
    assert box.claim_result("atom").id == ID
    assert not path.exists()
    again = Mailbox(box.path, SystemClock())
    assert again.claim_result("atom").id == ID
    again.acknowledge("atom")
    assert again.claim_result("atom") is None
    again.close()


def test_half_a_file_of_a_plain_writer_is_waited_for(box):
    path = box.path / "results" / "atom_result.json"
    whole = json.dumps(GOOD)
    with path.open("w") as file:
        file.write(whole[:20])
        file.flush()
        assert box.claim_result("atom") is None
        file.write(whole[20:])
    assert box.claim_result("atom").id == ID
    assert not box.put_aside


def _command(seconds=5.0, id_=ID):
    now = datetime.now(UTC)
    return Command(
        id=id_,
        command="execute_arbitrage",
        bot_name="atom",
        issued_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )


def test_a_command_waits_until_it_is_claimed_withdrawn_or_expired(box):
    assert box.send(_command())
    assert not box.send(_command())
    assert not box.withdraw("atom", "other")
    assert box.withdraw("atom", ID)
    assert not box.withdraw("atom", ID)
    box.send(_command(seconds=-60))
    assert box.expire("atom").id == ID
    assert box.expire("atom") is None


def test_a_folder_that_is_a_link_or_open_to_others_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "comm").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        Folder(tmp_path / "comm")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match="chmod 700"):
        Folder(tmp_path / "open")


def test_a_folder_stays_ours_when_a_link_takes_its_place(box, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (box.path / "results").rename(box.path / "moved")
    (box.path / "results").symlink_to(target)
    (target / "atom_result.json").write_text(json.dumps(GOOD))
    assert box.claim_result("atom") is None


WRITER = """
import sys
from pathlib import Path
from arb.adapters.bots.files import Folder
folder = Folder(Path(sys.argv[1]))
print("ready", flush=True)
n = 0
while True:
    n += 1
    folder.write("x.json", (b"%06d" % n) * 3000)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    chance = random.Random(4)
    folder = Folder(tmp_path / "box")
    seen = 0
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "box")]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        writer.stdout.readline()
        until = time.monotonic() + chance.random() * 0.15
        while time.monotonic() < until:
            seen += _whole(folder)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        seen += _whole(folder)
    folder.close()
    assert seen > 100


def _whole(folder):
    found = folder.read("x.json")
    if found is None:
        return 0
    assert len(found.raw) == 18_000
    assert found.raw == found.raw[:6] * 3000
    return 1


amounts = st.decimals(0, 10**9, places=6, allow_nan=False, allow_infinity=False).map(
    lambda d: f"{d.normalize():f}"
)
ids = st.from_regex(r"[A-Za-z0-9:/_.-]{1,60}", fullmatch=True)
results = st.builds(
    Result,
    schema=st.just(1),
    id=ids,
    bot_name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    success=st.booleans(),
    reason=st.text(max_size=100),
    orders=st.lists(st.builds(Intent, id=ids, price=amounts, shares=amounts), max_size=5).map(
        tuple
    ),
    fills=st.lists(
        st.builds(Reported, order=ids, price=amounts, shares=amounts, fee=amounts), max_size=5
    ).map(tuple),
)


@given(results)
def test_a_document_comes_back_as_it_was(result):
    assert parse(dump(result), Result) == result


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_else(raw):
    for kind in (Result, Heartbeat, Command):
        try:
            parse(raw, kind)
        except BadDocument:
            continue


@given(results, st.data())
def test_a_document_cut_anywhere_is_none(result, data):
    raw = dump(result).rstrip()
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(BadDocument):
        parse(raw[:cut], Result)


def test_the_users_own_heartbeat_is_understood():
    raw = b'{"bot_name": "ATOM", "status": "running", "timestamp": 1737000000.5, "pid": 4711}'
    assert parse(raw, Heartbeat).pid == 4711
    assert msgspec.to_builtins(parse(raw, Heartbeat))["bot_name"] == "ATOM"
