"""A request as people may see it: everything but what proves who asks."""

from __future__ import annotations

import re

from kimera_cli.venues.clients.credentials import HIDDEN, Redactor

_HEADERS = re.compile(
    r"^(X-MBX-APIKEY|API-Key|API-Sign|OK-ACCESS-(?:KEY|SIGN|PASSPHRASE)|X-BAPI-(?:API-KEY|SIGN)"
    r"|CB-ACCESS-(?:KEY|SIGN|PASSPHRASE)|Authorization): [^\r\n]*",
    re.M | re.I,
)
_PARAMETERS = re.compile(r"\b(signature|AccessKeyId)=[^&\s]*", re.I)


def shown_request(request: bytes | memoryview, redactor: Redactor) -> str:
    """Return a request's text without key, signature, token and passphrase."""
    text = bytes(request).decode("latin-1")
    text = _HEADERS.sub(rf"\1: {HIDDEN}", text)
    text = _PARAMETERS.sub(rf"\1={HIDDEN}", text)
    return redactor.text(text).replace("\r\n", "\n")
