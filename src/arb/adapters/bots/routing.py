"""Which bot a plan goes to: the first rule that holds decides. Pure."""

import operator
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from arb.domain import bounds
from arb.domain.errors import ConfigError
from arb.domain.money import ZERO, text
from arb.domain.plan import Plan

OURSELVES = ""
"""Stands for the orchestrator: no bot is asked."""

_COMPARE: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}
MEASURES = {
    "risk": "USD that the dearest leg binds if it alone is filled",
    "profit": "USD of proven profit",
    "profit_percent": "proven profit in percent of all that is paid",
    "cost": "USD of fees",
    "outlay": "USD that is paid in all",
    "legs": "number of orders",
    "gas": "USD of gas that a spread's transaction uses",
    "mev_risk": "basis points of price impact of a spread's worst swap",
}
OF_SPREADS = frozenset({"gas", "mev_risk"})
"""Measures that nothing else has."""
_CONDITION = re.compile(r"(\w+)\s*(>=|<=|>|<|=)\s*(-?[0-9]+(?:\.[0-9]+)?)")


class Taker(Protocol):
    """What a rule has to know about a bot."""

    def takes(self, kind: str) -> bool:
        """Whether an opportunity of this kind may be handed to it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition, and the bot for plans of which it holds; no condition holds always."""

    name: str
    bot: str
    measure: str = ""
    compare: str = ""
    threshold: Decimal = ZERO

    @property
    def condition(self) -> str:
        """The condition as it is written."""
        if not self.measure:
            return "always"
        return f"{self.measure} {self.compare} {text(self.threshold)}"

    def holds(self, measures: Mapping[str, Decimal]) -> bool:
        """Whether the condition holds."""
        if not self.measure:
            return True
        return _COMPARE[self.compare](measures[self.measure], self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one rule."""

    rule: Rule
    holds: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a plan goes, and every rule that was evaluated on the way."""

    bot: str
    rule: str
    verdicts: tuple[Verdict, ...]


def measures(plan: Plan) -> dict[str, Decimal]:
    """What rules can ask about a plan."""
    return {
        "risk": max((Decimal(leg.value + leg.fee) for leg in plan.legs), default=ZERO),
        "profit": Decimal(plan.profit),
        "profit_percent": plan.profit / plan.outlay * 100 if plan.outlay else ZERO,
        "cost": sum((Decimal(leg.fee) for leg in plan.legs), ZERO),
        "outlay": Decimal(plan.outlay),
        "legs": Decimal(len(plan.legs)),
    }


def route(
    rules: Sequence[Rule],
    bots: Mapping[str, Taker],
    kind: str,
    found: Mapping[str, Decimal],
    ready: Container[str] | None = None,
    off: Container[str] = (),
) -> Route:
    """The first rule that holds and whose bot takes the plan.

    Args:
        rules: In the order in which they are asked.
        bots: Those there are.
        kind: The plan's.
        found: The plan's measures.
        ready: Names of the bots that run; all, where it is not given.
        off: Names of those that have failed too often to be asked.
    """
    verdicts: list[Verdict] = []
    for rule_ in rules:
        why = _against(rule_, bots, kind, found, ready)
        if not why and rule_.bot in off:
            why = f"{rule_.bot} has failed too often in a row"
        verdicts.append(Verdict(rule=rule_, holds=not why, why=why or "holds"))
        if not why:
            return Route(bot=rule_.bot, rule=rule_.name, verdicts=tuple(verdicts))
    return Route(bot=OURSELVES, rule="", verdicts=tuple(verdicts))


def _against(
    rule_: Rule,
    bots: Mapping[str, Taker],
    kind: str,
    found: Mapping[str, Decimal],
    ready: Container[str] | None,
) -> str:
    """What speaks against a rule; empty: nothing."""
    if rule_.measure and rule_.measure not in found:
        return f"{kind} has no {rule_.measure}"
    if not rule_.holds(found):
        return f"{rule_.measure} is {text(round(found[rule_.measure], 6))}"
    if rule_.bot == OURSELVES:
        return ""
    if not bots[rule_.bot].takes(kind):
        return f"{rule_.bot} does not take {kind}"
    if ready is not None and rule_.bot not in ready:
        return f"{rule_.bot} is not running"
    return ""


def rule(table: Mapping[str, Any], bots: Container[str], where: str) -> Rule:
    """A rule of the definition file.

    Raises:
        ConfigError: It cannot be understood, or there is no such bot.
    """
    strange = sorted(set(table) - {"name", "when", "bot"})
    if strange:
        raise ConfigError(f"{where}: {strange[0]!r} is none of name, when, bot")
    name, when, bot = (table.get(key, "") for key in ("name", "when", "bot"))
    if not all(isinstance(value, str) for value in (name, when, bot)):
        raise ConfigError(f"{where}: name, when and bot are texts")
    bot = bot.lower()
    if bot != OURSELVES and bot not in bots:
        raise ConfigError(f"{where}: there is no bot {bot!r}")
    if not when:
        return Rule(name=name or "default", bot=bot)
    match = _CONDITION.fullmatch(when.strip())
    if match is None or match[1] not in MEASURES:
        raise ConfigError(
            f"{where}: when = {when!r}: a measure ({', '.join(MEASURES)}), one of > >= < <= = "
            "and a number"
        )
    return Rule(name=name or when, bot=bot, measure=match[1], compare=match[2], threshold=_n(match))


def _n(match: re.Match[str]) -> Decimal:
    try:
        return bounds.number(match[3])
    except bounds.OutOfBounds as error:
        raise ConfigError(str(error)) from None
