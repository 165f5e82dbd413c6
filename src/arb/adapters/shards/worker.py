"""The worker's side: take a part, scan it, nominate what is worth a proof."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from arb.adapters.shards.link import (
    ACKS_PER_PATIENCE,
    FAILURES,
    MSG_ID,
    WORKERS,
    Link,
    end,
    prepare,
)
from arb.adapters.shards.messages import BadMessage, Names, Part, dump_answer, load_part
from arb.domain.errors import VenueError
from arb.domain.market import Universe
from arb.domain.report import Problem, ProblemKind
from arb.domain.sweep import Glimpse

PARTS_AT_ONCE = 2
"""One waits for its books while the other is scanned."""
FETCH_SECONDS = 1.0
SIGNS_PER_PATIENCE = 4 * ACKS_PER_PATIENCE
"""How often a worker reports that it is still at work."""
AGAIN_SECONDS = 0.5

Look = Callable[[Universe], Awaitable[Glimpse]]


@dataclass(slots=True)
class WorkerTotals:
    """What a worker has done so far."""

    parts: int = 0
    failed: int = 0
    """Parts that it could not scan, mostly because the venue could not be read."""
    unreadable: int = 0
    """Messages that are no parts."""


class NatsWorker:
    """Reads parts for any leader of a deployment until it is cancelled."""

    def __init__(
        self,
        link: Link,
        names: Names,
        *,
        identity: str,
        patience_seconds: float,
        look: Look,
        tell: Callable[[Problem], None],
    ) -> None:
        self._link, self._names, self._identity = link, names, identity
        self._patience = patience_seconds
        self._look, self._tell = look, tell
        self.done = WorkerTotals()

    async def run(self, ready: Callable[[], None]) -> None:
        """Work, connection after connection; `ready` is called when one stands."""
        said = False
        await self._link.tried.wait()
        while True:
            if self._link.client is None and not said:
                said = True
                self._say(f"NATS is away: {self._link.trouble}; this worker waits for it")
            client = await self._link.connected()
            try:
                js = await prepare(client, self._names, self._patience)
                async with self._answering(client):
                    ready()
                    said = False
                    await self._work(client, js)
            except FAILURES as error:
                if client.is_connected and not said:
                    said = True
                    self._say(f"{str(error) or type(error).__name__}; it is tried again")
            await asyncio.sleep(AGAIN_SECONDS)

    @contextlib.asynccontextmanager
    async def _answering(self, client: Client) -> AsyncIterator[None]:
        """Answer a leader's roll call."""

        async def here(message: Msg) -> None:
            with contextlib.suppress(*FAILURES):
                await message.respond(self._identity.encode())

        subscription = await client.subscribe(self._names.roll, cb=here)
        try:
            yield
        finally:
            with contextlib.suppress(*FAILURES):
                await subscription.unsubscribe()

    async def _work(self, client: Client, js: JetStreamContext) -> None:
        loops = [asyncio.create_task(self._take(client, js)) for _ in range(PARTS_AT_ONCE)]
        try:
            await asyncio.gather(*loops)
        finally:
            await asyncio.gather(*map(end, loops))

    async def _take(self, client: Client, js: JetStreamContext) -> None:
        waiting = await js.pull_subscribe_bind(WORKERS, stream=self._names.parts_stream)
        while client.is_connected:
            try:
                (message,) = await waiting.fetch(1, timeout=FETCH_SECONDS)
            except TimeoutError:
                await self._still_there(js)
                continue
            await self._handle(js, message)

    async def _still_there(self, js: JetStreamContext) -> None:
        """Raises one of `FAILURES` if the server has forgotten the stream or the consumer."""
        await js.consumer_info(self._names.parts_stream, WORKERS)

    async def _handle(self, js: JetStreamContext, message: Msg) -> None:
        try:
            part = load_part(message.data, message.subject, self._names)
        except BadMessage as error:
            self.done.unreadable += 1
            if self.done.unreadable == 1:
                self._say(f"a message is not a part of a listing ({error}); it is skipped")
            await message.term()
            return
        async with self._at_work(message):
            glimpse = await self._looked(part)
        if glimpse is not None:
            await self._answer(js, part, glimpse)
            await message.ack()
            self.done.parts += 1
            return
        self.done.failed += 1
        await message.nak()
        await asyncio.sleep(self._patience)  # others shall have it

    async def _looked(self, part: Part) -> Glimpse | None:
        try:
            return await self._look(part.universe())
        except VenueError as error:
            self._say(f"a part is given back: {error}")
        except Exception as error:  # noqa: BLE001  # one part's failure never ends the worker
            self._say(f"a part is given back: {type(error).__name__}: {error}")
        return None

    async def _answer(self, js: JetStreamContext, part: Part, glimpse: Glimpse) -> None:
        await js.publish(
            self._names.answers(part.sweep),
            dump_answer(part, self._identity, glimpse),
            headers={MSG_ID: part.key},
        )

    @contextlib.asynccontextmanager
    async def _at_work(self, message: Msg) -> AsyncIterator[None]:
        """Keep the part from being given to another while this worker is alive."""

        async def sign() -> None:
            while True:
                await asyncio.sleep(self._patience / SIGNS_PER_PATIENCE)
                with contextlib.suppress(*FAILURES):
                    await message.in_progress()

        signing = asyncio.create_task(sign())
        try:
            yield
        finally:
            await end(signing)

    def _say(self, what: str) -> None:
        self._tell(Problem(kind=ProblemKind.SHARDS, where="shards", what=what))
