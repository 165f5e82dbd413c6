"""House rules as tests: layers, documents that must not drift, what a newcomer installs."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

from arb.cli.app import app
from arb.config.schema import SECRETS, Settings
from arb.config.sources import _values
from tests.conftest import ROOT
from tests.house import tables

TOP_LEVEL = [
    "pyproject.toml",
    "main.py",
    "config",
    "src",
    "tests",
    "README.md",
    "README_ORCHESTRATOR.md",
    "INTERFACE_SPEC.md",
    ".env.example",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    ".ci/run",
    "benchmarks",
    "requirements.txt",
    "requirements.lock",
    "Dockerfile",
    "compose.yaml",
]


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more)


def test_the_top_level_has_what_a_newcomer_looks_for():
    assert not [name for name in TOP_LEVEL if not (ROOT / name).exists()]


def test_requirements_txt_has_the_dependencies_and_main_py_knows_them_all():
    from importlib.metadata import packages_distributions

    wanted = tomllib.loads(_read("pyproject.toml"))["project"]["dependencies"]
    listed = [line for line in _read("requirements.txt").splitlines() if not line.startswith("#")]
    assert listed == wanted
    names = {re.split(r"[\[<>=]", line)[0] for line in wanted}
    modules = {
        module
        for module, distributions in packages_distributions().items()
        for one in distributions
        if re.sub(r"[-_.]+", "-", one).lower() in names and not module.startswith("_")
    }
    known = set(re.findall(r'^    "(\w+)",$', _read("main.py"), re.MULTILINE))
    assert len(known) == len(names - {"sniffio"})  # without it all works, more slowly
    assert known <= modules


def test_the_packages_of_the_documents_names_only_import():
    """What is in them is `arb.documents`: a name that is there twice would drift."""
    names = ["utils", "analyzer", "strategy", "api", "utils/kelly", "utils/logger"]
    paths = [ROOT / "src" / f"{name}.py" for name in names]
    paths = [path if path.exists() else path.with_suffix("") / "__init__.py" for path in paths]
    for path in [*paths, ROOT / "config" / "__init__.py"]:
        docstring, *rest = ast.parse(path.read_text()).body
        assert isinstance(docstring, ast.Expr)
        assert [type(node) for node in rest] == [ast.ImportFrom, ast.Assign], path
        assert rest[0].module == "arb.documents"


def test_the_layers_hold():
    done = _run(str(Path(sys.executable).with_name("lint-imports")), cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert "11 kept, 0 broken" in done.stdout


def test_no_folder_has_two_classes_of_one_name():
    """A name means one thing, within reach of each other at least."""
    where = defaultdict(list)
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                where[path.parent, node.name].append(path.name)
    assert [both for both in where.items() if len(both[1]) > 1] == []


def _commands():
    import typer

    def walk(command, before=""):
        for name, sub in getattr(command, "commands", {}).items():
            if hasattr(sub, "commands"):
                yield from walk(sub, f"{before}{name} ")
            else:
                yield f"{before}{name}"

    return list(walk(typer.main.get_command(app)))


def test_every_command_is_in_the_interface_spec():
    spec = _read("INTERFACE_SPEC.md")
    assert len(_commands()) >= 20
    assert not [name for name in _commands() if f"`arb {name}" not in spec]


@pytest.mark.parametrize("document", ["README_ORCHESTRATOR.md", "INTERFACE_SPEC.md"])
def test_every_setting_is_documented(document):
    text = _read(document)
    names = [name for name, _ in _values(Settings())]
    assert not [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize("document", tables.DOCUMENTS)
def test_the_tables_follow_from_the_source(document):
    """`make docs` rewrites them."""
    text = _read(document)
    assert tables.written(text) == text
    assert "\n".join(tables.settings()) in text


def test_the_table_of_reasons_follows_from_the_source():
    assert "\n".join(tables.reasons()) in _read("INTERFACE_SPEC.md")


def test_the_table_of_codes_follows_from_the_source():
    assert "\n".join(tables.blocks()) in _read("INTERFACE_SPEC.md")


def test_every_setting_has_its_meaning_in_the_default_file():
    words = tables.meanings()
    assert not [name for name, _ in _values(Settings()) if not words.get(name)]
    strange = words.keys() - {name for name, _ in _values(Settings())} - set(Settings.model_fields)
    budgets = "polymarket.requests_per_10_seconds."
    assert not [name for name in strange if not name.startswith(budgets)]


def test_every_secret_is_in_the_env_example():
    listed = re.findall(r"^(ARB_\w+)=", _read(".env.example"), re.MULTILINE)
    assert set(listed) == {"ARB_" + name.upper().replace(".", "__") for name in SECRETS}


def test_every_reason_and_exit_code_is_documented():
    from arb.cli.common import ExitCode
    from arb.domain.reason import Reason

    spec = _read("INTERFACE_SPEC.md")
    assert not [reason for reason in Reason if f"`{reason.value}`" not in spec]
    assert not [code for code in ExitCode if f"| {code.value} |" not in spec]


def test_every_kind_of_problem_is_documented():
    from arb.domain.report import ProblemKind

    spec = _read("INTERFACE_SPEC.md")
    assert not [kind for kind in ProblemKind if f"`{kind.value}`" not in spec]


def test_the_interface_spec_keeps_the_section_numbers_that_others_cite():
    spec = _read("INTERFACE_SPEC.md")
    for heading in ("## 6. Logging", "## 7. Configuration", "## 10. Integration checklist"):
        assert heading in spec


def test_the_locks_have_hashes_and_no_index_address():
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-services.lock"):
        text = _read(name)
        assert "--hash=sha256:" in text
        assert not re.search(r"https?://|file:|--index", text)


def test_the_base_install_is_small():
    lock = _read("requirements.lock")
    here = [
        line
        for line in lock.splitlines()
        if re.match(r"^[a-z0-9-]+(\[\w+\])?==", line)
        and not re.search(
            r"sys_platform == 'win32'|python_full_version < '3.1[01]|python_version", line
        )
    ]
    build_only = {"hatchling", "editables", "packaging", "pathspec", "pluggy", "trove-classifiers"}
    named = {re.split(r"[=\[]", line)[0] for line in here} - build_only
    assert len(named) <= 41, sorted(named)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, json\nsys.argv = ['arb', '--help']\n"
        "from arb.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = _run(sys.executable, "-c", code)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    heavy = {"numpy", "sqlalchemy", "httpx", "apscheduler", "msgspec", "pydantic", "alembic"}
    assert not loaded & heavy


def test_a_dry_run_never_imports_the_signing_stack_nor_what_only_several_processes_need():
    extras = {"eth_account", "polymarket", "coincurve", "web3", "nats", "redis", "fastapi"}
    assert not extras & {name.split(".")[0] for name in _imported_by("arb.runtime.running")}


def test_a_read_by_the_shell_imports_nothing_of_the_api_nor_of_the_venue():
    """Its documents are the API's own, and plain: no framework is loaded for them."""
    imported = _imported_by(
        "arb.cli.reads, arb.operations.control_client, arb.operations.top_view, arb.views.detail"
    )
    assert "arb.adapters.storage.queries" in imported
    others = ("arb.api", "arb.bootstrap", "arb.adapters.polymarket.venue", "fastapi", "numpy")
    assert not [name for name in imported if name.startswith((*others, "starlette"))]


def _imported_by(modules):
    done = _run(sys.executable, "-c", f"import {modules}, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_plans_and_approvals_are_made_by_the_gate_and_restored_by_the_ledger_alone():
    # The gate's proofs, and purchases on a signal, which have an account of their own.
    allowed = {
        "risk/gate.py",
        "risk/entries.py",
        "adapters/storage/codec.py",
        "testing/builders.py",
    }
    source = ROOT / "src" / "arb"
    makers = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if re.search(r"(?<![\w.])(Plan|Approved)\($", path.read_text(), re.MULTILINE)
        or re.search(r"(return|=) (Plan|Approved)\(", path.read_text())
    }
    assert makers <= allowed


def test_no_float_decides_about_money():
    source = ROOT / "src" / "arb"
    for part in ("domain", "engine", "risk", "strategies", "adapters/polymarket"):
        for path in (source / part).rglob("*.py"):
            assert not re.search(r"(?<!\w)float\(", path.read_text()), path


def test_a_built_wheel_runs_the_demo_in_an_empty_environment(tmp_path):
    built = _run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(ROOT),
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        top = {name.partition("/")[0].partition("-")[0] for name in archive.namelist()}
    assert top == {"arb", "arb_orchestrator"}
    venv = tmp_path / "venv"
    assert _run(sys.executable, "-m", "venv", "--without-pip", str(venv)).returncode == 0
    site = next((venv / "lib").glob("python*/site-packages"))
    _run(sys.executable, "-m", "zipfile", "-e", str(wheel), str(site))
    # The base dependencies alone, taken from the environment at hand; nothing of this checkout.
    for path in base_distributions():
        (site / path.name).symlink_to(path)
    done = _run(str(venv / "bin" / "python"), "-I", "-m", "arb", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Found: 10 of 10" in done.stdout
    config = tomllib.loads((site / "arb" / "config" / "default.toml").read_text())
    assert config["trading"]["live"] is False


def base_distributions():
    """Everything that the base install brings, by its files' top level."""
    from importlib.metadata import distributions

    lock = _read("requirements.lock")
    names = {m.group(1) for m in re.finditer(r"^([a-z0-9-]+)(?:\[\w+\])?==", lock, re.MULTILINE)}
    top = set()
    for found in distributions():
        if re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower() in names:
            for file in found.files or ():
                first = file.parts[0]
                if first not in ("..", "__pycache__"):
                    top.add(Path(str(found.locate_file(first))))
    return top


def test_every_route_role_and_metric_is_in_the_interface_spec():
    from prometheus_client.metrics import MetricWrapperBase

    from arb.api.metrics import Metrics
    from tests.api.test_gate import OPERATIONS

    spec = _read("INTERFACE_SPEC.md").replace("{", "").replace("}", "")
    missing = [
        (method, path)
        for method, path, role in OPERATIONS
        if f"| `{method} {path}` | {role or 'none'} |" not in spec
    ]
    assert not missing
    kinds = {"counter": "_total"}
    metrics = [one for one in vars(Metrics()).values() if isinstance(one, MetricWrapperBase)]
    rows = [
        f"| `{one.describe()[0].name}{kinds.get(one._type, '')}` | {one._type} "
        f"| {', '.join(one._labelnames)} |"
        for one in metrics
    ]
    assert len(rows) >= 20
    assert not [row for row in rows if row not in spec]
