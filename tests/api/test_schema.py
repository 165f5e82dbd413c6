"""Made-up requests by the API's own description: no 5xx, no answer that it does not describe."""

import contextlib
import threading
from collections import Counter

import anyio
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Unsatisfiable

from arb.api.auth import Role
from tests.api.conftest import world

schemathesis = pytest.importorskip("schemathesis")

MODES = list(schemathesis.GenerationMode)
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
    headers = found.headers(role)
    schema = schemathesis.openapi.from_url(f"{found.address}/api/v1/openapi.json", headers=headers)
    statuses = Counter()
    found_modes = [(one.ok(), mode) for one in schema.get_all_operations() for mode in MODES]
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


def _given(operation, mode):
    from hypothesis import given

    return given(case=operation.as_strategy(generation_mode=mode))


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
