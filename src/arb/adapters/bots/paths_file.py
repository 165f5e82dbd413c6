"""The user's `orchestrator_config.json` as the content of a definition file.

Its bots and its routing are taken; what is a setting elsewhere must agree with that setting. A file
with `dex_endpoints` is about spreads between pools on a chain: its bots take those alone.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from arb.adapters.bots.definition import SPREAD
from arb.domain.errors import ConfigError
from arb.domain.money import text

PROGRAMS = {".py": "python3", ".js": "node", ".sh": "sh"}
"""What runs a bot's file, by its ending."""
APIS = {
    "curve": ("curve_url", "version 1 of its API, such as https://api.curve.finance/v1"),
    "balancer": ("balancer_url", "version 3 of its API, such as https://api-v3.balancer.fi"),
    "1inch": ("oneinch_url", "its price API 1.1, such as https://api.1inch.dev/price/v1.1"),
}
"""The settings of `dex_endpoints`, and what they take."""
MEV_RISK_HIGH = 100
"""Basis points of price impact: the document says `high`, and no figure."""
KEYS: Mapping[str, Mapping[str, Any]] = {
    "thresholds": {"min_spread_bps": 0, "min_profit_usd": 0, "flash_loan_threshold": 0},
    "risk_management": {"max_restarts": 0, "heartbeat_timeout": 0, "circuit_breaker": {}},
}


def definitions(
    document: Mapping[str, Any],
    settings: Mapping[str, Decimal],
    addresses: Mapping[str, str],
    source: str,
) -> dict[str, Any]:
    """What `arb.adapters.bots.definition.read` takes.

    Args:
        document: The file's content.
        settings: `min_profit_threshold` and `min_profit_usd` of `trading`, `min_spread` and
            `min_profit_usd` of `spreads`, as they are.
        addresses: `curve_url`, `balancer_url` and `oneinch_url` of `spreads`, as they are.
        source: What the file is called.

    Raises:
        ConfigError: Something in it means nothing here, or a setting says otherwise; names all.
    """
    faults = [f"{source}: {fault}" for fault in _faults(document, settings, addresses)]
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
    spreads = "dex_endpoints" in document
    routes: list[dict[str, str]] = []
    if spreads and "adom" in paths:
        routes.append({"name": "mev", "when": f"mev_risk > {MEV_RISK_HIGH}", "bot": "adom"})
    if (above := thresholds.get("flash_loan_threshold")) is not None:
        routes.append({"name": "profit", "when": f"profit > {above}", "bot": "adom"})
    routes.append({"name": "default", "bot": "atom" if "atom" in paths else next(iter(paths))})
    return {
        "bot": {
            name: {
                "command": [PROGRAMS[PurePath(path).suffix], path],
                **({"kinds": [SPREAD]} if spreads else {}),
                **of_each,
            }
            for name, path in paths.items()
        },
        "route": routes,
    }


def _faults(
    document: Mapping[str, Any], settings: Mapping[str, Decimal], addresses: Mapping[str, str]
) -> Iterator[str]:
    """Everything that cannot be done as it stands."""
    paths = document.get("bot_paths")
    if not isinstance(paths, Mapping) or not paths:
        yield "bot_paths is missing: the bots by name, each with the path of its file"
        paths = {}
    for name, path in paths.items():
        if not isinstance(path, str) or PurePath(path).suffix not in PROGRAMS:
            yield f"bot_paths.{name} = {path!r}: a file that ends in one of {', '.join(PROGRAMS)}"
    yield from _endpoints(document.get("dex_endpoints", {}), addresses)
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


def _endpoints(table: Any, addresses: Mapping[str, str]) -> Iterator[str]:
    """Addresses of exchanges are settings; a subgraph is not asked."""
    if not isinstance(table, Mapping):
        yield "dex_endpoints: a table is expected"
        return
    for name, address in table.items():
        where = f"dex_endpoints.{name} = {address}"
        if name == "uniswap_v3":
            yield f"{where}: no subgraph is asked; name pools in ARB_SPREADS__POOLS and take it out"
        elif name not in APIS:
            yield f"dex_endpoints.{name} means nothing here; take it out"
        elif not address or address != addresses[APIS[name][0]]:
            setting, api = APIS[name]
            variable, now = f"ARB_SPREADS__{setting.upper()}", addresses[setting] or "empty"
            yield f"{where} is a setting: {variable} takes {api} (it is {now} now)"


def _other_settings(
    document: Mapping[str, Any], paths: Mapping[str, Any], settings: Mapping[str, Decimal]
) -> Iterator[str]:
    thresholds = document.get("thresholds", {})
    if not isinstance(thresholds, Mapping):
        return
    spread, least = thresholds.get("min_spread_bps"), thresholds.get("min_profit_usd")
    spreads = "dex_endpoints" in document
    section, fraction = (
        ("spreads", "min_spread") if spreads else ("trading", "min_profit_threshold")
    )
    wanted = {
        "min_spread_bps": (f"{section}.{fraction}", spread, Decimal(10_000)),
        "min_profit_usd": (f"{section}.min_profit_usd", least, Decimal(1)),
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
