"""The user's `orchestrator_config.json` as the content of a definition file.

Its bots and its routing are taken; what is a setting elsewhere must agree with that setting.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from arb.domain.errors import ConfigError
from arb.domain.money import text

PROGRAMS = {".py": "python3", ".js": "node", ".sh": "sh"}
"""What runs a bot's file, by its ending."""
KEYS: Mapping[str, Mapping[str, Any]] = {
    "thresholds": {"min_spread_bps": 0, "min_profit_usd": 0, "flash_loan_threshold": 0},
    "risk_management": {"max_restarts": 0, "heartbeat_timeout": 0, "circuit_breaker": {}},
}


def definitions(
    document: Mapping[str, Any], settings: Mapping[str, Decimal], source: str
) -> dict[str, Any]:
    """What `arb.adapters.bots.definition.read` takes.

    Args:
        document: The file's content.
        settings: `trading.min_profit_threshold` and `trading.min_profit_usd` as they are.
        source: What the file is called.

    Raises:
        ConfigError: Something in it means nothing here, or a setting says otherwise; names all.
    """
    faults = [f"{source}: {fault}" for fault in _faults(document, settings)]
    if faults:
        raise ConfigError("\n".join(faults))
    limits, thresholds = document.get("risk_management", {}), document.get("thresholds", {})
    of_each = {
        ours: value
        for ours, value in (
            ("restarts_max", limits.get("max_restarts")),
            ("heartbeat_timeout", limits.get("heartbeat_timeout")),
            ("failures_max", limits.get("circuit_breaker", {}).get("max_failures")),
        )
        if value is not None
    }
    paths = {name.lower(): path for name, path in document["bot_paths"].items()}
    routes: list[dict[str, str]] = []
    if (above := thresholds.get("flash_loan_threshold")) is not None:
        routes.append({"name": "profit", "when": f"profit > {above}", "bot": "adom"})
    routes.append({"name": "default", "bot": "atom" if "atom" in paths else next(iter(paths))})
    return {
        "bot": {
            name: {"command": [PROGRAMS[PurePath(path).suffix], path], **of_each}
            for name, path in paths.items()
        },
        "route": routes,
    }


def _faults(document: Mapping[str, Any], settings: Mapping[str, Decimal]) -> Iterator[str]:
    """Everything that cannot be done as it stands."""
    paths = document.get("bot_paths")
    if not isinstance(paths, Mapping) or not paths:
        yield "bot_paths is missing: the bots by name, each with the path of its file"
        paths = {}
    for name, path in paths.items():
        if not isinstance(path, str) or PurePath(path).suffix not in PROGRAMS:
            yield f"bot_paths.{name} = {path!r}: a file that ends in one of {', '.join(PROGRAMS)}"
    if "dex_endpoints" in document:
        yield "dex_endpoints is not here yet: no exchange on a chain is read; take it out"
    for name in sorted(document.keys() - {"bot_paths", "dex_endpoints", *KEYS}):
        yield f"{name} means nothing here; take it out"
    for name, known in KEYS.items():
        table = document.get(name, {})
        if not isinstance(table, Mapping):
            yield f"{name}: a table is expected"
            continue
        for key in sorted(table.keys() - known):
            yield f"{name}.{key} means nothing here; take it out"
        for key, value in table.items():
            if not isinstance(value, type(known.get(key, value)) | Decimal):
                yield f"{name}.{key} = {value!r}: a {'number' if known[key] == 0 else 'table'}"
    yield from _other_settings(document, paths, settings)


def _other_settings(
    document: Mapping[str, Any], paths: Mapping[str, Any], settings: Mapping[str, Decimal]
) -> Iterator[str]:
    thresholds = document.get("thresholds", {})
    if not isinstance(thresholds, Mapping):
        return
    spread, least = thresholds.get("min_spread_bps"), thresholds.get("min_profit_usd")
    wanted = {
        "min_spread_bps": ("trading.min_profit_threshold", spread, Decimal(10_000)),
        "min_profit_usd": ("trading.min_profit_usd", least, Decimal(1)),
    }
    for key, (setting, value, parts) in wanted.items():
        if not isinstance(value, int | Decimal) or Decimal(value) / parts == settings[setting]:
            continue
        variable = "ARB_" + setting.upper().replace(".", "__")
        yield (
            f"thresholds.{key} = {value} is a setting: {variable}={text(Decimal(value) / parts)} "
            f"(it is {text(settings[setting])} now)"
        )
    if "flash_loan_threshold" in thresholds and "adom" not in {name.lower() for name in paths}:
        yield "thresholds.flash_loan_threshold: larger profits go to adom, and bot_paths has none"
    breaker = document.get("risk_management", {})
    breaker = breaker.get("circuit_breaker", {}) if isinstance(breaker, Mapping) else {}
    if isinstance(breaker, Mapping):
        for key in sorted(breaker.keys() - {"max_failures"}):
            yield f"risk_management.circuit_breaker.{key} means nothing here; take it out"
