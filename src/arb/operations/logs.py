"""Logs by the settings."""

from pathlib import Path

from arb.adapters.telemetry.logs import LogOptions, check, check_room, set_up
from arb.config.sources import Loaded


def set_up_logs(loaded: Loaded, level: str | None = None) -> None:
    """Set up logs by the settings, with every secret known to be masked."""
    set_up(log_options(loaded, level), loaded.secrets())


def check_logs(loaded: Loaded) -> None:
    """Try the settings of the logs without writing anything.

    Raises:
        ConfigError: One cannot be understood.
    """
    check(log_options(loaded))


def check_log_room(loaded: Loaded) -> None:
    """Try whether a line could be written now.

    Raises:
        ConfigError: It could not.
    """
    check_room(log_options(loaded))


def log_options(loaded: Loaded, level: str | None = None) -> LogOptions:
    """The log options of the settings."""
    options = loaded.settings.logging
    return LogOptions(
        level=level or options.level,
        folder=Path(options.folder) if options.folder else None,
        rotation=options.rotation,
        retention=options.retention,
        compression=options.compression,
        json_lines=options.json_lines,
    )
