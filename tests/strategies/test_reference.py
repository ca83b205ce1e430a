"""The reference page says what the code says."""

from __future__ import annotations

import re

from kimera_cli import strategies
from kimera_cli.layouts import OPEN_ORDER, VIEW
from kimera_cli.strategies import reference
from kimera_cli.strategies.testing import Desk


def test_every_field_is_explained():
    assert list(reference.FIELDS) == list(VIEW.names or ())
    assert list(reference.ORDER_FIELDS) == list(OPEN_ORDER.names or ())


def test_the_page_is_current(repository):
    page = (repository / "docs/reference/strategies.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "write it anew with kimera_cli.strategies.reference"


def test_the_example_of_the_guide_is_a_strategy(repository, tmp_path):
    page = (repository / "docs/how-to/write-a-strategy.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?decide\(view\).*?)```", page, re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    spec = strategies.load(str(tmp_path / "example.py"))
    (action,) = Desk(spec, queue_imbalance=0.9).decide()
    assert (action.side, action.px_ticks) == ("buy", 10_001)
    assert Desk(spec, queue_imbalance=0.7).decide() == []
    assert Desk(spec, {"order_notional": 0.01}, queue_imbalance=0.9).decide() == []
