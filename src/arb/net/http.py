"""Reads over HTTP: budgets, time-outs, size limits, retries and a circuit per host.

Only reads. Nothing here may carry an order: a read can be repeated, an order cannot.
"""

import asyncio
import email.utils
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ssl import SSLContext
from urllib.parse import urlsplit

import httpx
import stamina

from arb.domain.errors import BadVenueData, RateLimited, Unavailable
from arb.net import way
from arb.net.budget import OwnBudgets
from arb.net.circuit import Circuit
from arb.ports import Budgets

BODY_BYTES_MAX = 64 * 1024 * 1024
RETRY_AFTER_MAX_SECONDS = 30.0
ERROR_TEXT_MAX = 200
TOO_EARLY, TOO_MANY, SERVER_ERROR = 425, 429, 500

# A part as long as a key; hashes, which begin with 0x, and words of small letters are none.
KEY_IN_PATH = re.compile(r"(?<=/)(?!0x)(?![a-z_.-]+(?:/|$))[\w.~-]{16,}")

Params = Mapping[str, str | int | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How reads behave."""

    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 5.0
    """Between two pieces of an answer."""
    answer_seconds_max: float = 30.0
    """For a whole answer, however steadily its pieces come."""
    attempts: int = 3
    patience_seconds: float = 10.0
    """No further attempt of a read begins after this."""
    wait_seconds: float = 0.5
    """Before the second attempt, and up to half as much more by chance."""
    wait_factor: float = 2.0
    """The factor from each wait to the next."""
    wait_seconds_max: float = 60.0
    body_bytes_max: int = BODY_BYTES_MAX
    requests_per_10_seconds: Mapping[str, int] = field(default_factory=dict)
    """Budget of each endpoint, by name; endpoints without one share `default`."""
    connections_max: int = 16


class HttpReader:
    """One client for all reads of a venue.

    Raises from every read:
        Unavailable: No answer, a 5xx or 425, or the host's circuit is open.
        RateLimited: 429; carries the wait that the venue asked for.
        BadVenueData: Any other refusal, or an answer that is too large.
    """

    def __init__(
        self,
        options: HttpOptions,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        budgets: Budgets | None = None,
        as_for: str = "",
        headers: Mapping[str, str] | None = None,
        verify: SSLContext | None = None,
    ) -> None:
        """Make a client; see `way.options` for `as_for` and `verify`.

        `headers` go with every request: a key, where a host wants one.
        """
        self._options = options
        self._monotonic, self._now = monotonic, now
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(
                options.read_timeout_seconds, connect=options.connect_timeout_seconds
            ),
            limits=httpx.Limits(max_connections=options.connections_max),
            follow_redirects=False,
            headers={"user-agent": "arb", "accept": "application/json", **(headers or {})},
            **way.options(as_for, verify),
        )
        self._budgets = budgets or OwnBudgets()
        self._circuits: dict[str, Circuit] = {}
        self.counts: Counter[str] = Counter()
        """Requests, retries, failures and milliseconds of waiting for the budget, by endpoint:
        `requests:books`, `failures:books`, `waited_ms:books`, …
        """

    async def get(self, endpoint: str, url: str, params: Params | None = None) -> bytes:
        """The body of a GET."""
        return await self._read(endpoint, "GET", url, params=params, body=None)

    async def query(self, endpoint: str, url: str, body: bytes) -> bytes:
        """The body of a POST that only asks, such as `/books`."""
        return await self._read(endpoint, "POST", url, params=None, body=body)

    def circuit(self, url: str) -> Circuit:
        """The circuit of the URL's host."""
        return self._circuits.get(urlsplit(url).netloc, Circuit())

    def circuits(self) -> dict[str, str]:
        """The state of every host's circuit, and of the budgets' where others are asked."""
        hosts = {host: circuit.state.value for host, circuit in self._circuits.items()}
        return {**hosts, **self._budgets.circuits()}

    def close_circuits(self) -> None:
        """Ask every host again, whatever it did before."""
        for host, circuit in self._circuits.items():
            self._circuits[host] = circuit.succeeded()
        self._budgets.close_circuits()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        await self._budgets.close()

    async def _read(
        self, endpoint: str, method: str, url: str, *, params: Params | None, body: bytes | None
    ) -> bytes:
        options = self._options
        async for attempt in stamina.retry_context(
            on=self._worth_repeating,
            attempts=options.attempts,
            timeout=options.patience_seconds,
            wait_initial=options.wait_seconds,
            wait_max=options.wait_seconds_max,
            wait_exp_base=options.wait_factor,
            wait_jitter=options.wait_seconds / 2,
        ):
            with attempt:
                if attempt.num > 1:
                    self.counts[f"retries:{endpoint}"] += 1
                return await self._once(endpoint, method, url, params=params, body=body)
        raise AssertionError("a retry context ends by returning or raising")

    def _worth_repeating(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
            asked = error.retry_after_seconds
            return asked if asked <= self._options.patience_seconds else False
        return isinstance(error, Unavailable) and not isinstance(error, CircuitOpen)

    async def _once(
        self, endpoint: str, method: str, url: str, *, params: Params | None, body: bytes | None
    ) -> bytes:
        host, place = urlsplit(url).netloc, _place(url)
        circuit = self._circuits.get(host, Circuit())
        if not circuit.allows(self._monotonic()):
            raise CircuitOpen(
                f"{place.partition('/')[0]} has failed {circuit.failures} times and is left alone"
            )
        began = self._monotonic()
        await self._budgets.take(endpoint, self._rate(endpoint))
        self.counts[f"waited_ms:{endpoint}"] += round(1000 * (self._monotonic() - began))
        self._circuits[host] = circuit.asked(self._monotonic())
        self.counts[f"requests:{endpoint}"] += 1
        try:
            answer = await self._exchange(method, url, params=params, body=body)
        except (Unavailable, BadVenueData) as error:
            self.counts[f"failures:{endpoint}"] += 1
            # A refusal is an answer: only silence and server errors open the circuit.
            silent = isinstance(error, Unavailable) and not isinstance(error, RateLimited)
            known = self._circuits[host]
            self._circuits[host] = known.failed(self._monotonic()) if silent else known.succeeded()
            if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
                await self._budgets.hold(endpoint, error.retry_after_seconds)
            raise
        self._circuits[host] = self._circuits[host].succeeded()
        return answer

    async def _exchange(
        self, method: str, url: str, *, params: Params | None, body: bytes | None
    ) -> bytes:
        """One request and its whole answer, which may not come in drips for ever."""
        try:
            async with asyncio.timeout(self._options.answer_seconds_max):
                return await self._answer(method, url, params=params, body=body)
        except TimeoutError:
            whole = f"{self._options.answer_seconds_max:g} s"
            raise Unavailable(f"{_place(url)} does not answer in full within {whole}") from None

    async def _answer(
        self, method: str, url: str, *, params: Params | None, body: bytes | None
    ) -> bytes:
        headers = {"content-type": "application/json"} if body is not None else None
        where = _place(url)
        try:
            async with self._client.stream(
                method, url, params=dict(params or {}), content=body, headers=headers
            ) as response:
                pieces = bytearray()
                async for piece in response.aiter_bytes():
                    pieces += piece
                    if len(pieces) > self._options.body_bytes_max:
                        raise BadVenueData(where, f"more than {self._options.body_bytes_max} bytes")
                self._refuse(response, where, bytes(pieces[:ERROR_TEXT_MAX]))
                return bytes(pieces)
        except httpx.HTTPError as error:
            raise Unavailable(f"{where} does not answer ({way.failure(error, url)})") from error
        except (httpx.InvalidURL, ValueError) as error:
            # ValueError: the library's own, at an address to go on to that is none.
            raise BadVenueData(where, str(error)[:ERROR_TEXT_MAX]) from error

    def _refuse(self, response: httpx.Response, where: str, text: bytes) -> None:
        code = response.status_code
        if code == TOO_MANY:
            wait = self._retry_after(response)
            raise RateLimited(f"{where} asks for a wait", retry_after_seconds=wait)
        if code == TOO_EARLY or code >= SERVER_ERROR:
            raise Unavailable(f"{where} answers {code}")
        if code >= 300:
            raise Refused(where, code, text.decode(errors="replace"))

    def _retry_after(self, response: httpx.Response) -> float | None:
        header = response.headers.get("retry-after", "").strip()
        if header.isascii() and header.isdigit():
            return min(float(header[:9]), RETRY_AFTER_MAX_SECONDS)
        try:
            date = email.utils.parsedate_to_datetime(header)
        except (ValueError, OverflowError, TypeError, IndexError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        wait = (date - self._now()).total_seconds()
        return min(max(wait, 0.0), RETRY_AFTER_MAX_SECONDS)

    def _rate(self, endpoint: str) -> int:
        rates = self._options.requests_per_10_seconds
        return rates.get(endpoint, rates.get("default", 100))


def _place(url: str) -> str:
    """Host and path of an address for people, without the passwords and keys that it may hold."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] + KEY_IN_PATH.sub("…", parts.path)


class Refused(BadVenueData):
    """The request itself was refused; carries the HTTP status."""

    def __init__(self, where: str, status: int, text: str) -> None:
        super().__init__(where, f"{status} {text}")
        self.status = status


class CircuitOpen(Unavailable):
    """The host has failed too often lately; nothing was sent."""
