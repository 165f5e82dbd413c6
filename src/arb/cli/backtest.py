"""Testing statistical strategies on earlier prices."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arb.cli.common import Json, Profile, load, wait
from arb.cli.table import Column, print_table
from arb.domain.errors import ConfigError, how_to_install
from arb.domain.money import text

if TYPE_CHECKING:
    from types import ModuleType

    from arb.runtime.backtesting import Series, Tested
    from arb.statistical.fitting import Fitted

NOTHING = "-"
FITTED_SHOWN = 20


def _option(name: str, text_: str) -> Any:
    return typer.Option(f"--{name}", help=text_, show_default=False)


def backtest(
    event: Annotated[
        str | None, typer.Argument(help="The event's slug or address.", show_default=False)
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="Which strategy; may be repeated. Without it, all."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="A parameter of the strategy.", metavar="NAME=VALUE"),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            help="Try all values of --param NAME=A,B,C: choose on this part of the bars, try on "
            "the rest; 0.7.",
            metavar="PART",
        ),
    ] = None,
    market: Annotated[
        str | None, typer.Option("--market", help="The market's slug, if the event has several.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Which outcome is bought; by default the first.")
    ] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="1m, 5m, 15m, 1h, 4h, 1d.")] = "1h",
    since: Annotated[
        str | None, typer.Option("--since", help="A date, a time, or how long ago; 30d.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option("--history", help="A file of prices instead of an event.")
    ] = None,
    tick: Annotated[
        str, typer.Option("--tick", help="With --history: the market's tick.")
    ] = "0.01",
    fee_rate: Annotated[
        str, typer.Option("--fee-rate", help="With --history: the rate of the taker fee.")
    ] = "0.05",
    cash: Annotated[str | None, _option("cash", "USD at the beginning; 10000.")] = None,
    max_position: Annotated[
        str | None, _option("max-position", "Most USD in a position; 1000.")
    ] = None,
    risk_per_trade: Annotated[
        str | None, _option("risk-per-trade", "Most of the equity lost at the stop; 0.02.")
    ] = None,
    stop_loss: Annotated[
        str | None, _option("stop-loss", "Fraction below the average price; 0.1.")
    ] = None,
    take_profit: Annotated[
        str | None, _option("take-profit", "Fraction above the average price; 0.2.")
    ] = None,
    max_drawdown: Annotated[
        str | None, _option("max-drawdown", "Fraction at which all is sold for good; 0.1.")
    ] = None,
    max_daily_loss: Annotated[
        str | None, _option("max-daily-loss", "Fraction after which a day buys nothing; 0.05.")
    ] = None,
    slippage_ticks: Annotated[
        str | None, _option("slippage-ticks", "Ticks that each fill is worse; 1.")
    ] = None,
    trades: Annotated[bool, typer.Option("--trades", help="Also every trade, with why.")] = False,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """What indicator strategies would have brought; statistical, not guaranteed."""
    from arb.cli.output import print_json
    from arb.operations.logs import set_up_logs

    backtesting = _backtesting()
    account = {
        name: value
        for name, value in {
            "cash": cash,
            "max_position": max_position,
            "risk_per_trade": risk_per_trade,
            "stop_loss": stop_loss,
            "take_profit": take_profit,
            "max_drawdown": max_drawdown,
            "max_daily_loss": max_daily_loss,
            "slippage_ticks": slippage_ticks,
        }.items()
        if value is not None
    }
    if (event is None) == (history is None):
        raise ConfigError("give an event, or a file with --history")
    names = strategy or backtesting.strategy_names()
    given = read_params(param or [])
    if fit is None:
        chosen = backtesting.chosen_strategies(names, given)
    elif len(names) != 1 or not given:
        raise ConfigError("--fit tries one --strategy with values of its --param NAME=A,B,C")
    options = backtesting.account_options(account)
    if history is not None:
        if market is not None or outcome is not None or since is not None:
            raise ConfigError("--market, --outcome and --since are of an event, not of a file")
        series = backtesting.file_series(history, timeframe=timeframe, tick=tick, fee_rate=fee_rate)
    else:
        loaded = load(profile)
        set_up_logs(loaded, level="ERROR")
        series = wait(
            backtesting.market_series(
                loaded,
                event or "",
                market=market,
                outcome=outcome,
                timeframe=timeframe,
                since=since,
                volume=any(backtesting.needs_volume(name) for name in names),
            ),
            f"Reading the prices of {event}…",
        )
    if fit is not None:
        values = {name: one.split(",") for name, one in given.items()}
        fitted = backtesting.run_fit(series, names[0], values, fit, options)
        if json:
            print_json(backtesting.fit_document(series, names[0], fitted, options))
        else:
            _print_fit(series, names[0], fitted)
        return
    tested = backtesting.run_backtests(series, chosen, options)
    if json:
        print_json(backtesting.document(series, tested, options))
        return
    _print(series, tested, trades=trades)


def _backtesting() -> "ModuleType":
    try:
        from arb.runtime import backtesting
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "talipp":
            raise
        raise ConfigError(f"it needs the extra signals: {how_to_install('signals')}") from error
    return backtesting


def read_params(given: Sequence[str]) -> dict[str, str]:
    """Parameters as they are typed, `NAME=VALUE`.

    Raises:
        ConfigError: One is not typed so, or twice.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or name in found:
            raise ConfigError(f"--param {one}: NAME=VALUE, each name once")
        found[name.strip()] = value.strip()
    return found


def _print_series(series: "Series") -> None:
    from arb.cli.output import counted, print_line

    first, last = series.bars[0].start, series.bars[-1].start
    span = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    print_line(f"{series.name}: {counted(len(series.bars), 'bar')} of {series.timeframe}, {span}")
    for problem in series.problems:
        print_line(f"not read: {problem}")


def _print_fit(series: "Series", name: str, fitted: "Sequence[Fitted]") -> None:
    from arb.cli.output import counted, print_line
    from arb.runtime.backtesting import LABEL

    _print_series(series)
    columns = (
        "parameters",
        "first: trades",
        "profit $",
        Column("drawdown %", rank=1),
        "rest: trades",
        "profit $",
        Column("drawdown %", rank=1),
    )
    rows = []
    for one in fitted[:FITTED_SHOWN]:
        cells = [", ".join(f"{key}={value}" for key, value in one.parameters.items())]
        for part in (one.first, one.rest):
            cells += [str(len(part.trades)), _cents(part.profit), _percent(part.drawdown)]
        rows.append(tuple(cells))
    print_table(f"{name} ({LABEL})", columns, rows)
    tried = counted(len(fitted), "combination")
    begins = f"{fitted[0].rest.equity[0][0]:%Y-%m-%d %H:%M}"
    print_line(
        f"{tried} tried, ordered by the first part's profit: the best of many is best by luck as "
        f"well. The bars from {begins} on had no part in the choice."
    )


def _print(series: "Series", tested: "Sequence[Tested]", *, trades: bool) -> None:
    from arb.cli.output import print_line
    from arb.runtime.backtesting import LABEL

    _print_series(series)
    columns = (
        "strategy",
        "trades",
        "hits %",
        "profit $",
        "fees $",
        Column("drawdown %", rank=1),
        Column("exposure %", rank=2),
        Column("hold $", rank=1),
    )
    rows = []
    for one in tested:
        found = one.result
        if found is None:
            rows.append((one.strategy, *(NOTHING,) * 7))
            continue
        rows.append(
            (
                one.strategy,
                str(len(found.trades)),
                NOTHING if found.hits is None else _percent(found.hits),
                _cents(found.profit),
                _cents(found.fees),
                _percent(found.drawdown),
                _percent(found.exposure),
                _cents(found.hold),
            )
        )
    print_table(f"Backtest ({LABEL})", columns, rows)
    for one in tested:
        if one.result is None:
            print_line(f"{one.strategy} was not run: {one.failed}")
        elif one.result.stopped_at is not None:
            print_line(
                f"{one.strategy} stopped on {one.result.stopped_at:%Y-%m-%d %H:%M}: its drawdown."
            )
    print_line(
        "Filled at the next bar's open, some ticks worse, taker fees paid; earlier prices are not "
        "prices that could be traded at."
    )
    if trades:
        _print_trades(tested)


def _print_trades(tested: "Sequence[Tested]") -> None:
    rows = [
        (
            one.strategy,
            f"{trade.bought_at:%m-%d %H:%M}",
            f"{trade.sold_at:%m-%d %H:%M}",
            text(trade.shares),
            text(trade.paid),
            text(trade.got),
            _cents(trade.profit),
            trade.why_bought,
            trade.why_sold,
        )
        for one in tested
        if one.result is not None
        for trade in one.result.trades
    ]
    columns = (
        "strategy",
        "bought",
        "sold",
        "shares",
        "paid",
        "got",
        "profit $",
        Column("why bought", rank=2, running_text=True),
        Column("why sold", rank=1, running_text=True),
    )
    print_table("Trades", columns, rows)


def _percent(fraction: Any) -> str:
    return f"{100 * fraction:.1f}"


def _cents(amount: Any) -> str:
    return f"{amount:.2f}"
