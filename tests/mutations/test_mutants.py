"""The list of mutants fits the code, and the workshop tells what was noticed from what was not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from catalogue import MUTANTS
from mutant import Mutant
from run import main, survey
from workshop import ROOT, arguments

AMOUNTS = "kimera_cli/venues/server/amounts.py"
BY_HAND = "venues/server/test_parts.py -k amounts"
WRONG = Mutant("an atom too much", AMOUNTS, "ONE = 10**SCALE_DIGITS", "ONE = 10**17", BY_HAND)
FAST = (
    "a nonce may be used twice",
    "two noes at once are enough",
)
"""Some of each kind, whose tests take a moment; all of them are for `make mutations`."""


def test_no_two_mutants_are_alike() -> None:
    assert len(MUTANTS) > 150
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)
    changes = {(each.file, each.text, each.broken) for each in MUTANTS}
    assert len(changes) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    """Whoever edits such a line decides anew what breaks it."""
    ast.parse(mutant.applied(ROOT))
    assert mutant.text != mutant.broken
    for word in arguments(ROOT, mutant.tests):
        if word.partition("::")[0].endswith(".py"):
            assert Path(word.partition("::")[0]).is_file()


def test_mistakes_are_noticed_harmless_changes_survive_and_broken_tests_are_errors() -> None:
    harmless = WRONG._replace(name="another spelling", broken="ONE = 10**16 * 100")
    unknown = WRONG._replace(name="no such test", tests="venues/server/test_parts.py -k nowhere")
    chosen = [each for each in MUTANTS if each.name in FAST]
    before = (ROOT / AMOUNTS).read_bytes()
    found = survey([WRONG, harmless, unknown, *chosen], jobs=1)
    states = {result.mutant.name: result.state for result in found}
    assert states.pop("another spelling") == "survived"
    assert states.pop("no such test") == "error"
    assert set(states.values()) == {"killed"}, states
    assert states.keys() == {WRONG.name, *FAST}
    assert all("::test_" in result.by for result in found if result.state == "killed")
    assert (ROOT / AMOUNTS).read_bytes() == before, "the working tree is never touched"


def test_a_word_that_no_mutant_has_is_told() -> None:
    with pytest.raises(SystemExit, match="expected a mutant with 'nothing like it'"):
        main(["-k", "nothing like it"])
