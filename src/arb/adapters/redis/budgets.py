"""The venue's budgets and waits, shared by all processes that it sees behind one address.

Nothing that a proof rests on is kept here. Each process also keeps its own budget, so that a Redis
that is away, slow, or full of foreign values can make it slower for a moment, never faster.
"""

from collections.abc import Callable, Mapping

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from arb.domain.errors import Unavailable
from arb.domain.report import Problem, ProblemKind
from arb.net.budget import WINDOW_SECONDS, OwnBudgets
from arb.net.circuit import Circuit, CircuitState
from arb.ports import Clock

VERSION = 1
"""Of the entries; part of every key, so that another version's are never read."""
ANSWER_SECONDS = 0.25
"""A server on a busy machine answers within it; one that hangs costs it a few times."""
WAIT_MAX_SECONDS = 30.0
"""The longest wait for other processes, whatever is written here."""
FAILURES_MAX = 3
OPEN_SECONDS = 10.0

# KEYS: until when the budget is used up, and the wait in force. ARGV: the window and what one
# request takes of it, in microseconds. Returns how long to wait, 0: the request may go out.
# A value that no process of ours can have written (garbage, or too far ahead) counts for nothing.
TAKE = """
local time = redis.call('TIME')
local now, window, step = time[1] * 1000000 + time[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local told = redis.call('PTTL', KEYS[2])
if told > 0 and told <= tonumber(ARGV[3]) then return told * 1000 end
local kept = redis.pcall('GET', KEYS[1])
local used = type(kept) == 'string' and tonumber(kept)
if not (used and used >= now and used <= now + window) then used = now end
local wait = used + step - window - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', used + step), 'PX', math.ceil(window / 1000))
return 0
"""
FAILURES = (RedisError, OSError, TimeoutError, ValueError)


class SharedBudgets:
    """See `arb.net.budget.Budgets`: this process's own budgets, and those of all of them."""

    def __init__(self, url: str, name: str, clock: Clock, tell: Callable[[Problem], None]) -> None:
        """Share under a name; the server is first asked by the first request.

        Args:
            url: Where Redis is.
            name: Of the address that the venue sees; processes with the same one share.
            clock: Time.
            tell: Called with the message that Redis is away, once until it is back.
        """
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=16,
        )
        self._name, self._clock, self._tell = name, clock, tell
        self._own = OwnBudgets()
        self._circuit = Circuit(failures_max=FAILURES_MAX, open_seconds=OPEN_SECONDS)
        self._said = False

    async def take(self, endpoint: str, per_window: int) -> None:
        """See `arb.net.budget.Budgets`."""
        await self._own.take(endpoint, per_window)
        left = WAIT_MAX_SECONDS
        while left > 0 and (wait := await self._asked(endpoint, per_window)) > 0:
            wait = min(wait, left)
            await self._clock.sleep(wait)
            left -= wait

    async def hold(self, endpoint: str, seconds: float) -> None:
        """See `arb.net.budget.Budgets`."""
        milliseconds = round(min(seconds, WAIT_MAX_SECONDS) * 1000)
        if milliseconds <= 0 or not self._circuit.allows(self._clock.monotonic()):
            return
        try:
            await self._client.set(self._key("wait", endpoint), "1", px=milliseconds)
        except FAILURES as error:
            self._failed(error)
        else:
            self._answered()

    async def answer_seconds(self) -> float:
        """How long the server takes to answer.

        Raises:
            Unavailable: It does not, or not in time to be of use.
        """
        began = self._clock.monotonic()
        try:
            await self._client.ping()
        except FAILURES as error:
            raise Unavailable(f"Redis: {str(error) or type(error).__name__}") from None
        return self._clock.monotonic() - began

    def circuits(self) -> Mapping[str, str]:
        """See `arb.net.budget.Budgets`."""
        return {"redis": self._circuit.state.value}

    def close_circuits(self) -> None:
        """See `arb.net.budget.Budgets`."""
        self._circuit = self._circuit.succeeded()

    async def close(self) -> None:
        """See `arb.net.budget.Budgets`."""
        await self._client.aclose()

    async def _asked(self, endpoint: str, per_window: int) -> float:
        """Seconds to wait for the others; 0 as well when that is not known."""
        now = self._clock.monotonic()
        if not self._circuit.allows(now):
            return 0
        self._circuit = self._circuit.asked(now)
        window = WINDOW_SECONDS * 1_000_000
        try:
            wait = await self._client.eval(
                TAKE,
                2,
                self._key("used", endpoint),
                self._key("wait", endpoint),
                window,
                max(window // per_window, 1),
                round(WAIT_MAX_SECONDS * 1000),
            )
            seconds = int(wait) / 1_000_000
        except FAILURES as error:
            self._failed(error)
            return 0
        self._answered()
        return seconds

    def _key(self, what: str, endpoint: str) -> str:
        return f"arb:{VERSION}:{self._name}:{what}:{endpoint}"

    def _answered(self) -> None:
        self._circuit = self._circuit.succeeded()
        self._said = False

    def _failed(self, error: BaseException) -> None:
        self._circuit = self._circuit.failed(self._clock.monotonic())
        if not self._said and self._circuit.state is CircuitState.OPEN:
            self._said = True
            what = f"{str(error) or type(error).__name__}; budgets are this process's own meanwhile"
            self._tell(Problem(kind=ProblemKind.REDIS, where="redis", what=what))
