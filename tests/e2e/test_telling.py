"""What was done is never undone by telling it: readers that go, closed and full outputs, logs."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loguru import logger

from arb.adapters.telemetry.logs import LogOptions, check_room, set_up
from arb.domain.errors import ConfigError
from tests.conftest import environment_for
from tests.programs import ARB, arb, exchange_program

COMMAND = [sys.executable, "-u", *ARB[1:]]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with exchange_program(folder, seed=7) as address:
        yield address


def _shell(words, env, folder, **more):
    """A command line with its redirections, as bash reads it."""
    line = words.replace("arb ", f"{' '.join(COMMAND)} ")
    return subprocess.run(
        ["bash", "-c", line],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        **more,
    )


def _cycles(env, folder):
    return json.loads(arb("status", "--json", env=env, cwd=folder).stdout)["last_cycle"]


@pytest.mark.parametrize(
    ("words", "code", "cycles"),
    [
        ("arb fees | head -c 10; exit ${PIPESTATUS[0]}", 0, None),
        ("arb run --interval 0.2 --cycles 3 --json | head -c 10; exit ${PIPESTATUS[0]}", 0, 3),
        ("arb run --once --json 2>&-", 0, 1),
        ("arb run --once --json >&-", 0, 1),
        ("arb run --once >/dev/full", 0, 1),
        ("arb run --once --json >&- 2>&- <&-", 0, 1),
        ("arb run --once 2>/dev/full", 0, 1),
        ("arb run --once 2> >(head -c 10)", 0, 1),
        ("arb fees >/dev/full", 5, None),
        ("arb fees --json >&-", 5, None),
        ("arb fees >/dev/full 2>/dev/full", 5, None),
    ],
)
def test_a_reader_that_goes_and_an_output_that_is_full_end_nothing(
    words, code, cycles, served, tmp_path
):
    env = environment_for(served, tmp_path)
    done = _shell(words, env, tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "internal error" not in done.stderr
    if cycles is not None:
        assert _cycles(env, tmp_path) == cycles
        assert arb("db", "check", env=env, cwd=tmp_path).returncode == 0
    if code and "2>" not in words:
        assert "standard output cannot be written to" in done.stderr


@pytest.mark.parametrize("pages", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
                                   {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}])  # fmt: skip
def test_a_code_page_spoils_no_document_and_ends_no_command(pages, served, tmp_path):
    env = environment_for(served, tmp_path) | pages
    done = arb("run", "--once", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cycle"] == 1
    assert "Traceback" not in done.stderr
    for command in (("status",), ("opportunities",), ("explain", "cheap-no-1"), ("doctor",)):
        done = arb(*command, env=env, cwd=tmp_path)
        assert "Encode" not in done.stderr, done.stderr
        assert done.stdout


@pytest.fixture
def console():
    class Console:
        said = ""

        def write(self, text):
            self.said += text

        def flush(self):
            pass

        def isatty(self):
            return False

    yield Console()
    logger.remove()


def test_a_full_disk_is_said_once_and_costs_nothing_else(tmp_path, console):
    """No file of this process may grow: as on a full disk, each write fails."""
    set_up(LogOptions(folder=tmp_path), (), console)
    logger.info("before")
    (file,) = tmp_path.glob("arb_*.log")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        for number in range(5):
            logger.info("meanwhile {}", number)
        with pytest.raises(ConfigError, match="cannot be written to"):
            check_room(LogOptions(folder=tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    logger.info("after")
    assert console.said.count("the log file cannot be written") == 1
    assert "Traceback" not in console.said
    assert len(re.findall("meanwhile", console.said)) == 5
    assert "after" in file.read_text()
    check_room(LogOptions(folder=tmp_path))


def test_a_log_that_is_not_ours_to_write_is_refused_before_the_cycle(served, tmp_path):
    env = environment_for(served, tmp_path)
    assert arb("run", "--once", env=env, cwd=tmp_path).returncode == 0
    (file,) = (tmp_path / "logs").glob("arb_*.log")
    file.unlink()
    file.mkdir()  # nobody, not even root, can append to it
    done = arb("run", "--once", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "set ARB_LOGGING__FOLDER to another folder" in done.stderr
    doctor = arb("doctor", "--json", env=env, cwd=tmp_path)
    logs = next(c for c in json.loads(doctor.stdout) if c["check"] == "logs")
    assert not logs["passed"]
    assert _cycles(env, tmp_path) == 1


def test_another_users_lock_is_named_with_its_fix(served, tmp_path):
    (tmp_path / "arb.db.lock").mkdir()
    env = environment_for(served, tmp_path)
    done = arb("run", "--once", env=env, cwd=tmp_path)
    assert done.returncode == 5
    assert "arb.db.lock cannot be opened" in done.stderr
    assert "internal error" not in done.stderr


def test_a_log_that_another_process_has_rotated_is_followed(tmp_path, console):
    set_up(LogOptions(folder=tmp_path), (), console)
    logger.info("one")
    (file,) = tmp_path.glob("arb_*.log")
    file.rename(tmp_path / "kept.log")
    logger.info("two")
    assert "two" in file.read_text()
    file.unlink()
    logger.info("three")
    assert "three" in file.read_text()
    assert "WARNING" not in console.said


WRITER = """
import sys
from pathlib import Path
from loguru import logger
from arb.adapters.telemetry.logs import LogOptions, set_up
set_up(LogOptions(folder=Path(sys.argv[1]), rotation="4 KB", compression="", level="INFO"))
for number in range(200):
    logger.info("line {} of {}", number, sys.argv[2])
"""


def test_processes_on_one_log_lose_no_line_where_one_rotates_it(tmp_path):
    """The last word of each is there, and nobody's lines break another's."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, name], stderr=subprocess.PIPE, text=True
        )
        for name in ("first", "second", "third")
    ]
    said = [one.communicate()[1] for one in running]
    assert all(one.returncode == 0 for one in running), said
    assert not any("Traceback" in text for text in said)
    lines = [line for f in tmp_path.glob("*.log") for line in f.read_text().splitlines()]
    assert len(list(tmp_path.glob("*.log"))) > 3
    assert all(re.fullmatch(r"[\d-]{10} [\d:]{8} \| INFO     \| line \d+ of \w+", x) for x in lines)
    assert len(lines) > 500  # of 600: two that rotate at one moment can lose what lay between


def test_the_ledger_never_gets_a_closed_streams_number(served, tmp_path):
    """What is written to standard error would end up in it."""
    env = environment_for(served, tmp_path)
    command = f"{' '.join(COMMAND)} run --interval 0.3 2>&- >&- <&- & echo $!"
    done = subprocess.run(
        ["bash", "-c", command],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
    )
    pid = int(done.stdout)
    try:
        until = time.monotonic() + 180
        while not (tmp_path / "arb.db").exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        places = {Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)}
        assert places == {Path("/dev/null")}
    finally:
        os.kill(pid, signal.SIGTERM)
