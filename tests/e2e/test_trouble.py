"""What goes wrong at the venue: nothing crashes, everything is counted, others are unaffected."""

import asyncio
import json
import subprocess
import sys
import time

import httpx
import pytest

from arb.adapters.clock import SystemClock
from arb.cli.output import render_report
from arb.domain.errors import VenueError
from arb.exchange.api.server import serve
from arb.exchange.market.scenario import build
from arb.runtime.running import run_once, run_scheduled, scan
from tests.conftest import environment_for, exchange_at, settings_for


async def _order(address, **order):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{address}/_control", json=order)
    assert answer.json() == {"done": True}, answer.text


def test_a_stopped_exchange_ends_the_run_with_exit_3_and_one_line(tmp_path):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "arb", "run", "--once", "--json"],
        env=environment_for("http://127.0.0.1:9", tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert time.monotonic() - started < 60
    assert done.returncode == 3
    said = [line for line in done.stderr.splitlines() if line.startswith("arb: ")]
    assert len(said) == 1
    assert "127.0.0.1:9" in said[0]
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["errors"]


async def test_the_schedule_survives_an_outage_and_recovers_by_itself(tmp_path):
    exchange = build("demo", 4, SystemClock())
    reports = []
    async with serve(exchange) as address:
        port = int(address.rsplit(":", 1)[1])
    flags = {"arbitrage.scan_interval": 0.5, "polymarket.attempts": 1}
    loaded = settings_for(address, tmp_path, **flags)
    running = asyncio.create_task(run_scheduled(loaded, reports.append, cycles=6))
    while not reports:
        await asyncio.sleep(0.05)
    async with serve(exchange, port=port):
        statistics, still_open = await running
    assert not reports[0].reachable
    assert reports[-1].reachable
    assert statistics.cycles == 6
    assert statistics.trades > 0
    assert still_open == 0


BODIES = ["garbage", "truncated", "huge", "wrong_types", "empty"]


@pytest.mark.parametrize("body", BODIES)
async def test_a_bad_listing_ends_the_cycle_not_the_program(body, tmp_path):
    flags = {"polymarket.body_bytes_max": 5_000_000}
    async with exchange_at("demo", 1) as (_, address):
        await _order(address, fault={"endpoint": "/events", "body": body, "times": -1})
        report, statistics, _ = await run_once(settings_for(address, tmp_path, **flags))
        assert not report.reachable
        assert report.errors
        await _order(address, clear=True)
        report, statistics, _ = await run_once(settings_for(address, tmp_path, **flags))
    assert report.reachable
    assert statistics.cycles == 2


@pytest.mark.parametrize("body", BODIES)
async def test_one_bad_answer_of_books_loses_those_books_only(body, tmp_path):
    flags = {"polymarket.body_bytes_max": 5_000_000, "polymarket.books_per_request": 40}
    async with exchange_at("demo", 1) as (exchange, address):
        # A connection that is refused a whole answer asks again, so every attempt is spoilt.
        await _order(address, fault={"endpoint": "/books", "body": body, "times": 1})
        report = await scan(settings_for(address, tmp_path, **flags))
    document = render_report(report)
    assert report.errors
    assert (
        0 < document["completeness"]["books_received"] < document["completeness"]["books_expected"]
    )
    planted = {one.event for one in exchange.planted}
    found = {one["event"] for one in document["opportunities"]}
    assert found <= planted
    assert found


@pytest.mark.parametrize("body", BODIES)
async def test_a_market_that_the_exchange_does_not_confirm_is_refused(body, tmp_path):
    flags = {"polymarket.body_bytes_max": 5_000_000}
    async with exchange_at("demo", 1) as (_, address):
        await _order(address, fault={"endpoint": "/clob-markets", "body": body, "times": -1})
        report, statistics, _ = await run_once(settings_for(address, tmp_path, **flags))
    reasons = {one["reason"] for one in render_report(report)["opportunities"]}
    assert reasons <= {"market_unconfirmed", "below_min_profit", "crossed_book"}
    assert "market_unconfirmed" in reasons
    assert statistics.trades == 0


async def test_a_rule_that_the_listing_does_not_tell_is_found_by_asking_the_exchange(tmp_path):
    async with exchange_at("demo", 1) as (exchange, address):
        planted = next(one for one in exchange.planted if one.event == "cheap-no-1")
        event = next(e for e in exchange.events if e.slug == planted.event)
        event.markets[0].taker_delay = True
        report, _, _ = await run_once(settings_for(address, tmp_path))
    found = {one["event"]: one for one in render_report(report)["opportunities"]}
    assert (found["cheap-no-1"]["decision"], found["cheap-no-1"]["reason"]) == (
        "refused",
        "delayed",
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 425},
        {"status": 429, "retry_after": 1},
        {"drop": True},
    ],
    ids=["503", "425", "429", "dropped"],
)
async def test_a_passing_fault_is_ridden_out_by_asking_again(fault, tmp_path):
    async with exchange_at("demo", 6) as (exchange, address):
        for endpoint in ("/events", "/books"):
            await _order(address, fault={"endpoint": endpoint, "times": 1, **fault})
        started = time.monotonic()
        report = await scan(settings_for(address, tmp_path))
    assert report.reachable
    assert {o.event for o in exchange.planted} == {
        one["event"] for one in render_report(report)["opportunities"]
    }
    if fault.get("retry_after"):
        assert time.monotonic() - started > 2


async def test_a_refusal_is_not_asked_again(tmp_path):
    async with exchange_at("demo", 6) as (_, address):
        await _order(address, fault={"endpoint": "/events", "status": 403, "times": 1})
        with pytest.raises(VenueError, match="403"):
            await scan(settings_for(address, tmp_path))


async def test_an_edge_that_is_gone_when_looked_at_again_is_refused(tmp_path, monkeypatch):
    async with exchange_at("demo", 1) as (exchange, address):
        loaded = settings_for(address, tmp_path)
        original = exchange.go_on
        asked = []

        def go_on():
            asked.append(1)
            if len(asked) == 2:
                for market in exchange.markets():
                    if market.neg_risk:
                        market.bids = tuple(
                            (p // 2 // 10_000 * 10_000 or 10_000, s) for p, s in market.bids[:1]
                        )
                exchange.touch(list(exchange.markets()))
            original()

        monkeypatch.setattr(type(exchange), "go_on", lambda _self: go_on())
        report, statistics, _ = await run_once(loaded)
    document = render_report(report)
    kinds = {one["kind"]: one for one in document["opportunities"] if one["reason"]}
    assert any(one["reason"] == "edge_vanished" for one in document["opportunities"])
    assert kinds
    assert statistics.failures == 0


async def test_unreadable_answers_are_kept_for_inspection(tmp_path):
    async with exchange_at("demo", 1) as (_, address):
        report = await scan(settings_for(address, tmp_path))
    kept = list((tmp_path / "quarantine").iterdir())
    assert len(kept) == report.completeness.markets_unreadable == 2
    assert "3 outcomes" in kept[0].read_text()
