"""`arb --help`: every command in one line, grouped by purpose.

A new command needs a line here; a test fails when it is missing, or when a line is too long for
a terminal of 80 columns.
"""

from typing import Any

from typer.core import TyperGroup

SECTIONS: dict[str, dict[str, str]] = {
    "Find and trade": {
        "run": "Run the orchestrator, on paper unless --live.",
        "scan": "Find opportunities now; trades nothing.",
        "preview": "Evaluate one event now, rule by rule.",
        "demo": "One full cycle against the embedded exchange.",
        "fees": "The fee per share, by price and rate.",
        "spreads": "Price differences between pools on a chain, at a block.",
        "backtest": "What signals would have brought; guarantees nothing.",
        "liquidations": "Loans near health factor 1; liquidate with --live.",
    },
    "Look": {
        "status": "State of trading, account, last cycle.",
        "opportunities": "The latest opportunities and their decisions.",
        "explain": "Why an opportunity was traded or refused.",
        "plans": "The latest plans.",
        "fills": "The latest fills.",
        "positions": "What is held, with its cost and worst case.",
        "accounts": "The accounts of the ledger.",
        "report": "Profit, refusals and capital in use, with plots.",
        "top": "All of it on one screen, live.",
    },
    "Stop and go on": {
        "halt": "Stop trading and send nothing more.",
        "pause": "Start no new plan; open plans are completed.",
        "resume": "Trade again after a pause, a halt or a stopped kind.",
        "reset-errors": "Clear the counted errors.",
    },
    "Trade for real": {
        "doctor": "Check everything a run needs, each with its fix.",
        "preflight": "Sign what would be sent, and send nothing.",
        "livetest": "Place and cancel one minimal order.",
        "approvals": "What the wallet allows the venue's contracts.",
        "reconcile": "Compare the ledger with the venue and the chain.",
        "redeem": "Turn shares of resolved markets into cash.",
        "keys": "The key that signs orders.",
    },
    "Administer": {
        "config": "Settings: their values and where they come from.",
        "db": "The ledger's database: upgrade, check, backup.",
        "alerts": "What alerts report and where they go.",
        "api": "The control API's tokens and audit record.",
        "bots": "External bots.",
        "exchange": "The embedded exchange.",
        "strategies": "Strategies that look; statistical ones on paper.",
        "shard": "Read books for an orchestrator elsewhere.",
    },
}


def summary(name: str) -> str:
    """The command's summary line."""
    return next(commands[name] for commands in SECTIONS.values() if name in commands)


class GroupedHelp(TyperGroup):
    """The top level's help, with its commands by purpose."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer's own form
        """Write the commands; called by typer when help is asked for."""
        width = max(len(name) for commands in SECTIONS.values() for name in commands)
        for heading, commands in SECTIONS.items():
            rows = [(name.ljust(width), line) for name, line in commands.items()]
            with formatter.section(heading):
                formatter.write_dl(rows)
