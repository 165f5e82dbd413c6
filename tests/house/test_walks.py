"""The walks in docs/walks.md go where the code goes."""

import ast
import re

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "walks.md"
STEP = re.compile(r"^\| `([\w.]+)` in `([\w/.]+)` \| [^|]+ \| (.+) \|$", re.MULTILINE)


def _walks():
    text = PAGE.read_text("utf-8")
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        yield title, STEP.findall(body), body.count("\n| `")


def _defined(name, file):
    """The definition that a dotted name means in a file, and its source."""
    source = (ROOT / file).read_text("utf-8")
    scope = ast.parse(source)
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        there = [one for one in scope.body if isinstance(one, kinds) and one.name == part]
        assert there, f"{name} is not in {file}"
        scope = there[0]
    return ast.get_source_segment(source, scope)


def test_there_are_three_walks_and_every_line_is_a_step():
    walks = list(_walks())
    assert len(walks) == 3
    for title, steps, lines in walks:
        assert len(steps) == lines >= 5, title


def test_every_step_is_there_and_calls_what_it_says():
    for _, steps, _ in _walks():
        for name, file, calls in steps:
            source = _defined(name, file)
            for call in re.findall(r"`(\w+)`", calls):
                assert re.search(rf"\b{call}\b", source), f"{name} in {file} has no {call}"
