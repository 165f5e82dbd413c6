"""Settings, the database, and the operator's switch."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arb.cli.common import ExitCode, Json, Profile, load, wait
from arb.cli.table import print_table

if TYPE_CHECKING:
    from arb.config.sources import Loaded

config = typer.Typer(help="Settings: their values and where they come from.", no_args_is_help=True)
api = typer.Typer(help="The control API's tokens and record.", no_args_is_help=True)
db = typer.Typer(help="The ledger's database.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Recorded with the change.")]


@config.command("show")
def config_show(
    sources: Annotated[
        bool, typer.Option("--sources", help="Also where each value came from.")
    ] = False,
    json: Json = False,
    profile: Profile = None,
) -> None:
    """Every setting and its value; secrets are masked."""
    from arb.cli.output import print_json

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
    from arb.operations.logs import check_logs

    loaded = load(profile, notes=True)
    build_strategies(loaded.settings)
    check_logs(loaded)
    source(loaded.settings)
    print_line(f"{len(loaded.all())} settings are sound.")


@db.command("upgrade")
def db_upgrade(profile: Profile = None) -> None:
    """Bring the ledger's schema up to date."""
    from arb.cli.output import print_line
    from arb.operations.database import upgrade_ledger

    print_line(f"The ledger has schema {wait(upgrade_ledger(load(profile)))}.")


@db.command("check")
def db_check(json: Json = False, profile: Profile = None) -> None:
    """Check the file, and that everything derived equals what the facts give."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.operations.database import check_ledger

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
def db_backup(
    target: Path,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a backup of the same name.")
    ] = False,
    profile: Profile = None,
) -> None:
    """Copy the ledger while it is in use; never over another file without --force."""
    from arb.cli.output import print_line
    from arb.operations.database import backup_ledger

    wait(backup_ledger(load(profile), target, force=force))
    print_line(f"The ledger is copied to {target}.")


@db.command("restore")
def db_restore(source: Path, profile: Profile = None) -> None:
    """Make the ledger from a sound backup; never over an existing ledger."""
    from arb.cli.output import print_line
    from arb.operations.database import restore_ledger

    print_line(f"The ledger is restored to {wait(restore_ledger(load(profile), source))}.")
    print_line("Before trading live, see with `arb reconcile` what has happened since the backup.")


def halt(reason: Reason = "by the operator", profile: Profile = None) -> None:
    """Send nothing more and stop trading until `arb resume`. Scanning goes on."""
    from arb.operations.halt_file import say_halt

    loaded = _for_halt(profile)
    options = loaded.settings
    # First of all: the database takes half a second to load, and the word must be out by then.
    unsaid = say_halt(options.database.url, options.accounts, reason)
    _command("halt", reason, loaded, unsaid)


def _for_halt(profile: str | None) -> "Loaded":
    """The settings; where they are not sound, as much of them as a halt needs."""
    from arb.cli.common import warn
    from arb.config.sources import load_for_halt
    from arb.domain.errors import ConfigError

    try:
        return load(profile)
    except ConfigError as error:
        loaded = load_for_halt(profile, error)
        warn(loaded)
        return loaded


def pause(reason: Reason = "", profile: Profile = None) -> None:
    """Start no new plan until `arb resume`; plans at work are completed."""
    _command("pause", reason, load(profile))


def resume(
    reason: Reason = "",
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Only a kind that `arb status` shows as stopped."),
    ] = None,
    venue: Annotated[
        str | None,
        typer.Option("--venue", help="At this venue only; otherwise wherever it is stopped."),
    ] = None,
    profile: Profile = None,
) -> None:
    """Trade again after a pause or a halt; earlier failures are not held against it."""
    if kind is not None:
        _resume_kind(kind, venue, reason, load(profile))
        return
    if venue is not None:
        from arb.domain.errors import ConfigError

        raise ConfigError(f"--venue {venue} goes with --kind: which kind is traded there again?")
    _command("resume", reason, load(profile))


def reset_errors(profile: Profile = None) -> None:
    """Forget the errors that the running orchestrator has counted, and ask every host again."""
    from arb.cli.output import print_line
    from arb.operations.control_client import reset_errors as reset

    print_line(wait(reset(load(profile))))


@api.command("token")
def api_token(
    name: Annotated[str, typer.Argument(help="Its owner; shown in the record of commands.")],
    role: Annotated[str, typer.Option("--role", help="read, operate or trade.")] = "read",
    remove: Annotated[bool, typer.Option("--remove", help="Revoke it at once.")] = False,
    profile: Profile = None,
) -> None:
    """Make a token for the control API, shown this once; the file keeps its hash."""
    from arb.cli.output import print_line
    from arb.operations.tokens import make, unmake

    if remove:
        unmake(load(profile), name)
        print_line(f"The token {name} is revoked.")
        return
    token = make(load(profile), name, role)
    sys.stdout.write(f"{token}\n")
    sys.stderr.write("This is shown once. It is valid from now on.\n")


@api.command("audit")
def api_audit(profile: Profile = None) -> None:
    """Check the record of commands: nothing changed, removed or cut off."""
    from arb.cli.output import print_error, print_line
    from arb.operations.tokens import audit_verdict

    found = audit_verdict(load(profile))
    for note in found.notes:
        print_line(f"Note: {note}.")
    if found.whole:
        print_line(f"The record of commands is whole: {found.lines} lines.")
        return
    if found.broken is not None:
        print_error(f"the record of commands is broken at line {found.broken}")
    if found.missing:
        print_error(f"the record of commands is cut off: {found.missing} lines are missing")
    if found.unproved:
        print_error(f"whether lines are missing at the end is not known: {found.unproved}")
    raise typer.Exit(ExitCode.INTERNAL)


def _resume_kind(kind: str, venue: str | None, reason: str, loaded: "Loaded") -> None:
    from arb.cli.output import print_error, print_line
    from arb.domain.errors import ConfigError
    from arb.operations.control_client import resume_kind
    from arb.operations.kinds import kinds_known

    if kind not in kinds_known():
        raise ConfigError(f"--kind {kind}: one of {', '.join(kinds_known())}")
    venues, note = wait(resume_kind(loaded, kind, reason, venue))
    if note:
        print_error(note)
    for where in venues:
        print_line(f"{kind} is traded again at {where}.")
    if not venues:
        print_line(f"{kind} was not stopped{f' at {venue}' if venue else ''}.")


def _command(name: str, reason: str, loaded: "Loaded", unsaid: str = "") -> None:
    from arb.cli.output import print_error, print_line
    from arb.operations.account_views import workplace
    from arb.operations.control_client import command

    place = workplace(loaded)
    done = wait(command(loaded, name, reason, unsaid))
    if done.note:
        print_error(done.note)
    where = " (sent to the running orchestrator)" if done.through == "api" else ""
    print_line(f"Trading is {done.standing.word}{where}.")
    print_line(place.sentence)
    if name == "halt" and not place.made:
        print_error("there was no ledger here, a new one was made: is this the right folder?")
    if name == "halt" and place.process is None and not place.on_server:
        print_error(
            "no process runs on this ledger; an orchestrator of another folder or ledger goes on: "
            "`arb halt` there, or with its ARB_DATABASE__URL"
        )
