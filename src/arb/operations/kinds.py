"""Which kinds of opportunity the installed strategies can make."""

from arb.domain.opportunity import Kind
from arb.plugins import installed, names


def kinds_known() -> tuple[str, ...]:
    """Every kind that a trade may be of: ours, and those named after an installed strategy."""
    return tuple(dict.fromkeys([*(kind.value for kind in Kind), *sorted(names())]))


def kinds_made() -> tuple[str, ...]:
    """The kinds that a strategy is named after; every kind where one is not named after its own."""
    names = set(installed())
    every = tuple(kind.value for kind in Kind)
    return tuple(kind for kind in every if kind in names) if names <= set(every) else every
