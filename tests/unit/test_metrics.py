"""The registry: one entry per metric, complete, and the page of it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from kimera_cli.report import reference
from kimera_cli.report.analysis import GROUPS
from kimera_cli.risk.metrics import REGISTRY, estimate, metric, proportion


@pytest.mark.parametrize("name", REGISTRY)
def test_entries_are_complete_sentences_with_a_source(name: str) -> None:
    entry = REGISTRY[name]
    assert entry.name == name
    assert entry.label
    assert entry.definition.endswith(".")
    assert entry.source
    assert entry.group in GROUPS
    assert entry.unit in {"currency", "fraction", "ratio", "bps", "s", "count", "x own size"}


def test_the_page_of_metrics_is_made_from_the_code(repository: Path) -> None:
    page = (repository / "docs/reference/metrics.md").read_text()
    assert page == reference.markdown(), "write reference.markdown() to the page"


def test_a_name_is_taken_once() -> None:
    declare = metric("pnl", label="x", unit="s", definition="x.", source="x", group="Result")
    with pytest.raises(ValueError, match="pnl twice"):
        declare(lambda: None)


def test_what_is_not_finite_is_missing_with_a_reason() -> None:
    for value in (math.nan, math.inf):
        found = estimate(value, 1.0, 5, "no variance")
        assert (found.value, found.se, found.reason) == (None, None, "no variance")
    assert estimate(1.0, math.nan).se is None


def test_proportions() -> None:
    assert proportion(1, 4, "").se == pytest.approx(math.sqrt(0.25 * 0.75 / 4))
    assert proportion(4, 4, "").se is None
    assert proportion(0, 0, "no orders").reason == "no orders"
