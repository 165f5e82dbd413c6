"""Plain English: the glossary lists words that the project's texts do not use; none of them occurs."""

import re

import pytest

from tests.conftest import ROOT

GLOSSARY = "docs/glossary.md"
HEADING = "## Words we do not use"
SUFFIXES = {".css", ".html", ".js", ".json", ".md", ".py", ".service", ".toml", ".yaml", ".yml"}
GAP = r"\b[^.;:|`]{1,40}?\b"
"""What `…` stands for in an entry: a few words of the same sentence."""
BLANK = r"(?:\s|#|//|\*|>)+"
"""A blank between two words; a sentence may go on in the next line of a comment."""

ALIASES = {
    "src/arb/checks.py": ['"mend": self.fix,'],
    "INTERFACE_SPEC.md": ["`mend` is the old name of `fix`"],
    "CHANGELOG.md": [
        "`mend` is the old name of `fix`",
        # Entries are history and stay as they were written.
        "another user's log or lock is one line with its mend.",
        "A process that could not hear the venue out yet sends nothing",
        "a broken file of tokens lets nobody in",
        "What nobody expected ends its cycle",
        "over what nobody answers for",
    ],
}
"""The exact texts in which a word may stand, by file."""


def words_in(glossary):
    """The entries of the glossary's section: the first cell of each row, in backticks."""
    section = glossary.partition(HEADING)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \|$", section, re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def pattern_of(word):
    halves = [BLANK.join(map(re.escape, half.split())) for half in word.split("…")]
    return re.compile(rf"\b{GAP.join(halves)}\b", re.IGNORECASE)


def found_in(name, text, words):
    """`file:line` of every word that occurs, with the word; exempt texts are blanked out first."""
    if name == GLOSSARY:
        before, heading, rest = text.partition(HEADING)
        section, after_heading, after = rest.partition("\n## ")
        text = before + heading + "\n" * section.count("\n") + after_heading + after
    for exempt in ALIASES.get(name, ()):
        text = text.replace(exempt, " " * len(exempt))
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {word}"
        for word in words
        for match in pattern_of(word).finditer(text)
    ]


def texts():
    """What a person reads: the source, the documents and the configuration, by name."""
    files = [*ROOT.glob("*.md"), ROOT / ".env.example"]
    for folder in ("src", "docs", "config"):
        files += [p for p in (ROOT / folder).rglob("*") if p.suffix in SUFFIXES]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted(files)
        if "node_modules" not in path.parts and ".egg-info" not in str(path)
    }


VENUE_WORDS = re.compile(
    r"neg_?risk|polymarket|kalshi|augmented|\bgamma\b|clob|pusd|erc-?1155|condition.?id",
    re.IGNORECASE,
)
CORE = ("domain", "strategies", "risk", "engine", "sizing.py", "ports.py")
THEIR_STRATEGY = "strategies/negrisk.py"
PUBLIC_NAMES = {
    "domain/opportunity.py": ('"negrisk_no"', '"negrisk_yes"', '"negrisk_convert"'),
    "domain/reason.py": ('"augmented"',),
    "domain/report.py": ('"clob-market"',),
}
"""What kinds, reasons and problems are called in documents and ledgers."""


def core_files():
    core = ROOT / "src" / "arb"
    for part in CORE:
        yield from [core / part] if part.endswith(".py") else (core / part).rglob("*.py")


def venue_words(name, text):
    for public in PUBLIC_NAMES.get(name, ()):
        text = text.replace(public, " " * len(public))
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for match in VENUE_WORDS.finditer(text)
        if name != THEIR_STRATEGY
    ]


def test_the_core_names_no_venue():
    core = ROOT / "src" / "arb"
    found = [
        place
        for path in core_files()
        for place in venue_words(str(path.relative_to(core)), path.read_text(encoding="utf-8"))
    ]
    assert found == []
    assert venue_words("domain/x.py", "# as at Polymarket\nneg_risk = 1") == [
        "domain/x.py:1: Polymarket",
        "domain/x.py:2: neg_risk",
    ]


def test_no_text_uses_a_word_that_the_glossary_rules_out():
    words, read = words_in((ROOT / GLOSSARY).read_text(encoding="utf-8")), texts()
    assert {
        "mend",
        "mended",
        "mends",
        "answers with",
        "whoever",
        "is to be had",
        "somebody",
    } <= set(words)
    assert len(read) > 250
    found = [place for name, text in read.items() for place in found_in(name, text, words)]
    assert not found, "\n" + "\n".join(found)


def test_every_exemption_is_still_needed():
    read = texts()
    stale = [(name, one) for name, some in ALIASES.items() for one in some if one not in read[name]]
    assert not stale


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it is fixed\nthe mend is here", ["a.py:2: mend"]),
        ("Mended.", ["a.py:1: mended"]),
        ("amend, mendacious, recommended", []),
        ("    # the call answers\n    # with a number", ["a.py:1: answers with"]),
        ("has heard the venue out", ["a.py:1: heard … out"]),
        ("it has heard. Now run out", []),
    ],
)
def test_a_word_is_found_whole_with_its_line(text, expected):
    words = ["mend", "mended", "answers with", "heard … out"]
    assert found_in("a.py", text, words) == expected


def test_the_section_itself_is_exempt_and_nothing_else_of_the_glossary():
    section = f"{HEADING}\n\n| do not write | write |\n|---|---|\n| `mend` | fix |\n"
    assert words_in(section) == ["mend"]
    assert found_in(GLOSSARY, section, ["mend"]) == []
    assert found_in(GLOSSARY, f"mend\n{section}\n## Next\nmend", ["mend"]) == [
        f"{GLOSSARY}:1: mend",
        f"{GLOSSARY}:9: mend",
    ]
