"""Which kinds of opportunity the installed strategies can make."""

from arb.domain.opportunity import Kind
from arb.plugins import installed


def kinds_made() -> tuple[str, ...]:
    """The kinds that a strategy is named after; every kind where one is not named after its own."""
    names = set(installed())
    every = tuple(kind.value for kind in Kind)
    return tuple(kind for kind in every if kind in names) if names <= set(every) else every
