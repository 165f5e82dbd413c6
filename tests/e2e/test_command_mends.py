"""What the commands say and do where things are not as they should be."""

import asyncio
import json
import socket

import pytest

from arb.cli.run import run as run_command
from arb.runtime import demo, running
from tests.conftest import environment_for, exchange_at
from tests.programs import arb

NOWHERE = "http://127.0.0.1:9"


def test_trading_can_be_halted_before_the_first_run(tmp_path):
    env = environment_for(NOWHERE, tmp_path)
    done = arb("halt", "--reason", "not yet", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Trading is halted.")
    status = json.loads(arb("status", "--json", env=env, cwd=tmp_path).stdout)
    assert (status["state"], status["reason"]) == ("halted", "not yet")


@pytest.mark.parametrize("name", ["ROTATION", "RETENTION", "COMPRESSION"])
def test_a_log_rule_that_cannot_be_understood_is_found_before_a_run(name, tmp_path):
    env = environment_for(NOWHERE, tmp_path) | {f"ARB_LOGGING__{name}": "every other moon"}
    done = arb("config", "check", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert f"logging.{name.lower()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_sources_of_the_key_are_found_before_a_run(tmp_path):
    env = environment_for(NOWHERE, tmp_path) | {
        "ARB_POLYMARKET__KEYRING": "a/b",
        "ARB_POLYMARKET__PRIVATE_KEY": "0x" + "a7" * 32,
    }
    done = arb("config", "check", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert "ARB_POLYMARKET__KEYRING and ARB_POLYMARKET__PRIVATE_KEY" in done.stderr


def test_a_port_that_is_taken_is_bad_usage(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = environment_for(NOWHERE, tmp_path)
        done = arb("exchange", "serve", "--port", port, env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another --port" in done.stderr


def test_debug_shows_where_and_keeps_the_exit_code(tmp_path):
    env = environment_for(NOWHERE, tmp_path) | {"ARB_RISK__MAX_DAILY_LOSS": "lots"}
    done = arb("--debug", "config", "check", env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("arb: risk.max_daily_loss = 'lots'")


def test_a_group_without_a_command_shows_its_help(tmp_path):
    done = arb("config", env=environment_for(NOWHERE, tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "Commands:" in done.stderr
    assert "\\n" not in done.stderr


async def test_the_doctor_looks_at_data_settings_and_logs(tmp_path):
    (tmp_path / "file").touch()
    async with exchange_at("quiet", 1) as (_, address):
        env = environment_for(address, tmp_path)

        async def checks(**more):
            command = ("doctor", "--json")
            done = await asyncio.to_thread(arb, *command, env=env | more, cwd=tmp_path)
            found = {check["check"]: check for check in json.loads(done.stdout)}
            return done.returncode, found

        code, well = await checks()
        assert code == 0
        assert {"data", "settings", "logs"} <= set(well)
        assert all(check["passed"] and not check["fix"] for check in well.values())
        code, found = await checks(ARB_POLYMARKET__DATA_URL=NOWHERE, ARB_POLYMARKET__ATTEMPTS="1")
        assert code == 3
        assert [name for name in found if not found[name]["passed"]] == ["data"]
        code, found = await checks(ARB_LOGGING__FOLDER=str(tmp_path / "file" / "logs"))
        assert code == 2
        assert [name for name in found if not found[name]["passed"]] == ["logs"]
        code, found = await checks(ARB_LOGGING__ROTATION="every other moon")
        assert code == 2
        assert not found["settings"]["passed"]
        code, found = await checks(ARB_TRADING__LIVE="perhaps")
        assert (code, list(found)) == (2, ["settings"])


async def test_the_doctor_tries_the_servers_that_the_settings_name(
    tmp_path, nats_server, redis_server
):
    async with exchange_at("quiet", 1) as (_, address):
        env = environment_for(address, tmp_path)
        env |= {"ARB_REDIS__URL": redis_server.url, "ARB_SHARDS__URL": nats_server.url}

        async def checks():
            done = await asyncio.to_thread(arb, "doctor", "--json", env=env, cwd=tmp_path)
            assert "secret-word" not in done.stdout + done.stderr
            found = {check["check"]: check for check in json.loads(done.stdout)}
            return done.returncode, found["redis"], found["shards"]

        code, redis, shards = await checks()
        assert code == 0
        assert redis["passed"]
        assert " ms" in redis["detail"]
        assert shards["passed"]
        redis_server.kill()
        nats_server.kill()
        code, redis, shards = await checks()
        assert code == 3
        assert not redis["passed"]
        assert "counts its own requests" in redis["fix"]
        assert not shards["passed"]
        assert "ARB_SHARDS__URL" in shards["fix"]


def test_a_scheduled_run_that_leaves_a_plan_open_says_so(tmp_path, monkeypatch, capsys):
    import typer

    from arb.domain.report import Statistics

    async def ended(*_, **_more):
        return Statistics(), 1

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARB_LOGGING__FOLDER", "")
    monkeypatch.setattr(running, "run_scheduled", ended)
    with pytest.raises(typer.Exit) as stop:
        run_command(False, False, True, None, 1, None)
    assert stop.value.exit_code == 6
    assert "1 plans are still open" in capsys.readouterr().err


async def test_the_demo_does_not_read_the_users_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("ARB_TRADING__MIN_PROFIT_THRESHOLD=1\nARB_TRADING__ACCOUNT=x\n")
    monkeypatch.chdir(tmp_path)
    outcome = await demo.run_demo(7, lambda line: None)
    assert outcome.found == outcome.planted > 0
    assert outcome.report.account == "paper:demo"
    assert outcome.report.plans
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {".env", "data/demo.db"}
