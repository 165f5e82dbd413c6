"""What the source and the documents cite stands in the repository: pages, sections, rows, files."""

import re
from pathlib import Path

from tests.conftest import ROOT

PLACES = ("src", "tests", "benchmarks", "examples", "config", "docs")
ENDS = {".py", ".md", ".toml"}
PAGE = re.compile(r"(?<![\w/*.-])((?:\.\./)*(?:[\w-]+/)*[\w-]+\.md)\b")
CITED = re.compile(
    r"((?:\.\./)*(?:[\w-]+/)*[\w-]+\.md)\)?,?\s+(?:#\s+)?"  # a page, perhaps as a link, perhaps at a line's end
    r"((?:§|sections?\s+)[0-9A-Z.]+(?:(?:, | and | to )§?[0-9A-K][0-9.]*\b)*)"
)
NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?|[A-Z])(?=$|[^\w])")
ROW = re.compile(r"(?<![\w#&-])([A-H]\d\d|I\d{1,2})(?![\w-])")
NAMED_ROW = re.compile(r"(?<=_)([a-h]\d\d)(?=_)")
FILE = re.compile(r"`((?:src|tests|benchmarks|examples|config|docs)/[\w./-]+)`")
NAME = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`\s+in\s+`([\w./-]+\.(?:py|toml|md))`")
OWN = Path(__file__).name


def _texts():
    """Every file that may cite, with what it says."""
    files = [path for place in PLACES for path in (ROOT / place).rglob("*")]
    files += [*ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    for path in sorted(files):
        if path.name != OWN and (path.suffix in ENDS or path.name == "Makefile"):
            yield path, path.read_text(encoding="utf-8")


def _at(path, text, match):
    return f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"


def _page(name, path):
    """The page that is meant, seen from the file, from the top, or as a page of `docs`."""
    places = (ROOT / name, path.parent / name, ROOT / "docs" / name)
    return next((at for at in places if at.is_file()), None)


def _sections(page):
    return set(
        re.findall(r"^#+ (\d+(?:\.\d+)?|[A-Z])\.?(?= )", page.read_text("utf-8"), re.MULTILINE)
    )


def _rows():
    page = (ROOT / "docs/fault-catalogue.md").read_text("utf-8")
    return set(re.findall(r"^\| ([A-I]\d+) \|", page, re.MULTILINE))


def test_every_page_that_is_named_is_there():
    found = [(path, text, match) for path, text in _texts() for match in PAGE.finditer(text)]
    assert len(found) > 100
    lost = [f"{_at(*one)}: {one[2][1]}" for one in found if _page(one[2][1], one[0]) is None]
    assert not lost, "\n".join(lost)


def test_every_section_that_is_cited_has_its_heading():
    cited, lost = 0, []
    for path, text in _texts():
        signs = {match.start() for match in re.finditer("§", text)}
        for match in CITED.finditer(text):
            signs -= set(range(*match.span()))
            page = _page(match[1], path)
            for number in NUMBER.findall(match[2].replace("§", " ")):
                cited += 1
                if page is None or number.rstrip(".") not in _sections(page):
                    lost.append(f"{_at(path, text, match)}: {match[1]} has no section {number}")
        lost += [
            f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, sign) + 1}: a section of no page"
            for sign in sorted(signs)
        ]
    assert cited > 80
    assert not lost, "\n".join(lost)


def test_every_row_that_is_cited_is_in_the_fault_catalogue():
    rows, cited, lost = _rows(), 0, []
    for path, text in _texts():
        if path.suffix != ".py":
            continue
        named = [match for match in NAMED_ROW.finditer(text) if "def test" in _line(text, match)]
        for match in (*ROW.finditer(text), *named):
            cited += 1
            if match[1].upper() not in rows:
                lost.append(f"{_at(path, text, match)}: {match[1]}")
    assert cited > 200
    assert not lost, "\n".join(lost)


def _line(text, match):
    return text[text.rfind("\n", 0, match.start()) + 1 : match.end()]


def test_every_file_and_name_that_a_document_tells_to_touch_is_there():
    lost = []
    for path, text in _texts():
        if path.suffix != ".md":
            continue
        lost += [
            f"{_at(path, text, match)}: {match[1]}"
            for match in FILE.finditer(text)
            if "NAME" not in match[1] and not (ROOT / match[1]).exists()
        ]
        for match in NAME.finditer(text):
            file = ROOT / match[2]
            name = match[1].rsplit(".", 1)[-1]
            if not file.is_file() or not re.search(rf"\b{name}\b", file.read_text("utf-8")):
                lost.append(f"{_at(path, text, match)}: {match[1]} in {match[2]}")
    assert not lost, "\n".join(lost)
