"""What operators put in place: containers, units, schedules, dashboards. Needs no engine."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.conftest import ROOT

SPEC = (ROOT / "INTERFACE_SPEC.md").read_text()
METRICS = {
    name: set(filter(None, labels.split(", ")))
    for name, labels in re.findall(r"^\| `(arb_\w+)` \| \w+ \| ([\w, ]*?) *\|", SPEC, re.M)
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
    assert service["ReadWritePaths"] == "/opt/arb/data /opt/arb/logs"
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
