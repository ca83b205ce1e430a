"""The terminal page and the HTML file: complete, self-contained, plain words where nothing is."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from kimera_cli.layouts import R_HALT, R_SAMPLE, RECORD
from kimera_cli.report import html, terminal
from kimera_cli.report.analysis import analyse
from kimera_cli.report.braille import visible
from kimera_cli.report.run import Run

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Checks that elements nest, and keeps texts, attributes and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.json: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag if ("type", "application/json") not in attrs else "json")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() in (tag, "json"), f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        (self.json if self.open and self.open[-1] == "json" else self.texts).append(data)


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("colour", [False, True])
def test_no_line_is_wider_than_the_terminal(make: Any, kit: Any, width: int, colour: bool) -> None:
    rows = kit.merged(kit.market_rows(900, 200), kit.market_rows(900, 90, 5, strategy=1))
    a = analyse(make(rows, [kit.SPOT], ["glft", "ofi"]))
    text = terminal.page(a, width, colour=colour)
    wide = [line for line in text.splitlines() if visible(line) > width]
    assert wide == []
    assert ("\x1b[" in text) is colour


def test_the_terminal_page_says_what_matters(tiny: Run) -> None:
    text = terminal.page(analyse(tiny), 80, colour=False)
    for words in ("● complete", "What this assumes", "risk averse", "8.86 USD", "4.50 USD",
                  "risk.max_order", "Position in binance", "▲ buys ▼ sells, 3 fills"):  # fmt: skip
        assert words in text


def test_nothing_filled_is_said_in_words(make: Any, kit: Any) -> None:
    rows = kit.market_rows(100, 0)
    run = make(rows[rows["kind"] == R_SAMPLE], [kit.SPOT], ["glft"])
    text = terminal.page(analyse(run), 80, colour=False)
    assert "Nothing was filled" in text
    assert "PnL was 0 throughout" in text
    page = html.page(analyse(run))
    for words in ("Nothing was filled, so there is no PnL to split.", "Nothing was ever held.",
                  "Equity never fell", "The strategies wanted no order."):  # fmt: skip
        assert words in page


@pytest.mark.parametrize("status", ["running", "failed"])
def test_a_run_without_files_is_shown_as_what_it_is(make: Any, kit: Any, status: str) -> None:
    a = analyse(make(np.empty(0, RECORD), [kit.SPOT], ["glft"], status=status))
    text, page = terminal.page(a, 80, colour=False), html.page(a)
    assert f"● {status}" in text
    assert "the journal holds what was" in text
    assert f'class="status {status}"' in page
    outline(page)


def test_a_halt_names_its_limit(make: Any, kit: Any) -> None:
    rows = kit.Rows()
    rows.rows = [np.array([row], RECORD) for row in kit.tiny_rows()]
    rows.add(R_HALT, 94.0, code=10)
    page = html.page(analyse(make(rows.array(), [kit.SPOT], ["x"], status="halted", pnl=8.86)))
    assert "Halted by risk.drawdown." in page


def test_the_file_needs_nothing_else(tiny: Run) -> None:
    found = outline(html.page(analyse(tiny)))
    assert not [v for k, v in found.attributes if k in ("src", "href", "srcset", "action")]
    text = html.page(analyse(tiny))
    assert "url(" not in text
    assert "@import" not in text
    assert not re.findall(r"https?://", text)


def test_every_metric_has_its_definition(tiny: Run) -> None:
    a = analyse(tiny)
    tips = [v or "" for k, v in outline(html.page(a)).attributes if k == "data-tip"]
    grouped = {m.name for m in a.all_measures()} - {"sharpe", "volatility", "sortino", "omega"}
    for name in grouped - {"sharpe_annual", "psr", "min_track_record", "funding"}:
        from kimera_cli.risk.metrics import REGISTRY

        assert any(tip.startswith(REGISTRY[name].definition) for tip in tips), name


def test_readings_are_valid_json(tiny: Run) -> None:
    blocks = outline(html.page(analyse(tiny))).json
    assert len(blocks) >= 4
    pnl = json.loads(blocks[0])
    assert pnl["series"][0]["v"][-1] == 8.86
    assert pnl["series"][0]["t"][-1] == 95_000


def test_names_cannot_break_out(make: Any, kit: Any) -> None:
    evil = '</script><script>alert(1)</script>"&'
    run = make(kit.tiny_rows(), [kit.SPOT | {"symbol": evil}], [evil])
    page = html.page(analyse(run))
    outline(page)
    assert "<script>alert" not in page


def test_a_day_and_more_stays_small(make: Any, kit: Any) -> None:
    rows = kit.market_rows(150_000, 20_000)
    page = html.page(analyse(make(rows, [kit.SPOT], ["glft"], stated={"cash": 1e9})))
    assert len(page) < 600_000
    assert "800 of 20,000 fills drawn" in page


def test_the_same_run_gives_the_same_bytes(tiny: Run) -> None:
    assert html.page(analyse(tiny)) == html.page(analyse(tiny))
