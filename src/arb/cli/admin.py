"""Settings, the database, and the operator's switch."""

from pathlib import Path
from typing import Annotated

import typer

from arb.cli.common import ExitCode, Json, Profile, load, wait

config = typer.Typer(help="Settings: their values and where they come from.", no_args_is_help=True)
db = typer.Typer(help="The ledger's database.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Kept with the change.")]


@config.command("show")
def config_show(
    sources: Annotated[
        bool, typer.Option("--sources", help="Also where each value came from.")
    ] = False,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Every setting and its value; secrets are masked."""
    from arb.cli.output import print_json, print_table

    found = load(profile).all()
    if json:
        print_json({s.name: {"value": s.shown, "source": s.source} for s in found})
        return
    columns = ("setting", "value", "source") if sources else ("setting", "value")
    rows = [(s.name, s.shown, s.source)[: len(columns)] for s in found]
    print_table("Settings", columns, rows)


@config.command("check")
def config_check(profile: Profile = None) -> None:
    """Read every source; an unknown or bad setting is named with its source."""
    from arb.bootstrap import build_strategies
    from arb.cli.output import print_line
    from arb.config.keys import source
    from arb.runtime.logs import check_logs

    loaded = load(profile)
    build_strategies(loaded.settings)
    check_logs(loaded)
    source(loaded.settings)
    print_line(f"{len(loaded.all())} settings are sound.")


@db.command("upgrade")
def db_upgrade(profile: Profile = None) -> None:
    """Bring the ledger's schema up to date."""
    from arb.cli.output import print_line
    from arb.runtime.database import upgrade_ledger

    print_line(f"The ledger has schema {wait(upgrade_ledger(load(profile)))}.")


@db.command("check")
def db_check(json: Json = False, profile: Profile = None) -> None:
    """Integrity, and whether everything derived equals what the facts tell."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.runtime.database import check_ledger

    problems = wait(check_ledger(load(profile)))
    if json:
        print_json({"sound": not problems, "problems": problems})
    elif not problems:
        print_line("The ledger is sound.")
    for problem in problems:
        print_error(problem)
    if problems:
        raise typer.Exit(ExitCode.INTERNAL)


@db.command("backup")
def db_backup(target: Path, profile: Profile = None) -> None:
    """Copy the ledger while it is in use."""
    from arb.cli.output import print_line
    from arb.runtime.database import backup_ledger

    wait(backup_ledger(load(profile), target))
    print_line(f"The ledger is copied to {target}.")


@db.command("restore")
def db_restore(source: Path, profile: Profile = None) -> None:
    """Make the ledger from a backup that is sound; never in the place of another."""
    from arb.cli.output import print_line
    from arb.runtime.database import restore_ledger

    print_line(f"The ledger is restored to {wait(restore_ledger(load(profile), source))}.")
    print_line("Before trading live, see with `arb reconcile` what has happened since the backup.")


def halt(reason: Reason = "by the operator", profile: Profile = None) -> None:
    """Stop trading until `arb resume`. Scanning goes on."""
    from arb.runtime.sentinel import say_halt

    loaded = load(profile)
    options = loaded.settings
    unsaid = say_halt(options.database.url, options.accounts, reason)
    # Only now: the database takes half a second to load, and the word must be out by then.
    from arb.cli.output import print_error, print_line
    from arb.runtime import reads

    if trouble := wait(reads.halt(loaded, reason, unsaid)):
        print_error(trouble)
    print_line("Trading is halted.")


def resume(reason: Reason = "", profile: Profile = None) -> None:
    """Trade again after a halt; earlier failures are not held against it."""
    from arb.cli.output import print_line
    from arb.runtime import reads

    wait(reads.resume(load(profile), reason))
    print_line("Trading is normal.")
