"""Alerts beside the orchestrator: news and the account's state in, messages to people out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from loguru import logger

from arb.adapters.notify import wording
from arb.adapters.notify.apprise import services
from arb.adapters.notify.console import Console
from arb.adapters.notify.courier import Channel, Courier
from arb.adapters.notify.record import SENT, WAITING, Record, Told
from arb.adapters.notify.rules import (
    Alert,
    AlertOptions,
    Conditions,
    Gate,
    Level,
    Verdict,
    conditions,
    next_summary,
    of_news,
    of_trade,
)
from arb.adapters.telemetry.wording import mark
from arb.config.schema import Settings
from arb.config.sources import Loaded
from arb.domain.errors import LedgerError
from arb.domain.halt import TradingState
from arb.domain.money import Usd
from arb.domain.news import (
    AttemptsChanged,
    AttemptsLooked,
    ChainSeen,
    CycleEnded,
    News,
    PlanEnded,
    StateChanged,
)
from arb.ports import Clock, Ledger
from arb.publisher import Publisher
from arb.views import sidecars

LOOK_SECONDS = 30.0
DAY = timedelta(days=1)
LOGGED_AS = {
    Level.CRITICAL: "CRITICAL",
    Level.HIGH: "ERROR",
    Level.MEDIUM: "WARNING",
    Level.LOW: "INFO",
}
"""The level of the log's line about an alert."""


class Watch:
    """Listens to news, reads the ledger, and hands what matters to the courier.

    Also `arb.views.sidecars.Alerts`: what it decided is what is shown.
    """

    def __init__(
        self, options: AlertOptions, courier: Courier, ledger: Ledger, clock: Clock
    ) -> None:
        self._options, self._courier, self._ledger, self._clock = options, courier, ledger, clock
        self.gate, self._conditions = Gate(options), Conditions(options)
        self.record = Record()
        self._cycle_ended = asyncio.Event()

    def observe(self, news: News) -> None:
        """See `arb.publisher.Observer`: nothing in here may stop a trade."""
        try:
            if isinstance(news, PlanEnded):
                self._conditions.plan_ended(news.reason)
            if isinstance(news, CycleEnded):
                self._cycle_ended.set()
            if isinstance(news, AttemptsLooked):
                for found in self._conditions.attempts(news.account, news.sums):
                    self.send(found)
            if isinstance(news, AttemptsChanged):
                key = f"attempts {news.account}"
                self.record.end(key, self._clock.now())
                if news.standing.state is TradingState.NORMAL:
                    self.gate.over(key)
            if isinstance(news, StateChanged):
                self.record.end("state", self._clock.now())
                if news.state is TradingState.NORMAL:
                    self.gate.over("state")
            if isinstance(news, ChainSeen) and not news.state.low:
                self.record.end(f"gas {news.venue}", self._clock.now())
                self.gate.over(f"gas {news.venue}")
            if (alert := of_news(news)) is not None:
                self.send(alert)
            elif self._options.trades and (trade := of_trade(news)) is not None:
                money = mark(live=not self._ledger.account.startswith("paper:"))
                self.send(replace(trade, sentence=f"{money} {trade.sentence}"))
        except Exception as error:  # noqa: BLE001  # an alert that fails is no reason to stop
            logger.error("alerts: {}: {}", type(error).__name__, error)

    def send(self, alert: Alert) -> None:
        """Send an alert if it is new and not too much."""
        now = self._clock.now()
        self._decided(alert, self.gate.admit(alert, now), now)

    async def look(self) -> None:
        """Check the account once."""
        portfolio = await self._ledger.portfolio(self._clock.now())
        for alert in self._conditions.look(portfolio):
            self.send(alert)
        now = self._clock.now()
        if (waited := self.gate.waiting(now)) is not None:
            self._decided(waited, Verdict.SENT, now)

    def latest(self, limit: int) -> list[sidecars.Alert]:
        """See `arb.views.sidecars.Alerts`."""
        return [_document(told) for told in self.record.latest(limit)]

    def _decided(self, alert: Alert, verdict: Verdict, now: datetime) -> None:
        told = self.record.add(alert, verdict, now)
        if verdict is not Verdict.REPEATED and not told.again:
            said = " ".join(alert.sentence.split())
            logger.log(LOGGED_AS[alert.level], "Alert {}: {}", alert.level.name, said)
        if verdict is not Verdict.SENT:
            return
        told.channels = {lane.channel.name: WAITING for lane in self._courier.lanes}

        def arrived(channel: str, trouble: str) -> None:
            told.arrived(channel, trouble)
            if trouble:
                logger.warning("alerts: {} did not work: {}", channel, trouble)

        self._courier.send(alert, arrived)

    async def sum_up(self, now: datetime) -> None:
        """Send the day's summary."""
        day, whole = await self._ledger.statistics(now - DAY), await self._ledger.statistics()
        sentence = wording.summary(day, whole, await self._ledger.portfolio(now))
        key = f"summary {now.date()}"
        self.send(Alert(level=Level.LOW, condition="summary", key=key, sentence=sentence))

    async def run(self) -> None:
        """Look after every cycle and now and then, until cancelled."""
        at = self._options.summary_at
        due = next_summary(self._clock.now(), at) if at is not None else None
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._cycle_ended.wait(), LOOK_SECONDS)
            self._cycle_ended.clear()
            try:
                await self.look()
                now = self._clock.now()
                if due is not None and at is not None:
                    following = next_summary(now, at)
                    if now >= due:
                        await self.sum_up(now)
                        due = following
                    due = min(due, following)  # the clock may have been set back
            except LedgerError as error:
                logger.warning("alerts: the ledger cannot be looked at: {}", error)


@contextlib.asynccontextmanager
async def with_alerts(
    loaded: Loaded, ledger: Ledger, clock: Clock, news: Publisher
) -> AsyncIterator[Watch]:
    """Alerts that listen while the block runs; each leaves a line in the log, channel or not.

    Args:
        loaded: The settings.
        ledger: Its account is checked.
        clock: Time.
        news: What is listened to.

    Raises:
        ConfigError: An address is not understood, or the library for it is missing.
    """
    courier = Courier(channels_of(loaded.settings))
    watch = Watch(alert_options(loaded.settings), courier, ledger, clock)
    news.subscribe(watch.observe)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(LedgerError):
            await watch.look()
        if not await asyncio.to_thread(courier.close):
            logger.warning("alerts: a channel did not accept its waiting alerts in time")


def channels_of(settings: Settings) -> list[Channel]:
    """The channels that are set.

    Raises:
        ConfigError: An address is not understood, or the library for it is missing.
    """
    urls = settings.alerts.urls
    console: list[Channel] = [Console()] if settings.alerts.console else []
    return [*console, *(services(urls.get_secret_value()) if urls else [])]


def alert_options(settings: Settings) -> AlertOptions:
    """The conditions, from the settings."""
    alerts = settings.alerts
    return AlertOptions(
        level=Level[alerts.level],
        balance_low=Usd(alerts.balance_low_usd),
        volume_max=Usd(settings.risk.max_daily_volume),
        volume_part=alerts.volume_part,
        inclusion_rate=alerts.inclusion_rate,
        inclusion_plans=alerts.inclusion_plans,
        failures=alerts.failures,
        trades=alerts.trades,
        repeat_after=timedelta(seconds=alerts.repeat_after),
        per_hour=alerts.per_hour,
        quiet_from=_time(alerts.quiet_from),
        quiet_to=_time(alerts.quiet_to),
        summary_at=_time(alerts.summary_at),
    )


def list_alerts(loaded: Loaded) -> dict[str, Any]:
    """Conditions and channels."""
    options = alert_options(loaded.settings)
    return {
        "schema": 1,
        "level": options.level.name,
        "channels": [channel.name for channel in channels_of(loaded.settings)],
        "conditions": [
            {"level": level.name, "condition": words, "sent": level >= options.level}
            for level, words in conditions(options)
        ],
    }


async def try_channels(loaded: Loaded, seconds: float = 20.0) -> list[dict[str, Any]]:
    """Send a test to every channel; returns each channel's result."""
    trouble: dict[str, str] = {}
    courier = Courier(channels_of(loaded.settings), pause_seconds=0.5)
    sentence = "This is a test: alerts of the orchestrator arrive here."
    test = Alert(level=Level.LOW, condition="test", key="test", sentence=sentence)
    courier.send(test, trouble.__setitem__)
    await asyncio.to_thread(courier.close, seconds)
    return [
        {
            "channel": lane.channel.name,
            "sent": bool(lane.counts["sent"]),
            "detail": ""
            if lane.counts["sent"]
            else trouble.get(lane.channel.name, f"no answer within {seconds:g} s"),
        }
        for lane in courier.lanes
    ]


def _document(told: Told) -> sidecars.Alert:
    """An alert as the API shows it."""
    sent = told.verdict is Verdict.SENT
    level: Any = told.alert.level.name.lower()
    verdict: Any = told.verdict.value if told.channels or not sent else "no_channel"
    return sidecars.Alert(
        at=told.at.isoformat(),
        last_at=told.last_at.isoformat(),
        ended_at=told.ended_at.isoformat() if told.ended_at else None,
        level=level,
        condition=told.alert.condition,
        text=told.alert.sentence,
        again=told.again,
        verdict=verdict,
        channels=[_channel(name, state) for name, state in list(told.channels.items())],
    )


def _channel(name: str, state: str) -> sidecars.AlertChannel:
    """The outcome on one channel: `state` as `Told` keeps it."""
    if state == WAITING:
        return sidecars.AlertChannel(channel=name, state="waiting", detail="")
    if state == SENT:
        return sidecars.AlertChannel(channel=name, state="sent", detail="")
    return sidecars.AlertChannel(channel=name, state="failed", detail=state)


def _time(text: str) -> time | None:
    return time.fromisoformat(text) if text else None
