"""Leave to send orders to real venues: asked of a person, venue by venue, before any socket."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Program, Said

RUN = ("run", "--source", "venue", "--market", "binance/BTCUSDT", "--market", "kraken/XBTUSD")
LIVE = (*RUN, "--execute", "live", "--for", "1s", "--profile", "allows.toml")
ORDER = ("trade", "order", "BTCUSDT", "buy", "0.01", "--price", "45000", "--venue", "binance")


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command at a terminal where these lines are typed; sockets are an error."""

    def none(*args: object) -> None:
        raise AssertionError("something was to be sent")

    monkeypatch.setattr("kimera_cli.live.plan.start_of", none)
    monkeypatch.setattr("kimera_cli.venues.trading.Trading.client", none)
    (tmp_path / "allows.toml").write_text("[live]\nallow = true\n")
    keys = {"KIMERA_BINANCE_KEY": "k", "KIMERA_BINANCE_SECRET": "s"}

    def run(*args: object, typed: str, **world: Any) -> Said:
        seen = {"stderr_is_terminal": True, **world}
        return program(*args, stdin=Terminal(typed), env=keys, **seen)

    return run


def test_leave_for_one_venue_is_none_for_another(asked: Any) -> None:
    said = asked(*LIVE, typed="live binance\nlive binance\n")
    assert (said.code, "expected 'live kraken'" in said.err) == (2, True)
    assert said.err.count("to go on: ") == 2


def test_a_wrong_word_sends_nothing(asked: Any) -> None:
    for words in (LIVE, (*ORDER, "--profile", "allows.toml")):
        said = asked(*words, typed="yes\n")
        assert (said.code, "expected 'live binance'" in said.err) == (2, True)


def test_the_question_is_put_to_the_person_and_not_into_the_data(asked: Any) -> None:
    said = asked(*LIVE, "--quiet", "--format", "jsonl", typed="\n")
    assert "Type 'live binance' to go on: " in said.err
    assert "Type" not in said.out
    assert [record["type"] for record in said.json] == ["end"]


def test_where_nobody_sees_the_question_it_is_not_put(asked: Any) -> None:
    for words in (LIVE, (*ORDER, "--profile", "allows.toml")):
        said = asked(*words, typed="live binance\n", stderr_is_terminal=False)
        assert (said.code, said.error["code"]) == (2, "usage.live")
        assert "--yes-live" in said.error["hint"]


@pytest.mark.parametrize("cap", ["nan", "inf"])
def test_a_cap_is_an_amount(asked: Any, cap: str) -> None:
    said = asked(*LIVE, "--yes-live", cap, typed="")
    assert (said.code, "expected --yes-live as an amount" in said.err) == (2, True)
