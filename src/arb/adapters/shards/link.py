"""A connection to NATS, made and made anew beside the work, and the two streams on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from arb.adapters.shards.messages import Names
from arb.domain.errors import Unavailable

CONNECT_SECONDS = 2
AGAIN_SECONDS = 0.5
PING_SECONDS = 2
PINGS_UNANSWERED_MAX = 2
REQUEST_SECONDS = 2.0
CANCELS_MAX = 10
CANCEL_SECONDS = 1.0
AGE_MAX_SECONDS = 60.0
"""Nothing on the streams is older: parts and answers are of use for one cycle."""
MESSAGES_MAX = 20_000
PARTS_BYTES_MAX = 128 * 1024 * 1024
ANSWERS_BYTES_MAX = 16 * 1024 * 1024
DELIVERIES_MAX = 5
ACKS_PER_PATIENCE = 3
"""A worker that is silent for this share of the patience loses its part to another."""
WORKERS = "workers"
MSG_ID = "Nats-Msg-Id"
"""By which a stream keeps a message but once."""

FAILURES = (nats.errors.Error, TimeoutError, OSError, ValueError)
"""What a server that is away, hangs, or answers something that is no answer raises."""


class Link:
    """The connection, while there is one. A new one remembers nothing of the one before."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._client: Client | None = None
        self._met = asyncio.Event()
        self.tried = asyncio.Event()
        """Set once the first attempt to connect has ended, either way."""
        self.trouble = ""
        """Why there is no connection, or why there was none."""
        self.ending = False
        """Whether the connection is given up: then a swallowed cancellation keeps up no other."""

    @property
    def client(self) -> Client | None:
        """The connection if it stands."""
        return self._client if self._client is not None and self._client.is_connected else None

    async def connected(self) -> Client:
        """Wait for a connection that stands."""
        while (client := self.client) is None:
            self._met.clear()
            await self._met.wait()
        return client

    async def keep(self) -> None:
        """Connect, and connect again whenever the connection has ended, until cancelled."""
        while True:
            ended = asyncio.Event()
            client = Client()
            try:
                await client.connect(
                    self._url,
                    name=self._name,
                    error_cb=self._note,
                    closed_cb=partial(_set, ended),
                    connect_timeout=CONNECT_SECONDS,
                    ping_interval=PING_SECONDS,
                    max_outstanding_pings=PINGS_UNANSWERED_MAX,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,  # it counts for the first connection, too
                    reconnect_time_wait=0,
                )
                self._client = client
                self._met.set()
                self.tried.set()
                await ended.wait()
                self.trouble = "the connection has ended"
            except nats.errors.NoServersError:
                pass  # each server's own trouble is noted
            except FAILURES as error:
                await self._note(error)
            finally:
                with contextlib.suppress(*FAILURES):
                    await client.close()
            self.tried.set()
            if self.ending:
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def _note(self, error: Exception) -> None:
        self.trouble = str(error) or type(error).__name__


async def _set(event: asyncio.Event) -> None:
    event.set()


@contextlib.asynccontextmanager
async def linked(url: str, name: str) -> AsyncIterator[Link]:
    """A link as long as the block runs; it does not wait for the server."""
    link = Link(url, name)
    keeping = asyncio.create_task(link.keep())
    try:
        yield link
    finally:
        link.ending = True
        await end(keeping)


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task that talks to the server, again if need be.

    The library can take a cancellation for its own while it connects or closes; the task would
    then go on, and the task that waits for it would wait for ever.
    """
    for _ in range(CANCELS_MAX):
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=CANCEL_SECONDS)
        if ended:
            return


async def reach(url: str, name: str) -> None:
    """Try the server once, and that it keeps streams.

    Raises:
        Unavailable: There is no connection, or JetStream is off.
    """
    async with linked(url, name) as link:
        await link.tried.wait()
        if link.client is None:
            raise Unavailable(f"NATS: {link.trouble}")
        try:
            await link.client.jetstream(timeout=REQUEST_SECONDS).account_info()
        except FAILURES as error:
            raise Unavailable(
                f"NATS without JetStream: {str(error) or type(error).__name__}"
            ) from None


async def prepare(client: Client, names: Names, patience_seconds: float) -> JetStreamContext:
    """The streams and the workers' common consumer, made where they are not there as they must be.

    Raises:
        One of `FAILURES`.
    """
    js = client.jetstream(timeout=REQUEST_SECONDS)
    await _made(
        js.add_stream,
        js.update_stream,
        config=StreamConfig(
            name=names.parts_stream,
            subjects=[names.parts()],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.MEMORY,
            discard=DiscardPolicy.NEW,
            max_age=AGE_MAX_SECONDS,
            max_msgs=MESSAGES_MAX,
            max_bytes=PARTS_BYTES_MAX,
            duplicate_window=AGE_MAX_SECONDS,
        ),
    )
    await _made(
        js.add_stream,
        js.update_stream,
        config=StreamConfig(
            name=names.answers_stream,
            subjects=[names.answers()],
            storage=StorageType.MEMORY,
            discard=DiscardPolicy.OLD,
            max_age=AGE_MAX_SECONDS,
            max_msgs=MESSAGES_MAX,
            max_bytes=ANSWERS_BYTES_MAX,
            duplicate_window=AGE_MAX_SECONDS,
        ),
    )
    await js.add_consumer(
        names.parts_stream,
        config=ConsumerConfig(
            durable_name=WORKERS,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=patience_seconds / ACKS_PER_PATIENCE,
            max_deliver=DELIVERIES_MAX,
            filter_subject=names.parts(),
        ),
    )
    return js


async def _made(
    add: Callable[..., Any], update: Callable[..., Any], *, config: StreamConfig
) -> None:
    try:
        await add(config=config)
    except nats.js.errors.BadRequestError:  # it is there, made by another version
        await update(config=config)
