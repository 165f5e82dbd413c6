"""Parts found by entry point: ours and other people's alike."""

import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from arb.domain.errors import ConfigError

STRATEGIES, VENUES = "arb.strategies", "arb.venues"


def strategies(names: Sequence[str]) -> list[Any]:
    """The strategies of these names, as they are registered (not yet made).

    Raises:
        ConfigError: One is not installed; names those that are.
    """
    return [_named(STRATEGIES, "strategies", name) for name in names]


def venue(name: str) -> Any:
    """The plugin of a venue: an `arb.ports.VenuePlugin`.

    Raises:
        ConfigError: It is not installed; names those that are.
    """
    return _named(VENUES, "venues", name)


@cache
def fee_schedule(name: str) -> type[Any]:
    """The class of a venue's own fee schedules.

    Raises:
        ConfigError: The venue is not installed, or has none of its own.
    """
    found: type[Any] | None = venue(name).fees
    if found is None:
        raise ConfigError(f"the venue {name} has no fee schedules of its own")
    return found


def installed(group: str = STRATEGIES) -> dict[str, Any]:
    """Every part of a group that is installed, by name (not yet made)."""
    return {name: point.load() for name, point in _points(group, tuple(sys.path)).items()}


def names(group: str = STRATEGIES) -> frozenset[str]:
    """What parts of a group are installed."""
    return frozenset(_points(group, tuple(sys.path)))


def _named(group: str, section: str, name: str) -> Any:
    found = _points(group, tuple(sys.path))
    if name not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"{section}.enabled: {name} is not installed ({there} are)")
    return found[name].load()


@cache
def _points(group: str, _path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of a group: looked for once on a path, as every library there is asked."""
    return {point.name: point for point in entry_points(group=group)}
