"""10,000 binaries and 2,000 events of 12 outcomes, 20 levels: a Python walk and the screens."""

import random

import numpy as np
from common import Report, Row, run, turns

from arb.strategies.binary_complement import BinaryComplement
from arb.strategies.negrisk import NegRiskNo, NegRiskYes
from arb.strategies.screen import Columns

BINARIES, EVENTS, OUTCOMES, LEVELS = 10_000, 2_000, 12, 20
MICRO = 1_000_000
Ladders = list[list[tuple[int, int]]]


def ladders(chance: random.Random, count: int, low: int, high: int) -> Ladders:
    return [
        [((start + step) * 10_000, chance.randint(5, 500) * MICRO) for step in range(LEVELS)]
        for start in (chance.randint(low, high) for _ in range(count))
    ]


def cost(price: int, rate: int) -> int:
    return price * MICRO + rate * price * (MICRO - price) // MICRO


def walk(legs: list[list[tuple[int, int]]], rate: int, pays: int) -> int:
    """The usual way: walk the ladders together while the marginal cost is below the payoff."""
    places, left, taken = [0] * len(legs), [leg[0][1] for leg in legs], 0
    while sum(cost(leg[at][0], rate) for leg, at in zip(legs, places, strict=True)) < pays:
        step = min(left)
        taken += step
        for i, leg in enumerate(legs):
            left[i] -= step
            if not left[i]:
                places[i] += 1
                if places[i] == LEVELS:
                    return taken
                left[i] = leg[places[i]][1]
    return taken


def python_walk(yes: Ladders, no: Ladders, rate: int) -> int:
    found = 0
    grouped = EVENTS * OUTCOMES
    for group in range(EVENTS):
        members = no[group * OUTCOMES : (group + 1) * OUTCOMES]
        found += walk(members, rate, (OUTCOMES - 1) * MICRO * MICRO) > 0
        members = yes[group * OUTCOMES : (group + 1) * OUTCOMES]
        found += walk(members, rate, MICRO * MICRO) > 0
    for market in range(grouped, grouped + BINARIES):
        found += walk([yes[market], no[market]], rate, MICRO * MICRO) > 0
    return found


def measure(rounds: int) -> Report:
    chance = random.Random(7)
    count, rate = EVENTS * OUTCOMES + BINARIES, 40_000
    yes = ladders(chance, EVENTS * OUTCOMES, 9, 12) + ladders(chance, BINARIES, 40, 60)
    no = ladders(chance, EVENTS * OUTCOMES, 90, 93) + ladders(chance, BINARIES, 41, 62)
    no = [[(min(price, 990_000), size) for price, size in leg] for leg in no]
    best_yes = np.array([leg[0][0] for leg in yes], dtype=np.int64)
    best_no = np.array([leg[0][0] for leg in no], dtype=np.int64)
    rates = np.full(count, rate, dtype=np.int64)
    starts = np.arange(0, EVENTS * OUTCOMES, OUTCOMES, dtype=np.int64)
    columns = Columns(
        markets=(),
        yes=best_yes,
        no=best_no,
        rates=rates,
        groups=(),
        starts=starts,
        grouped=EVENTS * OUTCOMES,
    )
    strategies = (BinaryComplement(), NegRiskNo(), NegRiskYes())

    def ours() -> int:
        return sum(len(strategy.screen(columns)) for strategy in strategies)

    times = turns({"walk": lambda: python_walk(yes, no, rate), "screen": ours}, rounds)
    return Report(
        f"{BINARIES:,} binaries and {EVENTS:,} events of {OUTCOMES} outcomes, {LEVELS} levels",
        [Row("integer screens", "pure-Python walk", times["walk"], times["screen"])],
        [
            f"the walk finds {python_walk(yes, no, rate)} with a profit after fees; the screens "
            f"nominate {ours()} before fees"
        ],
    )


if __name__ == "__main__":
    run(measure, rounds=15)
