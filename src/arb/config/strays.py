"""Variables that are no setting: which of them were meant for us, and which are not ours."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import cache

from arb.config.envfile import PREFIX

GIVEN_TO_BOTS = "ARB_BOT_"
"""What this program gives to the bots that it starts; one of them may call `arb`."""
REPEATS = "ARB_CHAIN__"
"""Settings of the chain that are named as the venue's: those are meant without a section."""
NEARLY = 0.85
NAME_LENGTH_MAX = 100
WORDS_IN_ENVIRONMENT = 3
"""What a name without section and prefix needs to be taken for ours among all programs' names."""


def meant(variable: str, known: Collection[str]) -> str | None:
    """The setting that an unknown variable with our prefix was meant for.

    Returns:
        Its variable, or a section's beginning; empty: some setting, unknown which; `None`
        where another program's variable only begins as ours do.
    """
    name = variable.upper()
    if name.startswith(GIVEN_TO_BOTS):
        return None
    near = difflib.get_close_matches(name, sorted(known), n=1)
    sections = {one.split("__")[0] for one in known}
    if any(name == section or name.startswith(f"{section}__") for section in sections):
        return near[0] if near else ""
    tail = name.removeprefix(PREFIX)
    if "_" in tail and (full := _by_tail(frozenset(known)).get(tail)):
        return full
    if difflib.get_close_matches(name, sorted(known), n=1, cutoff=NEARLY):
        return near[0]
    return None


def lookalikes(
    variables: Mapping[str, str], known: Collection[str], *, shared: bool
) -> Iterator[tuple[str, str]]:
    """Variables that look like settings whose prefix was forgotten, with the right spelling.

    Args:
        variables: By name.
        known: Every variable that is a setting.
        shared: Whether all programs' variables stand there, so that a common name proves little.
    """
    tails = _by_tail(frozenset(known))
    for variable, value in variables.items():
        name = variable.upper()
        if name.startswith(PREFIX) or not value or len(name) > NAME_LENGTH_MAX:
            continue
        if PREFIX + name in known:
            yield variable, PREFIX + name
        elif "__" in name.strip("_"):
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=NEARLY)
            if near:
                yield variable, near[0]
        elif name in tails:
            words = name.count("_") + 1
            if words >= (WORDS_IN_ENVIRONMENT if shared else 2):
                yield variable, tails[name]


@cache
def _by_tail(known: frozenset[str]) -> dict[str, str]:
    """Every setting's variable by its last part alone, where only one ends so."""
    found: dict[str, str] = {}
    double: set[str] = set()
    for variable in sorted(known, key=lambda one: (one.startswith(REPEATS), one)):
        tail = variable.rpartition("__")[2]
        if tail in found:
            if variable.startswith(REPEATS):
                continue
            double.add(tail)
        found[tail] = variable
    return {tail: variable for tail, variable in found.items() if tail not in double}
