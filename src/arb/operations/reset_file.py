"""`arb reset-errors` where no API answers: a file beside the ledger that asks for it."""

from dataclasses import dataclass
from pathlib import Path

from arb.domain.errors import ArbError
from arb.operations.halt_file import sentinel_of


@dataclass(frozen=True, slots=True)
class ResetFile:
    """A request to reset errors: made by the asking process, removed by the orchestrator."""

    path: Path

    def ask(self) -> None:
        """Ask for it.

        Raises:
            ArbError: The file cannot be made.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
        except OSError as error:
            raise ArbError(f"{self.path} cannot be made: {error.strerror}") from error

    def asked(self) -> bool:
        """Whether a request was made since the last call."""
        try:
            self.path.unlink()
        except OSError:  # there is none; or one that would be obeyed for ever
            return False
        return True


def reset_file(url: str) -> ResetFile | None:
    """The file for the ledger at this address; `None` for one in memory."""
    sentinel = sentinel_of(url)
    return ResetFile(sentinel.path.with_suffix(".reset")) if sentinel else None
