"""The command line. A command imports what it needs when it is called, so that help is quick."""

import gc
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from arb import __version__
from arb.cli import (
    admin,
    alerts,
    backtest,
    bots,
    keys,
    liquidations,
    live,
    reads,
    report,
    run,
    spreads,
    strategies,
    tools,
    top,
)
from arb.cli.common import ExitCode, leave
from arb.cli.help import GroupedHelp, summary
from arb.cli.output import print_error
from arb.cli.streams import make_whole, told

app = typer.Typer(
    name="arb",
    cls=GroupedHelp,
    help="Finds guaranteed profits in prediction markets, proves them, and trades them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("run", run.run),
    ("shard", run.shard),
    ("scan", run.scan),
    ("demo", run.demo),
    ("status", reads.status),
    ("opportunities", reads.opportunities),
    ("plans", reads.plans),
    ("fills", reads.fills),
    ("positions", reads.positions),
    ("accounts", reads.accounts),
    ("explain", reads.explain),
    ("report", report.report),
    ("top", top.top),
    ("preview", tools.preview),
    ("fees", tools.fees),
    ("backtest", backtest.backtest),
    ("spreads", spreads.spreads),
    ("liquidations", liquidations.liquidations),
    ("doctor", tools.doctor),
    ("preflight", live.preflight),
    ("livetest", live.livetest),
    ("reconcile", live.reconcile),
    ("approvals", live.approvals),
    ("redeem", live.redeem),
    ("halt", admin.halt),
    ("pause", admin.pause),
    ("resume", admin.resume),
    ("reset-errors", admin.reset_errors),
)
_GROUPS = (
    ("exchange", tools.exchange),
    ("api", admin.api),
    ("config", admin.config),
    ("db", admin.db),
    ("keys", keys.keys),
    ("bots", bots.bots),
    ("strategies", strategies.strategies),
    ("alerts", alerts.alerts),
)
for _name, _command in _COMMANDS:
    app.command(_name, short_help=summary(_name))(_command)
for _name, _group in _GROUPS:
    app.add_typer(_group, name=_name, short_help=summary(_name))


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"arb {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001  # its callback has answered before this is called
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    _state["debug"] = debug


_state = {"debug": False}
NEW_OBJECTS = 50_000
"""Between two looks for garbage. What a start makes stays, and looking through it every 700 objects
would be a tenth of the start. A run has a schedule of its own."""
_OF_NO_COMMAND = ("--help", "-h", "--version")


def main(default: str | None = None) -> None:
    """Run a command; an error is one line that says how to fix it, and an exit code by kind.

    Args:
        default: The command where none is named; flags alone are then that command's.
    """
    gc.set_threshold(NEW_OBJECTS)
    make_whole()
    words = _words(sys.argv[1:], default)
    try:
        code = app(words, standalone_mode=False, prog_name="arb")
    except typer.Exit as stop:
        code = stop.exit_code
    except typer.Abort:
        code = ExitCode.INTERNAL
    except KeyboardInterrupt:
        code = ExitCode.DONE
    except Exception as error:  # noqa: BLE001  # the last resort: one line, no traceback
        code = _told(error)
    command = next((word for word in words if not word.startswith("-")), "")
    if not told(command):
        code = code or ExitCode.INTERNAL
    leave(code or 0)


def _words(given: list[str], default: str | None) -> list[str]:
    """What was typed, with the default command where a command would stand and none does."""
    if default is None:
        return given
    before = next((n for n, word in enumerate(given) if word != "--debug"), len(given))
    first = given[before] if before < len(given) else ""
    if first in _OF_NO_COMMAND or (first and not first.startswith("-")):
        return given
    return [*given[:before], default, *given[before:]]


def _told(error: Exception) -> int:
    if hasattr(error, "format_message"):  # typer's message on bad usage
        _say_usage(error.format_message())
        return ExitCode.USAGE
    if _state["debug"]:
        _print_traceback(error)
    from arb.domain.errors import (
        ArbError,
        ConfigError,
        LedgerLocked,
        NotReady,
        UnknownName,
        VenueError,
    )

    if isinstance(error, ConfigError | UnknownName):
        print_error(str(error))
        return ExitCode.USAGE
    if isinstance(error, VenueError):
        print_error(f"the venue could not be read: {error}. See `arb doctor`.")
        return ExitCode.UNREACHABLE
    if isinstance(error, LedgerLocked | NotReady):
        print_error(str(error))
        return ExitCode.HALTED
    if isinstance(error, ArbError):
        print_error(str(error))
        return ExitCode.INTERNAL
    print_error(f"internal error: {type(error).__name__}: {error} (--debug shows the traceback)")
    return ExitCode.INTERNAL


def _say_usage(message: str) -> None:
    if message.startswith("Usage: "):  # the help that a group of commands gives without one
        sys.stderr.write(message + "\n")
    else:
        print_error(message)


def _print_traceback(error: Exception) -> None:
    import traceback

    from arb.operations.redaction import shown

    for part in traceback.format_exception(error):
        for line in part.splitlines():
            sys.stderr.write(shown(line) + "\n")
