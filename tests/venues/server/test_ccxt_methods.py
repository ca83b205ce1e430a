"""The table of docs/reference/venue-ccxt.md: what unmodified ccxt.pro can do at each venue."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ccxt_calls import Caller, SilentError
from served_venues import World

from kimera_cli.venues.server.dialects import available

PAGE = "docs/reference/venue-ccxt.md"
FENCE = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
WORDS = {"yes", "-", "no", "never"}


def table(repository: Path) -> dict[str, dict[str, str]]:
    """The page's cells by method and venue."""
    lines = (repository / PAGE).read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    venues = next(row for row in rows if row[0] == "method")[1:]
    methods = [row for row in rows if row[0].startswith("`")]
    return {row[0].strip("`"): dict(zip(venues, row[1:], strict=True)) for row in methods}


def test_the_page_has_every_venue_and_four_words(repository: Path) -> None:
    cells = table(repository)
    assert len(cells) > 60
    for method, by_venue in cells.items():
        assert list(by_venue) == list(available()), method
        assert set(by_venue.values()) <= WORDS, method


@pytest.mark.parametrize("name", available())
def test_each_cell_is_true(serve: Any, repository: Path, name: str) -> None:
    said = {method: cells[name] for method, cells in table(repository).items()}

    async def scenario(world: World) -> dict[str, str]:
        caller = Caller(world, name)
        await caller.ex.load_markets()
        return {method: await found(caller, method) for method in said}

    ours = serve(scenario, name, limits=False)
    assert {m: (said[m], word) for m, word in ours.items() if not word.startswith(said[m])} == {}


async def found(caller: Caller, method: str) -> str:
    """Return the page's word for what became of a call, and why."""
    import ccxt

    if not caller.ex.has.get(method):
        return "-"
    try:
        answer = await caller.call(method)
    except SilentError:
        return "never"
    except ccxt.BaseError as error:
        own = (ccxt.NotSupported, ccxt.BadRequest, ccxt.ArgumentsRequired)
        if isinstance(error, own) and "{" not in str(error):  # no answer of a venue is in it
            return "-"
        return f"no: {type(error).__name__} {error}"
    return "yes" if answer else f"empty: {answer!r}"


def test_the_scripts_of_the_pages_trade(kimera: Any, repository: Path) -> None:
    pages = [repository / PAGE, repository / "docs/reference/venue-server.md"]
    scripts = [text for page in pages for text in FENCE.findall(page.read_text())]
    assert len(scripts) == 2
    listening = kimera.folder / "listening.jsonl"
    with listening.open("wb") as out:
        server = kimera.start("venue", "serve", "--venues", "kraken", stdout=out)
        try:
            while not listening.read_bytes().endswith(b"\n"):
                assert server.poll() is None
                time.sleep(0.05)
            for number, text in enumerate(scripts):
                path = kimera.folder / f"script{number}.py"
                path.write_text(text)
                done = subprocess.run(
                    [sys.executable, path], cwd=kimera.folder, env=kimera.env,
                    capture_output=True, timeout=60, check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr.decode()
                assert re.search(rb"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", done.stdout)
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate()
    [_, ended, _] = [json.loads(line) for line in listening.read_text().splitlines()]
    assert (ended["type"], ended["bugs"]) == ("venue_ended", 0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("okx", "OnMaintenance"), ("htx", "OnMaintenance")]
    + [(name, "ExchangeNotAvailable") for name in available() if name not in ("okx", "htx")],
)
def test_maintenance_has_the_class_that_programs_wait_for(serve: Any, name: str, kind: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt

        caller = Caller(world, name)
        await caller.ex.load_markets()
        world.venue().maintenance = True
        for method in ("fetchOrderBook", "createOrder"):
            with pytest.raises(getattr(ccxt, kind)):
                await caller.call(method)
        world.venue().maintenance = False
        assert not world.exchange().orders(caller.account)
        assert await caller.call("createOrder")

    serve(scenario, name, limits=False)
