"""A process that runs live cycles in children and kills each at a chosen step.

Reads commands from standard input, one JSON object a line: where the exchange is, at which step to
die (0: never), and by which way of writing down. Answers with how the child ended. Children are
forked, so that what takes long, the imports, is done once.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polymarket  # noqa: F401  # before the first fork, since it is slow

from arb.adapters.polymarket import parse
from arb.domain.news import PlanEnded
from arb.engine import execute
from arb.engine.venues import Venues
from arb.operations import live
from arb.runtime import running
from tests.e2e.worlds import live_settings
from tests.naive import send_then_write

WRITES = ("open_plan", "append", "close_plan", "mark_told")
SENDS = ("prepare", "submit")


class Dying:
    """Kills the process before or after the step whose turn it is."""

    def __init__(self, at: int | str, said: int) -> None:
        self.at, self.said, self.step = at, said, 0

    def __call__(self, name: str) -> None:
        self.step += 1
        os.write(self.said, f"{self.step} {name}\n".encode())
        if self.at in (self.step, name):
            os.kill(os.getpid(), signal.SIGKILL)


class Around:
    """Calls of some methods, with a step before and after each."""

    def __init__(self, inner, names, step, what):
        self._inner, self._names, self._step, self._what = inner, names, step, what

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name not in self._names:
            return method

        async def call(*args, **kwargs):
            kind = f" {type(args[1][0]).__name__}" if name == "append" else ""
            self._step(f"before {self._what}.{name}{kind}")
            answer = await method(*args, **kwargs)
            self._step(f"after {self._what}.{name}{kind}")
            return answer

        return call


def child(order, said):
    parse.TERMS = replace(
        parse.TERMS,
        order_life=timedelta(seconds=2),
        not_found_grace=timedelta(seconds=0.5),
    )
    if order["naive"]:
        execute.Executor._send = send_then_write
    step = Dying(order["step"], said)
    whole = live.live_context

    @asynccontextmanager
    async def dying_context(*args, **kwargs):
        async with whole(*args, **kwargs) as context:
            context.news.subscribe(hear)
            yield replace(
                context,
                ledger=Around(context.ledger, WRITES, step, "ledger"),
                venues=Venues(
                    replace(
                        venue,
                        trading=Around(venue.trading, SENDS, step, "venue"),
                        operations=Around(venue.operations, SENDS, step, "chain"),
                    )
                    for venue in context.venues.values()
                ),
            )

    def hear(news):
        if isinstance(news, PlanEnded):
            os.write(said, f"heard the end of {news.plan.id}\n".encode())

    live.live_context = dying_context
    loaded = live_settings(order["address"], Path(order["folder"]), order["wallet"])
    report, _, still_open = asyncio.run(running.run_once(loaded, live=True))
    os.write(said, f"end {still_open} {len(report.plans)}\n".encode())


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        heard, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            code = 1
            try:
                child(order, said)
                code = 0
            except BaseException as error:  # noqa: BLE001  # told, then dead
                os.write(said, f"error {type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(code)
        os.close(said)
        with os.fdopen(heard) as pipe:
            told = pipe.read().splitlines()
        _, status = os.waitpid(pid, 0)
        answer = {"killed": os.WIFSIGNALED(status), "code": status, "told": told}
        print(json.dumps(answer), flush=True)


main()
