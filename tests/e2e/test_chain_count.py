"""Before YES of all outcomes is bought, the chain says how many there are: over real HTTP."""

import asyncio
import json

import httpx
import pytest
from starlette.responses import Response

from arb.cli.output import render_report
from arb.exchange.chain.app import ChainApi
from arb.runtime.running import run_once
from tests.conftest import exchange_at, settings_for
from tests.e2e.worlds import live_settings, live_world
from tests.editing import edited

COUNT = "b7f75d2c"
"""Selector of `getQuestionCount(bytes32)`."""


def _word(number):
    return f"0x{number:064x}"


class Chain:
    """An edit that counts what the chain is asked, and answers otherwise where it is told to."""

    def __init__(self, answer=None, listing=None):
        self.asked, self._answer, self._listing = [], answer, listing

    def __call__(self, path, query, document):
        if path == "/events/keyset" and self._listing:
            self._listing(document)
        if path == "/rpc" and COUNT in query["body"]:
            (call, _) = json.loads(query["body"])["params"]
            self.asked.append(call["data"][-64:])
            if self._answer:
                return self._answer(document, self.asked)
        return document


async def _control(address, **chain):
    async with httpx.AsyncClient(trust_env=False) as client:
        told = await client.post(f"{address}/_control", json={"chain": {"conduct": chain}})
        assert told.status_code == 200


async def _run(tmp_path, edit, cycles=1, **chain):
    async with exchange_at("demo", 7) as (_, address), edited(address, edit) as front:
        if chain:
            await _control(address, **chain)
        loaded = settings_for(front, tmp_path)
        reports = [render_report((await run_once(loaded))[0]) for _ in range(cycles)]
    return reports[0] if cycles == 1 else reports


def _of(report, kind, other=False):
    return [one for one in report["opportunities"] if (one["kind"] == kind) is not other]


def _said(opportunities):
    return {(one["event"], one["decision"], one["reason"], one["size"]) for one in opportunities}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The world as it is, and what the chain was asked in it."""
    edit = Chain()
    report = asyncio.run(_run(tmp_path_factory.mktemp("usual"), edit))
    on_v1 = [one for one in _of(report, "negrisk_yes") if one["event"] != "cheap-yes-v2"]
    assert len(on_v1) >= 2
    return report, on_v1, edit.asked


def _same_but_yes_sets(report, usual):
    whole, on_v1, _ = usual
    events = {one["event"] for one in on_v1}
    kept = [one for one in whole["opportunities"] if one["event"] not in events]
    got = [one for one in report["opportunities"] if one["event"] not in events]
    return _said(got) == _said(kept)


def test_only_sets_of_all_yes_are_asked_about_and_again_before_they_are_bought(usual):
    _, on_v1, asked = usual
    bought = sum(one["decision"] == "approved" for one in on_v1)
    assert bought > 0
    assert len(set(asked)) == len(on_v1)
    assert len(asked) == len(on_v1) + bought


async def test_an_outcome_that_only_the_chain_knows_of_bars_the_set_and_is_an_alarm(
    tmp_path, usual
):
    report = await _run(tmp_path, Chain(), hidden_questions=1)
    sets = [one for one in _of(report, "negrisk_yes") if one["event"] != "cheap-yes-v2"]
    assert {one["reason"] for one in sets} <= {"chain_count_differs", "below_min_profit"}
    assert not any(one["decision"] == "approved" for one in sets)
    alarms = [one for one in report["data_quality"] if one["problem"] == "chain_count_differs"]
    assert len(alarms) == len(sets) == len(usual[1])
    assert all("the chain counts" in one["detail"] for one in alarms)
    assert _same_but_yes_sets(report, usual)


@pytest.mark.parametrize("hidden", [0, 1])
async def test_the_exchange_counts_without_the_libraries_of_live_trading(
    tmp_path, usual, monkeypatch, hidden
):
    """The base install has none of them, and its demo buys the same sets."""

    def missing(_self):
        raise ImportError("eth_abi")

    monkeypatch.setattr(ChainApi, "_made", missing)
    report = await _run(tmp_path, Chain(), **({"hidden_questions": 1} if hidden else {}))
    sets = [one for one in _of(report, "negrisk_yes") if one["event"] != "cheap-yes-v2"]
    if hidden:
        assert "chain_count_differs" in {one["reason"] for one in sets}
    else:
        assert _said(sets) == _said(usual[1])


async def test_a_market_that_the_listing_leaves_out_is_missed(tmp_path, usual):
    bought = next(one["event"] for one in usual[1] if one["decision"] == "approved")

    def leave_one_out(page):
        (event,) = [one for one in page["events"] if one["slug"] == bought]
        event["markets"].pop()

    report = await _run(tmp_path, Chain(listing=leave_one_out))
    (found,) = [one for one in report["opportunities"] if one["event"] == bought]
    assert (found["decision"], found["reason"]) == ("refused", "chain_count_differs")


def _result(text):
    return lambda document, _: document | {"result": text}


SILENT = {
    "no contract": _result("0x"),
    "no hex": _result("0xzz"),
    "no text": _result(5),
    "nothing": _result(None),
    "two words": _result(_word(3) + "0" * 64),
    "more than there can be": _result(_word(2**255 + 3)),
    "no JSON": lambda document, _: Response("<html>", 200),
    "an error": lambda document, _: {"id": document["id"], "error": {"code": -32000}},
    "a revert": lambda document, _: {
        "id": document["id"],
        "error": {"code": 3, "message": "execution reverted"},
    },
    "another's answer": lambda document, _: document | {"id": 10**9},
}


@pytest.mark.parametrize("how", SILENT)
async def test_a_chain_that_does_not_say_bars_the_set_without_an_alarm(tmp_path, usual, how):
    report = await _run(tmp_path, Chain(SILENT[how]))
    sets = [one for one in _of(report, "negrisk_yes") if one["event"] != "cheap-yes-v2"]
    assert {one["reason"] for one in sets} <= {"chain_count_unknown", "below_min_profit"}
    assert not any(one["decision"] == "approved" for one in sets)
    assert report["data_quality_count"] == usual[0]["data_quality_count"]
    named = [one["what"] for one in report["errors"] if one["where"] == "chain"]
    assert len(named) == len(sets)
    assert all("questions of 0x" in what for what in named)
    assert _same_but_yes_sets(report, usual)


async def test_a_chain_that_was_away_is_asked_again_in_the_next_cycle(tmp_path, usual):
    async with exchange_at("demo", 7) as (_, address):
        loaded = settings_for(address, tmp_path, **{"polymarket.universe_max_age_seconds": 0})
        await _control(address, rpc_down=True)
        away = render_report((await run_once(loaded))[0])
        await _control(address, rpc_down=False)
        back = render_report((await run_once(loaded))[0])
    wanted = {one["event"] for one in usual[1] if one["decision"] == "approved"}
    assert wanted

    def bought(report):
        return {o["event"] for o in report["opportunities"] if o["decision"] == "approved"}

    assert not wanted & bought(away)
    assert wanted <= bought(back)


def _from(number, otherwise):
    """The first look at each group is as it is; from its given reading on it is otherwise."""

    def answer(document, asked):
        return otherwise(document) if asked.count(asked[-1]) >= number else document

    return answer


@pytest.mark.parametrize(
    ("otherwise", "reason", "alarms"),
    [
        (lambda d: d | {"result": _word(int(d["result"], 16) + 1)}, "chain_count_differs", True),
        (lambda d: d | {"result": "0x"}, "chain_count_unknown", False),
    ],
)
async def test_the_chain_has_the_last_word_right_before_the_set_is_bought(
    tmp_path, usual, otherwise, reason, alarms
):
    report = await _run(tmp_path, Chain(_from(2, otherwise)))
    events = {one["event"] for one in usual[1] if one["decision"] == "approved"}
    ended = [one for one in report["opportunities"] if one["event"] in events]
    assert {(one["decision"], one["reason"]) for one in ended} == {("refused", reason)}
    assert len(report["plans"]) == len(usual[0]["plans"]) - len(events)
    raised = report["data_quality_count"] - usual[0]["data_quality_count"]
    assert raised == (len(events) if alarms else 0)


@pytest.mark.parametrize(("hidden", "filled"), [(0, True), (1, False)])
async def test_live_too(tmp_path, usual, hidden, filled):
    bought = next(one["event"] for one in usual[1] if one["decision"] == "approved")
    async with live_world("eoa", only=bought) as (at, wallet):
        await at.control(chain={"conduct": {"hidden_questions": hidden}})
        report, _, _ = await run_once(live_settings(at.address, tmp_path, wallet), live=True)
    (found,) = render_report(report)["opportunities"]
    assert found["decision"] == ("approved" if filled else "refused")
    assert found["reason"] == (None if filled else "chain_count_differs")
    assert bool(report.plans) is filled
