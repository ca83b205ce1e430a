"""Books of a venue that numbers all messages of a connection, whatever their channel (Coinbase).

`sequence_num` grows by one with each message, heartbeats and acknowledgements among them. A hole
says that something is lost, not what: then no book of the connection is good, and all of them are
asked for anew. A number that was there already is a message that came twice: it is left out.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.feeds.sync_chain import ChainSync


class CountSync(ChainSync):
    """One book; whether messages are missing is known for the connection only."""

    rule = 0


class Numbering:
    """The numbers of one connection; `link` is its LINK record, which the kernel follows too."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.gaps = 0
        """Holes in the numbers."""
        self.repeats = 0
        """Messages that came before."""
        self.repeated = False
        """Whether the last message was one of them."""
        link["numbered"], link["count"] = 1, -1

    def connected(self) -> None:
        """A new connection begins to count anew."""
        self.link["count"] = -1

    def take(self, count: int) -> bool:
        """Take the number of a message; False when others before it are missing."""
        last = int(self.link["count"])
        self.repeated = 0 <= count <= last
        self.repeats += self.repeated
        if count < 0 or self.repeated:
            return True
        self.link["count"] = count
        whole = last < 0 or count == last + 1
        self.gaps += not whole
        return whole
