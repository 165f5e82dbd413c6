"""The leader's side: give the listing out in parts, and gather what workers nominate."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from arb.adapters.shards.link import AGE_MAX_SECONDS, FAILURES, MSG_ID, Link, prepare
from arb.adapters.shards.messages import (
    BadMessage,
    Names,
    dump_part,
    glimpse_of,
    load_answer,
)
from arb.domain.market import Universe
from arb.domain.report import Coverage, Problem, ProblemKind
from arb.domain.sweep import Glimpse, Sweep, parts
from arb.ports import Clock

ROLL_SECONDS = 1.0
"""How long a worker may take to answer the roll call."""
PATIENCES_MAX = 5
"""A sweep is over after this multiple of the patience, whatever trickles in."""
SPARE_BYTES = 4096
"""Of the largest message, for what is sent beside the part."""


@dataclass(slots=True)
class _Gathered:
    """What has come in of one sweep."""

    sweep: str
    parts: dict[int, Universe]
    given: set[int] = field(default_factory=set)
    """Parts that are on the stream."""
    glimpses: dict[int, Glimpse] = field(default_factory=dict)
    workers: set[str] = field(default_factory=set)
    unreadable: int = 0

    @property
    def awaited(self) -> bool:
        return not self.given <= self.glimpses.keys()

    def take(self, data: bytes) -> bool:
        """Whether the message is new."""
        try:
            answer = load_answer(data, self.sweep)
            if answer.part in self.glimpses:
                return False  # delivered twice, or read by two
            self.glimpses[answer.part] = glimpse_of(answer, self.parts.get(answer.part))
        except BadMessage:
            self.unreadable += 1
            return False
        self.workers.add(answer.worker)
        return True


class NatsScouts:
    """The `Scouts` port over NATS JetStream.

    Every sweep stands alone: nothing is remembered from one to the next, so a server that was
    restarted, and has forgotten its streams, costs the sweep that was under way.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        clock: Clock,
        *,
        identity: str,
        markets_per_part: int,
        patience_seconds: float,
    ) -> None:
        """Read through a link.

        Args:
            link: The connection.
            names: The deployment's subjects and streams.
            clock: Time.
            identity: One token that no other process, nor this one after a restart, has.
            markets_per_part: Most markets of a part, unless one event has more.
            patience_seconds: Silence of all workers after which the rest is taken over.
        """
        self._link, self._names, self._clock = link, names, clock
        self._identity, self._markets_per_part = identity, markets_per_part
        self._patience = patience_seconds
        self._sweeps = 0
        self._said = False
        self._problems: list[Problem] = []

    async def sweep(self, universe: Universe) -> Sweep | None:
        """See `arb.ports.Scouts`."""
        await self._link.tried.wait()
        client = self._link.client
        if client is None:
            return self._nobody(f"NATS is away: {self._link.trouble}")
        try:
            await client.request(self._names.roll, timeout=ROLL_SECONDS)
            js = await prepare(client, self._names, self._patience)
        except nats.errors.NoRespondersError:
            return self._nobody("no worker is running (`arb shard` starts one)")
        except FAILURES as error:
            return self._nobody(f"no worker answers: {str(error) or type(error).__name__}")
        self._said = False
        return await self._swept(client, js, universe)

    def problems(self) -> Sequence[Problem]:
        """See `arb.ports.Scouts`."""
        told, self._problems = self._problems, []
        return told

    def _nobody(self, why: str) -> Sweep | None:
        """Report once that this process reads all books itself."""
        if not self._said:
            self._said = True
            self._tell(f"{why}; this process reads all books itself until that changes")
        return None

    def _tell(self, what: str) -> None:
        self._problems.append(Problem(kind=ProblemKind.SHARDS, where="shards", what=what))

    async def _swept(self, client: Client, js: JetStreamContext, universe: Universe) -> Sweep:
        self._sweeps += 1
        given_out_at = self._clock.monotonic()
        gathered = _Gathered(
            f"{self._identity}-{self._sweeps}",
            dict(enumerate(parts(universe, self._markets_per_part))),
        )
        with contextlib.suppress(*FAILURES):
            await self._gather(client, js, gathered)
        unseen = frozenset(
            event
            for number, part in gathered.parts.items()
            if number not in gathered.glimpses
            for event in part.events
        )
        coverage = Coverage(
            parts=len(gathered.parts),
            answered=len(gathered.glimpses),
            workers=len(gathered.workers),
            nominated=sum(len(glimpse.nominated) for glimpse in gathered.glimpses.values()),
            taken_over=len(unseen),
            oldest_ms=round((self._clock.monotonic() - given_out_at) * 1000),
            unreadable=gathered.unreadable,
        )
        if unseen:
            silent = coverage.parts - coverage.answered
            self._tell(
                f"{silent} of {coverage.parts} parts had no answer; this process reads their "
                f"{len(unseen)} events itself"
            )
        if gathered.unreadable:
            self._tell(f"{gathered.unreadable} messages could not be read as answers")
        return Sweep(glimpses=tuple(gathered.glimpses.values()), unseen=unseen, coverage=coverage)

    async def _gather(self, client: Client, js: JetStreamContext, gathered: _Gathered) -> None:
        """Send the parts out and take answers until all are in or none comes any more.

        Raises:
            One of `FAILURES`; what has come in until then stands.
        """
        names, sweep = self._names, gathered.sweep
        answers = await js.pull_subscribe(
            names.answers(sweep),
            stream=names.answers_stream,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=AGE_MAX_SECONDS,
                mem_storage=True,
            ),
        )
        try:
            with contextlib.suppress(*FAILURES):  # parts given out before still count
                await self._give_out(client, js, gathered)
            await self._listen(answers, gathered)
        finally:
            with contextlib.suppress(*FAILURES):
                if gathered.awaited:
                    await js.purge_stream(names.parts_stream, subject=names.parts(sweep))
                await answers.unsubscribe()

    async def _give_out(self, client: Client, js: JetStreamContext, gathered: _Gathered) -> None:
        sweep = gathered.sweep
        for number, part in gathered.parts.items():
            message = dump_part(sweep, number, part)
            if len(message) <= client.max_payload - SPARE_BYTES:
                await js.publish(
                    self._names.parts(sweep), message, headers={MSG_ID: f"{sweep}.{number}"}
                )
                gathered.given.add(number)

    async def _listen(
        self, answers: JetStreamContext.PullSubscription, gathered: _Gathered
    ) -> None:
        heard_at = self._clock.monotonic()
        last = heard_at + self._patience * (PATIENCES_MAX - 1)
        while gathered.awaited:
            now = self._clock.monotonic()
            wait = min(heard_at, last) + self._patience - now
            if wait <= 0:
                return
            try:
                (message,) = await answers.fetch(1, timeout=wait)
            except TimeoutError:
                return
            if gathered.take(message.data):
                heard_at = self._clock.monotonic()
