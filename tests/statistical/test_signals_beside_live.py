"""Beside a run with real money signals are followed on paper: the wallet never moves for them."""

import re

import httpx

from tests.e2e.worlds import live_environment, live_world
from tests.faults.world import eventually
from tests.programs import Program

WAIT_SECONDS = 120
TOKEN = "the-token-of-this-test-alone"
ALWAYS = {"rsi_period": 2, "oversold": "99.99", "overbought": 100}


async def test_signals_beside_a_live_run_are_followed_on_paper(tmp_path):
    async with live_world("eoa", scenario="quiet") as (at, wallet):
        at.exchange.history.imagine(5, "1")
        at.market("plain-1", bid="0.49", ask="0.50", size=5000)
        before = await at.account(wallet)
        env = live_environment(at.address, tmp_path, wallet) | {
            "ARB_API__PORT": "0",
            "ARB_API__TOKEN": TOKEN,
            "ARB_SIGNALS__ENABLED": "true",
            "ARB_SIGNALS__STRATEGY_INTERVAL": "3600",
            "ARB_SIGNALS__WARM_UP": "24",
        }
        run = Program(tmp_path / "run", "run", "--live", "--interval", "0.5", "--api", env=env)
        try:

            async def address():
                assert run.process.poll() is None, run.err.read_text()
                return re.search(r"http://127\.0\.0\.1:\d+(?=/)", run.err.read_text())

            where = (await eventually(address))[0]
            headers = {"authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(
                base_url=where, headers=headers, trust_env=False, timeout=WAIT_SECONDS
            ) as api:
                body = {"strategy_name": "RSIStrategy", "symbol": "plain-1", "params": ALWAYS}

                async def added():
                    return (await api.post("/api/v1/bot/strategy/add", json=body)).is_success

                async def held():
                    (row,) = (await api.get("/api/v1/signals")).json()["strategies"]
                    return row["position"]

                await eventually(added)
                position = await eventually(held)
                status = (await api.get("/api/v1/bot/status")).json()
                mine = (await api.get("/api/v1/signals")).json()
            assert float(position["cost"]) > 900
            assert (status["mode"], mine["mode"]) == ("live", "dry-run")
            assert (status["account"], mine["account"]) == (
                f"polymarket:{wallet.lower()}", "paper:signals",
            )  # fmt: skip
            assert await at.account(wallet) == before
            run.stop()
        finally:
            run.kill()
