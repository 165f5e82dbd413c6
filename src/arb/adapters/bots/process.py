"""Processes by number *and* time of start: a number alone may be another process's by now."""

import contextlib
import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from arb.adapters.bots.definition import Limits

LAUNCHER = Path(__file__).with_name("launch.py")
PR_SET_DUMPABLE = 4
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for ever."""

    pid: int
    started: int
    """Clock ticks since the machine started, from field 22 of /proc/PID/stat."""


def identity(pid: int) -> Identity | None:
    """The process that has this number now; `None` where there is none, or it is dead already."""
    fields = _stat(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return Identity(pid, int(fields[19]))


def alive(one: Identity) -> bool:
    """Whether it is still the same process, and runs."""
    return identity(one.pid) == one


def group_of(pid: int) -> int | None:
    """The process group of a process."""
    fields = _stat(pid)
    return int(fields[2]) if fields is not None else None


def members(group: int) -> list[int]:
    """The processes of a group that are not dead yet."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None and fields[0] not in ("Z", "X") and int(fields[2]) == group:
            found.append(int(entry.name))
    return found


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to all processes of a bot's own group."""
    if group > 1 and group != os.getpgid(0):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def launched(command: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    """The argument vector that runs a command tied down."""
    given = {
        "RLIMIT_CORE": (0, True),
        "RLIMIT_AS": (limits.memory_mb * _MB, bool(limits.memory_mb)),
        "RLIMIT_CPU": (limits.cpu_seconds, bool(limits.cpu_seconds)),
        "RLIMIT_NOFILE": (limits.open_files, bool(limits.open_files)),
        "RLIMIT_NPROC": (limits.processes, bool(limits.processes)),
        "RLIMIT_FSIZE": (limits.file_mb * _MB, bool(limits.file_mb)),
    }
    wanted = json.dumps({name: value for name, (value, set_) in given.items() if set_})
    # -I and -S: nothing of the bot's folder or environment is imported by the launcher.
    return (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), wanted, "--", *command)


def hide_ourselves() -> None:
    """Keep processes of the same user from reading our environment and memory through /proc."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _stat(pid: int) -> list[str] | None:
    """The fields after the name, which may hold anything: they begin with the state."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rfind(")") + 2 :].split()
