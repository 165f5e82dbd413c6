"""What comes from outside is bounded before anything is computed with it."""

import json
import sys
import time
from decimal import Decimal
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arb.domain.bounds import (
    DIGITS_MAX,
    EXPONENT_MAX,
    NESTING_MAX,
    OutOfBounds,
    bounded,
    check_nesting,
    number,
)
from arb.files import document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.48", "0.48"),
        ("100", "100"),
        ("-3.5", "-3.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e-3", "0.001"),
        ("9" * DIGITS_MAX, "9" * DIGITS_MAX),
        (f"1e{EXPONENT_MAX}", f"1e{EXPONENT_MAX}"),
    ],
)
def test_numbers_within_bounds_are_read_as_written(text, value):
    assert number(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1_0",
        "\u0661",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "0x1",
        "1e",
        ".",
        "1e99999",
        "1e-99999",
        "1e19",
        "1e-19",
        "9" * (DIGITS_MAX + 1),
        "0." + "0" * 60 + "1",
        "1" * 10_000_000,
    ],
)
def test_what_is_no_number_or_beyond_all_bounds_is_refused(text):
    with pytest.raises(OutOfBounds):
        number(text)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-Infinity", "1e99999", "1e999999999", "9" * 99])
def test_a_decimal_beyond_all_bounds_is_refused_at_no_cost(text):
    began = time.process_time()
    with pytest.raises(OutOfBounds):
        bounded(Decimal(text))
    assert time.process_time() - began < 0.1


def _nested(depth):
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_nesting_is_bounded_exactly_and_before_decoding():
    check_nesting(_nested(NESTING_MAX))
    with pytest.raises(OutOfBounds):
        check_nesting(_nested(NESTING_MAX + 1))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        with pytest.raises(OutOfBounds):
            document(b"[" * 500_000)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    "text",
    ["[" * 500, '\\"' + "{" * 500, "\\\\", '"' + "[" * 500 + '"', '\\\\"[[[', "a]}\\"],
)
def test_brackets_within_strings_do_not_nest(text):
    check_nesting(json.dumps([{"question": text, "more": [text, text]}]).encode())


@pytest.mark.parametrize("most", range(2, 40))
def test_every_bound_on_nesting_is_exact(most):
    check_nesting(_nested(most), most)
    with pytest.raises(OutOfBounds):
        check_nesting(_nested(most + 1), most)


@given(st.text("[]{}", max_size=60), st.integers(1, 40), st.integers(0, 30))
def test_nesting_is_counted_however_brackets_pair(brackets, most, around):
    text = "[" * around + brackets + "]" * around
    deepest = max(accumulate((1 if bracket in "[{" else -1 for bracket in text), initial=0))
    if deepest <= most:
        check_nesting(text.encode(), most)
    elif text.count("[") + text.count("{") > most:
        with pytest.raises(OutOfBounds):
            check_nesting(text.encode(), most)


def test_a_wide_document_is_not_a_deep_one():
    check_nesting(json.dumps([[{}] * 3] * 5000).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": 0.' + b"1" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[" * 100 + b"]" * 100,
    ],
)
def test_a_document_that_is_not_plain_is_refused(raw):
    with pytest.raises(ValueError, match=r".*"):
        document(raw)


def test_a_plain_document_is_read():
    raw = b'{"a": [1, -2.5, true, null, "\\u00e9\\ud83d\\ude00"], "b": {}}'
    assert document(raw) == {"a": [1, -2.5, True, None, "\u00e9\U0001f600"], "b": {}}
