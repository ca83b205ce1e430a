"""Small files and small functions: targets are reported, limits are enforced."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILE_LIMIT = 400
KERNEL_FILE_LIMIT = 600
FUNCTION_LIMIT = 50
DECLARATIONS = {"kimera_cli/layouts.py"}
"""Tables of fields without logic: one home for each kind of declaration is worth a longer file."""
COMMAND_LIMIT = 200
LINE_LIMIT = 100
TARGET_MEDIAN_FUNCTION = 10

FILES = sorted(
    p
    for folder in ("kimera_cli", "commands", "bench")
    for p in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in p.parts
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_compiled(path: Path, function: ast.AST) -> bool:
    """Whether a function is a kernel: in kernels/, or marked as one; numba code may be longer."""
    marks = {
        node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        for decorator in getattr(function, "decorator_list", [])
        for node in ast.walk(decorator)
    }
    return "kernels" in path.parts or bool(marks & {"kernel", "njit"})


def functions(path: Path) -> list[tuple[str, int, bool]]:
    """Name, length in lines without the docstring, and whether compiled, of every function."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                first = node.body[0]
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            found.append((node.name, lines, is_compiled(path, node)))
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_size(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    longer = "kernels" in path.parts or name_of(path) in DECLARATIONS
    limit = KERNEL_FILE_LIMIT if longer else FILE_LIMIT
    if path.parent.name == "commands":
        limit = COMMAND_LIMIT
    assert lines <= limit, f"{name_of(path)} has {lines} lines, the limit is {limit}: split it"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_function_size(path: Path) -> None:
    long = [
        f"{name} ({lines} lines)"
        for name, lines, compiled in functions(path)
        if lines > FUNCTION_LIMIT and not compiled
    ]
    assert not long, f"{name_of(path)}: the limit is {FUNCTION_LIMIT} lines"


def test_median_function_is_short() -> None:
    lengths = [n for p in FILES for _, n, compiled in functions(p) if not compiled]
    assert statistics.median(lengths) <= TARGET_MEDIAN_FUNCTION


def test_report(record_property: pytest.RecordProperty) -> None:
    """Medians and extremes of the code base, in the test report (`pytest --junit-xml`)."""
    sizes = {name_of(p): p.read_text(encoding="utf-8").count("\n") for p in FILES}
    lengths = [n for p in FILES for _, n, compiled in functions(p) if not compiled]
    record_property("files", len(sizes))
    record_property("median_file_lines", statistics.median(sizes.values()))
    record_property("largest_file", max(sizes, key=sizes.__getitem__))
    record_property("median_function_lines", statistics.median(lengths))
    record_property("p90_function_lines", statistics.quantiles(lengths, n=10)[-1])
    assert len(sizes) > 10
