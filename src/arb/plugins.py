"""Parts found by entry point: ours and other people's alike."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from arb.domain.errors import ConfigError

STRATEGIES = "arb.strategies"


def strategies(names: Sequence[str]) -> list[Any]:
    """The strategies of these names, as they are registered (not yet made).

    Raises:
        ConfigError: One is not installed; names those that are.
    """
    found = {point.name: point for point in entry_points(group=STRATEGIES)}
    missing = [name for name in names if name not in found]
    if missing:
        installed = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"strategies.enabled: {missing[0]} is not installed ({installed} are)")
    return [found[name].load() for name in names]


def installed() -> dict[str, Any]:
    """Every strategy that is installed, by name (not yet made)."""
    return {point.name: point.load() for point in entry_points(group=STRATEGIES)}
