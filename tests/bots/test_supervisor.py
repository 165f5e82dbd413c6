"""The supervisor with real processes that crash, hang, fork, flood and spy."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from arb.adapters.bots.definition import Definition, Limits, environment, read
from arb.adapters.bots.files import Folder
from arb.adapters.bots.mailbox import Mailbox
from arb.adapters.bots.messages import Command
from arb.adapters.bots.output import BotLog, plain
from arb.adapters.bots.printing import answer
from arb.adapters.bots.process import Identity, alive, identity, members
from arb.adapters.bots.status import BotState, Status
from arb.adapters.bots.supervisor import Supervisor, SupervisorOptions
from arb.adapters.clock import SystemClock
from arb.domain.errors import ConfigError
from tests.conftest import ROOT

BEAT = """
import json, os, signal, sys, time
def beat(status="running"):
    comm, name = os.environ["ARB_BOT_FOLDER"], os.environ["ARB_BOT_NAME"]
    path = f"{comm}/heartbeats/{name}_heartbeat.json"
    with open(path + ".new.tmp", "w") as file:
        json.dump({"bot_name": name, "status": status, "timestamp": time.time(), "pid": os.getpid()}, file)
    os.rename(path + ".new.tmp", path)
beat()
"""


class Yard:
    """A supervisor over one bot in a folder of its own."""

    def __init__(self, folder, code, clock=None, **more):
        (folder / "bot.py").write_text(BEAT + code)
        wanted = {
            "command": (sys.executable, "-u", "bot.py"),
            "folder": str(folder),
            "backoff_seconds": 0.01,
            "grace_seconds": 0.4,
            **more,
        }
        self.definition = Definition(name="atom", **wanted)
        self.folder, self.alarms, self.clock = folder, [], clock or SystemClock()
        self.mailbox = Mailbox(folder / "comm", SystemClock())
        self.inherited = dict(os.environ)
        self.supervisor = self.made()

    def made(self):
        return Supervisor(
            {"atom": self.definition},
            self.mailbox,
            SupervisorOptions(
                base=self.folder,
                logs=self.folder / "logs",
                monitor_seconds=0.05,
                control_seconds=0.05,
                log_size_max=200_000,
                logs_kept=2,
            ),
            self.clock,
            self.inherited,
            alarm=lambda bot, what: self.alarms.append(f"{bot} {what}"),
        )

    async def __aenter__(self):
        await self.supervisor.open()
        return self

    async def __aexit__(self, *_):
        await self.supervisor.close()
        self.mailbox.close()

    @property
    def status(self):
        return self.supervisor.statuses()[0]

    @property
    def log(self):
        path = self.folder / "logs" / "atom.log"
        return path.read_text() if path.exists() else ""

    async def until(self, holds, seconds=120.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return
            await asyncio.sleep(0.02)
        raise AssertionError((self.status, self.log))


def _lives(folder):
    path = folder / "lives"
    return path.read_text() if path.exists() else ""


async def test_a_bot_that_crashes_is_restarted_five_times_and_then_an_alarm_is_raised(tmp_path):
    code = "open('lives', 'a').write('x')\nsys.exit(3)"
    async with Yard(tmp_path, code) as yard:
        await yard.until(lambda: yard.status.state is BotState.FAILED)
        assert _lives(tmp_path) == "x" * 6
        assert yard.alarms == ["atom ended 6 times, last: exit code 3; not started again"]
        assert yard.status.restarts == 5
        yard.supervisor.start("atom")
        await yard.until(lambda: _lives(tmp_path) == "x" * 12)


async def test_the_wait_before_a_restart_doubles(tmp_path):
    code = "open('lives', 'a').write(f'{time.monotonic()}\\n')\nsys.exit(1)"
    async with Yard(tmp_path, code, backoff_seconds=0.2, restarts_max=3) as yard:
        await yard.until(lambda: yard.status.state is BotState.FAILED)
    lives = [float(line) for line in (tmp_path / "lives").read_text().split()]
    waits = [later - earlier for earlier, later in pairwise(lives)]
    assert waits[0] >= 0.2
    assert waits[1] >= 0.4
    assert waits[2] >= 0.8


async def test_a_program_that_is_not_there_uses_up_its_restarts(tmp_path):
    async with Yard(tmp_path, "", command=("/nowhere/bot",), restarts_max=1) as yard:
        await yard.until(lambda: yard.status.state is BotState.FAILED)
        assert "cannot be run" in yard.log


async def test_a_bot_that_hangs_is_ended_and_started_again(tmp_path):
    code = "open('lives', 'a').write('x')\ntime.sleep(60)"
    async with Yard(tmp_path, code, heartbeat_timeout=0.6) as yard:
        await yard.until(lambda: _lives(tmp_path) == "xx")
        assert "no heartbeat for" in yard.log


async def test_heartbeats_keep_a_bot_alive_until_they_stop(tmp_path):
    code = "for n in range(15):\n    beat()\n    time.sleep(0.1)\ntime.sleep(60)"
    async with Yard(tmp_path, code, heartbeat_timeout=0.8) as yard:
        first = await _running(yard)
        await asyncio.sleep(1.2)
        assert yard.status.pid == first
        await yard.until(lambda: yard.status.restarts == 1)


async def test_a_heartbeat_of_another_process_is_none(tmp_path):
    code = """
path = os.environ["ARB_BOT_FOLDER"] + "/heartbeats/atom_heartbeat.json"
while True:
    with open(path + ".tmp", "w") as file:
        json.dump({"bot_name": "atom", "pid": 1, "timestamp": time.time()}, file)
    os.rename(path + ".tmp", path)
    time.sleep(0.05)
"""
    async with Yard(tmp_path, code, heartbeat_timeout=0.7, restarts_max=0) as yard:
        await yard.until(lambda: yard.status.state is BotState.FAILED)


async def _running(yard):
    await yard.until(lambda: yard.status.state is BotState.RUNNING and yard.supervisor.ready())
    return yard.status.pid


async def test_a_bot_that_ends_on_sigterm_is_given_the_time(tmp_path):
    code = "signal.signal(15, lambda *_: (print('bye'), sys.exit(0)))\ntime.sleep(60)"
    async with Yard(tmp_path, code, grace_seconds=60.0) as yard:
        await _running(yard)
        began = time.monotonic()
        await yard.supervisor.stop("atom")
        assert time.monotonic() - began < 50
        assert "bye" in yard.log
        assert yard.status.state is BotState.STOPPED
        assert yard.alarms == []


async def test_a_bot_that_ignores_sigterm_is_killed_after_its_grace(tmp_path):
    code = "signal.signal(15, signal.SIG_IGN)\nbeat('deaf')\ntime.sleep(60)"
    async with Yard(tmp_path, code) as yard:
        pid = await _running(yard)
        await yard.until(lambda: yard.status.beat == "deaf")
        who = identity(pid)
        await yard.supervisor.stop("atom")
        assert not alive(who)
        assert "killed after 0.4 s" in yard.log


async def test_what_a_bot_forks_goes_with_it(tmp_path):
    code = """
for n in range(5):
    if os.fork() == 0:
        signal.signal(15, signal.SIG_IGN)
        time.sleep(60)
open('forked', 'w').close()
time.sleep(60)
"""
    async with Yard(tmp_path, code) as yard:
        pid = await _running(yard)
        await yard.until((tmp_path / "forked").exists)
        assert len(members(pid)) == 6
        await yard.supervisor.stop("atom")
        await yard.until(lambda: not members(pid))


async def test_a_fork_that_outlives_its_parent_does_not_hold_anything_up(tmp_path):
    code = "if os.fork() == 0:\n    time.sleep(60)\nopen('pid', 'w').write(str(os.getpid()))\nsys.exit(0)"
    async with Yard(tmp_path, code, restarts_max=0) as yard:
        await yard.until(lambda: yard.status.state is BotState.FAILED)
        assert not members(int((tmp_path / "pid").read_text()))


async def test_a_fork_bomb_is_held_by_its_limit(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the kernel does not limit the number of root's processes")
    code = "made = 0\ntry:\n    while True:\n        made += 1\n        if not os.fork(): time.sleep(60)\nexcept OSError:\n    print('held', made)\n"
    limits = Limits(processes=2_000)
    async with Yard(tmp_path, code, limits=limits, restarts_max=0) as yard:
        await yard.until(lambda: "held" in yard.log)


async def test_limits_of_memory_files_and_size_hold(tmp_path):
    code = """
try: bytearray(1_000_000_000)
except MemoryError: print('memory held')
try: [open('/dev/null') for _ in range(100)]
except OSError: print('files held')
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try: open('big', 'wb').write(b'x' * 3_000_000)
except OSError: print('size held')
time.sleep(60)
"""
    limits = Limits(memory_mb=300, open_files=32, file_mb=1)
    async with Yard(tmp_path, code, limits=limits) as yard:
        await yard.until(lambda: yard.log.count("held") == 3)


async def test_a_bot_sees_no_secret_and_no_open_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ARB_POLYMARKET__PRIVATE_KEY", "0xhidden")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("GITHUB_TOKEN", "hidden")
    monkeypatch.setenv("PLAIN", "seen")
    monkeypatch.setenv("OTHER", "unseen")
    code = """
found = {"env": dict(os.environ), "fds": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1],
         "session": os.getsid(0) == os.getpid(), "core": __import__("resource").getrlimit(4)}
open("found.new", "w").write(json.dumps(found)); os.rename("found.new", "found.json")
time.sleep(60)
"""
    with (tmp_path / "held.txt").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        wanted = ("PLAIN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "ARB_POLYMARKET__PRIVATE_KEY")
        async with Yard(tmp_path, code, environment=wanted) as yard:
            await yard.until((tmp_path / "found.json").exists)
    found = json.loads((tmp_path / "found.json").read_text())
    known = {"PATH", "LANG", "LC_ALL", "TZ", "LC_CTYPE", "PLAIN", "ARB_BOT_NAME", "ARB_BOT_FOLDER"}
    assert set(found["env"]) <= known
    assert found["env"]["PLAIN"] == "seen"
    assert "hidden" not in json.dumps(found["env"])
    assert found["fds"] == [0, 1, 2]
    assert found["session"]
    assert found["core"] == [0, 0]


SPY = """
import ctypes, os
libc = ctypes.CDLL(None)
os.setresuid(65534, 65534, 65534) if os.geteuid() == 0 else None
libc.prctl(4, 1, 0, 0, 0)

def spied():
    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            seen = b"PLANTED" in open(f"/proc/{os.getppid()}/environ", "rb").read()
        except PermissionError:
            seen = False
        os.write(theirs, b"seen" if seen else b"hidden")
        os._exit(0)
    os.wait()
    return os.read(ours, 10).decode()

before = spied()
hide_ourselves()
print(before, spied())
"""


def test_nobody_reads_the_environment_of_the_supervisor_through_proc():
    code = "from arb.adapters.bots.process import hide_ourselves\n" + SPY
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PLANTED": "x", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.stdout == "seen hidden\n", done.stderr


def test_variables_that_may_hold_a_secret_are_refused_by_name():
    names = [
        "API_KEY",
        "my_token",
        "DbPassword",
        "X_SECRET",
        "ARB_POLYMARKET__WALLET",
        "LD_PRELOAD",
    ]
    for name in names:
        table = {"bot": {"atom": {"command": ["x"], "environment": [name]}}}
        with pytest.raises(ConfigError, match="bots see none"):
            read(table, "bots.toml")
        assert name not in environment(
            Definition(name="atom", command=("x",), environment=(name,)), {name: "v"}
        )


async def test_a_flood_of_output_is_bounded_and_clean(tmp_path):
    code = """
line = "x" * 500 + "\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 \\x9b2J\\r\\n"
for _ in range(4000): sys.stdout.write(line)
sys.stdout.write("y" * 1_000_000)
sys.stdout.write("\\nforged\\r2026 | CRITICAL\\n")
time.sleep(60)
"""
    async with Yard(tmp_path, code) as yard:
        await yard.until(lambda: "CRITICAL" in yard.log)
    files = list((tmp_path / "logs").iterdir())
    assert 1 < len(files) <= 3
    assert sum(file.stat().st_size for file in files) < 900_000
    for file in files:
        text = file.read_text()
        assert "\x1b" not in text
        assert "\r" not in text
        assert "\x9b" not in text
    assert "forged\\r2026" in yard.log


def test_lines_are_lines():
    assert plain(b"a\x1b[2Jb\rc\x00") == b"ab\\rc\\x00\n"
    assert plain(b"\xff\xfe") == "\ufffd\ufffd\n".encode()
    assert len(plain(b"z" * 10_000)) < 4_200


def test_a_full_disk_costs_the_log_only(tmp_path):
    log = BotLog(Path("/dev/full"))
    log.write(b"lost\n")
    log.close()


async def test_a_number_that_belongs_to_somebody_else_now_is_left_alone(tmp_path):
    """The state file tells of a process whose number another one has by now."""
    bystander = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    yard = Yard(tmp_path, "time.sleep(60)", autostart=False)
    who = identity(bystander.pid)
    stale = Status(
        bot_name="atom",
        state=BotState.RUNNING,
        since=SystemClock().now(),
        pid=who.pid,
        started=who.started - 1000,
    )
    _leave(yard, stale)
    async with yard:
        await asyncio.sleep(0.2)
        assert bystander.returncode is None
        assert alive(who)
    assert not alive(Identity(who.pid, who.started - 1000))
    bystander.kill()
    await bystander.wait()


async def test_what_a_dead_supervisor_left_is_ended_first(tmp_path):
    left = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    yard = Yard(tmp_path, "time.sleep(60)")
    who = identity(left.pid)
    status = Status(
        bot_name="atom",
        state=BotState.RUNNING,
        since=SystemClock().now(),
        pid=who.pid,
        started=who.started,
    )
    _leave(yard, status)
    async with yard:
        await _running(yard)
        assert await left.wait() == -signal.SIGTERM


def _leave(yard, status):
    import msgspec

    run = Folder(yard.mailbox.path / "run")
    run.write("atom.json", msgspec.json.encode(status))
    run.close()


async def test_a_status_that_nobody_can_read_ends_no_process_and_is_told(tmp_path):
    yard = Yard(tmp_path, "time.sleep(60)")
    place = yard.mailbox.path / "run" / "atom.json"
    place.write_bytes(b'{"bot_name": "atom", "state": "running", "pid": 1, "x": "\xff')
    async with yard:
        await _running(yard)
        assert yard.alarms == [
            "atom its status file cannot be read: no_json; an earlier process may still run"
        ]


async def test_wishes_are_obeyed_and_nonsense_is_told_once_and_not_obeyed(tmp_path):
    async with Yard(tmp_path, "while True:\n    beat()\n    time.sleep(0.1)") as yard:
        first = await _running(yard)
        control = yard.mailbox.path / "control" / "atom.json"

        def wish(text):
            new = control.with_name("new.tmp")
            new.write_text(text)
            new.rename(control)

        wish('{"wish": "restart"}')
        await yard.until(lambda: yard.status.pid not in (0, first))
        wish('{"wish": "rm -rf /"}')
        await yard.until(lambda: not control.exists())
        os.mkfifo(control)
        await yard.until(lambda: not control.exists())
        await yard.until(lambda: len(yard.alarms) == 2)
        assert "bad_fields" in yard.alarms[0]
        assert "pipe" in yard.alarms[1]
        wish('{"wish": "stop"}')
        await yard.until(lambda: yard.status.state is BotState.STOPPED)


async def test_a_bot_dies_with_its_supervisor(tmp_path):
    """The supervisor is killed: no time to say anything to anybody."""
    (tmp_path / "bot.py").write_text(BEAT + "time.sleep(60)")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "bots.toml").write_text(
        f'[bot.atom]\ncommand = ["{sys.executable}", "bot.py"]\n'
    )
    environment_ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "arb", "bots", "run", cwd=tmp_path, env=environment_
    )
    status = tmp_path / "comm" / "run" / "atom.json"
    pid = 0
    for _ in range(600):
        await asyncio.sleep(0.05)
        if status.exists() and (pid := json.loads(status.read_text())["pid"]):
            break
    who = identity(pid)
    assert alive(who)
    supervisor.kill()
    await supervisor.wait()
    for _ in range(100):
        if not alive(who):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the bot lives on")


def _asked():
    from datetime import UTC, datetime

    from arb.adapters.bots.messages import Leg

    now = datetime(2026, 11, 21, tzinfo=UTC)
    legs = tuple(
        Leg(
            id=f"p/{n}/BUY/1", venue="v", market="m", token="t", side="BUY", limit="0.4", shares="5"
        )
        for n in range(2)
    )
    return Command(
        id="b" * 32,
        command="execute_arbitrage",
        bot_name="plain",
        issued_at=now,
        expires_at=now,
        orders=legs,
    )


@pytest.mark.parametrize(
    ("printed", "code", "success", "orders"),
    [
        (b"chatter\nSEND\n", 0, True, 2),
        (b"SEND p/0/BUY/1 0.39 5\n", 0, True, 1),
        (b"SEND\nREFUSE too late\n", 0, False, 0),
        (b"SEND\n", 1, False, 0),
        (b"I WOULD SEND\n", 0, False, 0),
        (b"", 0, False, 0),
    ],
)
def test_a_plain_script_speaks_in_lines(printed, code, success, orders):
    said = answer("plain", _asked(), printed, code)
    assert (said.success, len(said.orders)) == (success, orders)
