"""The ledger's figures of a period, for people, for spreadsheets and for scripts."""

import contextlib
import csv
import io
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb.adapters.clock import SystemClock
from arb.adapters.storage.database import Database
from arb.adapters.storage.figures import Figures, read_figures
from arb.config.sources import Loaded
from arb.domain.bot import BotSums
from arb.domain.errors import ConfigError, LedgerError
from arb.domain.money import text
from arb.operations.account_views import opened
from arb.reporting.html import About, percent, render_page
from arb.reporting.summary import CyclePoint, Durations, Summary, Sums, summarise
from arb.views.signals import LABEL

COLUMNS = (
    "timestamp",
    "total_scan_cycles",
    "total_opportunities",
    "total_trades",
    "successful_trades",
    "failed_trades",
    "success_rate",
    "total_profit_usd",
    "locked_usd",
    "locked_profit_usd",
    "cycle",
    "cycle_ms",
)
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period and their sums."""

    about: About
    figures: Figures
    summary: Summary
    signals: "Report | None" = None
    """Of the account of statistical strategies, which is in none of the other figures."""

    def document(self) -> dict[str, Any]:
        """The report for scripts; amounts are decimal strings."""
        about, summary = self.about, self.summary
        return {
            "schema": 1,
            "account": about.account,
            "since": about.since and _iso(about.since),
            "until": _iso(about.until),
            "cycles": summary.cycles,
            **_sums(summary.all),
            "by_kind": {kind: _sums(sums) for kind, sums in summary.by_kind.items()},
            "by_bot": {each.bot: _bot(each) for each in summary.bots},
            "refusals": dict(summary.refusals),
            "candidates": dict(summary.candidates),
            "slippage": {
                "total": text(summary.slippage),
                "plans": [
                    {
                        "plan": slip.plan,
                        "kind": slip.kind,
                        "proof": text(slip.proof),
                        "paid": text(slip.paid),
                        "slippage": text(slip.slippage),
                    }
                    for slip in summary.slips
                ],
            },
            "capital": {
                "cash": text(about.cash),
                "in_use": text(about.in_use),
                "in_use_max": text(summary.capital_peak),
            },
            "latency_ms": {
                "cycles": _durations(summary.cycle_durations),
                "plans": _durations(summary.plan_durations),
            },
            "signals": None if self.signals is None else self.signals.signal_document(),
        }

    def signal_document(self) -> dict[str, Any]:
        """The same of statistical strategies: nothing is proved, so no profit is to come."""
        kept = ("plans", "successes", "failures", "outlay", "realised", "locked")
        rows = {"all": self.summary.all, **self.summary.by_kind}
        sums = {
            name: {key: value for key, value in _sums(each).items() if key in kept}
            for name, each in rows.items()
        }
        return {
            "what": LABEL,
            "account": self.about.account,
            **sums.pop("all"),
            "by_strategy": sums,
        }

    def rows(self) -> list[tuple[str, str]]:
        """The report for people."""
        summary, sums = self.summary, self.summary.all
        cycles, plans = summary.cycle_durations, summary.plan_durations
        return [
            ("Total scan cycles", str(summary.cycles)),
            ("Total opportunities", str(sums.opportunities)),
            ("Total trades", str(sums.trades)),
            ("Successful trades", str(sums.successes)),
            ("Failed trades", str(sums.failures)),
            ("Success rate", percent(sums.hit_rate)),
            ("Total profit, realised", f"${text(sums.realised)}"),
            ("Bound until resolution", f"${text(sums.locked)}"),
            ("Profit then, at least", f"${text(sums.locked_profit)}"),
            ("Paid beyond the proofs", f"${text(summary.slippage)}"),
            ("Capital in use now", f"${text(self.about.in_use)}"),
            ("Capital in use, at most", f"${text(summary.capital_peak)}"),
            ("A cycle took, median and 95 %", f"{_ms(cycles.median)}, {_ms(cycles.p95)}"),
            ("A plan took, median and 95 %", f"{_ms(plans.median)}, {_ms(plans.p95)}"),
        ]

    def kind_rows(self) -> list[tuple[str, ...]]:
        """Each kind for people: opportunities, filled, failed, realised, locked, profit then."""
        return [
            (
                kind,
                *(str(n) for n in (sums.opportunities, sums.successes, sums.failures)),
                *(text(amount) for amount in (sums.realised, sums.locked, sums.locked_profit)),
            )
            for kind, sums in self.summary.by_kind.items()
        ]

    def signal_rows(self) -> list[tuple[str, ...]]:
        """Each statistical strategy for people: bought, refused, paid, realised, held at cost."""
        return [
            (
                strategy,
                *(str(number) for number in (sums.successes, sums.failures)),
                *(text(amount) for amount in (sums.outlay, sums.realised, sums.locked)),
            )
            for strategy, sums in (*self.summary.by_kind.items(), ("all", self.summary.all))
        ]

    def bot_rows(self) -> list[tuple[str, ...]]:
        """Each bot for people: the counts of its answers, what was filled, realised, restarts."""
        return [
            (
                each.bot,
                *(str(n) for n in (each.asked, each.agreed, each.declined, each.silent)),
                *(str(n) for n in (each.impossible, each.successes)),
                percent(_success_rate(each)),
                text(each.realised),
                str(each.restarts),
            )
            for each in self.summary.bots
        ]

    def csv(self) -> str:
        """One row per cycle with the sums so far; the last row is the final table."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            _csv_row(number, point) for number, point in enumerate(self.summary.points, start=1)
        )
        return out.getvalue()

    def page(self) -> str:
        """The report as one HTML file."""
        signals = self.signals
        return render_page(
            self.about,
            self.summary,
            () if signals is None else signals.signal_rows(),
            "" if signals is None else signals.about.account,
        )


async def read_report(loaded: Loaded, since: str | None = None) -> Report:
    """The report of the ledger's account.

    Args:
        loaded: The settings.
        since: From when on: a date, a time, or how long ago (`90m`, `24h`, `7d`, `4w`).

    Raises:
        ConfigError: `since` cannot be read.
        LedgerError: There is no ledger.
    """
    now = SystemClock().now()
    begin = None if since is None else moment(since, now)
    async with opened(loaded) as (ledger, reads):
        report = await report_of(reads.database, ledger.account, begin, now)
        account = loaded.settings.signals.account
        if account == ledger.account or account not in {a.account for a in await reads.accounts()}:
            return report
        return replace(report, signals=await report_of(reads.database, account, begin, now))


async def report_of(
    database: Database, account: str, begin: datetime | None, now: datetime
) -> Report:
    """The report of an account from a moment on; `None`: from its first day.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    since = begin or datetime.min.replace(tzinfo=UTC)
    figures = await read_figures(database, account, since, now)
    held = figures.portfolio
    about = About(
        account=account,
        since=begin,
        until=now,
        cash=held.cash,
        in_use=held.promised + held.locked,
    )
    return Report(about, figures, summarise(figures))


def moment(words: str, now: datetime) -> datetime:
    """A date, a time, or how long ago; without a zone it is UTC.

    Raises:
        ConfigError: It is none of these.
    """
    number, unit = words[:-1], UNITS.get(words[-1:])
    try:
        if unit is not None and number.isdecimal():
            return now - timedelta(**{unit: int(number)})
        at = datetime.fromisoformat(words)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--since {words}: a date (2026-07-01), a time (2026-07-01T12:00), "
            "or how long ago (90m, 24h, 7d, 4w)"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def write_file(target: Path, ending: str, content: str, at: datetime) -> Path:
    """Write a report; in a folder it is named by the time. A reader never sees half a file.

    Raises:
        LedgerError: It could not be written.
    """
    if target.is_dir():
        target = target / f"performance_report_{at:%Y%m%d_%H%M%S}.{ending}"
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise LedgerError(f"no report was written to {target}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target


def _success_rate(sums: BotSums) -> Decimal | None:
    """Filled plans among those that ended of what a bot agreed to; `None` before the first."""
    ended = sums.successes + sums.failures
    return Decimal(sums.successes) / ended if ended else None


def _bot(sums: BotSums) -> dict[str, Any]:
    return {
        "asked": sums.asked,
        "agreed": sums.agreed,
        "declined": sums.declined,
        "silent": sums.silent,
        "impossible": sums.impossible,
        "successes": sums.successes,
        "failures": sums.failures,
        "success_rate": _rate(_success_rate(sums)),
        "realised": text(sums.realised),
        "restarts": sums.restarts,
    }


def _csv_row(number: int, point: CyclePoint) -> tuple[object, ...]:
    sums = point.sums
    return (
        _iso(point.at),
        number,
        sums.opportunities,
        sums.trades,
        sums.successes,
        sums.failures,
        _rate(sums.hit_rate) or "",
        text(sums.realised),
        text(sums.locked),
        text(sums.locked_profit),
        point.run,
        point.duration_ms,
    )


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "opportunities": sums.opportunities,
        "plans": sums.approved,
        "open": sums.open,
        "trades": sums.trades,
        "successes": sums.successes,
        "failures": sums.failures,
        "hit_rate": _rate(sums.hit_rate),
        "outlay": text(sums.outlay),
        "realised": text(sums.realised),
        "locked": text(sums.locked),
        "locked_profit": text(sums.locked_profit),
    }


def _durations(taken: Durations) -> dict[str, int | None]:
    return {name: getattr(taken, name) for name in taken.__dataclass_fields__}


def _rate(rate: Decimal | None) -> str | None:
    return None if rate is None else text(round(rate, 4))


def _ms(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds} ms"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
