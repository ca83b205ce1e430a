"""Text of others made fit to be shown: no control characters, no whole web page."""

from __future__ import annotations

import re

EXCERPT = 80
"""Characters that are shown of an answer that cannot be used."""
_LOOKED_AT = 10_000
_PAGE = re.compile(r"<(?:!doctype|html|head|body|title)\b", re.I)
_TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title>", re.I | re.S)


def plain(text: str) -> str:
    """Return a text whose control characters are spelled: none of them acts on a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def excerpt(body: bytes | str, most: int = EXCERPT) -> str:
    """Return what an answer says, on one line: its beginning; of a web page the title."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if page := _PAGE.search(text[:most]):
        before = " ".join(text[: page.start()].split())
        return plain(f"{before} a web page{_title(text)}".strip())
    words = " ".join(text[:_LOOKED_AT].split())
    more = "..." if len(words) > most or len(text) > _LOOKED_AT else ""
    return plain(words[:most]) + more or "nothing"


def _title(text: str) -> str:
    found = _TITLE.search(text[:_LOOKED_AT])
    return f" '{' '.join(found[1].split())[:EXCERPT]}'" if found and found[1] else ""
