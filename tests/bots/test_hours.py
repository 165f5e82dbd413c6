"""Bots that the calendar starts and stops."""

from datetime import UTC, datetime, timedelta

import pytest

from arb.adapters.bots.definition import read
from arb.adapters.bots.hours import hours
from arb.adapters.bots.status import BotState
from arb.adapters.clock import SystemClock
from arb.domain.errors import ConfigError
from tests.bots.test_supervisor import Yard

OPENS, CLOSES = "0 8 * * mon-fri", "0 18 * * mon-fri"
FRIDAY = datetime(2026, 11, 27, tzinfo=UTC)


def at(clock, day=0):
    hour, minute = clock.split(":")
    return FRIDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


class SetClock(SystemClock):
    """A wall clock that the test sets; waiting is real."""

    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time


@pytest.mark.parametrize(
    ("clock", "day", "runs"),
    [("7:59", 0, False), ("8:00", 0, True), ("17:59", 0, True), ("18:00", 0, False), ("12:00", 1, False)],
)  # fmt: skip
def test_hours_hold_from_the_start_until_the_stop(clock, day, runs):
    assert hours(OPENS, CLOSES).holds(at(clock, day)) is runs


@pytest.mark.parametrize(
    ("since", "now", "due"),
    [
        (("7:59", 0), ("8:00", 0), "start"),
        (("8:00", 0), ("8:01", 0), ""),
        (("17:59", 0), ("18:00", 0), "stop"),
        (("7:00", 0), ("19:00", 0), "stop"),  # the machine slept all day
        (("17:00", 0), ("9:00", 3), "start"),  # and over the weekend
        (("9:00", 0), ("8:30", 0), ""),  # the clock was set back
    ],
)
def test_of_the_times_that_went_by_the_last_counts(since, now, due):
    assert hours(OPENS, CLOSES).due(at(*since), at(*now)) == due


def test_either_may_be_absent():
    assert hours("", "") is None
    assert hours("", CLOSES).holds(at("20:00")) and not hours(OPENS, "").holds(at("9:00"))
    assert hours(OPENS, "").due(at("7:59"), at("8:00")) == "start"
    assert hours("", CLOSES).due(at("17:59"), at("18:00")) == "stop"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"starts": "0 8 * * 1-5"}, "weekdays are written mon, tue"),
        ({"stops": "0 8 * *"}, "expected 5"),
        ({"stops": " "}, "expected 5"),
        ({"starts": "61 8 * * *"}, "61"),
        ({"stops": "0 0 30 2 *"}, "never comes"),
        ({"starts": OPENS, "does": "prints"}, "run once for each command"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused_by_name(written, said):
    with pytest.raises(ConfigError, match=said) as refused:
        read({"bot": {"atom": {"command": ["x"], **written}}}, "bots.toml")
    assert "bots.toml: bot.atom." in str(refused.value)


async def test_the_supervisor_keeps_a_bots_hours(tmp_path):
    clock = SetClock(at("7:59"))
    yard = Yard(tmp_path, "time.sleep(600)", starts=OPENS, stops=CLOSES, clock=clock)
    async with yard:
        assert yard.status.state is BotState.STOPPED  # though autostart is on
        clock.time = at("8:00")
        await yard.until(lambda: yard.status.state is BotState.RUNNING)
        await yard.supervisor.stop("atom")  # a person's wish stands until the next time
        clock.time = at("17:00")
        await yard.until(lambda: yard.supervisor.hours_kept == at("17:00"))
        assert yard.status.state is BotState.STOPPED
        yard.supervisor.start("atom")
        clock.time = at("18:00")
        await yard.until(lambda: yard.status.state is BotState.STOPPED)


async def test_a_supervisor_that_opens_within_the_hours_starts_the_bot(tmp_path):
    yard = Yard(
        tmp_path, "time.sleep(600)", starts=OPENS, stops=CLOSES, autostart=False, clock=SetClock(at("9:00"))
    )  # fmt: skip
    async with yard:
        await yard.until(lambda: yard.status.state is BotState.RUNNING)
