"""Logs: coloured on the console, rotated in files, secrets masked in both (INTERFACE_SPEC §6)."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from arb.adapters.telemetry.redact import Redactor
from arb.adapters.telemetry.wording import say
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
    """Replace all sinks. The console is standard error: standard output is for results."""
    redact = Redactor(secrets)
    stream = console or sys.stderr
    colour = stream.isatty() and not options.json_lines

    def write(message: "Message") -> None:
        stream.write(str(message))
        stream.flush()

    logger.remove()
    logger.add(
        write,
        level=options.level,
        format=_formatter(redact, json_lines=options.json_lines, colour=colour),
        colorize=colour,
        backtrace=False,
        diagnose=False,
    )
    if options.folder is not None:
        logger.add(
            options.folder / FILE_NAME,
            level=options.level,
            format=_formatter(redact, json_lines=options.json_lines, colour=False),
            rotation=options.rotation,
            retention=options.retention,
            compression=options.compression or None,
            backtrace=False,
            diagnose=False,
            encoding="utf-8",
        )


def log_news(news: News) -> None:
    """The observer that logs."""
    level, sentence = say(news)
    logger.log(level, "{}", sentence)


def _formatter(redact: Redactor, *, json_lines: bool, colour: bool) -> "Callable[[Record], str]":
    """What loguru calls for each record; the text it is given back holds no secret."""
    pattern = "<level>{extra[line]}</level>\n" if colour else "{extra[line]}\n"

    def line(record: "Record") -> str:
        record["extra"]["line"] = _line(record, redact, json_lines=json_lines)
        return pattern

    return line


def _line(record: "Record", redact: Redactor, *, json_lines: bool) -> str:
    message = redact(record["message"])
    error = record["exception"]
    trouble = redact(f"{error.type.__name__}: {error.value}") if error and error.type else ""
    if json_lines:
        document = {
            "time": record["time"].isoformat(),
            "level": record["level"].name,
            "message": message,
        }
        if trouble:
            document["exception"] = trouble
        return json.dumps(document, ensure_ascii=False)
    when = record["time"].strftime("%Y-%m-%d %H:%M:%S")
    tail = f" ({trouble})" if trouble else ""
    return f"{when} | {record['level'].name:<8} | {message}{tail}"
