"""Text of others: control characters are spelled, pages named, long answers cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.plain_text import EXCERPT, excerpt, plain

PAGE = "<!DOCTYPE html><html><head><title> Back\n soon </title></head><body>x</body></html>"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"", "nothing"),
        (b" \r\n ", "nothing"),
        (PAGE, "a web page 'Back soon'"),
        (b"<html><body>no title</body></html>", "a web page"),
        (f"HTTP 503 {PAGE}", "HTTP 503 a web page 'Back soon'"),
        ('{"a":  1}', '{"a": 1}'),
        ("y" * EXCERPT, "y" * EXCERPT),
        ("y" * (EXCERPT + 1), "y" * EXCERPT + "..."),
        (b"\x1b[2J\x07", "\\x1b[2J\\x07"),
    ],
)
def test_what_is_shown_of_an_answer(body: bytes | str, shown: str) -> None:
    assert excerpt(body) == shown


@given(st.text())
def test_nothing_shown_acts_on_a_terminal(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in plain(text))
    assert excerpt(text).isprintable()
