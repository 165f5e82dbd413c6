"""The halt file: it works when the ledger does not.

Nothing here imports the database: `arb halt` must have taken effect before that is loaded.
"""

import contextlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from arb.config.sources import Loaded
from arb.domain.halt import Standing, TradingState
from arb.files import read_document

FOLDER = Path("data")
"""Where the file is when the ledger is on a server: both processes must start in one folder."""
BYTES_MAX = 1024 * 1024
REASON_MAX = 500
UNREADABLE = "the halt file cannot be read"


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A file beside the ledger with the accounts that are halted, and why.

    An empty file, or one that is anything else than such a list, halts every account: who can do
    no more than `touch` it is understood, too.
    """

    path: Path

    def reason(self, account: str) -> str | None:
        """Why the account is halted; `None`: it is not."""
        halted = self._read()
        if halted is None:
            return UNREADABLE
        return halted.get(account)

    def put(self, account: str, reason: str) -> None:
        """Halt the account.

        Raises:
            OSError: Not even an empty file could be made.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        halted = self._read()
        if halted is None:
            return
        try:
            self._write({**halted, account: reason or "no reason given"})
        except OSError:
            self.path.write_bytes(b"")  # a full disk has room for a name

    def lift(self, account: str) -> None:
        """Let the account trade again, as far as the file is concerned.

        Raises:
            OSError: The file could not be changed.
        """
        others = {name: why for name, why in (self._read() or {}).items() if name != account}
        if others:
            self._write(others)
        else:
            self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, str] | None:
        """The halted accounts with their reasons; `None`: all accounts."""
        try:
            found = read_document(self.path, BYTES_MAX)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or not found:
            return None
        if not all(isinstance(why, str) for why in found.values()):
            return None
        return {name: _plain(why) or UNREADABLE for name, why in found.items()}

    def _write(self, halted: dict[str, str]) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump(halted, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _plain(reason: str) -> str:
    """A reason that is safe to print, whatever its origin."""
    return "".join(each if each.isprintable() else "?" for each in reason[:REASON_MAX])


def sentinel_of(url: str) -> Sentinel | None:
    """The file for a ledger; `None` for one in memory, which no other process can see."""
    kind, _, place = url.partition("://")
    if kind.startswith("sqlite"):
        name = unquote(place.partition("?")[0].removeprefix("/"))
        return Sentinel(Path(f"{name}.halt")) if name not in ("", ":memory:") else None
    address = urlsplit(f"//{place}")
    words = f"{address.hostname or 'local'}-{address.path.strip('/') or 'arb'}"
    return Sentinel(FOLDER / (re.sub(r"[^\w.-]+", "_", words) + ".halt"))


def say_halt(url: str, accounts: Sequence[str], reason: str) -> str:
    """Make the file for a ledger; returns why that could not be done."""
    sentinel = sentinel_of(url)
    if sentinel is None:
        return "a ledger in memory has no file"
    try:
        for account in accounts:
            sentinel.put(account, reason)
    except OSError as error:
        return f"the file {sentinel.path} could not be written: {error.strerror}"
    return ""


def effective_standing(loaded: Loaded, standing: Standing) -> Standing:
    """The ledger's state, unless the file halts."""
    sentinel = sentinel_of(loaded.settings.database.url)
    reason = sentinel.reason(loaded.settings.account) if sentinel else None
    if not reason or standing.state is TradingState.HALTED:
        return standing
    return Standing(state=TradingState.HALTED, reason=reason, by_operator=True)
