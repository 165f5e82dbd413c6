"""Benchmarks print one table by one printer, are listed, and compare two checkouts."""

import ast
import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks"
FILES = sorted(FOLDER.glob("bench_*.py"))


def _run(*options):
    command = (sys.executable, str(FOLDER / "bench_decode.py"), *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_benchmark_leaves_its_program_and_its_table_to_the_printer(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    taken = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "common"
        for alias in node.names
    }
    assert {"Report", "Row", "run"} <= taken
    assert "run(measure, rounds=" in file.read_text(encoding="utf-8").split("__main__")[-1]
    printed = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    # A child process may send its samples to the benchmark that started it.
    assert [line for line in printed if not line.startswith("print(json.dumps(")] == []


def test_each_benchmark_has_its_row_in_the_readme():
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line[:4] == "| `b"]
    assert [row.split("`")[1] for row in rows] and sorted(row.split("`")[1] for row in rows) == [
        file.name for file in FILES
    ]
    assert all(len(row.split(" | ")) == 4 for row in rows)


def test_a_table_shows_peer_and_ours_side_by_side():
    machine, title, heads, *rows = _run("--rounds", "2")
    assert "cores, Python" in machine and "load average" in machine and "arb " in machine
    assert "2 rounds" in title
    assert [head.strip() for head in heads.split("|")] == [
        "what", "peer", "", "ours", "ours/peer", "count",
    ]  # fmt: skip
    for row in rows:
        _, peer, theirs, ours, ratio, count = (cell.strip() for cell in row.split("|"))
        assert "Decimal" in peer and "ms (" in theirs and "ms (" in ours and count == "2 2"
        assert float(ratio) == pytest.approx(
            float(ours.split()[0]) / float(theirs.split()[0]), rel=0.05
        )


def test_samples_can_be_had_as_they_were_taken():
    (line,) = _run("--json", "--rounds", "3")
    assert all(len(row["theirs"]) == len(row["ours"]) == 3 for row in json.loads(line)["rows"])


def test_two_checkouts_are_measured_in_turns(tmp_path):
    other = tmp_path / "before"
    shutil.copytree(ROOT / "src" / "arb", other / "src" / "arb")
    lines = _run("--against", str(other), "--rounds", "1", "--turns", "2")
    assert lines[0].startswith("before") and lines[0].endswith("arb of no checkout")
    assert lines[1].startswith("now") and not lines[1].endswith("of no checkout")
    rows = [[cell.strip() for cell in line.split("|")] for line in lines[4:]]
    assert rows and all(row[3].endswith("%") and row[4] == "2 2" for row in rows)


def test_a_folder_without_sources_is_refused(tmp_path):
    command = (sys.executable, str(FOLDER / "bench_decode.py"), "--against", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "holds no package arb" in done.stderr


def test_two_decoders_take_turns_in_one_process(tmp_path):
    """A decoder that does its work twice is about twice as slow as the one beside it."""
    other = tmp_path / "before"
    shutil.copytree(ROOT / "src" / "arb", other / "src" / "arb")
    decode = other / "src" / "arb" / "adapters" / "polymarket" / "decode.py"
    once = "return Decoded(_fast(body))"
    assert once in decode.read_text()
    decode.write_text(decode.read_text().replace(once, f"_fast(body)\n        {once}"))
    command = (sys.executable, str(FOLDER / "decoders_in_turn.py"), str(other), "--rounds", "20")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, now, change = done.stdout.splitlines()
    assert before.startswith("before") and now.startswith("now")
    assert -80 < float(change.split()[-2]) < -15
