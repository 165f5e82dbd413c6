"""One sentence and one level for each kind of news."""

import typing
from dataclasses import replace
from decimal import Decimal

import pytest

from arb.adapters.polymarket.terms import POLYMARKET
from arb.adapters.telemetry.wording import details, say, spoken
from arb.bootstrap import engine_options, paper_context
from arb.domain import news as told
from arb.domain.attempt import AttemptFact, AttemptStep, AttemptSums
from arb.domain.contradiction import Contradiction
from arb.domain.decision import Approved, Refused
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.market import Side
from arb.domain.money import Shares, Usd
from arb.domain.news import News
from arb.domain.opportunity import Unproven
from arb.domain.plan import PlanState
from arb.domain.reason import Reason
from arb.domain.report import Problem, ProblemKind, Statistics
from arb.domain.venue import ChainState
from arb.engine.orchestrator import ArbitrageOrchestrator
from arb.publisher import Publisher
from tests.conftest import exchange_at, settings_for


@pytest.fixture
async def heard(tmp_path):
    """What a cycle against the embedded exchange tells, and what it did not happen to tell."""
    every: list[News] = []
    async with exchange_at("demo", 3) as (_, address):
        settings = settings_for(address, tmp_path).settings
        async with paper_context(settings, Publisher([every.append])) as context:
            orchestrator = ArbitrageOrchestrator(context, engine_options(settings))
            await orchestrator.run_once()
            await orchestrator.shutdown()
    plan, report = next((n.plan, n.report) for n in every if isinstance(n, told.PlanEnded))
    return [
        *every,
        told.Trouble(Problem(kind=ProblemKind.VENUE, where="venue", what="away")),
        told.StateChanged(TradingState.HALTED, "ten failures"),
        told.StateChanged(TradingState.NORMAL, ""),
        told.CycleSkipped("the last one was at work"),
        told.Running(30),
        told.CycleFailed(3, RuntimeError("kaputt")),
        told.BotChanged("atom", "restarting", "exit code 3"),
        told.PaidOut(plan, "slug", "YES", Shares(Decimal(3)), Usd(Decimal(3))),
        told.PlanResolved(plan, report),
        told.Contradicted(
            Contradiction(
                key="k",
                venue=POLYMARKET,
                kind=plan.kind,
                about=plan.id,
                believed="bring $3",
                seen="it brought $2",
                at=plan.approved_at,
            )
        ),
        told.KindResumed(plan.kind, POLYMARKET, "looked at"),
        told.SignalSeen("RSIStrategy", "plain-1", Side.BUY, "RSI 12 is below 30", "nothing done"),
        told.Attempted(
            "liquidations:default",
            AttemptFact(
                attempt="a1",
                step=AttemptStep.INCLUDED,
                at=plan.approved_at,
                block=7,
                subject="0x1",
                values={"returned_usd": "303.26"},
            ),
        ),
        told.AttemptsLooked(
            "liquidations:default",
            AttemptSums(
                block=7,
                watched=3,
                near=1,
                within_reach=0,
                submissions=1,
                inclusion_rate=Decimal(1),
                accuracy=None,
                failures_in_row=0,
                errors_in_row=0,
                returned=Usd(Decimal(300)),
                volume_today=Usd(Decimal(7750)),
                volume_max=Usd(Decimal(100_000)),
            ),
        ),
        told.AttemptsChanged(
            "liquidations:default",
            Standing(state=TradingState.HALTED, reason="10 errors in a row"),
        ),
        told.ChainSeen(
            POLYMARKET, ChainState(block=7, gas=Decimal(1), gas_least=Decimal(1), coin="POL")
        ),
    ]


async def test_every_kind_of_news_has_its_level_and_a_sentence(heard):
    assert {type(news) for news in heard} == set(typing.get_args(News))
    for news in heard:
        level, sentence = say(news)
        assert level in {"DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"}
        assert sentence
        assert "\n" not in sentence
    levels = {type(news): say(news)[0] for news in heard if not isinstance(news, told.Decided)}
    assert levels[told.CycleStarted] == levels[told.CycleEnded] == levels[told.Stopped] == "INFO"
    assert levels[told.PlanEnded] == levels[told.Ready] == levels[told.Running] == "SUCCESS"
    assert levels[told.RiskChecked] == "DEBUG"
    assert say(told.Running(30.0))[1] == "✓ Arbitrage system started! Scanning every 30s"
    assert levels[told.QualityAlarm] == levels[told.CycleSkipped] == "WARNING"
    assert levels[told.Trouble] == "ERROR"
    assert say(told.StateChanged(TradingState.HALTED, "x"))[0] == "CRITICAL"
    assert say(told.StateChanged(TradingState.THROTTLED, "x"))[0] == "WARNING"
    at = next(news.at for news in heard if isinstance(news, told.CycleStarted))
    assert say(told.CycleStarted(3, at)) == ("INFO", "Starting scan cycle #3")
    assert say(told.Stopped(Statistics(cycles=4)))[1].startswith("Stopped after 4 cycles")


def test_a_risk_check_says_why_nothing_is_traded():
    def line(state, *reasons, can_trade=False):
        status = RiskStatus(can_trade=can_trade, state=state, reasons=reasons)
        return say(told.RiskChecked(3, status))

    nothing = "this cycle trades nothing"
    near, normal, halted = TradingState.THROTTLED, TradingState.NORMAL, TradingState.HALTED
    assert line(normal, can_trade=True) == ("DEBUG", "Risk check passed: trading is normal")
    assert line(near, "near", can_trade=True)[1] == "Risk check passed: trading is throttled: near"
    assert line(normal, "a", "b") == ("WARNING", f"Risk limits exceeded: {nothing}: a; b")
    assert line(halted, "x") == ("WARNING", f"Risk check not passed: {nothing}: x")


async def test_what_was_bought_on_a_signal_promises_nothing(heard):
    ended = next(news for news in heard if isinstance(news, told.PlanEnded))
    plan = replace(ended.plan, payoff_worst=Usd(Decimal(0)))
    report = replace(ended.report, state=PlanState.DONE, locked=Usd(Decimal(5)))
    level, sentence = say(replace(ended, plan=plan, report=report))
    assert level == "SUCCESS"
    assert sentence == f"Plan {report.plan} bought for $5, nothing guaranteed"


async def test_only_a_dry_run_says_that_it_would_execute(heard):
    started = next(news for news in heard if isinstance(news, told.PlanStarted))
    dry, live = (spoken(started, live=live)[1] for live in (False, True))
    assert dry.startswith("[DRY RUN] Would execute trade here; on paper: Executing ")
    assert live.startswith("[LIVE] Executing ")


def test_only_a_problem_of_a_plan_says_whether_its_money_is_real():
    def line(kind):
        return spoken(told.Trouble(Problem(kind=kind, where="plan 7", what="x")), live=True)[1]

    assert line(ProblemKind.PLAN) == "[LIVE] plan 7: x"
    assert line(ProblemKind.MARKET) == "plan 7: x"


async def test_limits_and_thin_books_are_warnings_and_the_rest_is_not(heard):
    decided = [news for news in heard if isinstance(news, told.Decided)]
    refused = next(news for news in decided if isinstance(news.finding, Refused))
    for reason, level in (
        (Reason.DAILY_LOSS, "WARNING"),
        (Reason.CASH, "WARNING"),
        (Reason.SIZED_BELOW_MIN, "WARNING"),
        (Reason.BELOW_MIN_PROFIT, "INFO"),
    ):
        finding = replace(refused.finding, reason=reason)
        assert say(told.Decided(1, finding))[0] == level
        assert reason.value in say(told.Decided(1, finding))[1]
    unproven = next(news.finding for news in decided if not hasattr(news.finding, "opportunity"))
    if not isinstance(unproven, Unproven):
        assert say(told.Decided(1, unproven))[0] == "DEBUG"


async def test_a_plan_that_came_to_nothing_is_an_error(heard):
    ended = next(news for news in heard if isinstance(news, told.PlanEnded))
    report = replace(ended.report, state=PlanState.UNWOUND, reason="the book was empty")
    level, sentence = say(replace(ended, report=report))
    assert level == "ERROR"
    assert "the book was empty" in sentence


async def test_prices_are_told_for_those_who_look_for_a_cause(heard):
    for news in heard:
        lines = details(news)
        if isinstance(news, told.Decided) and isinstance(news.finding, Approved | Refused):
            found = news.finding.opportunity
            assert len(lines) == len(found.legs)
            assert all(line.startswith(found.id) and " @ " in line for line in lines)
        else:
            assert lines == ()
