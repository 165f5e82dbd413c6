"""Backtests: earlier prices of a market, and what signals would have brought there."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from arb.adapters.clock import SystemClock
from arb.bootstrap import open_venues
from arb.config.sources import Loaded
from arb.domain.errors import ConfigError, UnknownName
from arb.domain.fees import CurveFees, FeeSchedule
from arb.domain.history import PriceHistory
from arb.domain.market import Market, OrderRules, OutcomeId
from arb.domain.money import Price, Shares, text
from arb.operations.history_file import read_history
from arb.reporting.report import moment
from arb.runtime.running import preview
from arb.statistical.backtest import BacktestOptions, Result, backtest
from arb.statistical.bars import TIMEFRAMES, Bar, bars_of
from arb.statistical.fitting import Fitted, combinations, fit
from arb.statistical.strategies import STRATEGIES, SignalStrategy, build_strategy, read_parameters

SINCE = timedelta(days=30)
POINTS_PER_BAR = 60
"""How finely the venue is asked: highs and lows within a bar are seen where it tells them."""
TICK_MAX = Decimal("0.1")
LABEL = "statistical, not guaranteed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Bars of one outcome, and what trading it costs."""

    name: str
    """What is held: event, market and outcome, or a file."""
    timeframe: str
    bars: Sequence[Bar]
    rules: OrderRules
    fees: FeeSchedule
    problems: tuple[str, ...]
    """What of the history could not be read."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A strategy that is to be tested, which has seen no bar yet."""

    name: str
    parameters: Mapping[str, Any]
    strategy: SignalStrategy


@dataclass(frozen=True, slots=True)
class Tested:
    """A strategy's result, or why there is none."""

    strategy: str
    parameters: Mapping[str, Any]
    result: Result | None = None
    failed: str = ""


async def market_series(
    loaded: Loaded,
    event: str,
    *,
    market: str | None,
    outcome: str | None,
    timeframe: str,
    since: str | None,
    volume: bool,
) -> Series:
    """Bars of an outcome from what its venue tells of earlier prices.

    Args:
        loaded: The settings.
        event: The event's slug or address.
        market: The market's slug; needed where the event has several.
        outcome: The outcome's name; without it the first one.
        timeframe: A name of `arb.statistical.bars.TIMEFRAMES`.
        since: A date, a time, or how long ago; without it 30 days ago.
        volume: Whether what was traded is needed, too: it takes the market's trades.

    Raises:
        UnknownName: There is no such event, market or outcome; what there is, is named.
        ConfigError: The timeframe or `since` cannot be used, or the market's fees are not known.
        VenueError: The venue cannot be read.
    """
    seconds = seconds_of(timeframe)
    now = SystemClock().now()
    begin = now - SINCE if since is None else moment(since, now)
    look, _ = await preview(loaded, event)
    found = _market(list(look.snapshot.universe.markets.values()), market)
    held = _outcome(found, outcome)
    if found.fees is None:
        raise ConfigError(f"the fees of {found.slug} are not known, so nothing can be said of it")
    history = await _past(loaded, found, held, begin, now, seconds, volume=volume)
    bars = bars_of(history.points, seconds, found.rules.tick)
    if not bars:
        raise ConfigError(f"the venue tells no price of {found.slug} since {begin:%Y-%m-%d %H:%M}")
    return Series(
        name=f"{found.slug}, {found.outcome(held)}",
        timeframe=timeframe,
        bars=bars,
        rules=found.rules,
        fees=found.fees,
        problems=history.problems,
    )


def file_series(file: Path, *, timeframe: str, tick: str, fee_rate: str) -> Series:
    """Bars of a file of prices; the file says nothing of what trading costs.

    Raises:
        ConfigError: The file, the timeframe, the tick or the fee rate cannot be used.
    """
    seconds = seconds_of(timeframe)
    try:
        fees = CurveFees(Decimal(fee_rate))
        step = Price(Decimal(tick))
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"--tick {tick}, --fee-rate {fee_rate}: {error}") from error
    if not (step.is_finite() and 0 < step <= TICK_MAX):
        raise ConfigError(f"--tick {tick}: above 0, at most {TICK_MAX}")
    history = read_history(file)
    return Series(
        name=file.name,
        timeframe=timeframe,
        bars=bars_of(history.points, seconds, step),
        rules=OrderRules(tick=step, min_size=Shares(Decimal(5))),
        fees=fees,
        problems=history.problems,
    )


def seconds_of(timeframe: str) -> int:
    """The length of a bar.

    Raises:
        ConfigError: There is no such timeframe.
    """
    if timeframe not in TIMEFRAMES:
        raise ConfigError(f"--timeframe {timeframe}: one of {', '.join(TIMEFRAMES)}")
    return TIMEFRAMES[timeframe]


def strategy_names() -> list[str]:
    """All strategies that can be tested."""
    return list(STRATEGIES)


def needs_volume(name: str) -> bool:
    """Whether a strategy says nothing without traded volume."""
    return name in STRATEGIES and STRATEGIES[name].needs_volume


def chosen_strategies(names: Sequence[str], given: Mapping[str, str]) -> list[Chosen]:
    """Strategies ready to be tested.

    Args:
        names: Which.
        given: Parameters of the strategy, which is the only one then.

    Raises:
        UnknownName: There is no such strategy.
        ConfigError: A parameter cannot be used.
    """
    if given and len(names) != 1:
        raise ConfigError("--param is of one strategy: name it with --strategy")
    chosen: list[Chosen] = []
    for name in names:
        values = read_parameters(name, given)
        chosen.append(Chosen(name, values, build_strategy(name, values)))
    return chosen


def run_backtests(
    series: Series, chosen: Sequence[Chosen], options: BacktestOptions
) -> list[Tested]:
    """Test strategies one after the other, each in an account of its own.

    Args:
        series: The bars.
        chosen: Which strategies; each has to be chosen anew for another test.
        options: The account.

    Raises:
        ConfigError: None of the strategies can be tested.
    """
    tested: list[Tested] = []
    for one in chosen:
        try:
            result = backtest(series.bars, one.strategy, series.rules, series.fees, options)
            tested.append(Tested(one.name, one.parameters, result))
        except ConfigError as error:
            tested.append(Tested(one.name, one.parameters, failed=str(error)))
    if all(one.failed for one in tested):
        raise ConfigError(tested[0].failed)
    return tested


def run_fit(
    series: Series,
    name: str,
    given: Mapping[str, Sequence[str]],
    share: str,
    options: BacktestOptions,
) -> list[Fitted]:
    """Try every combination of a strategy's parameters; the best on the first part comes first.

    Args:
        series: The bars.
        name: The strategy.
        given: Values of its parameters.
        share: The part of the bars on which the best is chosen.
        options: The account.

    Raises:
        UnknownName: There is no such strategy.
        ConfigError: A value cannot be used; names it.
    """
    try:
        part = Decimal(share)
    except ArithmeticError:
        raise ConfigError(f"--fit {share}: not a number") from None
    chosen = combinations(name, given)
    return fit(name, chosen, series.bars, part, series.rules, series.fees, options)


def account_options(account: Mapping[str, str]) -> BacktestOptions:
    """The account's options as people write them.

    Raises:
        ConfigError: One cannot be used.
    """
    values: dict[str, Any] = {}
    for name, words in account.items():
        try:
            values[name] = int(words) if name == "slippage_ticks" else Decimal(words)
        except (ValueError, ArithmeticError):
            raise ConfigError(f"{name} = {words}: not a number") from None
    return BacktestOptions(**values)


def fit_document(
    series: Series, name: str, fitted: Sequence[Fitted], options: BacktestOptions
) -> dict[str, Any]:
    """The JSON document of a choice of parameters: the best first, each on both parts."""
    begins = fitted[0].rest.equity[0][0]
    results = [
        {"params": _params(one.parameters), "first": _sums(one.first), "rest": _sums(one.rest)}
        for one in fitted
    ]
    head = _head(series, options)
    return {**head, "strategy": name, "rest_from": _iso(begins), "results": results}


def document(series: Series, tested: Sequence[Tested], options: BacktestOptions) -> dict[str, Any]:
    """The JSON document of a backtest."""
    return {**_head(series, options), "results": [_result(one) for one in tested]}


def _head(series: Series, options: BacktestOptions) -> dict[str, Any]:
    return {
        "schema": 1,
        "what": LABEL,
        "series": series.name,
        "timeframe": series.timeframe,
        "bars": len(series.bars),
        "from": _iso(series.bars[0].start),
        "to": _iso(series.bars[-1].start),
        "problems": list(series.problems),
        "assumptions": {
            **{one.name: _said(getattr(options, one.name)) for one in fields(options)},
            "fee": str(series.fees),
            "tick": text(series.rules.tick),
            "filled": "at the next bar's open, slippage_ticks worse",
        },
    }


def _result(tested: Tested) -> dict[str, Any]:
    head = {"strategy": tested.strategy, "params": _params(tested.parameters)}
    found = tested.result
    if found is None:
        return {**head, "failed": tested.failed}
    return {
        **head,
        **_sums(found),
        "not_bought": found.not_bought,
        "stopped_at": found.stopped_at and _iso(found.stopped_at),
        "history": [
            {
                "bought_at": _iso(trade.bought_at),
                "sold_at": _iso(trade.sold_at),
                "shares": text(trade.shares),
                "paid": text(trade.paid),
                "got": text(trade.got),
                "fees": text(trade.fees),
                "profit": text(trade.profit),
                "why_bought": trade.why_bought,
                "why_sold": trade.why_sold,
            }
            for trade in found.trades
        ],
        "equity": [[_iso(at), text(worth)] for at, worth in found.equity],
    }


def _sums(found: Result) -> dict[str, Any]:
    return {
        "trades": len(found.trades),
        "profit": text(found.profit),
        "fees": text(found.fees),
        "hits": None if found.hits is None else text(found.hits),
        "drawdown": text(found.drawdown),
        "exposure": text(found.exposure),
        "buy_and_hold": text(found.hold),
    }


def _params(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _said(value) for name, value in parameters.items()}


async def _past(
    loaded: Loaded,
    market: Market,
    outcome: OutcomeId,
    begin: datetime,
    now: datetime,
    seconds: int,
    *,
    volume: bool,
) -> PriceHistory:
    async with open_venues(loaded.settings, [market.venue], live=False) as (venue,):
        if venue.past is None:
            raise ConfigError(f"the venue {venue.id} tells nothing of earlier prices")
        return await venue.past.prices(
            outcome,
            begin,
            now,
            seconds // POINTS_PER_BAR,
            traded_in=market.id if volume and venue.past.tells_volume else None,
        )


def _market(markets: Sequence[Market], slug: str | None) -> Market:
    if slug is None and len(markets) == 1:
        return markets[0]
    slugs = [market.slug for market in markets]
    if slug in slugs:
        return markets[slugs.index(slug)]
    if slug is None:
        raise ConfigError(f"the event has {len(markets)} markets: --market {' | '.join(slugs)}")
    near = difflib.get_close_matches(slug, slugs, 3, cutoff=0.4) or slugs[:3]
    raise UnknownName(f"no market {slug} in this event; nearest: {', '.join(near)}")


def _outcome(market: Market, name: str | None) -> OutcomeId:
    names = {market.yes_name.lower(): market.yes, market.no_name.lower(): market.no}
    if name is None:
        return market.yes
    if name.lower() not in names:
        raise UnknownName(f"no outcome {name}: {market.yes_name} or {market.no_name}")
    return names[name.lower()]


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _said(value: Any) -> Any:
    return text(value) if isinstance(value, Decimal) else value
