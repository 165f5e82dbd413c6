"""Settings and the option classes that use them: one name, one default, no mapping by hand."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def default_of(kind: type[Any], name: str) -> Any:
    """The default of an option as its setting has it: spans of time in seconds."""
    (default,) = (field.default for field in fields(kind) if field.name == name)
    if not isinstance(default, timedelta):
        return default
    seconds = default.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def options_of(kind: type[T], settings: Mapping[str, Any], **given: Any) -> T:
    """Options of a class: each that is a setting has the setting's name and its value.

    Args:
        kind: A dataclass. An option that is no setting keeps its default.
        settings: Values by name; spans of time in seconds.
        given: Options that are no settings, by name.
    """
    types = get_type_hints(kind)
    names = [name for name in types if name in settings]
    spans = {name for name in names if types[name] is timedelta}
    values = {
        name: timedelta(seconds=float(settings[name])) if name in spans else settings[name]
        for name in names
    }
    return kind(**values, **given)
