"""Made-up requests by the API's own description: no 5xx, no answer that it does not describe.

Some of them are no HTTP: those the server refuses itself, in the one way that is documented, and the
application never sees them. Nothing else is let off the description.
"""

import contextlib
import re
import socket
import threading
from collections import Counter

import anyio
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Unsatisfiable

from arb.api.auth import Role
from tests.api.conftest import world

CASES = 6
CASES_FULL = 190


class _Served(threading.Thread):
    """The API in a loop of its own: schemathesis asks from this one, in plain calls."""

    def __init__(self, folder, monkeypatch):
        super().__init__(daemon=True)
        self.folder, self.monkeypatch = folder, monkeypatch
        self.ready, self.done = threading.Event(), threading.Event()
        self.world = None

    def run(self):
        async def serve():
            async with world(self.folder, self.monkeypatch) as found:
                await found.found.orchestrator.scan_cycle()
                self.world = found
                self.ready.set()
                await anyio.to_thread.run_sync(self.done.wait)

        anyio.run(serve)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    thread = _Served(tmp_path, monkeypatch)
    thread.start()
    assert thread.ready.wait(60)
    yield thread.world
    thread.done.set()
    thread.join(120)


def _campaign(found, role, cases):
    """So many cases for every operation, with this role's token."""
    # Here, and not as a plugin: only the process that needs it takes the seconds that it loads.
    schemathesis = pytest.importorskip("schemathesis")
    headers = found.headers(role)
    schema = schemathesis.openapi.from_url(f"{found.address}/api/v1/openapi.json", headers=headers)
    statuses = Counter()
    modes = list(schemathesis.GenerationMode)
    found_modes = [(one.ok(), mode) for one in schema.get_all_operations() for mode in modes]
    for operation, mode in found_modes:

        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation, mode)
        def ask(case):
            answer = case.call(headers=headers)
            statuses[answer.status_code] += 1
            if _is_no_http(answer.request.headers.items()):
                assert _by_the_server(answer), (case.as_curl_command(), answer.text)
                return
            if case.path == "/readyz" and answer.status_code == 503:
                return  # that is how it says that it is not ready
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            case.validate_response(
                answer,
                checks=(
                    schemathesis.checks.not_a_server_error,
                    schemathesis.checks.CHECKS.get_one("status_code_conformance"),
                    schemathesis.checks.CHECKS.get_one("content_type_conformance"),
                    schemathesis.checks.CHECKS.get_one("response_schema_conformance"),
                ),
            )

        with contextlib.suppress(Unsatisfiable):  # nothing of it can be wrong
            ask()
    return statuses


TOKEN = re.compile("[-!#$%&'*+.^_`|~0-9A-Za-z]+")
UNSENDABLE = re.compile("[\0\n\v\f\r]")
REFUSED = "Invalid HTTP request received."


def _is_no_http(headers):
    """Whether the headers themselves are none of HTTP/1.1 (RFC 9110 5.1, 5.5, 8.6; RFC 9112 6.1)."""
    for name, value in ((_text(name), _text(value)) for name, value in headers):
        if not TOKEN.fullmatch(name) or UNSENDABLE.search(value):
            return True
        if name.lower() == "content-length" and not re.fullmatch("[0-9]{1,20}", value.strip()):
            return True
        if name.lower() == "transfer-encoding" and value.strip().lower() != "chunked":
            return True
    return False


def _text(part):
    return part.decode("latin-1") if isinstance(part, bytes) else part


def _by_the_server(answer):
    types = answer.headers.get("content-type")
    plain = ["text/plain; charset=utf-8"]
    return answer.status_code == 400 and answer.text == REFUSED and types in (plain, plain[0])


def _given(operation, mode):
    from hypothesis import given

    return given(case=operation.as_strategy(generation_mode=mode))


@pytest.mark.parametrize(
    ("line", "is_http"),
    [
        (b"X-Note: plain", True),
        (b"X-Note: caf\xe9\t\x01\x7f", True),
        (b"X-Note:", True),
        (b"Content-Length: 0", True),
        (b"Expect: something", True),
        (b"X-Note: a\0b", False),
        (b"X-Note: a\x0bb", False),
        (b"X-Note: a\x0cb", False),
        (b"X-Note: a\rb", False),
        (b"X Note: a", False),
        (b"X-N\xf6te: a", False),
        (b"Content-Length: six", False),
        (b"Content-Length: -1", False),
        (b"Content-Length:", False),
        (b"Content-Length: " + b"9" * 21, False),
        (b"Transfer-Encoding: gzip", False),
        (b"Transfer-Encoding:", False),
    ],
)
def test_what_is_no_http_is_refused_by_the_server_itself(outside, line, is_http):
    name, _, value = line.decode("latin-1").partition(":")
    assert _is_no_http([(name, value)]) != is_http
    host, port = outside.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + line + b"\r\n")
        one.sendall(b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: one.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    if is_http:
        assert head.startswith("HTTP/1.1 200 ")
        return
    assert head.startswith("HTTP/1.1 400 ")
    assert "content-type: text/plain; charset=utf-8" in head
    assert body == REFUSED


@pytest.mark.parametrize("role", list(Role))
def test_made_up_requests_break_nothing(outside, role):
    statuses = _campaign(outside, role, CASES)
    assert sum(statuses.values()) >= 150
    assert not [status for status in statuses if status >= 500 and status != 503]


@pytest.mark.full
@pytest.mark.parametrize("role", list(Role))
def test_ten_thousand_made_up_requests_break_nothing(outside, role):
    statuses = _campaign(outside, role, CASES_FULL)
    print(f"{role.value}: {sum(statuses.values())} cases, {dict(sorted(statuses.items()))}")
    assert sum(statuses.values()) >= 10_000
    assert not [status for status in statuses if status >= 500 and status != 503]
