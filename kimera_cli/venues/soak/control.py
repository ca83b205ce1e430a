"""A client of the venue server's control API."""

from __future__ import annotations

import http.client
from typing import Any

import msgspec

from kimera_cli.errors import VenueError

LOOPBACK = "127.0.0.1"
ANSWER_S = 60.0


class Control:
    """Asks one control port; each call is a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> Any:
        """Return what is at a path."""
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Do something; return the answer."""
        return self._ask("POST", path, msgspec.json.encode(body))

    def delete(self, path: str) -> Any:
        """Take something away; return the answer."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        line = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_S)
        try:
            line.request(method, path, body)
            answer = line.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise VenueError(
                "venue.control", f"expected an answer of the venue server, was {error}"
            ) from None
        finally:
            line.close()
        if answer.status != http.client.OK:
            text = told[:200].decode("utf-8", "replace")
            raise VenueError("venue.control", f"{method} {path}: expected 200, was {text}")
        return msgspec.json.decode(told)
