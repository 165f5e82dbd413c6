"""Who gets in: every route, every role, every odd request."""

import json
import re
import stat
from importlib.resources import files

import httpx
import pytest
import websockets
from pydantic import TypeAdapter

from arb.api import schemas
from arb.api.app import description
from arb.api.audit import Audit, AuditError, check
from arb.api.auth import (
    Principal,
    Role,
    Tokens,
    add_token,
    allowed_hosts,
    chosen,
    must_not_be_open,
    must_not_listen,
    read_tokens,
    remove_token,
)
from arb.api.executed import ExecutedKeys
from arb.api.gate import OPEN
from arb.api.guarded import NEEDS, GuardedRoute
from arb.api.limits import LockOut, RateLimit
from arb.domain.errors import ConfigError
from arb.views import ledger, sidecars, signals
from tests.api.conftest import TOKENS, world


def _application():
    """The application alone: for the list of its routes."""
    from types import SimpleNamespace

    from arb.adapters.clock import SystemClock
    from arb.api.app import ApiOptions, create_app
    from arb.api.gate import GateOptions
    from arb.api.metrics import Metrics
    from arb.api.shared import SharedReads
    from arb.engine.bus import Bus

    control = SimpleNamespace(clock=SystemClock())
    return create_app(
        control,
        None,
        ApiOptions(gate=GateOptions(hosts=frozenset())),
        shared=SharedReads(control.clock.monotonic),
        settings=list,
        tokens=Tokens([]),
        bus=Bus(),
        metrics=Metrics(),
        audit=Audit(None, control.clock),
        executed=ExecutedKeys(None, control.clock),
    )


def _operations():
    """Method, path and role of every operation, from the application itself."""
    document = description(_application())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path.replace("{", "").replace("}", ""), operation.get(NEEDS)


OPERATIONS = sorted(_operations(), key=str)
GUARDED = [(method, path, role) for method, path, role in OPERATIONS if role]
GUARDED += [
    (method, path.replace("/api/v1/", "/api/"), role)
    for method, path, role in GUARDED
    if path.startswith("/api/v1/arbitrage/")
]


def test_every_route_has_a_role_or_is_on_the_short_list_of_open_ones():
    assert len(GUARDED) >= 30
    assert {path for _, path, role in OPERATIONS if not role} == {"/healthz", "/readyz"}
    assert sum(path.startswith("/api/arbitrage/") for _, path, _ in GUARDED) >= 9
    app = _application()
    flat = [route for route in _flat(app.routes) if not isinstance(route, GuardedRoute)]
    assert {route.path for route in flat} == OPEN | {"/metrics", "/ws/arbitrage"}


def _flat(routes):
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            yield from _flat(inner.routes)
        else:
            yield route


async def test_nothing_is_answered_without_a_token(served):
    paths = {(method, path) for method, path, _ in GUARDED}
    paths |= {("GET", "/metrics"), ("GET", "/api/v1/openapi.json"), ("GET", "/nowhere")}
    paths |= {("POST", path) for path in OPEN}
    async with served.client(None) as client:
        for method, path in sorted(paths):
            answer = await client.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "token"
        for path in OPEN:
            assert (await client.get(path)).status_code == 200, path


async def test_a_role_does_what_it_covers_and_nothing_more(settled):
    for mine in Role:
        async with settled.client(mine) as client:
            for method, path, needed in GUARDED:
                body = {} if method == "POST" else None
                answer = await client.request(method, path, json=body)
                allowed = mine.covers(Role(needed))
                assert (answer.status_code != 403) is allowed, (mine, method, path, answer.text)
                assert answer.status_code < 500
    async with settled.client() as client:
        await client.post("/api/v1/bot/start")


async def test_wrong_places_wrong_sites_and_wrong_shapes_are_refused(served):
    path = "/api/v1/bot/pause"
    many = {"content-type": "application/json"}
    odd = [
        (421, "host", {"host": "evil.example"}, b""),
        (421, "host", {"host": ""}, b""),
        (403, "origin", {"origin": "https://evil.example"}, b""),
        (403, "origin", {"origin": "null"}, b""),
        (403, "origin", {"sec-fetch-site": "cross-site"}, b""),
        (415, "content_type", {"content-type": "text/plain"}, b"{}"),
        (415, "content_type", {"content-type": "application/x-www-form-urlencoded"}, b"a=b"),
        (413, "too_large", many, b"x" * 70_000),
        (422, "invalid", many, b"{"),
        (422, "invalid", many, b'{"reason": "\\ud800"}'),
        (422, "invalid", many, b'{"reason": "a\\u0000b"}'),
        (422, "invalid", many, b'{"reason": "' + b"x" * 300 + b'"}'),
        (422, "invalid", many, b'{"strange": 1}'),
    ]
    added = [
        b'{"strategy_name": "negrisk_no", "params": {"max_legs": "\\ud800"}}',
        b'{"strategy_name": "negrisk_no", "params": {"max_legs": NaN}}',
        b'{"strategy_name": "negrisk_no", "params": {"max_legs": {"a": 1}}}',
        b'{"strategy_name": "negrisk_no", "params": {"\\ud800": 1}}',
        b'{"strategy_name": "negrisk_no", "symbol": "\\ud800"}',
    ]
    async with served.client() as client:
        for status, code, headers, body in odd:
            answer = await client.post(path, headers=headers, content=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (
                headers,
                body[:30],
            )
        for body in added:
            answer = await client.post("/api/v1/bot/strategy/add", headers=many, content=body)
            assert answer.status_code == 422, body
        for balance in ("0", "-1", "1e-400000", "NaN", '"Infinity"', "1e400"):
            body = b'{"initial_balance": ' + balance.encode() + b"}"
            answer = await client.post("/api/v1/bot/start", headers=many, content=body)
            assert answer.status_code == 422, body
        answer = await client.post(path, headers=many, content=b"[" * 20_000)
        # Whichever gives up first: the parser's depth, which the process sets, or the text's end.
        refusal = (answer.status_code, answer.json()["error"]["code"])
        assert refusal in ((400, "malformed"), (422, "invalid"))
        for name in ("token", "access_token", "apikey"):
            answer = await client.get("/api/v1/bot/status", params={name: "x"})
            assert answer.json()["error"]["code"] == "secret_in_url"

        async def drip():
            for _ in range(100):
                yield b"x" * 1000

        answer = await client.post(path, headers=many, content=drip())
        assert answer.status_code == 413
        status = (await client.get("/api/v1/bot/status")).json()
        assert status["state"] == "normal"


async def test_every_answer_has_the_headers_of_security(served):
    async with served.client() as client:
        for path in ("/", "/healthz", "/api/v1/bot/status", "/nowhere"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "access-control-allow-origin" not in headers
            assert "server" not in headers
        answer = await client.options(
            "/api/v1/bot/halt",
            headers={"origin": served.address, "access-control-request-method": "POST"},
        )
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers


async def test_too_many_requests_wait(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, **{"api.requests_per_minute": 60}) as found:
        async with found.client() as client:
            answers = [await client.get("/api/v1/bot/status") for _ in range(15)]
        assert [a.status_code for a in answers].count(429) >= 3
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_who_guesses_waits_and_the_operator_does_not(served):
    async with served.client(None) as client:
        statuses = []
        for number in range(12):
            headers = {"authorization": f"Bearer guess-{number}"}
            statuses.append((await client.get("/api/v1/bot/status", headers=headers)).status_code)
        assert statuses[:4] == [401] * 4
        assert statuses[-1] == 429
    async with served.client() as client:
        assert (await client.post("/api/v1/bot/halt", json={})).status_code == 200


async def test_the_stream_wants_a_token_a_good_origin_and_a_fresh_ticket(served):
    url = served.address.replace("http", "ws") + "/ws/arbitrage"

    async def opens(**more):
        try:
            async with websockets.connect(url, proxy=None, **more) as socket:
                return json.loads(await socket.recv())["type"]
        except websockets.InvalidStatus as error:
            return error.response.status_code

    assert await opens() == 403
    assert await opens(additional_headers=served.headers(Role.READ)) == "snapshot"
    evil = {"additional_headers": served.headers(), "origin": "https://evil.example"}
    assert await opens(**evil) == 403
    async with served.client(Role.READ) as client:
        ticket = (await client.post("/api/v1/stream/ticket")).json()["ticket"]
    assert await opens(subprotocols=["arb.v1", "ticket." + ticket]) == "snapshot"
    assert await opens(subprotocols=["arb.v1", "ticket." + ticket]) == 403


async def test_a_bot_is_commanded_on_the_stream_with_the_rights_of_its_route(tmp_path, monkeypatch):
    flags = {"api.requests_per_minute": 60}
    async with world(tmp_path, monkeypatch, **flags) as served:
        url = served.address.replace("http", "ws") + "/ws/arbitrage"
        codes = []
        for role in Role:
            headers = served.headers(role)
            async with websockets.connect(url, proxy=None, additional_headers=headers) as socket:
                assert json.loads(await socket.recv())["type"] == "snapshot"
                await socket.send('{"action": "start_bot", "bot_id": "atom"}')
                codes.append(json.loads(await socket.recv())["data"]["code"])
        assert codes == ["role", "unknown", "unknown"]
        async with websockets.connect(url, proxy=None, additional_headers=headers) as socket:
            await socket.recv()
            for _ in range(20):
                await socket.send("{}")
            codes = [json.loads(await socket.recv())["data"]["code"] for _ in range(20)]
        assert codes.count("rate") >= 3


async def test_metrics_are_open_only_when_asked_for(tmp_path, monkeypatch):
    flags = {"api.open_metrics": True}
    async with world(tmp_path, monkeypatch, **flags) as found, found.client(None) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.post("/metrics")).status_code == 401


async def test_a_program_on_this_machine_operates_where_that_is_said(tmp_path, monkeypatch):
    flags = {"api.open_on_loopback": True, "api.cors_origins": ["https://board.example"]}
    async with world(tmp_path, monkeypatch, **flags) as found, found.client(None) as client:
        assert (await client.get("/api/v1/bot/status")).json()["open_on_loopback"]
        assert (await client.post("/api/v1/bot/pause")).status_code == 200
        answer = await client.post("/api/v1/arbitrage/execute", json={"opportunity_id": "5d41"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role")
        path = "/api/v1/bot/resume"
        for status, headers in (
            (401, {"authorization": "Bearer wrong"}),
            (401, {"authorization": ""}),
            (401, {"x-forwarded-for": "127.0.0.1"}),
            (401, {"forwarded": "for=8.8.8.8"}),
            (401, {"via": "1.1 proxy"}),
            (401, {"origin": "https://board.example"}),
            (403, {"origin": "https://evil.example"}),
            (403, {"origin": "null"}),
            (403, {"sec-fetch-site": "cross-site"}),
            (421, {"host": "evil.example"}),
            (200, {"origin": found.address, "sec-fetch-site": "same-origin"}),
        ):
            answer = await client.post(path, headers=headers)
            assert answer.status_code == status, (headers, answer.text)
        url = found.address.replace("http", "ws") + "/ws/arbitrage"
        async with websockets.connect(url, proxy=None) as socket:
            assert json.loads(await socket.recv())["type"] == "snapshot"
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(url, proxy=None, origin="https://evil.example")
        # A page of the site that is listed asks first, and then with a token.
        site = {"origin": "https://board.example", "sec-fetch-site": "cross-site"}
        asks = {"access-control-request-method": "POST"}
        wants = {"access-control-request-headers": "authorization, content-type"}
        answer = await client.options(path, headers={**site, **asks, **wants})
        assert answer.status_code == 200
        allowed = "access-control-allow-origin"
        assert answer.headers[allowed] == "https://board.example"
        assert "access-control-allow-credentials" not in answer.headers
        answer = await client.post(path, headers={**site, **found.headers()})
        assert (answer.status_code, answer.headers[allowed]) == (200, "https://board.example")
        answer = await client.post(path, headers=site)
        assert (answer.status_code, answer.headers[allowed]) == (401, "https://board.example")
        evil = {"origin": "https://evil.example"}
        for answer in (
            await client.options(path, headers={**evil, **asks}),
            await client.post(path, headers={**evil, **found.headers()}),
        ):
            assert answer.status_code in (400, 403)
            assert allowed not in answer.headers
        lines = (await client.get("/api/v1/audit")).json()
    assert {(one["who"], one["role"]) for one in lines} == {
        ("loopback", "operate"),
        ("trade", "trade"),
    }


async def test_no_loopback_is_open_to_others_or_to_real_money(tmp_path, monkeypatch):
    assert not must_not_be_open("::1", ["localhost"], live=False)
    assert "not loopback" in must_not_be_open("0.0.0.0", [], live=False)
    assert "through a proxy" in must_not_be_open("127.0.0.1", ["arb.example"], live=False)
    assert "real money" in must_not_be_open("127.0.0.1", [], live=True)
    flags = {"api.open_on_loopback": True, "api.allowed_hosts": ["arb.example"]}
    with pytest.raises(ConfigError, match=r"api\.open_on_loopback = true: api\.allowed_hosts"):
        async with world(tmp_path, monkeypatch, **flags):
            pass


def test_tokens_are_kept_as_hashes_in_a_file_of_ones_own(tmp_path):
    path = tmp_path / "sub" / "tokens.json"
    token = add_token(path, "me", Role.OPERATE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    assert len(token) >= 43
    tokens = Tokens(read_tokens(path))
    assert tokens.find(token) == Principal("me", Role.OPERATE)
    assert tokens.find(token + "x") is None
    assert tokens.find("\udc80") is None
    with pytest.raises(ConfigError, match="already"):
        add_token(path, "me", Role.READ)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_tokens(path)
    path.chmod(0o600)
    remove_token(path, "me")
    assert read_tokens(path) == []
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with pytest.raises(ConfigError):
        read_tokens(link)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="no file of tokens"):
        read_tokens(path)


def test_it_listens_beyond_loopback_only_with_a_token():
    assert not must_not_listen("127.0.0.1", configured=False)
    assert not must_not_listen("::1", configured=False)
    assert "ARB_API__TOKEN" in must_not_listen("0.0.0.0", configured=False)
    assert "ARB_API__TOKEN" in must_not_listen("example.org", configured=False)
    assert not must_not_listen("0.0.0.0", configured=True)
    with pytest.raises(ConfigError, match="22 characters"):
        chosen("short")
    assert allowed_hosts("127.0.0.1", ["Arb.Example"]) >= {"localhost", "::1", "arb.example"}


def test_a_rate_has_a_burst_and_refills():
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    assert [limit.wait("a") for _ in range(10)] == [0.0] * 10
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    now[0] = 1.0
    assert limit.wait("a") == 0.0


def test_guessing_takes_twice_as_long_each_time():
    now = [0.0]
    lock = LockOut(lambda: now[0])
    waits = []
    for _ in range(9):
        waits.append(lock.failed("x"))
        now[0] += waits[-1]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16]
    lock.succeeded("x")
    assert lock.failed("x") == 0


async def test_commands_are_on_record_and_the_record_is_sealed(settled):
    async with settled.client(Role.OPERATE) as client:
        await client.post("/api/v1/bot/pause", json={"reason": "tea"})
        await client.post("/api/v1/bot/strategy/add", json={"strategy_name": "none"})
        lines = (await client.get("/api/v1/audit")).json()
    done = next(line for line in lines if line["action"] == "pause" and line["step"] == "done")
    assert (done["who"], done["role"], done["reason"]) == ("operate", "operate", "tea")
    assert done["before"]["state"] == "normal"
    assert done["after"]["state"] == "halted"
    failed = next(line for line in lines if line["step"] == "failed")
    assert "none" in failed["error"]
    path = settled.folder / "audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(token in path.read_text() for token in TOKENS.values())
    assert check(path).whole
    again = Audit(path, settled.control.clock)
    await again.write(Principal("x", Role.READ), "test", "done")
    assert check(path).whole
    path.write_text(path.read_text().replace("tea", "gin"))
    assert check(path).broken == 1


async def test_without_a_record_only_safe_commands_are_carried_out(served, monkeypatch):
    def full(*_):
        raise AuditError("the disk is full")

    monkeypatch.setattr("arb.api.audit._append", full)
    async with served.client() as client:
        assert (await client.post("/api/v1/bot/pause", json={})).status_code == 200
        assert (await client.post("/api/v1/bot/resume", json={})).status_code == 503
        assert (await client.post("/api/v1/bot/halt", json={})).status_code == 200
        assert (await client.get("/api/v1/bot/status")).json()["state"] == "halted"


async def test_a_taken_port_and_a_missing_library_are_named(served, monkeypatch, tmp_path):
    from arb.runtime import server

    port = httpx.URL(served.address).port
    with pytest.raises(ConfigError, match="ARB_API__PORT"):
        async with world(tmp_path / "other", monkeypatch, **{"api.port": port}):
            pass
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[api\]'"):
        server.need_api()


ASKED = [
    "bot/start",
    "bot/stop",
    "bot/pause",
    "bot/resume",
    "bot/status",
    "bot/health",
    "bot/reset-errors",
    "bot/strategies/available",
    "bot/strategy/add",
    "bot/strategy/remove/name",
    "arbitrage/opportunities",
    "arbitrage/strategies",
    "arbitrage/bots",
    "arbitrage/bots/bot_id/start",
    "arbitrage/bots/bot_id/stop",
    "arbitrage/execute",
    "arbitrage/monitoring/start",
    "arbitrage/monitoring/stop",
    "portfolio",
    "portfolio/positions",
    "plans",
    "fills",
    "cycles",
    "config",
    "alerts",
]


def test_every_route_that_is_asked_for_has_the_right_role_and_an_example():
    roles = {path: (method, role) for method, path, role in OPERATIONS}
    assert not [path for path in ASKED if f"/api/v1/{path}" not in roles]
    for path, (method, role) in roles.items():
        if role is None:
            continue
        expected = "read" if method == "GET" else "operate"
        exceptions = {"execute": "trade", "audit": "operate", "ticket": "read"}
        assert role == exceptions.get(path.rpartition("/")[2], expected), path
    document = description(_application())
    shapes = document["components"]["schemas"]
    documents = {
        name: found
        for module in (schemas, ledger, sidecars, signals)
        for name, found in vars(module).items()
    }
    for name, shape in shapes.items():
        if "enum" in shape:
            continue  # an enumeration is its own example
        (example,) = shape["examples"]
        model = TypeAdapter(documents[name])
        read = model.validate_json(json.dumps(example), strict=True)
        assert json.loads(model.dump_json(read, exclude_unset=True)) == example
    position = shapes["Position"]["properties"]  # its fields are described by their docstrings
    assert position["cost"]["description"] == "What these shares cost, fee included."
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["description"]
            for parameter in operation.get("parameters", ()):
                assert parameter["schema"].get("examples"), parameter


def _luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_of_the_page_can_be_read_on_its_ground(dark):
    css = (files("arb.api") / "page" / "app.css").read_text()
    schemes = [dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in css.split("@media")[:2]]
    colours = schemes[dark]
    pairs = [(name, "card") for name in ("ink", "quiet", "good", "warn", "bad", "calm", "accent")]
    pairs += [(name, f"{name}-bg") for name in ("good", "warn", "bad", "calm")]
    pairs += [("ink", "ground"), ("quiet", "ground"), ("on-accent", "accent")]
    for ink, ground in pairs:
        low, high = sorted(_luminance(colours[name]) for name in (ink, ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_a_token_is_good_from_the_moment_it_is_made_and_gone_when_it_is_revoked(tmp_path):
    path = tmp_path / "tokens.json"
    tokens = Tokens([], path)
    assert tokens.find("x" * 40) is None
    viewer = add_token(path, "viewer", Role.READ)
    assert tokens.find(viewer).name == "viewer"
    other = add_token(path, "other", Role.OPERATE)
    assert tokens.find(viewer).name == "viewer"
    assert tokens.find(other).role is Role.OPERATE
    remove_token(path, "viewer")
    assert tokens.find(viewer) is None
    assert tokens.find(other).role is Role.OPERATE


@pytest.mark.parametrize("spoil", ["text", "mode", "gone"])
def test_a_file_of_tokens_that_cannot_be_used_lets_nobody_in(tmp_path, spoil):
    path = tmp_path / "tokens.json"
    tokens = Tokens([], path)
    token = add_token(path, "viewer", Role.READ)
    assert tokens.find(token) is not None
    if spoil == "text":
        path.write_text("{")
    elif spoil == "mode":
        path.chmod(0o644)
    else:
        path.unlink()
    assert tokens.find(token) is None
