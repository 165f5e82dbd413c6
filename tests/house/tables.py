"""The tables of the documents that follow from the source: `python -m tests.house.tables`.

Settings come from `Settings` (names and defaults) and from the words beside them in
`config/default.toml`; reasons come from `Reason`, codes from `BlockCode`. What stands between two markers is rewritten.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal

from arb.config.schema import SECRETS, Settings
from arb.config.sources import _values
from arb.domain.reason import Reason
from arb.interlocks import BlockCode
from tests.conftest import ROOT

DOCUMENTS = ("INTERFACE_SPEC.md", "README_ORCHESTRATOR.md")
SECTION = re.compile(r"\[([\w.-]+)\]")
LINE = re.compile(r"(?:# )?([\w-]+)(?: = .*?)?\s+# (.+)")
"""A setting, also one that is commented out or has no default, and what it means."""


def meanings() -> dict[str, str]:
    """What each setting means, by its name."""
    found, section, before = {}, "", ""
    for line in (ROOT / "config/default.toml").read_text("utf-8").splitlines():
        if header := SECTION.fullmatch(line):
            section = header[1]
            found[section] = before.removeprefix("# ")
        elif section and (match := LINE.fullmatch(line)):
            found[f"{section}.{match[1]}"] = match[2]
        before = line
    return found


def default(name: str, value: object) -> str:
    """A default as the tables show it."""
    if name in SECRETS:
        return "secret"
    if value is None:
        return "none"
    if isinstance(value, str | Decimal):
        return str(value) or '""'
    return json.dumps(value, separators=(",", ":"))


def settings() -> Iterator[str]:
    """The table of settings."""
    yield from ("| setting | default | meaning |", "|---|---|---|")
    words = meanings()
    for name, value in _values(Settings()):
        yield f"| `{name}` | {default(name, value)} | {words.get(name, '')} |"


def reasons() -> Iterator[str]:
    """The table of reasons."""
    yield from ("| reason | meaning |", "|---|---|")
    for reason in Reason:
        yield f"| `{reason.value}` | {reason.sentence} |"


def blocks() -> Iterator[str]:
    """The table of codes of what keeps orders from being sent."""
    yield from ("| code | meaning |", "|---|---|")
    for code in BlockCode:
        yield f"| `{code.value}` | {code.sentence} |"


TABLES = {"settings": settings, "reasons": reasons, "blocks": blocks}


def written(text: str) -> str:
    """A document with its tables as they follow from the source today."""
    for name, table in TABLES.items():
        begins, ends = f"<!-- {name}: written by `make docs` -->", f"<!-- /{name} -->"
        body = "\n".join((begins, *table(), ends))
        text = re.sub(
            f"{re.escape(begins)}.*?{re.escape(ends)}", lambda _, b=body: b, text, flags=re.DOTALL
        )
    return text


def main() -> None:
    """Rewrite the documents, and name those that changed."""
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text("utf-8")
        if (new := written(text)) != text:
            path.write_text(new, "utf-8")
            print(f"{name} rewritten")


if __name__ == "__main__":
    main()
