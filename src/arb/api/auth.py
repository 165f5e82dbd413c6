"""Authorization: bearer tokens with roles, kept as hashes in a file that only its owner reads."""

import hashlib
import hmac
import ipaddress
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from arb.domain.errors import ConfigError
from arb.files import document

TOKEN_BYTES = 32
TOKEN_LENGTH_MIN = 22
"""Characters of a token that a person chose: 128 bits at six bits each."""
FILE_BYTES_MAX = 64 * 1024


class Role(StrEnum):
    """What a token permits; each role includes the ones before it."""

    READ = "read"
    OPERATE = "operate"
    """Hold trading back and let it go on: start, stop, pause, resume, halt, strategies."""
    TRADE = "trade"
    """Also ask for a trade."""

    def covers(self, needed: "Role") -> bool:
        """Whether this role includes the other."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller."""

    name: str
    role: Role


LOOPBACK = Principal("loopback", Role.OPERATE)
"""Who asks without a token from this machine, where `api.open_on_loopback` lets it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: never itself, only its hash."""

    name: str
    role: Role
    digest: str


class Tokens:
    """The tokens that are good now: those given, and those of the file as it stands.

    The file is checked at every request and read when it has changed, so that a token which is
    made or revoked is good or gone at once. A file that cannot be used holds no good token.
    """

    def __init__(
        self,
        tokens: Iterable[Token],
        file: Path | None = None,
        tell: Callable[[str], None] = lambda _what: None,
    ) -> None:
        """Let these tokens in, and those of the file.

        Args:
            tokens: Good as long as this lives.
            file: With more tokens; none where there is no file.
            tell: Called once each time with why the file cannot be used.
        """
        self._own, self._file, self._tell = tuple(tokens), file, tell
        self._kept: tuple[Token, ...] = ()
        self._seen: tuple[int, ...] | None = None
        self._told = ""

    def __len__(self) -> int:
        return len(self._good())

    def _good(self) -> tuple[Token, ...]:
        if self._file is None:
            return self._own
        try:
            about = self._file.lstat()
            seen = (about.st_ino, about.st_mtime_ns, about.st_size, about.st_mode)
            if seen != self._seen:
                self._kept, self._seen = tuple(read_tokens(self._file)), seen
                self._told = ""
        except FileNotFoundError:
            self._kept, self._seen = (), None
        except (OSError, ConfigError) as error:
            self._kept, self._seen = (), None
            if str(error) != self._told:
                self._told = str(error)
                self._tell(self._told)
        return (*self._own, *self._kept)

    def find(self, presented: str) -> Principal | None:
        """Whose token it is. Takes as long for a wrong one as for a right one."""
        digest, found = digest_of(presented), None
        for token in self._good():
            if hmac.compare_digest(token.digest, digest):
                found = Principal(token.name, token.role)
        return found


def digest_of(token: str) -> str:
    """What is kept of a token. It is random and long: a plain hash cannot be searched backwards."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def chosen(token: str) -> Token:
    """The token of the settings, with every right.

    Raises:
        ConfigError: It is too short.
    """
    if len(token) < TOKEN_LENGTH_MIN:
        raise ConfigError(f"ARB_API__TOKEN must have {TOKEN_LENGTH_MIN} characters or more")
    return Token("ARB_API__TOKEN", Role.TRADE, digest_of(token))


def read_tokens(path: Path) -> list[Token]:
    """The tokens of the file; none where there is no file.

    Raises:
        ConfigError: Others can read or write it, or it is something else.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"api.token_file = {path} cannot be read: {error.strerror}") from None
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"api.token_file = {path}: others can read it; chmod 600 it")
        content = os.read(file, FILE_BYTES_MAX + 1)
    finally:
        os.close(file)
    try:
        if len(content) > FILE_BYTES_MAX:
            raise ValueError("too large")  # noqa: TRY301  # one refusal for all that it can be
        return [_token(one) for one in document(content)["tokens"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"api.token_file = {path}: it is no file of tokens, so no token in it is valid; "
            "move it away and make new tokens"
        ) from error


def _token(one: dict[str, Any]) -> Token:
    """A row of the file.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    name, digest = one["name"], one["sha256"]
    if not (isinstance(name, str) and name and re.fullmatch(r"[0-9a-f]{64}", digest)):
        raise ValueError("a name and a SHA-256 in hexadecimal")
    return Token(name, Role(one["role"]), digest)


def add_token(path: Path, name: str, role: Role) -> str:
    """Make a random token, keep its hash, and answer with it: it is never shown again.

    Raises:
        ConfigError: The file cannot be used, or has a token of that name.
    """
    before = read_tokens(path)
    if any(token.name == name for token in before):
        raise ConfigError(f"there is a token {name} already; choose another name")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    _write(path, [*before, Token(name, role, digest_of(token))])
    return token


def remove_token(path: Path, name: str) -> None:
    """Revoke a token.

    Raises:
        ConfigError: There is none of that name, or the file cannot be used.
    """
    before = read_tokens(path)
    left = [token for token in before if token.name != name]
    if len(left) == len(before):
        raise ConfigError(f"there is no token {name}")
    _write(path, left)


def must_not_listen(host: str, *, configured: bool) -> str:
    """Why the API must not listen at this address; empty when it may."""
    if is_loopback(host) or configured:
        return ""
    return (
        f"api.host = {host} is not loopback: set ARB_API__TOKEN, or make a token with "
        "`arb api token`, before others can reach it; and put TLS in front of it"
    )


def must_not_be_open(host: str, names: Sequence[str], *, live: bool) -> str:
    """Why `api.open_on_loopback` must not be used; empty when it may.

    Args:
        host: Where the API listens.
        names: Further names under which it is served, such as behind a proxy.
        live: Whether it is about real money.
    """
    if not is_loopback(host):
        why = f"api.host = {host} is not loopback"
    elif others := [name for name in names if not is_loopback(name)]:
        why = f"api.allowed_hosts has {others[0]}, so others reach it through a proxy"
    elif live:
        why = "real money is traded"
    else:
        return ""
    return f"api.open_on_loopback = true: {why}; give each caller a token with `arb api token`"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, more: Sequence[str]) -> frozenset[str]:
    """The names by which the API may be called, without ports: against DNS rebinding."""
    own = {"localhost", "127.0.0.1", "::1"} if is_loopback(host) else {host}
    return frozenset(name.lower().strip("[]") for name in (*own, *more))


def _write(path: Path, tokens: Sequence[Token]) -> None:
    rows: list[dict[str, Any]] = [
        {"name": token.name, "role": token.role.value, "sha256": token.digest} for token in tokens
    ]
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as open_file:
            json.dump({"tokens": rows}, open_file, indent=1)
            open_file.flush()
            os.fsync(open_file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"api.token_file = {path} cannot be written: {error.strerror}") from error
