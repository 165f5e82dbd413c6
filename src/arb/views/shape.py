"""What documents are made of: amounts and times that become text, and an example of each document.

Importing this needs no library: the API's library asks the data classes, the shell calls `as_json`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any

from arb.domain.money import text

PLAN_ID = "57cc4279b1f971ea"
"""A plan's id, for examples."""
AT = "2026-11-21T12:00:00.000Z"
"""A time, for examples."""


def iso(at: datetime) -> str:
    """The time in UTC, to the millisecond: `2026-11-21T12:00:00.000Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, eq=False)
class AsText:
    """Marks a field's type for pydantic: how its value is written, and how that is described."""

    write: Callable[[Any], str]
    description: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """See pydantic: the value's own schema, written by `write`."""
        from pydantic_core import core_schema  # noqa: PLC0415  # the API alone comes here

        written = core_schema.plain_serializer_function_ser_schema(
            self.write, return_schema=core_schema.str_schema()
        )
        return {**handler(source), "serialization": written}

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        """See pydantic: it is text."""
        return {"type": "string", **self.description}


Amount = Annotated[
    Decimal, AsText(text, {"description": "A decimal number as text.", "examples": ["12.34"]})
]
"""USD, shares or a price: a decimal number that is written as text."""
Moment = Annotated[datetime, AsText(iso, {})]
"""A time in UTC that is written as ISO 8601."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a document's schema says besides types: the docstrings of its fields, and an example."""

    example: Mapping[str, Any]

    def __call__(self, schema: dict[str, Any], document: type[object]) -> None:
        """See pydantic's `json_schema_extra`."""
        schema["examples"] = [dict(self.example)]
        for name, meaning in field_docstrings(document).items():
            schema["properties"][name]["description"] = meaning


def shape(**example: Any) -> dict[str, Any]:
    """The `__pydantic_config__` of a document: it has no other fields, and this is an example.

    The API's description leaves fields that are `None` out, so an example has none.
    """
    return {"extra": "forbid", "json_schema_extra": Described(example)}


def example_of(document: type[Any]) -> dict[str, Any]:
    """The example that a document was given by `shape`."""
    found: Described = document.__pydantic_config__["json_schema_extra"]
    return {**found.example}


def field_docstrings(document: type[object]) -> dict[str, str]:
    """The docstrings below a data class's fields; none where the source is not there."""
    # Pydantic would read the source anew for every route, in the loop that trades.
    import ast  # noqa: PLC0415  # the description alone needs them
    import inspect  # noqa: PLC0415

    found: dict[str, str] = {}
    for kind in reversed(document.__mro__[:-1]):
        try:
            (node,) = ast.parse(inspect.getsource(kind)).body
        except OSError:
            continue
        assert isinstance(node, ast.ClassDef)
        for field, below in pairwise(node.body):
            if not isinstance(field, ast.AnnAssign) or not isinstance(below, ast.Expr):
                continue
            match field.target, below.value:
                case ast.Name(id=name), ast.Constant(value=str(meaning)):
                    found[name] = inspect.cleandoc(meaning)
                case _:
                    pass
    return found


def as_json(value: Any) -> Any:
    """A document as JSON has it: amounts and times as text, data classes as objects."""
    match value:
        case Decimal():
            return text(value)
        case datetime():
            return iso(value)
        case Mapping():
            return {key: as_json(each) for key, each in value.items()}
        case list() | tuple():
            return [as_json(each) for each in value]
        case _ if is_dataclass(value):
            return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
        case _:
            return value
