"""The lines of a document, typed as they stand against a running `arb run --api`."""

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.conftest import environment_for
from tests.programs import Program, exchange_program

START_SECONDS = 120
ADDRESS = re.compile(r"The control API and its page: http://[^:]+:(\d+)/")


class Served:
    """A program whose API is open on loopback, and a shell to type in."""

    def __init__(self, program: Program, folder: Path, env: Mapping[str, str]) -> None:
        self.program, self.folder, self.env = program, folder, env
        end = time.monotonic() + START_SECONDS
        while (found := ADDRESS.search(program.err.read_text())) is None:
            assert program.process.poll() is None, program.err.read_text()
            assert time.monotonic() < end, program.err.read_text()
            time.sleep(0.05)
        self.port = found[1]

    def typed(self, line: str) -> str:
        """What a line of the shell prints; the document's port is 8000, this one's is another."""
        if shutil.which("jq") is None:
            line = line.replace(" | jq .", "")
        here = line.replace("localhost:8000", f"localhost:{self.port}")
        done = subprocess.run(
            ["bash", "-c", here],
            env={**self.env, "no_proxy": "*"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers(self, line: str) -> Any:
        """What a line of the shell prints, as JSON."""
        return json.loads(self.typed(line))

    def stream(self, line: str) -> ClientConnection:
        """A WebSocket at the address that the document names."""
        return connect(line.replace("localhost:8000", f"localhost:{self.port}"), proxy=None)


@contextlib.contextmanager
def served(folder: Path, *, past: int = 0, **settings: str) -> Iterator[Served]:
    """`arb run --api` on paper against the embedded exchange, open on loopback."""
    with exchange_program(folder, seed=7, past=past) as address:
        env = {
            **environment_for(address, folder),
            "ARB_API__PORT": "0",
            "ARB_API__OPEN_ON_LOOPBACK": "true",
            **settings,
        }
        program = Program(folder / "run", "run", "--api", "--interval", "1", env=env)
        try:
            yield Served(program, folder, env)
        finally:
            program.stop()
            program.kill()


def heard(socket: ClientConnection, type_: str) -> Any:
    """The next message of this type."""
    while True:
        message = json.loads(socket.recv(START_SECONDS))
        if message["type"] == type_:
            return message
