"""Facts and plans as JSON, and back without loss."""

import dataclasses
from datetime import datetime
from typing import Any, get_args

import msgspec

from arb import plugins
from arb.domain.fact import (
    Answered,
    Confirmed,
    Discovered,
    Fact,
    OperationEnded,
    OperationRequested,
    SaleOrdered,
    Submitted,
    Voided,
)
from arb.domain.fees import CurveFees, FeeSchedule
from arb.domain.market import Relation
from arb.domain.operation import Operation, OperationId
from arb.domain.plan import Plan
from arb.domain.worlds import Payoff, PayoffMarket

STORED_AS = {OperationRequested: "Requested", OperationEnded: "Settled"}
"""Facts that are stored by another name than their class has today."""


def _stored_as(kind: type[Any]) -> str:
    return STORED_AS.get(kind, kind.__name__)


FACTS: dict[str, type[Any]] = {_stored_as(kind): kind for kind in get_args(Fact)}
OPERATIONS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Operation)}
RELATIONS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Relation)}


def _default(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    """What stands for a field that ledgers before it do not have."""
    if field.default_factory is not dataclasses.MISSING:
        return (msgspec.field(default_factory=field.default_factory),)
    return () if field.default is dataclasses.MISSING else (field.default,)


FEES_OF = "venue"
"""Where the stored fields of a fee schedule name the venue that they are of; else the curve."""

_PlanFields = msgspec.defstruct(
    "_PlanFields",
    [
        (field.name, Plan.__annotations__[field.name], *_default(field))
        for field in dataclasses.fields(Plan)
        if field.name not in ("exit_operation", "payoff")
    ],
)


def dump_fact(fact: Fact) -> str:
    """A fact as JSON that names its kind."""
    document = {"kind": _stored_as(type(fact)), **msgspec.to_builtins(fact)}
    if isinstance(fact, OperationRequested):
        document["operation"] = _dump_operation(fact.operation)
    return dump(document)


def load_fact(stored: str) -> Fact:
    """The fact that `dump_fact` wrote."""
    document = msgspec.json.decode(stored)
    kind = FACTS[document.pop("kind")]
    if kind is OperationRequested:
        return OperationRequested(
            id=OperationId(document["id"]),
            operation=_load_operation(document["operation"]),
            at=msgspec.convert(document["at"], datetime),
            ref=document.get("ref", ""),
        )
    fact: Fact = msgspec.convert(document, kind)
    return fact


def dump_plan(plan: Plan) -> str:
    """A plan as JSON."""
    document = msgspec.to_builtins(plan)
    for leg, stored in zip(plan.legs, document["legs"], strict=True):
        if leg.terms is not None and not isinstance(leg.terms.fees, CurveFees):
            stored["terms"]["fees"][FEES_OF] = leg.outcome.venue
    del document["exit_operation"]  # it is stored by the name that it had before
    operation = plan.exit_operation
    document["settlement"] = None if operation is None else _dump_operation(operation)
    if plan.payoff is not None:
        document["payoff"] = _dump_payoff(plan.payoff)
    return dump(document)


def load_plan(stored: str) -> Plan:
    """The plan that `dump_plan` wrote."""
    document = msgspec.json.decode(stored)
    exit_operation = document.pop("settlement")
    payoff = document.pop("payoff", None)
    fields: Any = msgspec.convert(document, _PlanFields, dec_hook=_load_fees)
    return Plan(
        **{name: getattr(fields, name) for name in fields.__struct_fields__},
        exit_operation=None if exit_operation is None else _load_operation(exit_operation),
        payoff=None if payoff is None else _load_payoff(payoff),
    )


def dump(document: Any) -> str:
    """Any plain document as JSON."""
    return msgspec.json.encode(document).decode()


def fact_key(fact: Fact) -> str:  # noqa: PLR0911  # one line a kind of fact
    """What makes a fact the same fact: appending it again changes nothing."""
    match fact:
        case Submitted(order=order):
            return f"submitted/{order.id}"
        case Answered(order=order):
            return f"answered/{order}"
        case Confirmed(order=order, trade=trade):
            return f"confirmed/{order}/{trade}"
        case Voided(order=order, trade=trade):
            return f"voided/{order}/{trade}"
        case Discovered(order=order, trade=trade):
            return f"discovered/{order}/{trade}"
        case OperationRequested(id=id_):
            return f"requested/{id_}"
        case OperationEnded(id=id_):
            return f"settled/{id_}"
        case SaleOrdered(number=number):
            return f"sale/{number}"


def _load_fees(kind: type[Any], stored: Any) -> Any:
    """A leg's fee schedule: the curve, or the venue's own."""
    if kind is not FeeSchedule:
        raise TypeError(f"{kind} is not stored")
    venue = stored.pop(FEES_OF, None)
    return msgspec.convert(stored, CurveFees if venue is None else plugins.fee_schedule(venue))


def _dump_operation(operation: Operation) -> dict[str, Any]:
    return {"kind": type(operation).__name__, **msgspec.to_builtins(operation)}


def _load_operation(document: dict[str, Any]) -> Operation:
    operation: Operation = msgspec.convert(document, OPERATIONS[document.pop("kind")])
    return operation


def _dump_payoff(payoff: Payoff) -> dict[str, Any]:
    return {
        "markets": msgspec.to_builtins(payoff.markets),
        "relations": [
            {"kind": type(relation).__name__, **msgspec.to_builtins(relation)}
            for relation in payoff.relations
        ],
    }


def _load_payoff(document: dict[str, Any]) -> Payoff:
    return Payoff(
        msgspec.convert(document["markets"], tuple[PayoffMarket, ...]),
        tuple(
            msgspec.convert(stored, RELATIONS[stored.pop("kind")])
            for stored in document["relations"]
        ),
    )
