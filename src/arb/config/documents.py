"""Names that the users' documents give: what each means here, and what is done where it stands.

In our own `.env` a limit or the mode under such a name is in force, and a secret is refused with
the name that it has here. In the environment the same names may belong to other programs: there
they change nothing, and a warning says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from arb.config.envfile import FILE, PREFIX, Line
from arb.domain.errors import ConfigError

UNDERSTOOD = {
    "MAX_POSITION_SIZE": "trading.max_position_size",
    "RISK_PER_TRADE": "risk.risk_per_trade",
    "MAX_DRAWDOWN_PCT": "risk.max_drawdown_pct",
    "MAX_DAILY_LOSS_PCT": "risk.max_daily_loss_pct",
}
"""Limits, and the settings that they are."""
MODE, LIVE = "PAPER_TRADING", "trading.live"
TWO_KEYS = "real money needs two keys, ARB_TRADING__LIVE=true and `arb run --live`"


SHOWN_MAX = 40
"""Characters of a value in an error."""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Where something that is not taken under its old name goes."""

    setting: str
    written: str = ""
    """What follows the setting's name, where it takes more than the old value."""


REFUSED = {
    "EXCHANGE_API_KEY": _Elsewhere("polymarket.api_key"),
    "EXCHANGE_API_SECRET": _Elsewhere("polymarket.api_secret"),
    "OPERATOR_PRIVATE_KEY": _Elsewhere("polymarket.private_key"),
    "RPC_PRIMARY_HTTP": _Elsewhere("polymarket.rpc_urls"),
    "ALCHEMY_API_KEY": _Elsewhere(
        "polymarket.rpc_urls", "=https://polygon-mainnet.g.alchemy.com/v2/KEY"
    ),
    "DB_USER": _Elsewhere("database.url", "=postgresql+asyncpg://USER:PASSWORD@HOST:5432/arb"),
    "DB_PASSWORD": _Elsewhere("database.url", "=postgresql+asyncpg://USER:PASSWORD@HOST:5432/arb"),
    "REDIS_PASSWORD": _Elsewhere("redis.url", "=redis://:PASSWORD@HOST:6379/0"),
}
"""What may be a secret, or hold one."""
_NO_MODEL = "nothing here asks a language model"
UNUSED = {
    "RPC_PRIMARY_WS": "nodes are asked over HTTP: ARB_POLYMARKET__RPC_URLS",
    "DEEPSEEK_API_KEY": _NO_MODEL,
    "OPENAI_API_KEY": _NO_MODEL,
    "ANTHROPIC_API_KEY": _NO_MODEL,
}
"""What has no counterpart, and why."""
NAMES = frozenset({*UNDERSTOOD, MODE, *REFUSED, *UNUSED})


@dataclass(frozen=True, slots=True)
class Found:
    """What the lines of `.env` say under the documents' names."""

    settings: Mapping[str, tuple[str, Any]]
    """Where each setting comes from, and its value."""
    paper: Line | None
    """The line that sets the mode."""
    warnings: tuple[str, ...]


def read(lines: Sequence[Line], own: Mapping[str, Any], elsewhere: Mapping[str, Any]) -> Found:
    """The settings that stand in `.env` under the documents' names.

    Args:
        lines: Of `.env`, with references to other variables resolved.
        own: What the file sets under our own names, by dotted name.
        elsewhere: What the environment sets so.

    Raises:
        ConfigError: A secret stands under a document's name, or one setting has two values; names
            both, and shows no secret.
    """
    last = {line.name.upper(): line for line in lines if line.value}
    given = {**own, **elsewhere}
    refused = [
        _refusal(line, REFUSED[name], given)
        for name, line in last.items()
        if name in REFUSED and not _within(line.value, given.get(REFUSED[name].setting))
    ]
    if refused:
        raise ConfigError("; ".join(refused))
    settings: dict[str, tuple[str, Any]] = {}
    for name, setting in UNDERSTOOD.items():
        if (line := last.get(name)) is None:
            continue
        if setting in own and not _same(line.value, own[setting]):
            raise ConfigError(
                f"{name} = {_short(line.value)} ({FILE} line {line.number}) and "
                f"{variable(setting)} = {_short(str(own[setting]))} ({FILE}) are one setting with "
                "two values; keep one of them"
            )
        settings[setting] = (f"{FILE} as {name}", line.value)
    paper = last.get(MODE)
    if paper is not None and _is_paper(paper):
        settings[LIVE] = (f"{FILE} as {MODE}", False)
    unused = (
        f"{name} ({FILE} line {line.number}) is not read: {UNUSED[name]}"
        for name, line in last.items()
        if name in UNUSED
    )
    return Found(settings, paper, tuple(unused))


def check_mode(paper: Line, live: Any, source: str) -> None:
    """Stop where `.env` speaks of the mode and the setting says otherwise.

    Args:
        paper: The line with the document's name.
        live: What `trading.live` is.
        source: Where that comes from.

    Raises:
        ConfigError: The line says paper and the setting live, or the line alone would switch to
            real money.
    """
    try:
        is_live = TypeAdapter(bool).validate_python(live)
    except ValidationError:
        return  # the setting's own check reports that
    place = f"{MODE}={_short(paper.value)} ({FILE} line {paper.number})"
    if _is_paper(paper) and is_live:
        raise ConfigError(
            f"{place} and {variable(LIVE)}=true ({source}) contradict each other; take one out"
        )
    if not _is_paper(paper) and not is_live:
        raise ConfigError(f"{place} switches nothing on: {TWO_KEYS}; write those, or take it out")


def in_environment(
    variables: Mapping[str, str], given: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """What to say of such names among all programs' variables.

    Args:
        variables: Of the process, by name.
        given: Every setting that `.env` and the environment give, by dotted name.

    Returns:
        Sentences, and whether each is about something that has a name here.
    """
    for original, value in variables.items():
        name = original.upper()
        if not value or name not in NAMES:
            continue
        said = f"{name} (environment) is not read"
        if name in UNUSED:
            yield f"{said}: {UNUSED[name]}", False
        elif name == MODE:
            yield f"{said}: {TWO_KEYS}", True
        elif name in UNDERSTOOD:
            if not _same(value, given.get(UNDERSTOOD[name])):
                yield f"{said}; for the setting write {variable(UNDERSTOOD[name])}", True
        elif not _within(value, given.get(REFUSED[name].setting)):
            there = REFUSED[name]
            yield f"{said}; for the setting write {variable(there.setting)}{there.written}", True


def variable(setting: str) -> str:
    """The variable of a setting."""
    return PREFIX + setting.upper().replace(".", "__")


def _refusal(line: Line, there: _Elsewhere, given: Mapping[str, Any]) -> str:
    place, right = f"{line.name} ({FILE} line {line.number})", variable(there.setting)
    if there.setting in given:
        return f"{place} is not part of {right}, which is set, too; keep {right} alone"
    return f"{place} is not read under this name; write {right}{there.written} instead"


def _within(value: str, given: Any) -> bool:
    """Whether a setting is given, and the old value is it or stands in it."""
    if given is None:
        return False
    return value in str(given) or quote(value, safe="") in str(given)


def _same(value: str, given: Any) -> bool:
    if given is None:
        return False
    try:
        return Decimal(value) == Decimal(str(given))
    except InvalidOperation:
        return value == str(given)


def _short(value: str) -> str:
    return value if len(value) <= SHOWN_MAX else f"{value[:SHOWN_MAX]}…"


def _is_paper(line: Line) -> bool:
    try:
        return TypeAdapter(bool).validate_python(line.value)
    except ValidationError:
        raise ConfigError(
            f"{MODE} = {_short(line.value)} ({FILE} line {line.number}): true or false; {TWO_KEYS}"
        ) from None
