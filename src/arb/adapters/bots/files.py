"""One folder that strangers write to, used without ever following them anywhere.

The folder is held by its descriptor, so no link can be put in its place; names are looked up
in it without following links; only ordinary files with one name and an owner that we know are
opened, and opening never waits. What is anything else is put aside and counted.
"""

import contextlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from arb.adapters.bots.messages import BYTES_MAX, BadDocument
from arb.domain.errors import ConfigError

_LISTED_MAX = 1_000
_KEPT_MAX = 100
"""Files that were put aside; what is more is removed."""
_READS_MAX = 5
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Mark = tuple[int, int, int]
"""By which two readings of a file are distinguished: inode, time of change, size."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held when it was read."""

    raw: bytes
    mark: Mark
    changed_at: float
    """By the wall clock; the writer can forge it."""


@dataclass(slots=True)
class Folder:
    """A folder of small files."""

    path: Path
    owners: frozenset[int] = field(default_factory=lambda: frozenset({os.geteuid()}))
    _fd: int = field(init=False)
    _made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.path, flags)
        except OSError as error:
            raise ConfigError(f"{self.path} is no folder of ours: {error.strerror}") from None
        if os.fstat(self._fd).st_uid != os.geteuid():
            self.close()
            raise ConfigError(f"{self.path} belongs to another user")
        if stat.S_IMODE(os.fstat(self._fd).st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
            self.close()
            raise ConfigError(f"{self.path} can be written to by others; chmod 700 it")

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)

    def write(self, name: str, content: bytes) -> None:
        """Put a whole file in the place of what is there; a reader sees the old or the new one."""
        self._made += 1
        temporary = f".{name}.{os.getpid()}-{self._made}.tmp"
        file = os.open(temporary, _MAKE, 0o600, dir_fd=self._fd)
        try:
            with os.fdopen(file, "wb") as open_file:
                open_file.write(content)
                open_file.flush()
                os.fsync(open_file.fileno())
            self.rename(temporary, name)
        except OSError:
            self.remove(temporary)
            raise
        os.fsync(self._fd)

    def read(self, name: str, size_max: int = BYTES_MAX) -> Content | None:
        """The file's content; `None` where there is none.

        Raises:
            BadDocument: It is no ordinary small file of an owner that we know.
        """
        for _ in range(_READS_MAX):
            found = self._read(name, size_max)
            # Without a name it was replaced while it was being opened: read the new one.
            if found is None or found[1].st_nlink:
                break
        if found is None:
            return None
        raw, about = found
        if len(raw) > size_max:
            raise BadDocument("too_large")
        return Content(raw, (about.st_ino, about.st_mtime_ns, about.st_size), about.st_mtime)

    def _read(self, name: str, size_max: int) -> tuple[bytes, os.stat_result] | None:
        try:
            # Checked before it is opened: opening a device can have effects.
            self._check(os.stat(name, dir_fd=self._fd, follow_symlinks=False), size_max)
            file = os.open(name, _READ, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadDocument("unreadable", str(error.strerror)) from None
        try:
            about = os.fstat(file)
            self._check(about, size_max)
            return os.read(file, size_max + 1), about
        except OSError as error:
            raise BadDocument("unreadable", str(error.strerror)) from None
        finally:
            os.close(file)

    def rename(self, name: str, to: str) -> bool:
        """Give the file another name in one step; false where there is none."""
        try:
            os.rename(name, to, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except FileNotFoundError:
            return False
        return True

    def remove(self, name: str) -> bool:
        """Take the name away; false where there is none, or where it is a folder's."""
        try:
            os.unlink(name, dir_fd=self._fd)
        except OSError:
            return False
        return True

    def move(self, name: str, other: "Folder", to: str) -> bool:
        """Give the file a name in another folder; false where there is none."""
        try:
            os.rename(name, to, src_dir_fd=self._fd, dst_dir_fd=other._fd)
        except OSError:
            return False
        return True

    def exists(self, name: str) -> bool:
        """Whether the name is taken, by whatever."""
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def changed_at(self, name: str) -> float:
        """When what has this name was last changed; 0 where there is nothing."""
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_mtime
        except OSError:
            return 0.0

    def names(self) -> Iterator[str]:
        """Its content; a flood is read piece by piece."""
        with contextlib.suppress(OSError), os.scandir(self._fd) as entries:
            yield from [entry.name for entry in islice(entries, _LISTED_MAX)]

    def _check(self, about: os.stat_result, size_max: int) -> None:
        if not stat.S_ISREG(about.st_mode):
            raise BadDocument(_kind(about.st_mode))
        if about.st_nlink > 1:
            raise BadDocument("hard_link", f"{about.st_nlink} names")
        if about.st_uid not in self.owners:
            raise BadDocument("wrong_owner", str(about.st_uid))
        if about.st_size > size_max:
            raise BadDocument("too_large", f"{about.st_size} bytes")


@dataclass(slots=True)
class Quarantine:
    """Where bad files are put, and how many came for which reason."""

    folder: Folder
    tell: Callable[[str, str], None] = lambda _why, _name: None
    counts: Counter[str] = field(default_factory=Counter)
    _taken: int = field(default=0, init=False)

    def take(self, source: Folder, name: str, reason: str, why: str = "") -> None:
        """Put a file aside; it is never opened again.

        Args:
            source: Where it is.
            name: What it is called there.
            reason: One of a few words, for counting.
            why: The same in more words, for people.
        """
        self.counts[reason] += 1
        full = sum(1 for _ in self.folder.names()) >= _KEPT_MAX
        # The large are not kept: a bot could fill the disk with them.
        if not ((full or reason == "too_large") and source.remove(name)):
            self._taken += 1
            plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:80]
            kept = f"{os.getpid()}-{self._taken:06}-{reason}-{plain}"
            if not source.move(name, self.folder, kept):
                source.remove(name)
        self.tell(why or reason, name)


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "symbolic_link"),
        (stat.S_ISDIR, "folder"),
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
    )
    return next((name for test, name in kinds if test(mode)), "device")
