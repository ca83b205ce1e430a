"""Rules of the design that import-linter cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["kimera_cli", "commands", "bench"]
FILES = sorted(p for f in FOLDERS for p in (ROOT / f).rglob("*.py") if "__pycache__" not in p.parts)

SURROUNDINGS = {
    "os": {"environ", "getenv", "urandom"},
    "time": {"time", "time_ns", "localtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "random": {
        "random",
        "randint",
        "randrange",
        "choice",
        "choices",
        "shuffle",
        "uniform",
        "gauss",
    },
    "secrets": {"token_bytes", "token_hex", "token_urlsafe", "randbelow", "choice"},
    "uuid": {"uuid1", "uuid4"},
}
"""Reads of environment, clock and randomness, by the module or class that has them."""

GENERATORS = {"Random", "SystemRandom", "default_rng", "RandomState", "SeedSequence"}
"""Sources of random numbers that repeat only when they are given a seed."""

MAY_READ = {
    "kimera_cli/context.py": "gives them to everybody else",
    "kimera_cli/kernels/_jit.py": "the folder of compiled kernels must be known at import",
}
STDOUT = {"kimera_cli/output.py", "kimera_cli/context.py", "kimera_cli/main.py"}
STDERR = {"kimera_cli/diagnostics.py", "kimera_cli/context.py"}
NETWORK = {"socket", "asyncio", "http", "http.client", "urllib.request", "requests", "aiohttp"}
NETWORK_ROOMS = ("kimera_cli/feeds/", "kimera_cli/venues/", "kimera_cli/live/", "kimera_cli/api/")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def attributes(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, owner and attribute of every `owner.attribute` whose owner is a plain name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, node.value.id, node.attr
        if isinstance(node, ast.ImportFrom) and node.module in SURROUNDINGS:
            for alias in node.names:
                yield node.lineno, str(node.module), alias.name


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def in_bench(path: Path) -> bool:
    return name_of(path).startswith("bench/")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_environment_clock_and_randomness_come_from_the_context(path: Path) -> None:
    if name_of(path) in MAY_READ:
        pytest.skip(MAY_READ[name_of(path)])
    found = [
        f"{path}:{line}: {owner}.{attribute}"
        for line, owner, attribute in attributes(path)
        if attribute in SURROUNDINGS.get(owner, ())
    ]
    assert not found, "inject it: ctx.obj.env, ctx.obj.now_ns, ctx.obj.monotonic_ns, a seed"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_random_generator_is_given_a_seed(path: Path) -> None:
    calls = (n for n in ast.walk(tree(path)) if isinstance(n, ast.Call))
    unseeded = [
        n.lineno
        for n in calls
        if getattr(n.func, "attr", getattr(n.func, "id", "")) in GENERATORS
        and not n.args
        and not n.keywords
    ]
    assert not unseeded, f"{path}:{unseeded}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_output_writes_stdout_and_only_diagnostics_stderr(path: Path) -> None:
    name = name_of(path)
    for line, owner, attribute in attributes(path):
        if owner in ("sys", "typer") and attribute in ("stdout", "__stdout__", "echo", "secho"):
            assert name in STDOUT, f"{path}:{line}: emit records instead"
        if owner == "sys" and attribute in ("stderr", "__stderr__"):
            assert name in STDERR, f"{path}:{line}: use ctx.obj.diagnostics instead"
    calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
    prints = [n.lineno for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
    assert not prints, f"{path}:{prints}: emit records instead"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_core_reaches_commands_by_string_only(path: Path) -> None:
    """import-linter does not see the mapped name."""
    ours = name_of(path).startswith("kimera_cli/")
    for line, name in imports(path):
        assert not name.startswith("kimera_cli.commands"), f"{path}:{line}"
        assert not (ours and name.startswith("kimera_cli.bench")), f"{path}:{line}"
        assert name.split(".")[0] not in ("commands", "click"), f"{path}:{line}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_sockets_are_opened_only_where_venues_are(path: Path) -> None:
    if not name_of(path).startswith(NETWORK_ROOMS) and not in_bench(path):
        assert not [f"{path}:{line}: {n}" for line, n in imports(path) if n in NETWORK]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{path} has no docstring"


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base2"}
    assert not [p for p in FILES if drawers & set(p.with_suffix("").parts[-3:])]


def test_the_import_contracts_hold() -> None:
    """The whole graph, layers and forbidden modules: see [tool.importlinter] in pyproject.toml."""
    script = Path(sys.executable).parent / "lint-imports"
    if not script.is_file():
        pytest.skip("import-linter is not installed (make setup-dev)")
    done = subprocess.run(
        [script, "--no-logo", "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout
