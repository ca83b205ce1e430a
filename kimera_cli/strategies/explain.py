"""Says in one line what the compiler did not like, with the line of the user's file and the mend.

Numba's own message prints every type in full (a VIEW alone is five thousand characters); --debug
still shows it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from kimera_cli.names import nearest
from kimera_cli.strategies.protocol import StrategyError
from kimera_cli.strategies.source import Source

_LINE = re.compile(r'File "([^"]+)", line (\d+)')
_RECORD = re.compile(r"Record\(.*?\)(?=[,;)\s]|$)", re.DOTALL)
_NOISE = ("Failed in nopython", "During:", "File ", "Enable ", "For more", "- ")
MESSAGE_LIMIT = 160


class Mend(NamedTuple):
    """A pattern in the compiler's words, what it means, and what to do."""

    pattern: str
    reason: str
    hint: str


MENDS = (
    Mend(
        r"NameError: name '(\w+)'",
        "expected {0} to be defined, was unknown",
        "import or define {0} at the top of the file",
    ),
    Mend(
        r"No conversion from none to int64 for '\S*return",
        "expected a whole number on every way out of decide, was nothing",
        "end decide with `return 0`",
    ),
    Mend(
        r"No conversion from (.+?) to int64 for '\S*return",
        "expected decide to return a whole number, was {0}",
        "return 0 when all is well, a negative code to stop",
    ),
    Mend(
        r"Cannot bind 'args=",
        "expected a call that fits its function, was a wrong number of arguments",
        "compare the call with the function's parameters",
    ),
    Mend(
        r"Cannot determine Numba type of <class 'function'>",
        "expected compiled functions only, was a plain Python function",
        "put @kernel (from kimera_cli.kernels._jit) above the function that is called",
    ),
    Mend(
        r"IMPORT_NAME",
        "expected no import inside a function, was one",
        "move the import to the top of the file",
    ),
    Mend(
        r"LOAD_BUILD_CLASS",
        "expected no class inside a function, was one",
        "use view.state for what must be remembered",
    ),
    Mend(
        r"Unknown attribute '(\w+)' of type",
        "expected an attribute that compiled code knows, was {0}",
        "numpy functions on numbers and arrays work; most methods of Python objects do not",
    ),
)


def compile_error(source: Source, error: Exception) -> StrategyError:
    """Return `strategy.compile` for what numba raised while it compiled the file's functions."""
    text = str(error)
    for mend in MENDS:
        match = re.search(mend.pattern, text)
        if match:
            reason, hint = mend.reason.format(*match.groups()), mend.hint.format(*match.groups())
            return _at(source, _line_of(source, error, match.groups()), reason, hint)
    return _at(
        source,
        _line_of(source, error, ()),
        f"expected what numba can compile, was: {first_sentence(text)}",
        "or derive a class from Strategy: any Python works there; --debug shows numba's own words",
    )


def first_sentence(text: str) -> str:
    """Return the first line of a numba message that says something, short."""
    lines = (line.strip() for line in _RECORD.sub("view", text).splitlines())
    said = next((line for line in lines if line and not line.startswith(_NOISE)), "no reason given")
    said = said.partition(" Raised from")[0].rstrip(". ")
    return said if len(said) <= MESSAGE_LIMIT else said[: MESSAGE_LIMIT - 3] + "..."


def _at(source: Source, line: int, reason: str, hint: str) -> StrategyError:
    lines = source.text.splitlines()
    shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return source.error("compile", line, f"{reason}, in `{shown}`", hint)


def _line_of(source: Source, error: Exception, names: tuple[str, ...]) -> int:
    """Return the line where a named thing is used, else the last of the file that is told."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            return node.lineno
    told = [int(n) for f, n in _LINE.findall(str(error)) if source.path.name == f.split("/")[-1]]
    told += [int(n) for n in re.findall(rf"{re.escape(str(source.path))} \((\d+)\)", str(error))]
    place = getattr(error, "loc", None)
    if place is not None and place.filename == str(source.path):
        return int(place.line)
    return told[-1] if told else _decide_line(source)


def _decide_line(source: Source) -> int:
    lines = (n.lineno for n in source.tree.body if getattr(n, "name", "") == "decide")
    return next(lines, 1)


def check_fields(source: Source, fields: tuple[str, ...]) -> None:
    """Raise `strategy.compile` when a function reads or writes a view field that does not exist.

    Numba reports such a field as a bare KeyError without a line, hence this look beforehand.
    """
    for node in _view_attributes(source):
        if node.attr not in fields:
            near = nearest_field(node.attr, fields)
            raise _at(
                source,
                node.lineno,
                f"expected a field of the view, was view.{node.attr}",
                f"did you mean view.{near}?"
                if near
                else "docs/reference/strategies.md lists all fields",
            )


def nearest_field(name: str, fields: tuple[str, ...]) -> str:
    """Return the field that was probably meant: the one in ticks or lots before others alike."""
    units = (f"{name}{unit}" for unit in ("_ticks", "_lots", "_ns"))
    return next((field for field in units if field in fields), nearest(name, fields))


def _view_attributes(source: Source) -> Iterator[ast.Attribute]:
    for function in ast.walk(source.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = {a.arg for a in function.args.args if a.arg == "view"}
        if function.name == "decide":
            names.update(a.arg for a in function.args.args)
        for node in ast.walk(function):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            if node.value.id in names:
                yield node
