"""Which bots there are and what each may have: `config/bots.toml`, checked before use."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb import plugins
from arb.adapters.bots.hours import Hours, hours
from arb.adapters.bots.messages import NAME
from arb.adapters.bots.routing import Rule, rule
from arb.domain.errors import ConfigError
from arb.domain.opportunity import Kind

SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASS|CREDENTIAL|PRIVATE|MNEMONIC", re.IGNORECASE)
"""No bot sees a variable whose name has one of these, listed or not."""
SECRET_PREFIXES = ("ARB_POLYMARKET__", "ARB_API__", "ARB_ALERTS__", "ARB_DATABASE__", "LD_")
VALUE_SHOWN_MAX = 80
NUMBER_MAX = 10**9
SPREAD = "dex_spread"
"""The kind of a spread between pools on a chain: a bot that takes it takes nothing else."""
MODES = ("decides", "executes", "prints")
BASE_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a bot's process may use; the kernel holds it to them."""

    memory_mb: int = 0
    """Address space; 0 sets no limit (Node.js reserves far more than it uses)."""
    cpu_seconds: int = 0
    """Of processor time in all; 0 sets no limit."""
    open_files: int = 256
    processes: int = 0
    """Of the bot's user, threads included; 0 sets no limit."""
    file_mb: int = 64
    """The largest file that it may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One bot."""

    name: str
    """Its id: small letters, digits, `-` and `_`; capitals in the file stand for small ones."""
    command: tuple[str, ...]
    """Program and arguments: no shell reads them."""
    folder: str = "."
    """Working directory."""
    title: str = ""
    """What people call it: `name` in the file; empty: its id."""
    does: str = "decides"
    """`decides`: approves or declines orders that the orchestrator sends; `executes`: has an
    account of its own and reports fills (on paper only); `prints`: a script, run per command."""
    kinds: tuple[str, ...] = ()
    """Kinds of opportunity that it takes; empty: all."""
    environment: tuple[str, ...] = ()
    """Variables that it is given besides PATH, LANG, LC_ALL and TZ."""
    heartbeat_timeout: float = 120.0
    """0: it shows none; it is watched by its process alone."""
    restarts_max: int = 5
    backoff_seconds: float = 1.0
    """Before the first restart; doubles with each, up to `backoff_max_seconds`."""
    backoff_max_seconds: float = 60.0
    stable_seconds: float = 600.0
    """A bot that ran for so long has its restarts forgiven."""
    grace_seconds: float = 5.0
    """Between SIGTERM and SIGKILL."""
    answer_seconds: float = 10.0
    """How long a plan waits for its answer: the user's bots look for commands every 5 seconds."""
    failures_max: int = 10
    """Plans in a row without a usable answer, after which it gets no more; 0: never."""
    autostart: bool = True
    """Start it with its supervisor; where it has `starts`, its hours decide instead."""
    starts: str = ""
    """When it is started, in UTC: minute, hour, day, month, weekday, as in cron; empty: never."""
    stops: str = ""
    """When it is stopped, likewise."""
    limits: Limits = Limits()

    @property
    def script(self) -> str:
        """The file that it runs, as far as its command shows."""
        plain = [part for part in self.command[1:] if not part.startswith("-")]
        return str(Path(self.folder) / (plain[0] if plain else self.command[0]))

    @property
    def beats(self) -> bool:
        """Whether it shows heartbeats."""
        return self.heartbeat_timeout > 0

    @property
    def hours(self) -> Hours | None:
        """When the calendar starts and stops it; `None` where it has no such times."""
        return hours(self.starts, self.stops)

    def takes(self, kind: str) -> bool:
        """Whether an opportunity of this kind may be handed to it."""
        return kind in self.kinds or (not self.kinds and kind != SPREAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots:
    """The bots and the rules by which plans go to them."""

    definitions: Mapping[str, Definition]
    rules: tuple[Rule, ...] = ()


NO_BOTS = Bots(definitions={})


def read(document: Mapping[str, Any], source: str) -> Bots:
    """The content of a definition file.

    Raises:
        ConfigError: Something in it is wrong; names what.
    """
    strange = sorted(set(document) - {"bot", "route"})
    if strange:
        raise ConfigError(f"{source}: {strange[0]!r} is neither [bot.NAME] nor [[route]]")
    tables = _table(document.get("bot", {}), f"{source}: bot")
    definitions: dict[str, Definition] = {}
    for name, table in tables.items():
        made = _definition(name, _table(table, f"{source}: bot.{name}"), source)
        if made.name in definitions:
            raise ConfigError(f"{source}: bot.{name}: there is a bot {made.name} already")
        definitions[made.name] = made
    rules = document.get("route", [])
    if not isinstance(rules, list):
        raise ConfigError(f"{source}: routes are written as [[route]]")
    routes = tuple(
        rule(_table(table, f"{source}: route {number}"), definitions, f"{source}: route {number}")
        for number, table in enumerate(rules, 1)
    )
    return Bots(definitions=definitions, rules=routes)


def environment(definition: Definition, inherited: Mapping[str, str]) -> dict[str, str]:
    """All that the bot's process finds in its environment."""
    wanted = (*BASE_ENVIRONMENT, *definition.environment)
    return {
        **{name: inherited[name] for name in wanted if name in inherited and not refused(name)},
        "ARB_BOT_NAME": definition.name,
    }


def refused(name: str) -> bool:
    """Whether no bot may be given this variable."""
    return bool(SECRET_NAME.search(name)) or name.upper().startswith(SECRET_PREFIXES)


def _definition(name: str, table: Mapping[str, Any], source: str) -> Definition:
    where = f"{source}: bot.{name}"
    if not re.fullmatch(NAME.strip("^$"), name.lower()) or not name.isascii():
        raise ConfigError(f"{where}: a name has letters, digits, - and _, at most 63")
    if "title" in table:
        raise ConfigError(f"{where}.title is not a setting; what people call it is `name`")
    given = {"title" if key == "name" else key: value for key, value in table.items()}
    values = _values(Definition, {**given, "name": name.lower()}, where)
    if "limits" in table:
        given = _values(Limits, _table(table["limits"], f"{where}.limits"), f"{where}.limits")
        values["limits"] = Limits(**given)
    made = Definition(**values)
    _check(made, where)
    return made


def _check(made: Definition, where: str) -> None:
    if not made.command or not all(made.command) or any("\0" in part for part in made.command):
        raise ConfigError(f"{where}.command: a list of program and arguments")
    if made.does not in MODES:
        raise ConfigError(f"{where}.does = {made.does!r}: one of {', '.join(MODES)}")
    known = [*Kind, *sorted(plugins.names() - set(Kind)), SPREAD] if made.kinds else []
    for kind in made.kinds:
        if kind not in known:
            raise ConfigError(f"{where}.kinds: {kind!r} is none of {', '.join(known)}")
    if SPREAD in made.kinds and (len(made.kinds) > 1 or made.does == "prints"):
        raise ConfigError(
            f"{where}.kinds: a bot that takes {SPREAD} takes that alone, as a process"
        )
    for variable in made.environment:
        if refused(variable):
            raise ConfigError(f"{where}.environment: {variable} may hold a secret; bots see none")
    for name, expression in (("starts", made.starts), ("stops", made.stops)):
        try:
            found = hours(expression, "")
        except ValueError as error:
            raise ConfigError(
                f"{where}.{name} = {expression[:VALUE_SHOWN_MAX]!r}: {error}"
            ) from None
        if found and made.does == "prints":
            raise ConfigError(f"{where}.{name}: a script is run once for each command")
    if not 0 <= made.restarts_max <= 100:
        raise ConfigError(f"{where}.restarts_max = {made.restarts_max}: 0 to 100")


def _values(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The table's values, each of its field's type."""
    known = {field.name: field for field in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise ConfigError(f"{where}.{name} is not a setting; one of {', '.join(known)}")
        if name != "limits":
            values[name] = _value(value, known[name].type, f"{where}.{name}")
    missing = [n for n, f in known.items() if f.default is MISSING and n not in values]
    if missing:
        raise ConfigError(f"{where}.{missing[0]} is missing")
    return values


def _value(value: Any, type_: Any, where: str) -> Any:
    if type_ == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ConfigError(f"{where}: a list of texts")
    if type_ in (int, float):
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        if isinstance(value, Decimal) and not value.is_finite():
            number = False  # it compares with nothing
        if not number or not 0 <= value < NUMBER_MAX:
            shown = str(value)[:VALUE_SHOWN_MAX]
            raise ConfigError(f"{where} = {shown}: a number that is not negative")
        if type_ is int and not isinstance(value, int):
            raise ConfigError(f"{where} = {value!r}: a whole number")
        return type_(value)
    if not isinstance(value, type_):
        raise ConfigError(f"{where} = {value!r}: of type {type_.__name__}")
    return value


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: a table is expected")
    return value


def folder_of(definition: Definition, base: Path) -> Path:
    """The bot's working directory."""
    return (base / definition.folder).resolve()
