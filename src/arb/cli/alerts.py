"""Alerts: what they are about, where they go, and whether they arrive."""

import typer

from arb.cli.common import ExitCode, Json, Profile, load, wait
from arb.cli.table import print_table

alerts = typer.Typer(help="Alerts about what a person has to look at.", no_args_is_help=True)


@alerts.command("list")
def alerts_list(json: Json = False, profile: Profile = None) -> None:
    """Every condition with its level, and the channels."""
    from arb.cli.output import print_json, print_line
    from arb.runtime.alerts import list_alerts

    found = list_alerts(load(profile))
    if json:
        print_json(found)
        return
    sent = "yes" if found["channels"] else "no: no channel"
    rows = [
        (c["level"], c["condition"], sent if c["sent"] else "no: below alerts.level")
        for c in found["conditions"]
    ]
    print_table("Alerts", ("level", "when", "sent"), rows)
    channels = ", ".join(found["channels"])
    print_line(f"Channels: {channels or 'none; set ARB_ALERTS__URLS or ARB_ALERTS__CONSOLE'}.")


@alerts.command("test")
def alerts_test(json: Json = False, profile: Profile = None) -> None:
    """Send a test through every channel."""
    from arb.cli.output import print_error, print_json, print_line
    from arb.domain.errors import ConfigError
    from arb.runtime.alerts import try_channels

    results = wait(try_channels(load(profile)), "Sending…")
    if not results:
        raise ConfigError("there is no channel: set ARB_ALERTS__URLS, or ARB_ALERTS__CONSOLE=true")
    if json:
        print_json({"schema": 1, "channels": results})
    for result in results:
        if not result["sent"]:
            print_error(f"{result['channel']}: {result['detail']}")
        elif not json:
            print_line(f"{result['channel']}: sent.")
    if not all(result["sent"] for result in results):
        raise typer.Exit(ExitCode.INTERNAL)
