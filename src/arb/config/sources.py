"""Where settings come from: defaults < profile < `.env` < environment < flags.

Every value remembers its source, so that an error can name it and `arb config show --sources`
can tell.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from arb.config.schema import SECRETS, Settings
from arb.domain.errors import ConfigError

PREFIX = "ARB_"
LISTS = frozenset({"polymarket.rpc_urls", "strategies.enabled"})
MASK = "********"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force."""

    name: str
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """The value for people; a secret is masked."""
        if self.name in SECRETS and self.value:
            return MASK
        return "" if self.value is None else _text(self.value)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each value came from."""

    settings: Settings
    sources: Mapping[str, str]

    def all(self) -> list[Setting]:
        """Every setting, in the order of config/default.toml."""
        return [
            Setting(name, value, self.sources.get(name, "built in"))
            for name, value in _values(self.settings)
        ]


def load(
    profile: str | None = None, flags: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Loaded:
    """Read every source and check the result.

    Args:
        profile: Name of a profile, or none for `paper`.
        flags: Settings given on the command line, by dotted name.
        folder: Where `.env` and `config/` are looked for; the working folder by default.

    Raises:
        ConfigError: A source or a setting is unusable; names the setting, its source, the mend.
    """
    here = folder or Path.cwd()
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, values in _sources(profile or "paper", here, flags or {}):
        for name, value in _flat(values):
            if name in SECRETS and source.endswith(".toml"):
                raise ConfigError(
                    f"{name} is a secret and stands in {source}; "
                    f"move it to .env or to the environment as {_variable(name)}"
                )
            sources[name] = source
            _put(merged, name, _listed(name, value))
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise _told(error, sources) from None
    return Loaded(settings, sources)


def _sources(
    profile: str, here: Path, flags: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "config/default.toml", _toml(_packaged("default"))
    yield f"config/{profile}.toml", _toml(_profile(profile, here))
    env_file = here / ".env"
    if env_file.exists():
        named = {name: value for name, value in dotenv_values(env_file).items() if value}
        _refuse_unknown(named, ".env")
        known = DotEnvSettingsSource(Settings, env_file=env_file)()
        yield ".env", _without_empty({k: v for k, v in known.items() if k in Settings.model_fields})
    _refuse_unknown(dict(os.environ), "environment")  # noqa: TID251  # this is the one place
    yield "environment", _without_empty(EnvSettingsSource(Settings)())
    nested: dict[str, Any] = {}
    for name, value in flags.items():
        _put(nested, name, value)
    yield "command line", nested


def _packaged(name: str) -> Path:
    """The shipped file: beside this module in a wheel, in the repository's folder otherwise."""
    beside = Path(__file__).with_name(f"{name}.toml")
    return beside if beside.exists() else Path(__file__).parents[3] / "config" / f"{name}.toml"


def _profile(name: str, here: Path) -> Path:
    for path in (here / "config" / f"{name}.toml", _packaged(name)):
        if path.exists():
            return path
    raise ConfigError(f"there is no profile {name}: neither config/{name}.toml nor a shipped one")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}") from error


def _refuse_unknown(variables: Mapping[str, Any], source: str) -> None:
    known = {_variable(name) for name, _ in _values(Settings())}
    for variable in variables:
        upper = variable.upper()
        if not upper.startswith(PREFIX) or upper in known:
            continue
        if any(upper.startswith(f"{whole}__") for whole in known):
            continue
        near = difflib.get_close_matches(upper, sorted(known), n=1)
        mend = f"; did you mean {near[0]}?" if near else "; see `arb config show`"
        raise ConfigError(f"{variable} ({source}) is not a setting{mend}")


def _told(error: ValidationError, sources: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    source = sources.get(name) or next(
        (where for known, where in sources.items() if name.startswith(known)), "built in"
    )
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        near = difflib.get_close_matches(name, [n for n, _ in _values(Settings())], n=1)
        mend = f"; did you mean {near[0]}?" if near else "; see `arb config show`"
        return ConfigError(f"{name} ({source}) is not a setting{mend}")
    given = MASK if name in SECRETS else repr(first.get("input"))
    return ConfigError(
        f"{name} = {given} ({source}): {first['msg']}; set {_variable(name)} or the file right"
    )


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


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        dotted = f"{before}{name}"
        if isinstance(value, Mapping) and dotted != "polymarket.requests_per_10_seconds":
            yield from _flat(value, f"{dotted}.")
        else:
            yield dotted, value


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
    tree[last] = value


def _listed(name: str, value: Any) -> Any:
    """A list given as text: JSON, or items with commas between them."""
    if name not in LISTS or not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{name} = {value!r} is not a JSON list: {error}") from error
    return [item.strip() for item in value.split(",") if item.strip()]


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Variables that are set to nothing are not set."""
    cleaned: dict[str, Any] = {}
    for name, value in _flat(values):
        if value != "":
            _put(cleaned, name, value)
    return cleaned


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace(".", "__")


def _text(value: Any) -> str:
    return TypeAdapter(Any).dump_json(value).decode().strip('"')
