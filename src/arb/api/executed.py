"""Commands that carried an idempotency key: carried out once, over restarts, too."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from arb.api.audit import AuditError
from arb.domain.errors import VenueError
from arb.engine.control import Refusal
from arb.files import read_document
from arb.ports import Clock

KEPT = timedelta(hours=24)
KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Execution:
    """When a command was begun, and its response; without one, the result is not known."""

    at: str
    answer: dict[str, Any] | None


class ExecutedKeys:
    """The keys of one installation, in one small file. Without a path they are kept in memory."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        """Read the file.

        Raises:
            AuditError: It cannot be read.
        """
        self._path, self._clock = path, clock
        self._writing = asyncio.Lock()
        self._known = _read(path)

    def get(self, key: str) -> Execution | None:
        """What is known of this key."""
        found = self._known.get(key)
        return None if found is None or self._is_old(found) else found

    @contextlib.asynccontextmanager
    async def once(self, key: str) -> AsyncIterator[Callable[[dict[str, Any]], Awaitable[None]]]:
        """Write down that a command begins, and let go of its key when nothing was done.

        The block is given what writes its answer down. Without a key nothing is written.

        Raises:
            AuditError: That it begins cannot be written; it must not begin.
        """

        async def done(answer: dict[str, Any]) -> None:
            begun = self._known.get(key)
            if begun is not None:
                self._known[key] = Execution(begun.at, answer)
                # It has happened: what cannot be written is known until this process ends.
                with contextlib.suppress(AuditError):
                    await self._write()

        if not key:
            yield done
            return
        self._forget_old()
        self._known[key] = Execution(self._clock.now().isoformat(), None)
        try:
            await self._write()
        except AuditError:
            del self._known[key]
            raise
        try:
            yield done
        except (Refusal, VenueError, AuditError):
            # All three are decided before anything is sent.
            self._known.pop(key, None)
            with contextlib.suppress(AuditError):
                await self._write()
            raise

    def _is_old(self, one: Execution) -> bool:
        return self._clock.now() - datetime.fromisoformat(one.at) >= KEPT

    def _forget_old(self) -> None:
        self._known = {key: one for key, one in self._known.items() if not self._is_old(one)}
        while len(self._known) >= KEPT_MAX:
            self._known.pop(next(iter(self._known)))

    async def _write(self) -> None:
        path = self._path
        if path is None:
            return
        async with self._writing:
            text = json.dumps({key: asdict(one) for key, one in self._known.items()})
            await asyncio.to_thread(_replace, path, text)


def _replace(path: Path, text: str) -> None:
    """The whole file anew, so that a crash leaves the old one or the new one."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AuditError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path | None) -> dict[str, Execution]:
    if path is None:
        return {}
    try:
        found = read_document(path)
        return {key: _execution(one) for key, one in found.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AuditError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AuditError(
            f"{path} is damaged: which commands were carried out is not known; move it away when "
            "none of the last 24 hours will be sent again with its key"
        ) from error


def _execution(one: dict[str, Any]) -> Execution:
    """One entry of the file.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    at, answer = one["at"], one["answer"]
    if not (answer is None or isinstance(answer, dict)):
        raise TypeError("an answer is an object")
    if datetime.fromisoformat(at).utcoffset() is None:
        raise ValueError("a time has an offset")
    return Execution(at, answer)
