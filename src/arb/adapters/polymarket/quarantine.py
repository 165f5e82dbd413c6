"""Answers that could not be read, kept for inspection: bounded, and never in the way."""

import hashlib
from collections import Counter
from pathlib import Path

from arb.domain.report import Problem, ProblemKind

BYTES_MAX = 64 * 1024
PROBLEMS_MAX = 50


class Quarantine:
    """Counts what was refused, keeps a sample on disk, and reports it once."""

    def __init__(self, folder: Path | None, files_max: int) -> None:
        self._folder, self._files_max = folder, files_max
        self._problems: list[Problem] = []
        self.counts: Counter[str] = Counter()
        """Refusals by kind."""

    def keep(self, kind: ProblemKind, what: str, payload: bytes) -> None:
        """Count a refused payload and keep it if there is room."""
        self.counts[kind.value] += 1
        problem = Problem(kind=kind, where=kind.value, what=what)
        if len(self._problems) < PROBLEMS_MAX and problem not in self._problems:
            self._problems.append(problem)
        if self._folder is None:
            return
        name = f"{kind.value}-{hashlib.sha256(payload).hexdigest()[:12]}.txt"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(1 for _ in self._folder.iterdir()) < self._files_max:
                (self._folder / name).write_bytes(what.encode() + b"\n\n" + payload[:BYTES_MAX])
        except OSError as error:
            self.counts[f"not kept: {error.strerror}"] += 1

    def drain(self) -> list[Problem]:
        """What was refused since the last call."""
        problems, self._problems = self._problems, []
        return problems
