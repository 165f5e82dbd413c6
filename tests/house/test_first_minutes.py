"""What a newcomer meets in the first ten minutes does as the documents say."""

import re
import sqlite3
import subprocess
import sys
import tomllib

import pytest

from arb.cli import help as help_page
from arb.cli.app import app
from arb.config.sources import load
from arb.domain.reason import Reason
from arb.runtime.demo import LEDGER, keep_ledger
from tests.conftest import ROOT
from tests.programs import arb

WITHOUT_ID = slice(1, None)


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _demo_rows(text):
    """The rows of the table of opportunities, each as its cells."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("id ") and "profit $" in line)
    rows = []
    for line in lines[start + 1 :]:
        if not re.match(r"[0-9a-f]{16} ", line):
            break
        rows.append(line.split())
    return rows


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    done = arb("demo", env={"PATH": ""}, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_picture_in_the_readme_is_what_the_demo_shows(demo):
    """The ids are new in every run; everything else is the program's own words."""
    shown = [row[WITHOUT_ID] for row in _demo_rows(_read("README.md"))]
    assert len(shown) >= 4
    made = [row[WITHOUT_ID] for row in _demo_rows(demo[1].stdout)]
    assert [row for row in made if row in shown] == shown, demo[1].stdout


def test_the_demo_says_no_alarming_line_and_its_next_command_works(demo):
    folder, done = demo
    assert done.stderr == ""
    command = re.search(r"Next: `arb ([^`]+)`", done.stdout)[1]
    assert f".venv/bin/arb {command}" in _read("README.md")
    assert f".venv/bin/arb {command}" in _read("README_ORCHESTRATOR.md")
    explained = arb(*command.split(), env={"PATH": ""}, cwd=folder)
    assert explained.returncode == 0, explained.stderr
    assert "below_min_profit" in explained.stdout
    assert "cash free now" in explained.stdout


async def test_the_demos_ledger_is_kept_whole(tmp_path, monkeypatch):
    """Also what its last connection, which may still be closing, has not moved out of its log."""
    monkeypatch.chdir(tmp_path)
    busy = sqlite3.connect(tmp_path / "busy.db")
    busy.execute("pragma journal_mode = wal")
    busy.execute("create table findings (event)")
    busy.execute("insert into findings values ('six-3-bids-106')")
    busy.commit()
    try:
        assert await keep_ledger(load(flags={"database.url": "sqlite+aiosqlite:///busy.db"})) == ""
        kept = sqlite3.connect(LEDGER)
        assert kept.execute("select event from findings").fetchall() == [("six-3-bids-106",)]
        kept.close()
    finally:
        busy.close()
    missing = load(flags={"database.url": "sqlite+aiosqlite:///missing.db"})
    assert "not a SQLite file that is there" in await keep_ledger(missing)


def test_a_second_demo_replaces_the_ledger_of_the_first(demo):
    folder, _ = demo
    assert arb("demo", "--seed", "3", env={"PATH": ""}, cwd=folder).returncode == 0
    status = arb("status", "--profile", "demo", env={"PATH": ""}, cwd=folder)
    assert re.search(r"Total scan cycles +1\n", status.stdout), status.stdout


@pytest.mark.parametrize("words", [["--version"], ["-h"], ["run", "-h"], ["db", "-h"]])
def test_version_and_help_are_there(words, tmp_path):
    done = arb(*words, env={"PATH": ""}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("arb 0." if words == ["--version"] else "Usage: arb")


def test_every_command_has_one_whole_line_of_help(tmp_path):
    import typer

    known = {name for commands in help_page.SECTIONS.values() for name in commands}
    assert known == set(typer.main.get_command(app).commands)
    done = arb("--help", env={"PATH": "", "COLUMNS": "80"}, cwd=tmp_path)
    assert "..." not in done.stdout.partition("\n")[2]
    for commands in help_page.SECTIONS.values():
        for name, line in commands.items():
            assert len(line) <= 55
            assert re.search(rf"^  {name} +{re.escape(line)}$", done.stdout, re.MULTILINE)


def test_every_extra_is_installed_by_a_command_that_works_in_the_clone():
    """Asked of pip itself, without touching the environment or the network."""
    project = tomllib.loads(_read("pyproject.toml"))["project"]
    extras = set(project["optional-dependencies"])
    documents = "".join(map(_read, ("README.md", "README_ORCHESTRATOR.md", "INTERFACE_SPEC.md")))
    named = set(re.findall(r"\.venv/bin/pip install -e '\.\[(\w+)\]'", documents))
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    named |= set(re.findall(r"how_to_install\([\"'](\w+)[\"']\)", source))
    assert named == extras
    assert f"{project['name']}[" not in documents + source
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index"]
    wanted = f".[{','.join(sorted(extras))}]"
    done = subprocess.run(
        [*pip, "--no-build-isolation", "-e", wanted], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "does not provide the extra" not in done.stdout + done.stderr


def test_every_kind_and_reason_is_explained_with_an_example():
    glossary = _read("docs/glossary.md")
    for reason in Reason:
        row = re.search(rf"^\| `{reason.value}` \| ([^|]+) \| ([^|]+) \|$", glossary, re.MULTILINE)
        assert row, f"docs/glossary.md has no row for {reason.value}"
        assert row[1] == reason.sentence
        assert row[2].count("<br>") == 1, f"{reason.value}: an example of two lines"
    points = tomllib.loads(_read("pyproject.toml"))["project"]["entry-points"]["arb.strategies"]
    for name in points:
        assert re.search(rf"^\| `{name}` \|.*<br>.*\|$", glossary, re.MULTILINE), name
    assert "docs/glossary.md" in _read("README_ORCHESTRATOR.md")
    assert "docs/glossary.md" in _read("README.md")


@pytest.mark.parametrize("document", ["README.md", "README_ORCHESTRATOR.md", "INTERFACE_SPEC.md"])
def test_no_table_is_torn_by_a_blank_line(document):
    lines = _read(document).splitlines()
    for number, line in enumerate(lines):
        starts = line.startswith("|") and not (number and lines[number - 1].startswith("|"))
        if starts:
            assert re.match(r"\|[-:| ]+\|$", lines[number + 1]), f"{document}:{number + 1}"
