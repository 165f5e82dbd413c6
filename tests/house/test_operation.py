"""What operators put in place: containers, units, schedules, dashboards. Needs no engine."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from arb.api.auth import Role, must_not_listen
from arb.cli.app import app
from arb.config.sources import load
from tests.conftest import ROOT, environment_for
from tests.house.test_house import base_distributions
from tests.programs import arb, exchange_program

SPEC = (ROOT / "INTERFACE_SPEC.md").read_text()
METRICS = {
    name: set(filter(None, labels.split(", ")))
    for name, labels in re.findall(
        r"^\| `(arb_\w+)` \| (?:counter|gauge|histogram) \| ([\w, ]*?) *\|", SPEC, re.M
    )
}
"""The documented metrics with their labels; the house rules hold them against the code."""

UNITS = ROOT / "config" / "systemd"
INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def _yaml(name):
    return yaml.safe_load((ROOT / name).read_text())


def _instructions():
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]


def test_the_image_is_pinned_small_and_nobodys_root():
    found = _instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS
    bases = [rest for name, rest in found if name == "FROM"]
    assert all(re.search(r":\d", base) and ":latest" not in base for base in bases)
    last = found[max(n for n, (name, _) in enumerate(found) if name == "FROM") :]
    users = [rest for name, rest in last if name == "USER"]
    assert users
    assert users[-1] not in ("root", "0")
    for name, rest in last:
        if name in ("ENTRYPOINT", "CMD"):
            assert json.loads(rest)
        assert name != "ADD"
    (check,) = [rest for name, rest in last if name == "HEALTHCHECK"]
    assert json.loads(check.split("CMD", 1)[1])[0] == "/opt/arb/bin/arb"
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    installs = [rest for name, rest in found if name == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in rest and "--no-cache-dir" in rest for rest in installs)
    copied = [rest.split()[:-1] for name, rest in found if name == "COPY" and "--from" not in rest]
    assert not [file for files in copied for file in files if not (ROOT / file).exists()]


def test_the_services_are_optional_pinned_and_confined():
    composed = _yaml("compose.yaml")
    services = composed["services"]
    assert set(composed) == {"services", "secrets", "volumes"}
    assert [name for name, each in services.items() if "profiles" not in each] == ["arb"]
    assert {p for each in services.values() for p in each.get("profiles", [])} == {
        "postgres",
        "metrics",
    }
    for each in services.values():
        assert ("build" in each) != ("image" in each)
        assert re.search(r":v?\d+\.\d+", each.get("image", ":1.0"))
        assert "no-new-privileges:true" in each["security_opt"]
        assert not each.get("privileged")
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", []))
        assert set(each.get("secrets", [])) <= set(composed["secrets"])
        assert set(each.get("depends_on", [])) <= set(services)
        for volume in each.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file()
            else:
                assert source in composed["volumes"]
    arb = services["arb"]
    assert (arb["read_only"], arb["cap_drop"]) == (True, ["ALL"])
    assert all(set(secret) == {"environment"} for secret in composed["secrets"].values())


def test_compose_itself_agrees_where_it_is_installed():
    docker = shutil.which("docker")
    command = [docker, "compose", "--profile", "*", "config", "--quiet"]
    if docker is None or subprocess.run([docker, "compose", "version"], check=False).returncode:
        pytest.skip("docker compose is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_scrapes_the_service_that_compose_names():
    (job,) = _yaml("config/prometheus.yml")["scrape_configs"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert host in _yaml("compose.yaml")["services"]
    assert port.isdecimal()
    assert job["authorization"]["credentials_file"] == "/run/secrets/api_token"


def test_grafana_finds_its_source_and_its_dashboard():
    (source,) = _yaml("config/grafana/datasource.yml")["datasources"]
    assert source["url"].split("//")[1].split(":")[0] in _yaml("compose.yaml")["services"]
    (provider,) = _yaml("config/grafana/provider.yml")["providers"]
    mounted = " ".join(_yaml("compose.yaml")["services"]["grafana"]["volumes"])
    assert f"{provider['options']['path']}/arb.json" in mounted


def test_the_dashboard_asks_for_documented_metrics_only():
    board = json.loads((ROOT / "config" / "grafana" / "arb.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    used = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for query in queries
        for name in re.findall(r"\barb_\w+", query)
    }
    assert len(used) >= 9
    assert used <= set(METRICS)
    for panel in board["panels"]:
        for target in panel["targets"]:
            names = {
                re.sub(r"_(bucket|sum|count)$", "", name)
                for name in re.findall(r"\barb_\w+", target["expr"])
            }
            known = set().union(*(METRICS[name] for name in names)) | {"le"}
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            asked = set(re.split(r",\s*", grouped[1])) if grouped else set()
            assert asked | set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known
            for opening, closing in ("()", "[]", "{}"):
                assert target["expr"].count(opening) == target["expr"].count(closing)


def test_the_dashboards_panels_neither_overlap_nor_share_an_id():
    panels = json.loads((ROOT / "config" / "grafana" / "arb.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        taken |= cells


def _unit(path):
    sections, name = {}, None
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            name = heading[1]
            sections[name] = {}
        else:
            key, value = line.split("=", 1)
            assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", key)
            assert key not in sections[name]
            sections[name][key] = value
    return sections


@pytest.mark.parametrize("path", sorted(UNITS.iterdir()), ids=lambda path: path.name)
def test_every_unit_is_whole_and_confined(path):
    unit = _unit(path)
    assert unit["Unit"]["Description"]
    if path.suffix == ".timer":
        assert unit["Timer"]["OnCalendar"]
        assert unit["Install"]["WantedBy"] == "timers.target"
        assert path.with_suffix(".service").exists()
        return
    service = unit["Service"]
    assert service["User"] == "arb"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "true"
    written = service["ReadWritePaths"].split()
    assert written[:2] == ["/opt/arb/data", "/opt/arb/logs"]
    assert set(written[2:]) <= {"-/opt/arb/comm"}
    assert "/opt/arb/.venv/bin/arb " in service["ExecStart"]


def test_systemd_itself_agrees_where_it_is_installed(tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/arb/.venv/bin/arb", "/bin/true")
        (tmp_path / path.name).write_text(text)
    files = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run([verify, "verify", *files], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert not told, told


def test_the_schedule_for_cron_is_well_formed():
    lines = [
        line
        for line in (ROOT / "config" / "arb.cron").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines
    for line in lines:
        *when, command = line.split(None, 5)
        assert all(re.fullmatch(r"[\d*/,-]+", field) for field in when)
        assert command.startswith("cd /opt/arb && .venv/bin/arb ")
        assert not re.search(r"(?<!\\)%", command)  # cron ends the line at a bare one


def _lock(name):
    """Which versions a lock names."""
    pinned = re.findall(
        r"^([a-z0-9-]+)(?:\[[\w,]+\])?==([^ ;\\]+)", (ROOT / name).read_text(), re.M
    )
    return {(project, version) for project, version in pinned}


def test_the_images_lock_has_every_extra_at_the_versions_that_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    services = _lock("requirements-services.lock")
    wanted = [
        *project["dependencies"],
        *itertools.chain(*project["optional-dependencies"].values()),
    ]
    named = {re.match(r"[A-Za-z0-9_.-]+", each)[0].lower() for each in wanted}
    assert not named - {name for name, _ in services}
    assert _lock("requirements.lock") <= services <= _lock("requirements-dev.lock")
    (install,) = re.findall(r"--require-hashes .*?-r (\S+)", (ROOT / "Dockerfile").read_text())
    assert install == "requirements-services.lock"


def _environment(**dotenv):
    """What compose gives the orchestrator, with these names in `.env`."""
    lines = (f"{name}={value}" for name, value in dotenv.items())
    assert all("\n" not in line for line in lines)

    def fill(text):
        """With what stands within another default first, as compose does it."""
        before, text = "", str(text)
        while text != before:
            before, text = (
                text,
                re.sub(
                    r"\$\{(\w+)(?::-([^${}]*))?\}",
                    lambda found: dotenv.get(found[1]) or found[2] or "",
                    text,
                ),
            )
        return text

    named = _yaml("compose.yaml")["services"]["arb"]["environment"]
    own = {name: value for name, value in dotenv.items() if name.startswith("ARB_")}
    return own | {name: fill(value) for name, value in named.items()}


def _dotenv(*beginnings):
    """The lines for `.env` in the operator's guide."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README_ORCHESTRATOR.md").read_text(), re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    found = dict(line.split("=", 1) for line in lines if line.startswith(beginnings))
    return {
        name: re.sub(r"\$\{(\w+)\}", lambda m: found[m[1]], value) for name, value in found.items()
    }


def test_compose_alone_needs_no_secret_and_keeps_the_api_shut(tmp_path, monkeypatch):
    for name, value in _environment().items():
        monkeypatch.setenv(name, value)
    settings = load(folder=tmp_path).settings
    assert not settings.api.enabled
    assert not settings.api.token
    assert not settings.trading.live
    assert settings.database.url.startswith("sqlite")
    profiles = [each.get("profiles") for each in _yaml("compose.yaml")["services"].values()]
    assert profiles.count(None) == 1
    assert "secrets" not in _yaml("compose.yaml")["services"]["arb"]


def test_what_the_guide_puts_into_dotenv_switches_on_what_the_profiles_need(tmp_path, monkeypatch):
    dotenv = _dotenv("ARB_", "POSTGRES_", "PROMETHEUS_")
    composed = _yaml("compose.yaml")
    assert {secret["environment"] for secret in composed["secrets"].values()} <= set(dotenv)
    for name, value in _environment(**dotenv).items():
        monkeypatch.setenv(name, value)
    settings = load(folder=tmp_path).settings
    assert settings.api.enabled
    assert must_not_listen(settings.api.host, configured=False)
    assert settings.database.url == (
        f"postgresql+asyncpg://arb:{dotenv['POSTGRES_PASSWORD']}@postgres:5432/arb"
    )
    (scraped,) = _yaml("config/prometheus.yml")["scrape_configs"][0]["static_configs"]
    name, port = scraped["targets"][0].split(":")
    assert name in settings.api.allowed_hosts
    assert int(port) == settings.api.port
    (published,) = composed["services"]["arb"]["ports"]
    assert published == f"127.0.0.1:{port}:{port}"


def test_limits_under_the_documents_names_hold_in_the_container_too(tmp_path, monkeypatch):
    limits = {
        "MAX_POSITION_SIZE": "900",
        "RISK_PER_TRADE": "0.02",
        "MAX_DRAWDOWN_PCT": "10",
        "MAX_DAILY_LOSS_PCT": "5",
    }
    own = {"ARB_RISK__MAX_DRAWDOWN_PCT": "8"}
    for name, value in {**limits, **_environment(**limits, **own)}.items():
        monkeypatch.setenv(name, value)
    loaded = load(folder=tmp_path)
    risk = loaded.settings.risk
    assert loaded.settings.trading.max_position_size == 900
    assert (risk.max_drawdown_pct, risk.max_daily_loss_pct) == (8, 5)
    assert float(risk.risk_per_trade) == 0.02
    (said,) = loaded.warnings  # of the two that differ
    assert said.startswith("MAX_DRAWDOWN_PCT (environment) is not read")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with exchange_program(tmp_path_factory.mktemp("exchange")) as address:
        yield address


def _venue(address, folder):
    """Where the venue is; everything else as it is by default."""
    return {
        name: value
        for name, value in environment_for(address, folder).items()
        if not name.startswith("ARB_")
        or (name.endswith(("_URL", "_PAUSE")) and "DATABASE" not in name)
    }


def test_prometheus_may_scrape_what_compose_starts(exchange, tmp_path, monkeypatch):
    env = _venue(exchange, tmp_path) | _environment(ARB_API__ENABLED="true")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        env["ARB_API__PORT"] = str(probe.getsockname()[1])
    made = arb("api", "token", "prometheus", "--role", Role.READ.value, cwd=tmp_path, env=env)
    with (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "arb", "run", "--json"],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
    try:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{env['ARB_API__PORT']}",
            headers={"authorization": f"Bearer {made.stdout.strip()}", "host": "arb:8000"},
            trust_env=False,
        )
        with client:
            answer, end = None, time.monotonic() + 120
            while answer is None or "arb_cycles_total{" not in answer.text:
                assert time.monotonic() < end, (tmp_path / "err").read_text()
                time.sleep(0.05)
                with contextlib.suppress(httpx.TransportError):
                    answer = client.get("/metrics")
            assert answer.status_code == 200
            assert client.post("/api/v1/bot/halt").status_code == 403
            elsewhere = client.get("/metrics", headers={"host": "evil.example"})
            assert elsewhere.status_code == 421
            assert client.get("/healthz", headers={"authorization": ""}).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    check = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])", _flat("Dockerfile"))[1])
    asked = arb(*check[1:], cwd=tmp_path, env=env)
    assert asked.returncode == 0, asked.stderr
    monkeypatch.chdir(tmp_path)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    late = CliRunner().invoke(app, ["status", "--fresh", "0"])
    assert (late.exit_code, "the last cycle began" in late.stderr) == (5, True)


def _flat(name):
    return (ROOT / name).read_text().replace("\\\n", " ")


def _commands():
    """What the units and the crontab run."""
    for path in sorted(UNITS.glob("*.service")):
        command = _unit(path)["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$")
        yield path.name, command
    lines = (ROOT / "config" / "arb.cron").read_text().splitlines()
    for number, line in enumerate(line for line in lines if line and not line.startswith("#")):
        yield f"cron {number}", line.split(None, 5)[5].replace("\\%", "%")


def _whole(command, cwd, env):
    return subprocess.run(
        command, shell=True, cwd=cwd, env=env, capture_output=True, text=True, timeout=180
    )


def _until_told_to_stop(command, cwd, env):
    """One cycle, and then what a service manager sends."""
    process = subprocess.Popen(
        f"exec {command}",
        shell=True,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = [process.stderr.readline()]
    while told[-1] and " ended after " not in told[-1]:
        told.append(process.stderr.readline())
    process.terminate()
    out, rest = process.communicate(timeout=180)
    return subprocess.CompletedProcess(command, process.returncode, out, "".join(told) + rest)


def test_every_command_of_the_units_and_of_cron_runs_today(exchange, tmp_path):
    opt = tmp_path / "opt"
    for name in ("data", "logs", ".venv/bin"):
        (opt / name).mkdir(parents=True)
    shim = opt / ".venv" / "bin" / "arb"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m arb "$@"\n')
    shim.chmod(0o755)
    env = _venue(exchange, tmp_path)
    found = dict(_commands())
    assert len(found) == 6
    # Those that copy the ledger come when there is one.
    for name in sorted(found, key=lambda name: " backup " in found[name]):
        command = found[name].replace("/opt/arb", str(opt))
        run = _until_told_to_stop if command.endswith("arb run") else _whole
        done = run(command, opt, env)
        assert done.returncode == 0, (name, command, done.stderr)
    day = time.strftime("%u")
    assert (opt / "data" / "backups" / f"arb-{day}.db").stat().st_size > 0
    assert json.loads((opt / "logs" / "cycles.ndjson").read_text())["schema"] == 1
    assert list((opt / "logs").glob("performance_report_*.csv"))
    made = {path.name for path in opt.iterdir()}
    assert made == {"data", "logs", ".venv"}
    # The way back, as the guide has it.
    guide = (ROOT / "README_ORCHESTRATOR.md").read_text()
    (block,) = re.findall(r"```console\n(\$ arb db backup .*?)```", guide, re.S)
    for line in block.splitlines():
        command = line.removeprefix("$ ").replace("arb db", f"{shim} db")
        done = subprocess.run(command, shell=True, cwd=opt, env=env, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
    assert json.loads(arb("status", "--json", cwd=opt, env=env).stdout)["last_cycle"] == 3


NOBODY = 61234
"""No user of any machine: what it owns was written by the test."""
CONFINED = f"""
set -eu
mount --make-rprivate /
mount --bind "$1" "$2"
mount --bind "$3" "$4"
mount --bind "$5" "$5"
mount -o remount,bind,ro /
cd "$5"
shift 5
exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --no-new-privs "$@"
"""


def _can_confine():
    tried = ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount -o remount,bind,ro /"]
    if os.getuid() or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _works(command, who):
    with contextlib.suppress(OSError):
        return subprocess.run(command, check=False, capture_output=True, **who).returncode == 0
    return False


def _state(tree):
    """Everything in a tree, by what writing to it would change."""
    return {
        path: (found.st_mtime_ns, found.st_size, found.st_mode)
        for path in tree.rglob("*")
        for found in [path.lstat()]
    }


def _state_of_public():
    """What there is of the program's user where anybody may write."""
    places = map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run"))
    found = set()
    for path in itertools.chain(*(place.glob("*") for place in places)):
        with contextlib.suppress(OSError):
            if path.lstat().st_uid == (NOBODY if os.getuid() == 0 else os.getuid()):
                found.add(path)
    return found


@pytest.fixture
def installed():
    """The built package in a tree of its own, as in the image; only `home` may be written to."""
    top = Path(tempfile.mkdtemp(prefix="arb-image-"))
    top.chmod(0o755)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*build, top, ROOT], check=True, capture_output=True)
    (wheel,) = top.glob("*.whl")
    confined = _can_confine()
    python, site = Path(sys.base_prefix), Path(httpx.__file__).parents[1]
    if confined:
        # A user of no rights may not come near either where they are: they are mounted here.
        python, site = top / "python", top / "site"
        python.mkdir()
        site.mkdir()
    venv = top / "venv"
    own = venv / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    own.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(python / "bin" / f"python3.{sys.version_info.minor}")
    (venv / "pyvenv.cfg").write_text(f"home = {python / 'bin'}\n")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, own], check=True)
    for path in base_distributions():
        (own / path.name).symlink_to(site / path.name)
    home = top / "home"
    home.mkdir()
    if os.getuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    for path in [venv, *venv.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield top, confined
    for path in [venv, *venv.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(top)


def test_the_installed_program_runs_as_nobody_and_writes_into_its_home_alone(exchange, installed):
    top, confined = installed
    home = top / "home"
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    command = [str(top / "venv" / "bin" / "python"), "-I", "-m", "arb"]
    if confined:
        mounts = [sys.base_prefix, top / "python", Path(httpx.__file__).parents[1], top / "site"]
        command = [
            "unshare",
            "-m",
            "sh",
            "-c",
            CONFINED,
            "sh",
            *map(str, mounts),
            str(home),
            *command,
        ]
    elif who and not _works([command[0], "-c", "import httpx"], who):
        pytest.skip("no mount namespace can be made here, and nobody may come near the interpreter")
    env = _venue(exchange, home) | {
        "HOME": str(home),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": str(top / "python" / "lib"),
    }
    before, public = _state(top / "venv"), _state_of_public()
    for arguments in (("run", "--once", "--json"), ("status", "--fresh", "600", "--json")):
        done = subprocess.run(
            [*command, *arguments],
            cwd=home,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            **({} if confined else who),
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["schema"] == 1
    assert _state(top / "venv") == before
    assert {path.name for path in home.iterdir()} == {"data", "logs"}
    assert (home / "data" / "arb.db").stat().st_size > 0
    assert (home / "data" / "arb.db").stat().st_uid == (NOBODY if who else os.getuid())
    assert not {path for path in _state_of_public() - public if who or "arb" in path.name}
