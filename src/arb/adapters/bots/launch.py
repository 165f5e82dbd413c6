"""The first thing in a bot's process: ties it down, then becomes the bot.

Run as a file of its own, by a fresh interpreter, so that nothing has to happen between fork and
exec in a program with threads: `launch.py PARENT LIMITS -- PROGRAM ARGUMENT…`.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> None:
    """Set the limits, ask to die with the parent, and run the program."""
    parent, limits, mark, *command = arguments
    if mark != "--" or not command:
        raise SystemExit("launch: there is no program")
    for name, value in json.loads(limits).items():
        _limit(getattr(resource, name), value)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # The parent may have died before it could be asked for.
    if os.getppid() != int(parent):
        raise SystemExit("launch: the supervisor is gone")
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(f"launch: {command[0]} cannot be run: {error.strerror}") from None


def _limit(which: int, value: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(which)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (least, least))


if __name__ == "__main__":
    main(sys.argv[1:])
