"""Figures for CloudWatch: counted without the API, signed, kept while it is away, never waited for."""

import asyncio
import gzip
import json
import re
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from arb.testing import builders as make

pytest.importorskip("boto3", reason="the extra `cloudwatch` is not installed")

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ParamValidationError
from botocore.stub import Stubber

from arb.adapters.telemetry import cloudwatch as module
from arb.adapters.telemetry.cloudwatch import (
    QUEUE_MAX,
    CloudWatch,
    CloudWatchOptions,
    Exporter,
    Sample,
    shown,
)
from arb.adapters.telemetry.figures import Figure, Figures, Spread, Unit, of_account
from arb.config.sources import load
from arb.domain.errors import ConfigError, LedgerError
from arb.domain.halt import RiskStatus, Standing, TradingState
from arb.domain.money import NO_USD
from arb.domain.news import CycleEnded, CycleSkipped, PlanEnded, PlanStarted, Trouble
from arb.domain.plan import ExecutionReport, PlanState
from arb.domain.reason import Reason
from arb.domain.report import Completeness, CycleReport, Problem, ProblemKind, Statistics
from arb.runtime.cloudwatch import Sampler
from arb.runtime.running import run_once, run_scheduled
from arb.testing.builders import NOON
from tests.adapters.test_ledger import _plan
from tests.conftest import exchange_at, settings_for
from tests.house.test_operation import METRICS

KEY, SECRET = "AKIATESTTESTTEST", "secret-for-tests-only"
OPTIONS = CloudWatchOptions(namespace="arb", region="eu-west-1")
WALLET = "0x" + "ab12" + "0" * 32 + "cd34"


def _report(**more):
    return CycleReport(
        run=1,
        mode="dry-run",
        account="paper:default",
        started_at=NOON,
        duration_ms=1500,
        markets=3,
        books=6,
        completeness=Completeness(books_expected=8, books_received=6),
        risk=RiskStatus(can_trade=True, state=TradingState.NORMAL),
        **more,
    )


def _named(figures):
    return {(f.name, f.label[1] if f.label else ""): f.value for f in figures}


def _sample(number=0):
    return Sample(at=NOON, figures=(Figure(name="n", value=number, unit=Unit.COUNT),))


SINCE_THE_START = [("arb_inclusion_rate", ""), ("arb_simulation_accuracy", "")]


def test_news_is_counted_between_two_looks():
    figures, plan = Figures(), _plan()
    figures(CycleEnded(_report()))
    figures(CycleEnded(replace(_report(), duration_ms=500)))
    figures(CycleSkipped("late"))
    figures(Trouble(Problem(kind=ProblemKind.BOOKS, where="/books", what="503")))
    figures(PlanStarted(plan))
    ended = ExecutionReport(plan=plan.id, state=PlanState.DONE, realised=NO_USD, locked=NO_USD)
    figures(PlanEnded(plan, ended, Reason.FILLED))
    first = _named(figures.take())
    assert first["arb_cycles_total", "ok"] == 2
    assert first["arb_cycles_total", "unreachable"] == 0
    assert first["arb_cycles_skipped_total", ""] == 1
    assert first["arb_errors_total", ""] == 1
    assert first["arb_plans_started_total", ""] == 1
    assert first["arb_plans_ended_total", "done"] == 1
    assert first["arb_cycle_seconds", ""] == Spread(2, 2.0, 0.5, 1.5)
    assert first["arb_seen", "books_missing"] == 2
    second = _named(figures.take())
    assert set(second) == {key for key in first if key[0] not in ("arb_cycle_seconds", "arb_seen")}
    assert not any(value for key, value in second.items() if key not in SINCE_THE_START)
    assert [second[key] for key in SINCE_THE_START] == [1, 0]  # filled, and nothing came of it


def test_every_figure_is_a_documented_metric_with_a_documented_label():
    figures = Figures()
    figures(CycleEnded(_report()))
    account = of_account(make.portfolio(7), Statistics(), Standing())
    taken = [*figures.take(), *account]
    assert len({f.name for f in taken}) >= 12
    for figure in taken:
        assert {figure.label[0]} <= METRICS[figure.name] if figure.label else figure.name in METRICS
    assert _named(account)["arb_trading_state", "normal"] == 1
    assert _named(account)["arb_trading_state", "halted"] == 0


def test_the_request_has_the_form_that_the_service_wants():
    cloud = CloudWatch(OPTIONS, f"polymarket:{WALLET}")
    cloud.client = cloud._connect()
    dimension = {"Name": "account", "Value": "polymarket:0xab12..cd34"}
    figures = (
        Figure(name="arb_cycles_total", value=3, unit=Unit.COUNT, label=("result", "ok")),
        Figure(name="arb_cycle_seconds", value=Spread(2, 3.5, 1, 2.5), unit=Unit.SECONDS),
        Figure(name="arb_cash_usd", value=9.5),
    )
    expected = [
        {
            "MetricName": "arb_cycles_total",
            "Dimensions": [dimension, {"Name": "result", "Value": "ok"}],
            "Timestamp": NOON,
            "Unit": "Count",
            "Value": 3,
        },
        {
            "MetricName": "arb_cycle_seconds",
            "Dimensions": [dimension],
            "Timestamp": NOON,
            "Unit": "Seconds",
            "StatisticValues": {"SampleCount": 2, "Sum": 3.5, "Minimum": 1, "Maximum": 2.5},
        },
        {
            "MetricName": "arb_cash_usd",
            "Dimensions": [dimension],
            "Timestamp": NOON,
            "Unit": "None",
            "Value": 9.5,
        },
    ]
    with Stubber(cloud.client) as stub:
        stub.add_response("put_metric_data", {}, {"Namespace": "arb", "MetricData": expected})
        cloud.put(Sample(at=NOON, figures=figures))
        stub.assert_no_pending_responses()
        stub.add_client_error("put_metric_data", "ThrottlingException", http_status_code=400)
        with pytest.raises(cloud.client.exceptions.ClientError):
            cloud.put(Sample(at=NOON, figures=figures))
    with pytest.raises(ParamValidationError):
        cloud.put(Sample(at=NOON, figures=(Figure(name="n", value="much"),)))


def test_an_account_is_shown_by_the_ends_of_its_wallet():
    assert shown("paper:default") == "paper:default"
    assert shown("paper:größe") == "paper:gr??e"
    assert shown(f"polymarket:{WALLET}") == "polymarket:0xab12..cd34"


def _until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_samples_that_were_not_taken_wait_in_order_and_the_trouble_is_told_once():
    got, told, good = [], [], threading.Event()

    def put(sample):
        if not good.is_set():
            raise OSError("no network")
        got.append(sample.figures[0].value)

    exporter = Exporter(put, told.append, pause_seconds=0.001)
    for number in range(5):
        exporter.send(_sample(number))
    _until(lambda: exporter.counts["failed"] >= 3)
    assert len(told) == 1
    assert "OSError: no network" in told[0]
    good.set()
    _until(lambda: len(got) == 5)
    assert got == [0, 1, 2, 3, 4]
    assert told[1:] == ["accepts figures again"]
    assert exporter.close(5)


def test_a_service_that_hangs_holds_nothing_up_and_fills_no_memory():
    hang, got = threading.Event(), []

    def put(sample):
        hang.wait(300)
        got.append(sample.figures[0].value)

    exporter = Exporter(put, lambda _: None)
    began = time.monotonic()
    exporter.send(_sample(-1))
    _until(lambda: not exporter._waiting)
    for number in range(1000):
        exporter.send(_sample(number))
    assert not exporter.close(0.05)
    assert time.monotonic() - began < 60
    assert len(exporter._waiting) == QUEUE_MAX
    assert exporter.counts["dropped"] == 1000 - QUEUE_MAX
    hang.set()
    exporter._thread.join(60)
    assert got == [-1, *range(1000 - QUEUE_MAX, 1000)]


async def test_while_the_ledger_is_away_what_was_counted_is_told_all_the_same():
    class Away:
        async def portfolio(self, _now):
            raise LedgerError("gone")

    class Fixed:
        def now(self):
            return NOON

    got = []
    exporter = Exporter(got.append, lambda _: None)
    sampler = Sampler(exporter=exporter, ledger=Away(), clock=Fixed(), interval_seconds=60)
    sampler.figures(CycleSkipped("away"))
    await sampler.sample()
    assert await asyncio.to_thread(exporter.close, 5)
    named = _named(got[0].figures)
    assert named["arb_cycles_skipped_total", ""] == 1
    assert ("arb_cash_usd", "") not in named


def test_what_is_missing_is_named_with_its_fix(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigError, match="ARB_CLOUDWATCH__REGION"):
        CloudWatch(CloudWatchOptions(namespace="arb"), "paper:default")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigError, match="nobody"):
        CloudWatch(OPTIONS, "paper:default")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"\[cloudwatch\]"):
        CloudWatch(OPTIONS, "paper:default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespace", ""),
        ("namespace", ":arb"),
        ("region", "eu west"),
        ("endpoint_url", "ftp://x"),
        ("interval", 0.5),
    ],
)
def test_settings_that_cannot_work_are_refused(name, value, tmp_path):
    with pytest.raises(ConfigError, match=f"cloudwatch.{name}"):
        load(flags={f"cloudwatch.{name}": value}, folder=tmp_path)


ANSWERS = {
    "take": (200, b"{}"),
    "break": (500, b'{"__type": "InternalServiceFault"}'),
    "throttle": (400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'),
}


class _Handler(BaseHTTPRequestHandler):
    """As much of the service as takes samples: it checks every signature."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        conduct = self.server.conduct.pop(0) if self.server.conduct else "take"
        self.server.asked.append(conduct)
        if conduct == "hang":
            self.server.ended.wait(120)
            self.close_connection = True
            return
        try:
            _check_signature(self, body)
            assert self.headers["X-Amz-Target"].endswith(".PutMetricData")
            if conduct == "take":
                packed = self.headers["Content-Encoding"] == "gzip"
                self.server.got.append(json.loads(gzip.decompress(body) if packed else body))
        except Exception as error:  # noqa: BLE001  # told to the test
            self.server.wrong.append(error)
        status, answer = ANSWERS[conduct]
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def _check_signature(handler, body):
    """Sign what arrived as the caller must have, and compare."""
    said = handler.headers["Authorization"]
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=(\w{64})", said
    )
    scope, names, signature = found.groups()
    assert scope == f"{KEY}/{handler.headers['X-Amz-Date'][:8]}/eu-west-1/monitoring/aws4_request"
    assert {"host", "x-amz-date", "content-type"} <= set(names.split(";"))
    url = f"http://{handler.headers['Host']}{handler.path}"
    headers = {name: handler.headers[name] for name in names.split(";")}
    request = AWSRequest(method="POST", url=url, data=body, headers=headers)
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(KEY, SECRET), "monitoring", "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert signer.signature(text, request) == signature


class _Service(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def service(monkeypatch):
    """The service on loopback, with credentials that it knows."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    server = _Service(("127.0.0.1", 0), _Handler)
    server.conduct, server.asked, server.got, server.wrong = [], [], [], []
    server.ended = threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()
    assert not server.wrong, server.wrong


def test_what_the_service_refuses_or_never_answers_arrives_later_once_and_signed(
    service, monkeypatch
):
    monkeypatch.setattr(module, "READ_SECONDS", 0.3)
    # Two of the library's own attempts each; then the sample waits for its next turn.
    service.conduct = ["break"] * 2 + ["throttle"] * 2 + ["hang"] * 2 + ["break"]
    told = []
    cloud = CloudWatch(replace(OPTIONS, endpoint_url=service.address), "paper:default")
    exporter = Exporter(cloud.put, told.append, pause_seconds=0.01)
    for number in range(3):
        exporter.send(_sample(number))
    _until(lambda: exporter.counts["sent"] == 3)
    assert exporter.close(5)
    assert [got["MetricData"][0]["Value"] for got in service.got] == [0, 1, 2]
    assert exporter.counts["failed"] == 3
    assert service.asked == [
        *["break"] * 2,
        *["throttle"] * 2,
        *["hang"] * 2,
        "break",
        *["take"] * 3,
    ]
    assert len(told) == 2
    assert SECRET not in "".join(told)
    first = service.got[0]
    assert first["Namespace"] == "arb"
    assert first["MetricData"][0]["Timestamp"] == NOON.timestamp()
    assert first["MetricData"][0]["Dimensions"] == [{"Name": "account", "Value": "paper:default"}]


def _flags(service, **more):
    return {
        "cloudwatch.enabled": True,
        "cloudwatch.region": "eu-west-1",
        "cloudwatch.endpoint_url": service.address,
        **more,
    }


async def test_one_cycle_tells_its_figures_without_the_api(service, tmp_path):
    async with exchange_at("demo", 7) as (_, address):
        loaded = settings_for(address, tmp_path, **_flags(service))
        assert not loaded.settings.api.enabled
        report, statistics, _ = await run_once(loaded)
    (got,) = service.got
    told = {
        (each["MetricName"], each["Dimensions"][-1]["Value"]): each for each in got["MetricData"]
    }
    assert told["arb_cycles_total", "ok"]["Value"] == 1
    assert told["arb_plans_ended_total", "done"]["Value"] == len(report.plans) > 0
    assert told["arb_opportunities_total", "approved"]["Value"] == report.funnel.approved
    assert told["arb_seen", "books"]["Value"] == report.books
    seconds = told["arb_cycle_seconds", "paper:default"]["StatisticValues"]
    assert (seconds["SampleCount"], seconds["Sum"]) == (1, report.duration_ms / 1000)
    assert told["arb_profit_usd", "paper:default"]["Value"] == pytest.approx(
        float(statistics.realised)
    )


@pytest.mark.parametrize("conduct", ["hang", "break"])
async def test_trading_goes_on_beside_a_service_that_hangs_or_breaks(
    conduct, service, tmp_path, monkeypatch
):
    monkeypatch.setattr("arb.runtime.cloudwatch.CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(module, "READ_SECONDS", 300)
    service.conduct = [conduct] * 1000
    reports = []
    flags = _flags(service, **{"cloudwatch.interval": 1, "arbitrage.scan_interval": 0.3})
    async with exchange_at("demo", 7) as (_, address):
        loaded = settings_for(address, tmp_path, **flags)
        began = time.monotonic()
        await run_scheduled(loaded, reports.append, cycles=5)
        took = time.monotonic() - began
    assert service.asked
    assert len(reports) == 5
    assert sum(len(report.plans) for report in reports) > 0
    assert took < 100
