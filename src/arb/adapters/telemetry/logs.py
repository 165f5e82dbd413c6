"""Logs: coloured on the console, rotated in files, secrets masked in both.

See INTERFACE_SPEC.md section 6.
"""

import contextlib
import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from loguru import logger

# Private: the public parameter, a path, takes no handler for a full disk.
from loguru._file_sink import FileSink

from arb.adapters.telemetry.redact import printable, redact
from arb.adapters.telemetry.wording import details, say
from arb.domain.errors import ConfigError
from arb.domain.news import News

if TYPE_CHECKING:
    from loguru import Message, Record

FILE_NAME = "arb_{time:YYYY-MM-DD}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What is logged, and where to."""

    level: str = "INFO"
    folder: Path | None = None
    rotation: str = "100 MB"
    retention: str = "30 days"
    compression: str = "zip"
    json_lines: bool = False


def set_up(options: LogOptions, secrets: Iterable[str] = (), console: TextIO | None = None) -> None:
    """Replace all sinks. The console is standard error: standard output is for results.

    What libraries log through the standard library goes to the same sinks. An exception is one
    line on the console; its traceback, without the values of its variables, goes to the file.

    Raises:
        ConfigError: The folder cannot be written to, or a rule of rotation cannot be understood.
    """
    redact.learn(secrets)
    stream = console or sys.stderr
    colour = stream.isatty() and not options.json_lines

    def write(message: str) -> None:
        stream.write(str(message))
        stream.flush()

    logger.remove()
    logger.add(
        write,
        level=options.level,
        format=_formatter(json_lines=options.json_lines, colour=colour),
        colorize=colour,
        backtrace=False,
        diagnose=False,
    )
    if options.folder is not None:
        _make(options.folder)
        _must_append(_file_sink(options, options.folder))
        _add_file(options, options.folder, write)
    _take_over_standard_logging()


def check(options: LogOptions) -> None:
    """Try the rules of the file sink without writing anything.

    Raises:
        ConfigError: One cannot be understood.
    """
    _file_sink(options, options.folder or Path())


def check_room(options: LogOptions) -> None:
    """Try whether a line could be written now, in a folder that is there.

    Raises:
        ConfigError: It could not.
    """
    if options.folder is None or not options.folder.is_dir():
        return
    _must_append(_file_sink(options, options.folder))
    try:
        _probe(options.folder)
    except OSError as error:
        raise ConfigError(f"{options.folder} cannot be written to: {error.strerror}") from error


def _probe(folder: Path) -> None:
    """Write a little and take it away again."""
    probe = folder / f".writable.{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(b"0" * 4096)
    finally:
        probe.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _probe(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return  # which passes: trading does not wait for it, and each sink reports it once
        raise ConfigError(
            f"logging.folder = {str(folder)!r} cannot be written to: {error.strerror}; "
            "set ARB_LOGGING__FOLDER to a folder that can be"
        ) from error


def _add_file(options: LogOptions, folder: Path, say: "Callable[[str], None]") -> None:
    logger.add(
        _File(_file_sink(options, folder), say),
        level=options.level,
        format=_formatter(json_lines=options.json_lines, colour=False, tracebacks=True),
        colorize=False,
        backtrace=False,
        diagnose=False,
    )


class _File:
    """The file, whose disk may be full and which other processes rotate: never in the way."""

    def __init__(self, sink: Any, say: "Callable[[str], None]") -> None:
        self._sink, self._say, self._failing = sink, say, False

    def write(self, message: "Message") -> None:
        """Append the message; when that begins to fail, report it on the console."""
        try:
            self._sink.write(message)
        except OSError as error:
            if not self._failing:
                when = message.record["time"].strftime("%Y-%m-%d %H:%M:%S")
                why = error.strerror or type(error).__name__
                fix = "its lines are lost until that is fixed"
                self._say(f"{when} | WARNING  | the log file cannot be written: {why}; {fix}\n")
            self._failing = True
        else:
            self._failing = False

    def stop(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._sink.stop()


def _must_append(sink: Any) -> None:
    """See that today's file can be written to: it may be another user's.

    Raises:
        ConfigError: It cannot.
    """
    today = Path(sink._create_path())
    try:
        if today.exists():
            today.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"the log {today} cannot be written to: {error.strerror}; make it this user's, or set "
            "ARB_LOGGING__FOLDER to another folder"
        ) from error


def _file_sink(options: LogOptions, folder: Path) -> Any:
    try:
        made: Any = FileSink
        return made(
            str(folder / FILE_NAME),
            rotation=options.rotation,
            retention=options.retention,
            compression=options.compression or None,
            delay=True,
            watch=True,  # another process of ours may rotate it
            encoding="utf-8",
            errors="backslashreplace",
        )
    except ValueError as error:
        rules = ("rotation", "retention", "compression")
        name = next((rule for rule in rules if rule in str(error)), "rotation")
        raise ConfigError(f"logging.{name}: {error}; correct ARB_LOGGING__{name.upper()}") from (
            error
        )


class _Standard(logging.Handler):
    """Hands the records of the standard library's loggers over."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        level = next(name for least, name in _LEVELS if record.levelno >= least)
        entry = logger.opt(exception=record.exc_info)
        entry.log(level, "{}", f"{record.name}: {record.getMessage()}")


_LEVELS = ((logging.CRITICAL, "CRITICAL"), (logging.ERROR, "ERROR"), (logging.NOTSET, "WARNING"))


def _take_over_standard_logging() -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Standard)]:
        root.removeHandler(old)
    root.addHandler(_Standard(level=logging.WARNING))
    logging.captureWarnings(capture=True)
    # A run that was skipped is published as news already.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def log_line(level: str, line: str) -> None:
    """Log what is no news of an orchestrator."""
    logger.log(level, "{}", line)


def log_news(news: News) -> None:
    """The observer that logs."""
    level, sentence = say(news)
    logger.log(level, "{}", sentence)
    for line in details(news):
        logger.debug("{}", line)


def _formatter(
    *, json_lines: bool, colour: bool, tracebacks: bool = False
) -> "Callable[[Record], str]":
    """What loguru calls for each record; the text it is given back holds no secret."""
    pattern = "<level>{extra[line]}</level>\n" if colour else "{extra[line]}\n"

    def line(record: "Record") -> str:
        trace = redact(_trace(record)) if tracebacks else ""
        render = _as_json if json_lines else _as_text
        record["extra"]["line"] = render(record, trace)
        return pattern

    return line


def _as_text(record: "Record", trace: str) -> str:
    when = record["time"].strftime("%Y-%m-%d %H:%M:%S")
    trouble, message = _trouble(record), _message(record)
    said = trouble.partition(": ")[2]
    tail = f" ({trouble})" if trouble and not (said and said in message) else ""
    line = f"{when} | {record['level'].name:<8} | {message}{tail}"
    # Indented, so that no line of a traceback can pass for a line of the log.
    return "\n    ".join([line, *map(printable, trace.splitlines())])


def _as_json(record: "Record", trace: str) -> str:
    document = {
        "time": record["time"].isoformat(),
        "level": record["level"].name,
        "message": _message(record),
        "exception": _trouble(record),
        "traceback": trace,
    }
    return json.dumps(
        {name: value for name, value in document.items() if value}, ensure_ascii=False
    )


def _message(record: "Record") -> str:
    return printable(redact(record["message"]))


def _trouble(record: "Record") -> str:
    error = record["exception"]
    if error is None or error.type is None:
        return ""
    return printable(redact(f"{error.type.__name__}: {error.value}"))


def _trace(record: "Record") -> str:
    error = record["exception"]
    return "".join(traceback.format_exception(error.value)).rstrip() if error else ""
