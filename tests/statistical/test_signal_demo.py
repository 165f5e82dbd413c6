"""`arb demo --signals`: days of virtual time over real loopback HTTP."""

import re
from decimal import Decimal

from typer.testing import CliRunner

from arb.cli.app import app
from arb.runtime import signal_demo

ENDED = r"plain-\d +[\d-]+ [\d:]+ +[\d-]+ [\d:]+ +\d+\.\d\d +(-?\d+\.\d\d)"


def test_four_strategies_trade_through_made_up_days(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(signal_demo, "DAYS", 1)
    done = CliRunner().invoke(app, ["demo", "--signals", "--seed", "5"])
    assert done.exit_code == 0, done.exception
    for strategy, market, _ in signal_demo.INSTANCES:
        assert re.search(rf"{strategy} +{market} +1h", done.stdout), done.stdout
    assert "Strategies on paper (statistical, not guaranteed)" in done.stdout
    assert "The 24 hours were a random walk: whatever it made is luck" in done.stdout
    made = re.findall(ENDED, done.stdout)
    assert made, done.stdout
    realised = Decimal(re.search(r"realised \$(-?[\d.]+)\.$", done.stdout, re.MULTILINE)[1])
    assert abs(sum(map(Decimal, made)) - realised) < Decimal("0.01") * len(made)
    assert not list(tmp_path.iterdir())  # it leaves nothing behind
