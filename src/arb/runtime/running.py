"""The orchestrator in a process: once, or until told to stop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from arb.adapters.storage.database import file_of
from arb.adapters.telemetry.logs import LogOptions, check, log_news, set_up
from arb.bootstrap import cycle_options, looking_desk, paper_desk
from arb.config.sources import Loaded
from arb.domain.news import CycleEnded, News
from arb.domain.report import CycleReport, Statistics
from arb.engine.cycle import Look
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.runtime.killswitch import kill_switch
from arb.runtime.lock import one_instance
from arb.runtime.scheduled import Schedule
from arb.runtime.signals import on_stop


def set_up_logs(loaded: Loaded, level: str | None = None) -> None:
    """Logs as the settings say, with every secret known to be masked."""
    set_up(log_options(loaded, level), loaded.secrets())


def check_logs(loaded: Loaded) -> None:
    """Try the settings of the logs without writing anything.

    Raises:
        ConfigError: One cannot be understood.
    """
    check(log_options(loaded))


def log_options(loaded: Loaded, level: str | None = None) -> LogOptions:
    """What the settings say about logs."""
    options = loaded.settings.logging
    return LogOptions(
        level=level or options.level,
        folder=Path(options.folder) if options.folder else None,
        rotation=options.rotation,
        retention=options.retention,
        compression=options.compression,
        json_lines=options.json_lines,
    )


async def run_once(loaded: Loaded) -> tuple[CycleReport, Statistics, int]:
    """One cycle; answers with its report, the account's sum, and how many plans stay open."""
    settings = loaded.settings
    with one_instance(file_of(settings.database.url)):
        async with paper_desk(settings, [log_news]) as desk:
            switch = kill_switch(settings.database.url, settings.trading.account, log_news)
            watched = replace(desk, killed=switch.killed)
            orchestrator = ArbitrageOrchestrator(watched, cycle_options(settings))
            with switch, on_stop(orchestrator.stop):
                report = await orchestrator.run_once()
                statistics = await orchestrator.shutdown()
            return report, statistics, len(await desk.ledger.open_plans())


async def run_scheduled(
    loaded: Loaded, on_report: Callable[[CycleReport], None], cycles: int | None = None
) -> Statistics:
    """Cycles on a schedule until SIGINT or SIGTERM; each report is handed over as it comes."""
    settings = loaded.settings

    def hand_over(news: News) -> None:
        if isinstance(news, CycleEnded):
            on_report(news.report)

    with one_instance(file_of(settings.database.url)):
        async with paper_desk(settings, [log_news, hand_over]) as desk:
            switch = kill_switch(settings.database.url, settings.trading.account, log_news)
            watched = replace(desk, killed=switch.killed)
            orchestrator = ArbitrageOrchestrator(watched, cycle_options(settings))
            schedule = Schedule(
                settings.arbitrage.scan_interval, desk.clock, log_news, ticks_max=cycles
            )

            def stop() -> None:
                orchestrator.stop()
                schedule.stop()

            with switch, on_stop(stop):
                return await orchestrator.run(schedule)


async def scan(loaded: Loaded) -> CycleReport:
    """Detection only."""
    async with looking_desk(loaded.settings) as desk:
        return await ArbitrageOrchestrator(desk, cycle_options(loaded.settings)).detect()


async def preview(loaded: Loaded, slug: str) -> tuple[Look, CycleReport]:
    """What one event would give now, with every gate's verdict."""
    async with looking_desk(loaded.settings) as desk:
        orchestrator = ArbitrageOrchestrator(desk, cycle_options(loaded.settings))
        return await orchestrator.preview(slug)
