"""Where settings come from: defaults < profile < `.env` < environment < flags.

Every value remembers its source, so that an error can name it and `arb config show --sources`
can tell.
"""

import contextlib
import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dotenv import dotenv_values
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from arb.config import documents
from arb.config.documents import variable as _variable
from arb.config.envfile import FILE, PREFIX, Line, read_lines, readable_lines
from arb.config.own import is_own
from arb.config.schema import MAPPINGS, SECRETS, Settings, WithParts, faults
from arb.config.strays import GIVEN_TO_BOTS, lookalikes, meant
from arb.domain import bounds
from arb.domain.errors import ConfigError
from arb.files import document

HALTED_BY = ("database.url", "trading.account", "trading.live", "polymarket.wallet")
"""The settings that determine what `arb halt` halts."""
LISTS = frozenset(
    {
        "api.allowed_hosts",
        "chain.rpc_urls",
        "liquidations.price_feeds",
        "polymarket.rpc_urls",
        "spreads.dollars",
        "spreads.flash_bots",
        "spreads.pools",
        "strategies.enabled",
        "venues.enabled",
    }
)
NUMBERS_UNSET = (
    "polymarket.liquidity_min",
    "risk.risk_per_trade",
    "risk.max_drawdown_pct",
    "risk.max_daily_loss_pct",
)
"""Numbers without a default."""
MASK = "********"
YAML = (".yaml", ".yml")
FILE_BYTES_MAX = 1024 * 1024
VALUE_LENGTH_MAX, NAME_LENGTH_MAX, VALUE_SHOWN_MAX = 4096, 100, 300
"""Characters of a setting's value and name, and of a wrong value in an error."""
LEVELS_MAX = 8
"""Tables within tables."""
_ADDRESS = re.compile(r"\w+://[^\s\"'<>]+")
# In an address, and where its beginning is missing: up to the last @, since a password that was
# not escaped may hold slashes and more of them.
_PASSWORD = re.compile(r"(?:://|^|[\"'\s,])[^/\s:?#@\"']*:(?!//)([^\s\"']+)@")
_KEY_AS_USER = re.compile(r"://([^/\s:?#@]+)@")
_QUERY = re.compile(r"[?&][^=&#\s]+=([^&#\s\"']+)")
_SECRET_IN_QUERY = re.compile(
    r"(?i)[?&][^=&#\s]*(?:pass|key|token|auth|secret)[^=&#\s]*=([^&#\s\"']+)"
)
_SECRET_NAME = re.compile(r"(?:pass|key|token|secret)[a-z_]*$")
# Nodes are often given as https://host/v2/KEY. Words of small letters are places, not keys.
_KEY_IN_PATH = re.compile(r"(?<=[^/:=]/)(?![a-z_.-]+(?:[/?#]|$))([\w.~-]{16,})")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force."""

    name: str
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value for people; a secret is masked."""
        if is_secret(self.name) and self.value:
            return MASK
        return "" if self.value is None else _masked(_text(self.value))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value came from."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    """What stands where settings do and is none, though it looks as if it was meant to be."""
    notes: tuple[str, ...] = ()
    """Variables of the environment that the users' documents name and that have no setting."""

    def all(self) -> list[Setting]:
        """Every setting, in the order of config/default.toml."""
        return [Setting(name, value, self._source(name)) for name, value in _values(self.settings)]

    def secrets(self) -> list[str]:
        """Every value that may be shown nowhere."""
        found = [str(s.value) for s in self.all() if is_secret(s.name) and s.value]
        texts = [
            text
            for setting in self.all()
            if setting.name.endswith(("url", "urls")) and not is_secret(setting.name)
            for text in ([setting.value] if isinstance(setting.value, str) else setting.value)
        ]
        # Of a list of addresses each is a secret by itself: an error names one, not the list.
        found += [part for text in found for part in text.split() if part != text]
        hidden = [text[start:end] for text in texts for start, end in _hidden(text)]
        return [*found, *hidden, *map(unquote, hidden)]

    def _source(self, name: str) -> str:
        parts = [name, *(f"{name}.{part}" for part in MAPPINGS.get(name, ()))]
        found = dict.fromkeys(self.sources[part] for part in parts if part in self.sources)
        return ", ".join(found) or "built in"


def is_secret(name: str) -> bool:
    """Whether it is shown nowhere: ours by name, other parts' settings by what they are called."""
    return name in SECRETS or (is_own(name) and _SECRET_NAME.search(name) is not None)


def load(
    profile: str | None = None, flags: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Loaded:
    """Read every source and check the result.

    Args:
        profile: Name of a profile, or none for `paper`.
        flags: Settings given on the command line, by dotted name.
        folder: Where `.env` and `config/` are looked for; the working folder by default.

    Raises:
        ConfigError: A source or a setting is unusable; names the setting, its source, the fix.
    """
    here = folder or Path.cwd()
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    said = _Said()
    for source, values in _sources(profile or "paper", here, flags or {}, said):
        for name, value in _flat(values):
            _refuse(name, value, source)
            _bound(name, value, source)
            sources[name] = source
            _put(merged, name, _listed(name, value, source))
    if said.paper is not None:
        live = merged["trading"]["live"]
        documents.check_mode(said.paper, live, sources[documents.LIVE])
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _told(error, sources) from None
    for option, value, what in faults(settings.polymarket):
        raise _wrong(f"polymarket.{option}", value, what, sources)
    return Loaded(settings, sources, tuple(said.warnings), tuple(said.notes))


@dataclass(slots=True)
class _Said:
    """What reading the sources brings beside settings."""

    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paper: Line | None = None
    """The line of `.env` that sets the mode under the documents' name."""


def load_for_halt(profile: str | None, unusable: ConfigError) -> Loaded:
    """The few settings that `arb halt` needs, from sources that are not sound.

    Args:
        profile: As for `load`.
        unusable: Why `load` could not be used; stands in the warnings.
    """
    here, merged, sources = Path.cwd(), dict[str, Any](), dict[str, str]()
    for source, values in _readable(profile or "paper", here):
        for name in HALTED_BY:
            if (value := values.get(name)) not in (None, ""):
                _put(merged, name, value)
                sources[name] = source
    for name in HALTED_BY:
        try:
            Settings.model_validate(_only(merged, name))
        except ValidationError:
            _take(merged, name)
            sources.pop(name, None)
    warning = f"the settings are not sound: {unusable}"
    return Loaded(Settings.model_validate(merged), sources, (warning,))


def _readable(profile: str, here: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What can be read of each source, by dotted name; no source is refused for the rest of it."""
    with contextlib.suppress(ConfigError):
        yield f"config/{profile}.toml", dict(_flat(_toml(_profile(profile, here))))
    names = {_variable(name): name for name in HALTED_BY}
    lines = {line.name: line.value for line in readable_lines(here / FILE)}
    for source, variables in ((FILE, lines), ("environment", dict(os.environ))):  # noqa: TID251  # this is the one place
        yield source, {names[k.upper()]: v for k, v in variables.items() if k.upper() in names}


def _only(tree: Mapping[str, Any], name: str) -> dict[str, Any]:
    section, _, last = name.partition(".")
    table = tree.get(section, {})
    return {section: {last: table[last]}} if last in table else {}


def _take(tree: dict[str, Any], name: str) -> None:
    section, _, last = name.partition(".")
    tree.get(section, {}).pop(last, None)


def _sources(
    profile: str, here: Path, flags: Mapping[str, Any], said: _Said
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "config/default.toml", _toml(_packaged("default"))
    yield f"config/{profile}.toml", _toml(_profile(profile, here))
    said.warnings += _yaml(here)
    env_file, named, own = here / FILE, dict[str, Any](), dict[str, Any]()
    variables = dict(os.environ)  # noqa: TID251  # this is the one place
    given = _without_empty(_Environment(Settings)())
    if env_file.is_file():
        lines = read_lines(env_file)
        own = _dotenv(env_file, lines)
        for line in lines:
            said.warnings += _lookalikes({line.name: line.value}, f".env line {line.number}")
        found = documents.read(_resolved(env_file, lines), dict(_flat(own)), dict(_flat(given)))
        said.warnings += found.warnings
        said.paper = found.paper
        for name, (source, value) in found.settings.items():
            named[name] = value
            yield source, _nested({name: value})
        yield ".env", own
    said.warnings += _unknown_in_environment(variables)
    said.warnings += _lookalikes(variables, "environment")
    known = {**named, **dict(_flat(own)), **dict(_flat(given))}
    for sentence, has_setting in documents.in_environment(variables, known):
        (said.warnings if has_setting else said.notes).append(sentence)
    yield "environment", given
    yield "command line", _nested(flags)


def _yaml(here: Path) -> Iterator[str]:
    """What to say of a file of settings under the name that the users' documents give."""
    for name in ("config.yaml", "config.yml", "config/config.yaml", "config/config.yml"):
        if (here / name).is_file():
            yield (
                f"{name} is not read: settings are TOML, in config/NAME.toml with --profile NAME, "
                "or variables in .env and the environment"
            )


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        _put(tree, name, value)
    return tree


def _resolved(path: Path, lines: Sequence[Line]) -> list[Line]:
    """The lines with references such as `${NAME}` filled in."""
    values = dotenv_values(path, encoding="utf-8")
    return [replace(line, value=values.get(line.name) or "") for line in lines]


def _packaged(name: str) -> Path:
    """The shipped file: beside this module in a wheel, in the repository's folder otherwise."""
    beside = Path(__file__).with_name(f"{name}.toml")
    return beside if beside.exists() else Path(__file__).parents[3] / "config" / f"{name}.toml"


def _profile(name: str, here: Path) -> Path:
    if not re.fullmatch(r"[\w-]+", name):
        yaml = "; settings are TOML, not YAML" if Path(name).suffix in YAML else ""
        raise ConfigError(
            f"--profile {name!r}: a name, not a path; it stands for config/NAME.toml{yaml}"
        )
    for path in (here / "config" / f"{name}.toml", _packaged(name)):
        if path.exists():
            return path
    for ending in YAML:
        if (here / "config" / f"{name}{ending}").exists():
            raise ConfigError(
                f"config/{name}{ending} is not read: settings are TOML, not YAML; "
                f"write config/{name}.toml"
            )
    raise ConfigError(f"there is no profile {name}: neither config/{name}.toml nor a shipped one")


def _toml(path: Path) -> dict[str, Any]:
    try:
        _small_file(path)
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except InvalidOperation:
        raise ConfigError(f"{path.name} cannot be read: a number beyond all bounds") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} cannot be read: {str(error)[:VALUE_SHOWN_MAX]}") from error


def _small_file(path: Path) -> None:
    """Stop at what cannot be read to its end, such as a pipe, or not in good time.

    Raises:
        OSError: It is no ordinary file, or a large one.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError("it is no ordinary file")
    if about.st_size > FILE_BYTES_MAX:
        raise OSError(f"it has more than {FILE_BYTES_MAX} bytes")


class _TextOfLists:
    """Leaves text that is no JSON to `_listed` and to validation, which report what is wrong."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[misc]  # of the source that this is mixed into
        except (ValueError, RecursionError):
            return value


class _Environment(_TextOfLists, EnvSettingsSource):
    """Environment variables."""


class _DotEnv(_TextOfLists, DotEnvSettingsSource):
    """The variables of a `.env` file."""


def _dotenv(path: Path, lines: Sequence[Line]) -> dict[str, Any]:
    for line in lines:
        _refuse_unknown(line)
    try:
        known = _DotEnv(Settings, env_file=path, env_file_encoding="utf-8")()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f".env cannot be read: {error}") from error
    return _without_empty({k: v for k, v in known.items() if k in Settings.model_fields})


@cache
def _known() -> tuple[str, ...]:
    """The dotted name of everything that may be set."""
    names = [name for name, _ in _values(Settings())]
    return (*names, *(f"{name}.{part}" for name, parts in MAPPINGS.items() for part in parts))


def _refuse(name: str, value: Any, source: str) -> None:
    """Stop at a name that is no setting, and at a secret in a file that gets shared."""
    if is_secret(name) and source.endswith(".toml"):
        raise ConfigError(
            f"{name} is a secret and stands in {source}; "
            f"move it to .env or to the environment as {_variable(name)}"
        )
    if name in Settings.model_fields:
        raise ConfigError(
            f"{name} = {_given(name, value)} ({source}): {name} is a table of settings"
        )
    if name not in _known() and not is_own(name):
        raise ConfigError(f"{_label(name)} ({source}) is not a setting{_near(name, _known())}")


def _bound(name: str, value: Any, source: str) -> None:
    """Stop at a value that is larger or longer than any setting, before anything reads it."""
    if isinstance(value, str) and len(value) > VALUE_LENGTH_MAX:
        raise ConfigError(f"{name} ({source}): more than {VALUE_LENGTH_MAX} characters")
    try:
        if isinstance(value, int) and abs(value) >= 10**bounds.DIGITS_MAX:
            raise bounds.OutOfBounds("a number beyond all bounds")  # noqa: TRY301  # reported with the others
        number = Decimal(value) if isinstance(value, str) and name in _numbers() else value
        if isinstance(number, Decimal) and number.is_finite():
            bounds.bounded(number)
    except bounds.OutOfBounds as error:
        raise ConfigError(
            f"{name} ({source}): {error}; set {_variable(name)} or correct the file"
        ) from None
    except InvalidOperation:
        return  # no number at all: the setting's own check reports that


@cache
def _numbers() -> frozenset[str]:
    """The dotted names of settings that are numbers."""
    numbers = [
        name
        for name, value in _values(Settings())
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    ]
    parts = (f"{name}.{part}" for name, parts in MAPPINGS.items() for part in parts)
    return frozenset({*numbers, *parts, *NUMBERS_UNSET})


@cache
def _variables() -> frozenset[str]:
    """The variable of everything that may be set."""
    return frozenset(map(_variable, _known()))


def _refuse_unknown(line: Line) -> None:
    """Stop at a name of ours in our own file that is no setting."""
    name, known = line.name.upper(), _variables()
    if line.value and name.startswith(PREFIX) and name not in known and not _is_own(name):
        raise ConfigError(f"{_label(line.name)} (.env) is not a setting{_near(name, known)}")


def _unknown_in_environment(variables: Mapping[str, str]) -> Iterator[str]:
    """What to warn of: other programs' variables may begin as ours do, and stop nothing.

    Raises:
        ConfigError: One was meant for us.
    """
    known = _variables()
    for variable in variables:
        name = variable.upper()
        if not name.startswith(PREFIX) or name in known or name.startswith(GIVEN_TO_BOTS):
            continue
        if _is_own(name):
            continue
        said = f"{_label(variable)} (environment) is not a setting"
        if (right := meant(variable[:NAME_LENGTH_MAX], known)) is not None:
            raise ConfigError(said + (f"; did you mean {right}?" if right else _near(name, known)))
        yield f"{said}; it is not read"


def _is_own(variable: str) -> bool:
    """Whether a variable is a setting of an installed part that is not ours."""
    return is_own(variable.removeprefix(PREFIX).replace("__", ".").lower())


def _lookalikes(variables: Mapping[str, str], source: str) -> Iterator[str]:
    shared = source == "environment"
    variables = {k: v for k, v in variables.items() if k.upper() not in documents.NAMES}
    for variable, right in lookalikes(variables, _variables(), shared=shared):
        yield f"{variable} ({source}) is not read; for the setting write {right}"


def _label(name: str) -> str:
    """A name that is none of ours, for an error: it may hold whatever was meant as a value."""
    return _masked(name[:VALUE_LENGTH_MAX])[:NAME_LENGTH_MAX]


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name[:NAME_LENGTH_MAX], sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else "; see `arb config show`"


def _told(error: ValidationError, sources: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    while name not in _known() and "." in name:
        name = name.rpartition(".")[0]  # an item of a list: the list is what was set
    return _wrong(name, first.get("input"), first["msg"], sources)


def _wrong(name: str, value: Any, what: str, sources: Mapping[str, str]) -> ConfigError:
    source = sources.get(name) or next(
        (where for known, where in sources.items() if known.startswith(f"{name}.")), "built in"
    )
    return ConfigError(
        f"{name} = {_given(name, value)} ({source}): {what}; "
        f"set {_variable(name)} or correct the file"
    )


def _given(name: str, value: Any) -> str:
    if is_secret(name):
        return MASK
    written = repr(value)
    if len(written) > VALUE_LENGTH_MAX:
        return f"{len(written)} characters"  # a password is found in a whole address only
    shown = _masked(written)
    return shown if len(shown) <= VALUE_SHOWN_MAX else shown[:VALUE_SHOWN_MAX] + "…"


def _values(settings: Settings) -> Iterator[tuple[str, Any]]:
    for section in Settings.model_fields:
        table = getattr(settings, section)
        if section == "polymarket":
            names = table.__dataclass_fields__
            yield from ((f"{section}.{name}", getattr(table, name)) for name in names)
        else:
            for name, field in type(table).model_fields.items():
                value = getattr(table, name)
                plain = value.get_secret_value() if isinstance(value, SecretStr) else value
                yield f"{section}.{field.alias or name}", plain
            if isinstance(table, WithParts):
                yield from _flat(table.model_extra or {}, f"{section}.")


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        dotted = f"{before}{name}"
        if dotted.count(".") > LEVELS_MAX:
            raise ConfigError(f"{_label(dotted)}… is not a setting")
        found = _table(value) if dotted in MAPPINGS else value
        if isinstance(found, Mapping):
            yield from _flat(found, f"{dotted}.")
        else:
            yield dotted, found


def _table(value: Any) -> Any:
    """A table given as JSON text; what is none stays as it is, for validation to name."""
    try:
        found = document(value.encode()) if isinstance(value, str) else value
    except ValueError:
        return value
    return found if isinstance(found, Mapping) else value


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
    tree[last] = value


def _listed(name: str, value: Any, source: str) -> Any:
    """A list given as text: JSON, or items with commas between them."""
    if name not in LISTS or not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return document(value.encode())
        except ValueError as error:
            raise ConfigError(
                f"{name} = {_given(name, value)} ({source}): no JSON list: {error}"
            ) from error
    return [item.strip() for item in value.split(",") if item.strip()]


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Variables that are set to nothing are not set."""
    cleaned: dict[str, Any] = {}
    for name, value in _flat(values):
        if value != "":
            _put(cleaned, name, value)
    return cleaned


def _masked(text: str) -> str:
    """The text with the passwords and keys in its addresses masked."""
    for start, end in sorted(_hidden(text), reverse=True):
        text = text[:start] + MASK + text[end:]
    return text


def _hidden(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords and keys stand in the addresses of a text; none overlaps another."""
    passwords = [found.span(1) for found in _PASSWORD.finditer(text)]
    yield from passwords
    for address in _ADDRESS.finditer(text):
        patterns = [_KEY_AS_USER, _SECRET_IN_QUERY]
        if address.group().startswith(("http", "ws")):
            patterns = [_KEY_AS_USER, _QUERY, _KEY_IN_PATH]
        for pattern in patterns:
            for found in pattern.finditer(text, address.start(), address.end()):
                start, end = found.span(1)
                if not any(start < last and first < end for first, last in passwords):
                    yield start, end


def _text(value: Any) -> str:
    return TypeAdapter(Any).dump_json(value).decode().strip('"')


def inherited() -> dict[str, str]:
    """The environment as this process found it: what bots may be given parts of."""
    return dict(os.environ)  # noqa: TID251  # settings and bots alike are given what is here


def reach_directly(host: str) -> None:
    """From here on this process sends nothing for the host through a proxy of the environment."""
    names = ("no_proxy", "NO_PROXY")
    spared = next(filter(None, (os.environ.get(name) for name in names)), "")  # noqa: TID251  # libraries read it from here
    for name in names:
        os.environ[name] = f"{spared},{host}" if spared else host  # noqa: TID251  # the same


def read_toml(path: Path) -> dict[str, Any]:
    """A file of definitions.

    Raises:
        ConfigError: It cannot be read.
    """
    return _toml(path)
