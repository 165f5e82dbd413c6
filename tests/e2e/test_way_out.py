"""Everything leaves by the way that the environment names, and `doctor` says which that is."""

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from functools import partial

import pytest

from arb.adapters.clock import SystemClock
from arb.adapters.polymarket.emergency import cancel_all
from arb.adapters.polymarket.options import PolymarketOptions
from arb.adapters.polymarket.venue import open_venue
from arb.domain.errors import Unavailable
from arb.net import way
from arb.net.http import HttpOptions, HttpReader
from arb.net.rpc import Rpc, RpcOptions
from tests.conftest import environment_for, exchange_at
from tests.e2e.worlds import live_environment, live_world
from tests.exchange.venue import venue
from tests.programs import arb
from tests.proxies import HOST, proxy

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _no_way_from_outside(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def _far(address):
    """The same exchange by a name that only the proxies know."""
    return address.replace("127.0.0.1", HOST)


@pytest.mark.parametrize(("kind", "variable"), [("http", "HTTP_PROXY"), ("socks", "ALL_PROXY")])
async def test_a_live_run_leaves_by_the_proxy_to_its_last_request(kind, variable, tmp_path):
    """Whatever went directly would find no such host."""
    async with live_world("eoa", "demo", "5000", "cheap-no-2") as (at, wallet), proxy(kind) as by:
        env = live_environment(_far(at.address), tmp_path, wallet) | {variable: by.address}
        run = partial(asyncio.to_thread, arb, env=env, cwd=tmp_path)
        done = await run("run", "--live", "--once", "--json")
        assert done.returncode == 0, done.stderr
        assert [plan["state"] for plan in json.loads(done.stdout)["plans"]] == ["done"]
        assert set(by.seen) == {HOST}
        if kind == "http":
            asked = {path.split("/0x")[0] for path in by.paths}
            assert {"/api/geoblock", "/orders", "/books", "/rpc"} <= asked
            assert any(path.startswith("/auth/") for path in asked)
        done = await run("doctor", "--json")
    checks = {check["check"]: check for check in json.loads(done.stdout)}
    assert checks["way out"]["detail"].startswith(f"requests leave by {by.address};")
    assert checks["geoblock"]["passed"]


async def test_the_emergency_cancel_leaves_by_the_proxy(monkeypatch):
    async with venue() as at, at.client() as client, proxy("http") as by:
        monkeypatch.setenv("HTTP_PROXY", by.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        keys = client.credentials
        left = await asyncio.to_thread(
            cancel_all, _far(at.address), str(client.signer), keys.key, keys.secret,
            keys.passphrase, lambda: int(time.time()), time.monotonic,
        )  # fmt: skip
        assert left == []
        assert by.paths == {"/cancel-all": 1}


async def test_the_geoblock_is_asked_by_the_way_that_orders_go(monkeypatch):
    """Its address alone is spared from the proxy, or alone is not: orders decide."""
    async with exchange_at("demo", 7) as (_, address), proxy("http") as by:
        monkeypatch.setenv("HTTP_PROXY", by.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        places = [(_far(address), address), (address, _far(address))]
        for orders, block in places:
            by.paths.clear()
            options = PolymarketOptions(clob_url=orders, geoblock_url=f"{block}/api/geoblock")
            made = open_venue(options, SystemClock())
            try:
                if orders == _far(address):
                    assert not (await made.health.geoblock()).blocked
                    assert by.paths == {"/api/geoblock": 1}
                else:
                    with pytest.raises(Unavailable):  # directly there is no such host
                        await made.health.geoblock()
                    assert not by.paths
            finally:
                await made.close()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ALL_PROXY": "ftp://x:1"}, "ALL_PROXY is not the address of a proxy; set it to"),
        ({"HTTPS_PROXY": "http://x:99999"}, "HTTPS_PROXY = http://x:99999 is not the address"),
        ({"https_proxy": "https://"}, "https_proxy = https:// is not the address"),
        ({"HTTP_PROXY": "http://me:secret@x:0"}, "HTTP_PROXY = http://x:0 is not the address"),
        ({"HTTP_PROXY": "http://x:1", "NO_PROXY": "127.0.0.1,[::1]"}, "without brackets"),
        (
            {"NO_PROXY": "127.0.0.1,[::1]"},
            "NO_PROXY = 127.0.0.1,[::1] holds something that is not a host",
        ),
        ({"SSL_CERT_FILE": "/not/there"}, "SSL_CERT_FILE = /not/there cannot be used: No such"),
        ({"SSL_CERT_FILE": "/etc/hostname"}, "SSL_CERT_FILE = /etc/hostname cannot be used"),
        ({"SSL_CERT_DIR": "/not/there"}, "SSL_CERT_DIR = /not/there is not a folder"),
    ],
)
def test_a_way_that_cannot_be_used_is_a_wrong_setting(variables, said, tmp_path):
    env = environment_for("http://127.0.0.1:9", tmp_path) | variables
    done = arb("run", "--once", env=env, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "internal error" not in done.stderr


def test_a_way_that_cannot_be_used_stops_neither_doctor_nor_halt(tmp_path):
    env = environment_for("http://127.0.0.1:9", tmp_path) | {"SSL_CERT_FILE": "/not/there"}
    doctor = arb("doctor", env=env, cwd=tmp_path)
    assert doctor.returncode == 2
    assert "SSL_CERT_FILE" in doctor.stdout
    assert arb("halt", env=env, cwd=tmp_path).returncode == 0


def test_the_demo_needs_no_exception_from_the_proxy(tmp_path):
    env = environment_for("http://127.0.0.1:9", tmp_path) | {"ALL_PROXY": "socks5h://127.0.0.1:9"}
    done = arb("demo", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_proxy_that_an_address_gets_is_the_one_that_httpx_takes(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://one:1")
    monkeypatch.setenv("ALL_PROXY", "socks5://two:2")
    monkeypatch.setenv("NO_PROXY", "spared.test,.inner.test,10.0.0.1,::1")
    assert way.proxy_for("http://a.test/x") == "http://one:1"
    assert way.proxy_for("https://a.test/x") == "socks5://two:2"
    for spared in (
        "https://spared.test/",
        "http://x.inner.test",
        "http://10.0.0.1",
        "http://[::1]",
    ):
        assert way.proxy_for(spared) is None


@pytest.fixture
def certificate(tmp_path):
    """A certificate that is its own authority, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    key, made = tmp_path / "key.pem", tmp_path / "company.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


async def test_an_authority_of_ones_own_holds_for_reads_and_nodes(certificate, monkeypatch):
    made, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split()[0]) if b"POST" in head else 0
        asked = json.loads(await reader.readexactly(length)) if length else {"method": "", "id": 1}
        result = "0x89" if asked["method"] == "eth_chainId" else "0x5"
        body = json.dumps({"id": asked["id"], "result": result}).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def both():
        reader = HttpReader(
            HttpOptions(attempts=1), monotonic=time.monotonic, now=SystemClock().now
        )
        rpc = Rpc(RpcOptions(urls=(url,)), monotonic=time.monotonic)
        try:
            return [
                await asyncio.gather(work, return_exceptions=True)
                for work in (reader.get("x", url), rpc.gas_price())
            ]
        finally:
            await reader.close()
            await rpc.close()

    for (failed,) in await both():
        assert isinstance(failed, Unavailable)
        assert "an unknown authority; SSL_CERT_FILE" in str(failed)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    (read,), (price,) = await both()
    assert b"result" in read
    assert price == 5
    server.close()
