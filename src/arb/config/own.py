"""Settings of parts that are not ours: the tables of other people's venues and strategies."""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from arb import plugins
from arb.domain.errors import ConfigError

GROUPS = {"venues": plugins.VENUES, "strategies": plugins.STRATEGIES}
"""Sections that hold a table for each installed part, and the parts' entry points."""


def is_own(name: str) -> bool:
    """Whether a dotted name is a setting in the table of an installed part."""
    section, _, rest = name.partition(".")
    part, _, setting = rest.partition(".")
    if section not in GROUPS or not setting:
        return False
    return part in plugins.names(GROUPS[section])


def own_options(kind: type[Any], table: str, values: Mapping[str, Any]) -> Any:
    """A part's options, from its table.

    Args:
        kind: The dataclass of its options.
        table: What the table is called, for errors.
        values: By name; text of the environment is read as what the field is.

    Raises:
        ConfigError: A name is none of its options, or a value does not fit; names it.
    """
    known = [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f" ({', '.join(known) or 'none'} are)"
            raise ConfigError(f"{table}.{name} is not a setting{hint}")
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{table}.{name}: {first['msg']}") from None
