"""A read route takes the four files that its how-to names: its steps are carried out in a copy."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

DOCUMENTS, QUERIES = "src/arb/views/ledger.py", "src/arb/adapters/storage/queries.py"
HANDLERS, SPEC = "src/arb/api/routes_reads.py", "INTERFACE_SPEC.md"
COPIED = ("src", "tests", "config", SPEC, "pyproject.toml")
ROUTES = (
    "tests/api/test_gate.py::test_every_route_that_is_asked_for_has_the_right_role_and_an_example"
)
ROWS = "tests/house/test_house.py::test_every_route_role_and_metric_is_in_the_interface_spec"
ASK = """
import asyncio, pathlib, sys
import pytest
from tests.api.conftest import world

async def ask(folder):
    async with world(folder, pytest.MonkeyPatch()) as served, served.client() as client:
        await served.found.orchestrator.scan_cycle()
        counts = await client.get("/api/v1/plans-by-kind")
        plans = await client.get("/api/v1/plans?limit=1000")
    print(counts.text)
    print(plans.text)

asyncio.run(ask(pathlib.Path(sys.argv[1])))
"""


def _steps():
    """The page's blocks of code, and the files that its steps name, both in order."""
    page = (ROOT / "docs/howto/route.md").read_text(encoding="utf-8")
    part = page.partition("## A route that reads")[2].partition("\n## ")[0]
    blocks = re.findall(r"^   ```\w+\n(.*?)^   ```$", part, re.MULTILINE | re.DOTALL)
    named = re.findall(r"^\d\. (.*?)(?=^\d\. |^A document)", part, re.MULTILINE | re.DOTALL)
    files = [re.search(r"`([\w/.]+\.(?:py|md))`", step)[1] for step in named]
    return [re.sub("^   ", "", block, flags=re.MULTILINE) for block in blocks], files


def _insert(folder, name, before, text):
    """Put text before the first line that begins so; at the end where no line is named."""
    path = folder / name
    old = path.read_text(encoding="utf-8")
    at = re.search(f"^{re.escape(before)}", old, re.MULTILINE).start() if before else len(old)
    path.write_text(old[:at] + text + old[at:], encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    """A copy of the checkout with the steps carried out."""
    (document, read, query, handler, row), _ = _steps()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    _insert(tmp_path, DOCUMENTS, "class Reads(", document + "\n\n")
    _insert(tmp_path, DOCUMENTS, "", "\n" + read)
    _insert(tmp_path, QUERIES, "    async def accounts(", query + "\n")
    _insert(tmp_path, HANDLERS, "", "\n\n" + handler)
    _insert(tmp_path, SPEC, "| `GET /api/v1/plans/{id_}`", row)
    return tmp_path


def _python(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'src'}:{folder}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )


def _rules(folder, *rules):
    return _python(folder, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *rules)


def test_the_steps_name_the_four_files_that_they_change():
    blocks, files = _steps()
    assert files == [DOCUMENTS, QUERIES, HANDLERS, SPEC]
    assert len(blocks) == 5


def test_a_read_route_made_by_its_four_steps_is_served(copy):
    rules = _rules(copy, ROUTES, ROWS)
    assert rules.returncode == 0, rules.stdout
    done = _python(copy, "-c", ASK, str(copy))
    assert done.returncode == 0, done.stderr
    counts, plans = (json.loads(line) for line in done.stdout.splitlines())
    kinds = sorted(plan["kind"] for plan in plans)
    assert counts == [{"kind": kind, "plans": kinds.count(kind)} for kind in dict.fromkeys(kinds)]
    assert counts


@pytest.mark.full
@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "says"),
    [
        (
            DOCUMENTS,
            '    __pydantic_config__ = shape(kind="negrisk_no", plans=3)\n',
            "",
            ROUTES,
            "examples",
        ),
        (HANDLERS, '    """How many plans there are of each kind."""\n', "", ROUTES, "description"),
        (HANDLERS, ", **READ)\nasync def kinds", ")\nasync def kinds", ROUTES, "x-role"),
        (SPEC, "| `GET /api/v1/plans-by-kind` | read |", "", ROWS, "/plans-by-kind"),
    ],
    ids=["example", "description", "role", "row"],
)
def test_a_read_route_without_one_of_them_fails_a_test(copy, file, old, new, rule, says):
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    failed = _rules(copy, rule)
    assert failed.returncode != 0
    assert says in failed.stdout.rpartition("\nE  ")[2], failed.stdout
