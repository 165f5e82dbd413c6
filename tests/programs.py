"""`arb` as processes of their own: run to the end, or left running beside the test."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ARB = [sys.executable, "-m", "arb"]
END_SECONDS = 120


def arb(
    *args: str, env: Mapping[str, str], cwd: Path, timeout: float = 120, **more: Any
) -> subprocess.CompletedProcess[str]:
    """A command, as typed, with what it said when it had ended."""
    return subprocess.run(
        [*ARB, *args], env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, **more
    )


@contextlib.contextmanager
def running(*args: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to end."""
    process = subprocess.Popen([*ARB, *args], text=True, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        finally:
            process.kill()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def exchange_program(
    folder: Path, *, scenario: str = "demo", seed: int = 1, past: int = 0
) -> Iterator[str]:
    """`arb exchange serve`, with days of made-up earlier prices; the address it answers at."""
    serve = ("exchange", "serve", "--scenario", scenario, "--seed", str(seed), "--port", "0")
    serve += ("--past", str(past))
    with running(*serve, "--json", cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["ready"]


class Program:
    """A command left running, with what it has said so far in files."""

    def __init__(self, folder: Path, *args: str, env: Mapping[str, str]) -> None:
        folder.mkdir()
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*ARB, *args], env=env, cwd=folder, stdout=out, stderr=err
            )

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The reports of `arb run --json` that are complete."""
        lines = self.out.read_text().splitlines(keepends=True)
        said = [json.loads(line) for line in lines if line.endswith("\n")]
        return [one for one in said if "cycle" in one]

    @property
    def plans(self) -> list[str]:
        """The plans of all reports, by id."""
        return [plan["id"] for report in self.reports for plan in report["plans"]]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Tell it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(END_SECONDS)

    def kill(self) -> None:
        """It is gone after this, if it was not before."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
