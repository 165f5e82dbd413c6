"""An orchestrator over the embedded exchange with its API on a loopback port."""

import asyncio
import contextlib

import httpx
import pytest

from arb.api.auth import Role, Token, Tokens, digest_of
from arb.bootstrap import paper_context
from arb.runtime import server
from arb.runtime.alerts import with_alerts
from arb.runtime.bots import with_bots
from tests.conftest import exchange_at, settings_for

TOKENS = {role: f"token-of-{role.value}-0123456789abcdef" for role in Role}


class World:
    """What a test talks to."""

    def __init__(self, address, found, folder):
        self.address, self.found, self.folder = address, found, folder
        self.control = found.control

    def headers(self, role=Role.TRADE):
        return {"authorization": f"Bearer {TOKENS[role]}"}

    def client(self, role=Role.TRADE, **more):
        headers = self.headers(role) if role else {}
        return httpx.AsyncClient(
            base_url=self.address, headers=headers, trust_env=False, timeout=120, **more
        )


@contextlib.asynccontextmanager
async def world(folder, monkeypatch, scenario="demo", **flags):
    """The API serves while the block runs; cycles run when the test says so."""
    tokens = Tokens(Token(role.value, role, digest_of(text)) for role, text in TOKENS.items())
    monkeypatch.setattr(server, "_tokens", lambda *_: (tokens, None))
    async with exchange_at(scenario, 7) as (_, address):
        flags = {
            "api.enabled": True,
            "api.port": 0,
            "api.audit_file": str(folder / "audit.jsonl"),
            "api.requests_per_minute": 1_000_000,
            **flags,
        }
        loaded = settings_for(address, folder, **flags)
        where = []
        async with (
            paper_context(loaded.settings) as context,
            with_alerts(loaded, context.ledger, context.clock, context.news) as alerts,
            with_bots(loaded, context) as (whole, bots),
        ):
            sidecars = server.Sidecars(alerts, bots)
            found = server.controlled(loaded, whole, sidecars)
            async with server.serving(loaded, found, lambda at, _: where.append(at)):
                await found.orchestrator.setup()
                found.control.start()
                yield World(where[0], found, folder)


@pytest.fixture
async def served(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
async def settled(served):
    """The same after one cycle."""
    await served.found.orchestrator.scan_cycle()
    await asyncio.sleep(0)
    return served
