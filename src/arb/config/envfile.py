"""The lines of a `.env` file: each is understood, or refused by its number.

python-dotenv skips what it cannot read, and takes invisible characters for a part of a name.
Either way a limit that the operator has set would not be in force.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from arb.domain.errors import ConfigError

PREFIX = "ARB_"
FILE = ".env"
BYTES_MAX = 1024 * 1024
_NAME = re.compile(r"\s*(?:export\s+)?([^\s=:#'\"]{1,80})")
_OURS_WITHIN = re.compile(rf"^\s*(?:export\s+)?({PREFIX}\w+)\s*[=:]", re.MULTILINE)
_UNSEEN = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class Line:
    """A variable that the file sets."""

    number: int
    name: str
    value: str


def read_lines(path: Path) -> list[Line]:
    """Every variable of the file.

    Raises:
        ConfigError: A line, or the file, cannot be read; names the line and how it is written.
    """
    return list(_lines(_text(path)))


def readable_lines(path: Path) -> list[Line]:
    """What can be read of a file that need not be sound, for a command that must not fail."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return []
    return [
        Line(_number(one), one.key, one.value)
        for one in parse_stream(io.StringIO(text))
        if one.key and one.value
    ]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ConfigError(f"{FILE} cannot be read: it has more than {BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{FILE} cannot be read: {error}") from error


def _lines(text: str) -> Iterator[Line]:
    for one in parse_stream(io.StringIO(text)):
        number = _number(one)
        if one.error:
            raise ConfigError(f"{_place(number, one.original.string)}{_fault(one)}")
        if one.key is None:
            continue
        name, ours = one.key, _is_ours(one.key)
        if ours and _UNSEEN.search(name):
            unseen = ", ".join(f"U+{ord(sign):04X}" for sign in _UNSEEN.findall(name))
            raise ConfigError(
                f"{FILE} line {number}: the name {name!a} holds invisible characters "
                f"({unseen}); type the line again"
            )
        if one.value is None:
            if ours:
                where = _place(number, name)
                raise ConfigError(f"{where}there is no = after the name; write NAME=value")
            continue
        swallowed = _OURS_WITHIN.findall(one.original.string.lstrip())
        if len(swallowed) > ours:
            raise ConfigError(
                f"{FILE} line {number}: the quote that begins there ends lines later and holds "
                f"{swallowed[-1]}; close it"
            )
        yield Line(number, name, one.value)


def _number(one: Binding) -> int:
    """Where it stands: blank lines before it count for it."""
    text = one.original.string
    blank = text[: len(text) - len(text.lstrip())].count("\n")
    return int(one.original.line) + blank


def _is_ours(name: str) -> bool:
    return re.sub(r"[^A-Za-z0-9_]", "", name).upper().startswith(PREFIX)


def _place(number: int, text: str) -> str:
    """The line, with its name if it is one of ours: of others the text may be a secret."""
    found = _NAME.match(text)
    name = f"{ascii(found[1])[1:-1]}: " if found and _is_ours(found[1]) else ""
    return f"{FILE} line {number}: {name}"


def _fault(one: Binding) -> str:
    text = one.original.string.strip()
    name = _NAME.match(text)
    after = text[name.end() :].lstrip() if name else text
    if not after.startswith("="):
        return "there is no = after the name; write NAME=value"
    if after[1:].lstrip()[:1] in ("'", '"'):
        return "its quote is not closed, or something follows it; write NAME=value"
    return "it cannot be read; write NAME=value"
