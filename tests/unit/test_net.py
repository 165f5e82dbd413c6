"""Reads over HTTP: what is repeated, what is not, and when a host is left alone."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from arb.domain.errors import BadVenueData, RateLimited, Unavailable
from arb.net.circuit import Circuit, CircuitState
from arb.net.http import CircuitOpen, HttpOptions, HttpReader


def _reader(answer, clock=None, **options):
    time = clock or [0.0]
    return HttpReader(
        HttpOptions(wait_seconds=0.001, **options),
        monotonic=lambda: time[0],
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        transport=httpx.MockTransport(answer),
    )


def test_the_circuit_opens_after_five_failures_and_tries_one_probe_later():
    circuit = Circuit()
    for _ in range(5):
        assert circuit.allows(0)
        circuit = circuit.failed(0)
    assert circuit.state is CircuitState.OPEN
    assert not circuit.allows(59)
    assert circuit.allows(60)
    probing = circuit.asked(60)
    assert probing.state is CircuitState.HALF_OPEN
    assert probing.failed(61).state is CircuitState.OPEN
    assert probing.succeeded().state is CircuitState.CLOSED


async def test_server_errors_are_asked_again_and_refusals_are_not():
    codes = [503, 500, 200]
    reader = _reader(lambda _r: httpx.Response(codes.pop(0), content=b"[]"))
    assert await reader.get("x", "http://a/b") == b"[]"
    assert reader.counts["retries:x"] == 2
    asked = []
    reader = _reader(lambda r: asked.append(r) or httpx.Response(404))
    with pytest.raises(BadVenueData, match="404"):
        await reader.get("x", "http://a/b")
    assert len(asked) == 1


async def test_an_open_circuit_sends_nothing_until_its_time_is_up():
    asked, time = [], [0.0]

    def answer(request):
        asked.append(request)
        return httpx.Response(500 if len(asked) <= 6 else 200)

    reader = _reader(answer, time)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await reader.get("x", "http://a/b")
    assert len(asked) == 5
    with pytest.raises(CircuitOpen):
        await reader.get("x", "http://a/b")
    assert len(asked) == 5
    time[0] = 61.0
    with pytest.raises(Unavailable):
        await reader.get("x", "http://a/b")
    assert len(asked) == 6
    time[0] = 122.0
    await reader.get("x", "http://a/b")
    assert reader.circuit("http://a/").state is CircuitState.CLOSED


async def test_a_longer_wait_than_our_patience_is_not_waited_for():
    reader = _reader(lambda _r: httpx.Response(429, headers={"retry-after": "25"}))
    with pytest.raises(RateLimited) as caught:
        await reader.get("x", "http://a/b")
    assert caught.value.retry_after_seconds == 25
    assert reader.counts["requests:x"] == 1


@pytest.mark.parametrize("header", ["Sat, 21 Nov 2026 00:00:20 GMT", "20"])
async def test_retry_after_is_understood_as_seconds_and_as_a_date(header):
    reader = _reader(lambda _r: httpx.Response(429, headers={"retry-after": header}))
    with pytest.raises(RateLimited) as caught:
        await reader.get("x", "http://a/b")
    assert caught.value.retry_after_seconds == 20


async def test_an_answer_beyond_the_limit_is_refused():
    reader = _reader(lambda _r: httpx.Response(200, content=b"x" * 2000), body_bytes_max=1000)
    with pytest.raises(BadVenueData, match="more than 1000 bytes"):
        await reader.get("x", "http://a/b")


class _Drips(httpx.AsyncByteStream):
    async def __aiter__(self):
        while True:
            yield b" "
            await asyncio.sleep(0.01)


async def test_an_answer_that_comes_in_drips_for_ever_ends():
    reader = _reader(
        lambda _r: httpx.Response(200, stream=_Drips()), attempts=1, answer_seconds_max=0.5
    )
    with pytest.raises(Unavailable, match=r"in full within 0\.5 s"):
        await reader.get("x", "http://a/b")


@pytest.mark.parametrize(
    "header", [b"\xb2", b"1" * 400, b"Mon, 99 Nov 99999999999 25:61:61 GMT", b"-5", b"\xff\x00"]
)
async def test_a_wait_that_is_no_number_spoils_nothing(header):
    answer = httpx.Response(429, headers=[(b"retry-after", header)])
    with pytest.raises(RateLimited):
        await _reader(lambda _r: answer, attempts=1).get("x", "http://a/b")


async def test_an_address_to_go_on_to_that_is_none_is_refused_by_name():
    reader = _reader(lambda _r: httpx.Response(301, headers={"location": ":ttps://a]b/x"}))
    with pytest.raises(BadVenueData, match="venue"):
        await reader.get("x", "http://venue/x")
    await reader.close()
