"""Finding, checking and compiling strategy files: every mistake is named with file and line."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from kimera_cli import layouts, strategies
from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.strategies import registry, source
from kimera_cli.strategies.testing import Desk

GOOD = '''"""Joins the bid.

Parameters
----------
lots : lots
    Size.
"""

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.strategy import place
from kimera_cli.layouts import BID, GTC, LIMIT

PARAMS = {"lots": 3}
INTERVAL_NS = 5


@kernel
def size(view):
    return view.params[0]


def decide(view):
    place(view, BID, view.best_bid_ticks, size(view), LIMIT, GTC, 0)
    return 0
'''


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "mine.py") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def failure(path: str) -> KimeraError:
    with pytest.raises(KimeraError) as caught:
        strategies.load(path)
    assert len(str(caught.value)) < 600, "no wall of text"
    return caught.value


def test_limits_agree_with_the_layouts():
    assert source.MAX_PARAMS == layouts.MAX_PARAMS


def test_a_file_becomes_a_strategy(file, tmp_path):
    path = file(GOOD)
    spec = strategies.load(path)
    assert (spec.name, spec.origin, spec.interval_ns) == ("mine", path, 5)
    assert (spec.summary, spec.params) == ("Joins the bid.", {"lots": 3.0})
    assert spec.features
    assert not strategies.load(file("FEATURES = False\n" + DECIDE, "lean.py")).features
    (tmp_path / "lean.py").unlink()
    assert spec.docs == {"lots": ("lots", "Size.")}
    assert len(spec.source_hash) == 64
    assert spec.python_class is None
    (action,) = Desk(spec).decide()
    assert (action.px_ticks, action.qty_lots) == (9_999, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"], "nothing is left beside the file"


def test_the_source_hash_follows_the_text(file):
    before = strategies.load(file(GOOD)).source_hash
    assert strategies.load(file(GOOD + "\n")).source_hash != before


def test_two_files_of_one_name_do_not_meet(file, tmp_path):
    (tmp_path / "other").mkdir()
    one = strategies.load(file(GOOD))
    two = strategies.load(file(GOOD.replace("return view.params[0]", "return 7"), "other/mine.py"))
    assert Desk(one).decide()[0].qty_lots == 3
    assert Desk(two).decide()[0].qty_lots == 7


@pytest.mark.parametrize(
    ("name", "hint"),
    [("glfd", "glft"), ("avellaneda", "avellaneda_stoikov"), ("zzz", "noop")],
)
def test_an_unknown_name_is_told_with_the_nearest(name, hint):
    with pytest.raises(UsageError, match="expected a strategy name") as caught:
        strategies.load(name)
    assert caught.value.code == "usage.unknown_strategy"
    assert hint in caught.value.hint


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.py", tmp_path / "folder.py"):
        (tmp_path / "folder.py").mkdir(exist_ok=True)
        assert failure(str(path)).code == "usage.unknown_strategy"


DECIDE = "def decide(view):\n    return 0\n"

DECLARATIONS = [
    ("def decide(view)\n    return 0\n", "strategy.syntax", 1, "def decide(view)"),
    ("x = 1\n", "strategy.no_decide", 1, "neither"),
    ("", "strategy.no_decide", 1, "neither"),
    ("def decide(view, orders):\n    return 0\n", "strategy.signature", 1, "view, orders"),
    ("def decide():\n    return 0\n", "strategy.signature", 1, "decide()"),
    ("def decide(*view):\n    return 0\n", "strategy.signature", 1, "*view"),
    ("async def decide(view):\n    return 0\n", "strategy.signature", 1, "async def"),
    (
        "import numba\n@numba.njit\ndef decide(view):\n    return 0\n",
        "strategy.signature",
        3,
        "dec",
    ),
    (DECIDE + DECIDE, "strategy.ambiguous", 3, "decide"),
    (DECIDE + "class A(Strategy):\n    pass\n", "strategy.ambiguous", 3, "A"),
    ("\nPARAMS = {'a': 1 + n}\n" + DECIDE, "strategy.declaration", 2, "1 + n"),
    ("PARAMS = dict(a=1)\n" + DECIDE, "strategy.declaration", 1, "dict(a=1)"),
    ("PARAMS = {\n 'a': 1,\n 'b': 'x'}\n" + DECIDE, "strategy.params", 3, "b"),
    ("PARAMS = {'a': 1e999}\n" + DECIDE, "strategy.params", 1, "inf"),
    ("PARAMS = {'a': True}\n" + DECIDE, "strategy.params", 1, "True"),
    ("PARAMS = {'a': 1, 'a': 2}\n" + DECIDE, "strategy.params", 1, "'a'"),
    ("PARAMS = {'a b': 1}\n" + DECIDE, "strategy.params", 1, "a b"),
    (f"PARAMS = { ({f'p{i}': i for i in range(17)})!r}\n" + DECIDE, "strategy.params", 1, "16"),
    ("INTERVAL_NS = -1\n" + DECIDE, "strategy.declaration", 1, "-1"),
    ("INTERVAL_NS = 1e9\n" + DECIDE, "strategy.declaration", 1, "1000000000.0"),
    ("FEATURES = 0\n" + DECIDE, "strategy.declaration", 1, "0"),
    ("ERRORS = {1: 'no'}\n" + DECIDE, "strategy.declaration", 1, "1"),
    ("raise KeyError('x')\n" + DECIDE, "strategy.import", 1, "KeyError"),
    ("def f():\n    return 1 / 0\nf()\n" + DECIDE, "strategy.import", 2, "ZeroDivisionError"),
    ("import no_such_module\n" + DECIDE, "strategy.import", 1, "no_such_module"),
]


@pytest.mark.parametrize(("text", "code", "line", "said"), DECLARATIONS)
def test_a_wrong_declaration_is_told_with_file_line_and_mend(file, text, code, line, said):
    path = file(text)
    error = failure(path)
    assert error.code == code
    assert error.message.startswith(f"{path}:{line}: expected ")
    assert said in error.message
    assert error.details["line"] == line
    assert error.hint


def test_text_that_is_not_utf8_is_told(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b'"""Caf\xe9."""\n')
    assert failure(str(path)).code == "strategy.syntax"


HEAD = "import numpy as np\nfrom kimera_cli.kernels.strategy import place\n\n\ndef decide(view):\n"

MISTAKES = [
    ("    return view.best_bid\n", 6, "view.best_bid", "view.best_bid_ticks"),
    ("    x = 1\n    view.positon_lots = x\n    return 0\n", 7, "positon", "view.position_lots"),
    ("    y = 2\n    return undefined + y\n", 7, "undefined", "import or define undefined"),
    ("    view.state[0] = 1.0\n", 6, "nothing", "return 0"),
    ('    return "buy"\n', 6, "whole number", "return 0"),
    ("    place(view, 0, 5)\n    return 0\n", 6, "number of arguments", "compare"),
    ("    import math\n    return 0\n", 6, "no import inside", "top of the file"),
    ("    class A:\n        pass\n    return 0\n", 6, "no class inside", "view.state"),
    ("    return int(np.zeros(3).tolist()[0])\n", 6, "tolist", "numpy"),
    ("    return helper(view)\n\n\ndef helper(v):\n    return 0\n", 6, "plain Python", "@kernel"),
    ("    with open('a') as f:\n        f.read()\n    return 0\n", 5, "what numba can", "Strategy"),
]


@pytest.mark.parametrize(("body", "line", "said", "mend"), MISTAKES)
def test_what_the_compiler_dislikes_is_told_in_one_line(file, body, line, said, mend):
    if layouts_are_interpreted():
        pytest.skip("nothing is compiled")
    path = file(HEAD + body)
    error = failure(path)
    assert error.code == "strategy.compile"
    assert error.message.startswith(f"{path}:{line}: expected ")
    assert said in error.message
    assert mend in error.hint
    assert "Record(" not in str(error)


def layouts_are_interpreted() -> bool:
    import numba

    return bool(numba.config.DISABLE_JIT)


class Distribution:
    """What importlib.metadata tells of an installed package."""

    name = "kimera-extra"


def test_entry_points_are_found_and_cannot_take_a_built_in_name(file, monkeypatch, tmp_path):
    file(GOOD, "installed_strategy.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint(name, module, registry.ENTRY_POINTS)
        for name, module in (
            ("joiner", "installed_strategy"),
            ("glft", "installed_strategy"),
            ("gone", "no_such_module"),
        )
    ]
    for point in points:
        vars(point)["dist"] = Distribution()
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    spec = strategies.load("joiner")
    assert (spec.name, spec.origin) == ("joiner", "entry point kimera-extra")
    assert Desk(spec).decide()[0].qty_lots == 3
    assert strategies.info("glft").origin == "built-in"
    assert failure("gone").code == "strategy.import"


def test_describing_runs_nothing_and_imports_no_numba(run_python, file):
    file(GOOD + "\nraise SystemExit(9)\n")
    code = (
        "import sys; from kimera_cli import strategies\n"
        "print(strategies.info(sys.argv[1]).summary, [i.name for i in strategies.every()][0])\n"
        "assert not {'numba', 'numpy'} & set(sys.modules)"
    )
    done = run_python(code, file(GOOD + "\nraise SystemExit(9)\n"))
    assert (done.code, done.out) == (0, "Joins the bid. avellaneda_stoikov\n"), done.err


CACHE_PROBE = """
import sys
from kimera_cli.strategies import load
from kimera_cli.strategies.testing import Desk
spec = load(sys.argv[1])
hits, misses = (sum(c.values()) for c in spec.compiled.stats[1:])
print(hits, misses, Desk(spec).decide()[0].qty_lots)
"""


def probe(path: str, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CACHE_PROBE, path],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "NUMBA_DISABLE_JIT": "0"},
        cwd=cache,
    )
    return done.stdout.strip()


def test_machine_code_is_kept_between_starts_and_never_stale(file, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    path = file(GOOD)
    assert probe(path, cache) == "0 1 3"
    assert probe(path, cache) == "1 0 3"
    assert probe(file(GOOD.replace("return view.params[0]", "return 4")), cache) == "0 1 4"


def test_a_file_that_imports_the_users_own_modules_is_compiled_at_each_start(file, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    text = GOOD.replace("INTERVAL_NS", "from constants import LOTS\nINTERVAL_NS")
    path = file(text.replace("return view.params[0]", "return LOTS"))
    for lots in (5, 6):
        (cache / "constants.py").write_text(f"LOTS = {lots}\n")
        assert probe(path, cache) == f"0 1 {lots}"


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"gama": 1.0}, "usage.unknown_param", "gamma"),
        ({"gamma": float("nan")}, "usage.param_value", "nan"),
        ({"gamma": "0.1"}, "usage.param_value", "'0.1'"),
        ({"gamma": True}, "usage.param_value", "True"),
    ],
)
def test_parameters_that_are_unknown_or_not_finite_are_told(given, code, said):
    with pytest.raises(UsageError) as caught:
        strategies.resolve(strategies.info("glft"), given)
    assert caught.value.code == code
    assert said in str(caught.value)


def test_parameters_keep_their_order_in_the_row():
    info = strategies.info("glft")
    values = strategies.resolve(info, {"k": 2, "gamma": 0.5})
    assert list(values) == list(info.params)
    filled = strategies.row(values)
    assert filled.shape == (layouts.MAX_PARAMS,)
    assert filled[:2].tolist() == [0.5, 2.0]
    assert not np.any(filled[len(values) :])
