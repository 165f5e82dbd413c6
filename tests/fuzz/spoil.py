"""Real payloads spoilt as strangers spoil them, from a seed.

Bytes flipped, cut and doubled; values swapped for those of other types; numbers beyond all bounds;
nesting; bytes that are not UTF-8; names that stand twice in one object.
"""

import random
import re

NUMBERS = (
    b"0",
    b"-1",
    b"-0",
    b"1e99999",
    b"1e-99999",
    b"1E+999999999999999999",
    b"9" * 40,
    b"9" * 5000,
    b"0." + b"0" * 70 + b"1",
    b"1" + b"0" * 60 + b".5",
    b"18446744073709551616",
    b"1e400",
    b"0.1e1",
    b"4.9e-324",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"sNaN",
    b"1_0",
    b"0.0_1",
    "\u0660.\u0660\u0661".encode(),
    b"0x10",
    "\u0661\u0662".encode(),
    b" 1 ",
    b"+1",
    b".5",
    b"5.",
    b"0.0000001",
    b"1e-7",
    b"1000000000000000",
)
OTHERS = (
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"[null]",
    b'[""]',
    b'{"":""}',
    b'""',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\x00"',
    b'"[[[[[[[["',
    b'"0x"',
    b'"' + b"x" * 5000 + b'"',
    b"[" * 70 + b"]" * 70,
    b'{"a":' * 70 + b"1" + b"}" * 70,
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b"[" * 5000 + b"]" * 5000,
)
VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|\b(?:true|false|null)\b')
NAME = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:')


class Spoiler:
    """Makes one spoilt copy after another."""

    def __init__(self, seed: str, whole: float = 0.02) -> None:
        self.chance, self._whole = random.Random(seed), whole
        self._values: dict[bytes, list[tuple[int, int]]] = {}

    def spoil(self, seeds: list[bytes]) -> bytes:
        """One of the payloads, spoilt once or a few times; rarely whole."""
        raw = self.chance.choice(seeds)
        if self.chance.random() < self._whole:
            return raw
        raw = self._first(raw)
        for _ in range(self.chance.choice((0, 0, 0, 1, 2))):
            raw = self.chance.choice((self._bytes, self._bytes, self._piece))(raw)
        return raw

    def _first(self, raw: bytes) -> bytes:
        kind = self.chance.choice(
            (
                self._bytes,
                self._piece,
                self._value,
                self._value,
                self._value,
                self._name,
                self._whole_of,
            )
        )
        return kind(raw)

    def _bytes(self, raw: bytes) -> bytes:
        spoilt = bytearray(raw)
        for _ in range(self.chance.choice((1, 1, 1, 2, 4))):
            if spoilt:
                at = self.chance.randrange(len(spoilt))
                spoilt[at] = self.chance.choice(
                    (
                        spoilt[at] ^ 1 << self.chance.randrange(8),
                        *b'0123456789.,:[]{}"eE-+ \\\xff\x00',
                    )
                )
        return bytes(spoilt)

    def _piece(self, raw: bytes) -> bytes:
        start = self.chance.randrange(len(raw) + 1)
        end = min(len(raw), start + self.chance.choice((1, 2, 8, 64, 1024)))
        kind = self.chance.randrange(4)
        if kind == 0:
            return raw[:start] + raw[end:]
        if kind == 1:
            return raw[:end] + raw[start:]
        if kind == 2:
            return raw[:start]
        return raw[:start] + self.chance.choice((*NUMBERS, *OTHERS)) + raw[start:]

    def _value(self, raw: bytes) -> bytes:
        """One value swapped for another; names of fields count as values, too."""
        places = self._places(raw)
        if not places:
            return raw
        start, end = self.chance.choice(places)
        odd = self.chance.choice(self.chance.choice((NUMBERS, OTHERS)))
        if raw[start : start + 1] == b'"' and odd in NUMBERS and self.chance.random() < 0.8:
            odd = b'"' + odd + b'"'
        if self.chance.random() < 0.1:
            first, last = self.chance.choice(places)
            odd = raw[first:last]
        return raw[:start] + odd + raw[end:]

    def _name(self, raw: bytes) -> bytes:
        """A field twice in one object, the second time with another value."""
        names = NAME.findall(raw[:20_000])
        openings = [found.end() for found in re.finditer(rb"\{", raw[:20_000])]
        if not names or not openings:
            return raw
        at = self.chance.choice(openings)
        odd = self.chance.choice((*NUMBERS, *OTHERS, b'"0.5"', b'"1"'))
        return raw[:at] + self.chance.choice(names) + b":" + odd + b"," + raw[at:]

    def _whole_of(self, raw: bytes) -> bytes:
        kind = self.chance.randrange(6)
        text = raw.decode("utf-8", "replace")
        if kind == 0:
            return text.encode(
                self.chance.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32")), "replace"
            )
        if kind == 1:
            return self.chance.choice(OTHERS)
        if kind == 2:
            depth = self.chance.choice((3, 60, 70, 1000, 100_000))
            return b"[" * depth + raw + b"]" * depth
        if kind == 3:
            return raw.replace(b'"', b'"\xff', self.chance.randrange(1, 9))
        if kind == 4:
            return b"[" + raw + b"]"
        return raw + self.chance.choice((raw, b"\x00", b" ", b"x"))

    def _places(self, raw: bytes) -> list[tuple[int, int]]:
        if raw not in self._values:
            if len(self._values) > 100:
                self._values.clear()
            self._values[raw] = [found.span() for found in VALUE.finditer(raw)]
        return self._values[raw]
