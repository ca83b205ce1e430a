"""What each command imports before it works: nothing heavy, so that pipelines start fast.

Milliseconds are printed by `kimera bench cold-start`; here only the sets of modules count.
"""

from __future__ import annotations

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kimera_cli.registry import COMMANDS, installed

HEAVY = ["numpy", "numba", "pandas", "torch", "ccxt", "textual", "rich", "scipy", "duckdb"]
HEAVY += ["pyarrow", "plotly", "plotext", "pydantic", "asyncio"]

PROBE = """
import json, sys
from kimera_cli import context, main
code = main.run(context.from_process(), sys.argv[2:])
heavy = sorted(set(json.loads(sys.argv[1])) & set(sys.modules))
print(json.dumps({"code": int(code), "heavy": heavy}), file=sys.stderr)
"""


def probe(run_python: Any, *args: str) -> tuple[dict[str, Any], str]:
    result = run_python(PROBE, json.dumps(HEAVY), *args)
    return json.loads(result.err.splitlines()[-1]), result.out


def test_every_command_has_its_module() -> None:
    assert sorted(COMMANDS) == sorted(installed())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_the_program_itself_is_light(run_python: Any, arguments: list[str]) -> None:
    found, out = probe(run_python, *arguments)
    assert found == {"code": 0, "heavy": []}
    assert out


@pytest.mark.parametrize("name", installed())
def test_help_of_a_command_is_light(run_python: Any, name: str) -> None:
    found, out = probe(run_python, name, "--help")
    assert found == {"code": 0, "heavy": []}
    assert out.startswith(f"Usage: kimera {name}")


@pytest.mark.parametrize("name", installed())
def test_a_command_module_imports_alone_and_light(run_python: Any, name: str) -> None:
    code = (
        "import json, sys\n"
        f"import {COMMANDS[name].module}\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))\n"
        f"others = {[COMMANDS[n].module for n in COMMANDS if n != name]!r}\n"
        "print(sorted(set(others) & set(sys.modules)))\n"
    )
    assert run_python(code).out == "[]\n[]\n"


@pytest.mark.parametrize(
    "arguments",
    [["profile", "show"], ["profile", "list"], ["schema"], ["completion", "bash"], ["rnu"]],
)
def test_cold_commands_work_without_numerical_libraries(
    run_python: Any, arguments: list[str]
) -> None:
    assert probe(run_python, *arguments)[0]["heavy"] == []


@pytest.mark.parametrize("arguments", [["--help"], ["rnu"]])
def test_listing_commands_imports_none_of_them(run_python: Any, arguments: list[str]) -> None:
    code = PROBE + (
        'print([m for m in sys.modules if m.startswith("kimera_cli.commands.")], file=sys.stderr)'
    )
    assert run_python(code, "[]", *arguments).err.splitlines()[-1] == "[]"


def test_importing_the_package_imports_nothing(run_python: Any) -> None:
    code = (
        "import sys; before = set(sys.modules); import kimera_cli; print(set(sys.modules) - before)"
    )
    assert ast.literal_eval(run_python(code).out) == {"kimera_cli"}


@pytest.mark.parametrize("name", installed())
def test_the_registry_says_what_the_command_says(repository: Path, name: str) -> None:
    """One line in `kimera --help`, and the same first words in the command's own help."""
    assert find_spec(COMMANDS[name].module) is not None
    assert COMMANDS[name].help.endswith(".")
    assert len(COMMANDS[name].help) <= 60, "would be cut in kimera --help"
    module = repository / "commands" / f"{name.replace('-', '_')}.py"
    assert module.is_file(), "the file is named after the command"
