"""Reads a strategy file without running it: docstring, PARAMS, INTERVAL_NS, ERRORS, who decides.

These must be literals, so that a file can be listed, checked and documented without executing it,
and every complaint names the file and the line.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kimera_cli.errors import UsageError
from kimera_cli.strategies.protocol import StrategyError, StrategyInfo

MAX_PARAMS = 16
"""As layouts.MAX_PARAMS (a test compares them); repeated because layouts imports numpy."""

_SECTION = re.compile(r"^Parameters\n-{3,}\n", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """The text of one strategy file and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    def error(self, code: str, node: ast.AST | int, message: str, hint: str) -> StrategyError:
        """Return an error that names file and line."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return StrategyError(
            f"strategy.{code}",
            f"{self.path}:{line}: {message}",
            hint,
            file=str(self.path),
            line=line,
        )


def read_source(path: Path) -> Source:
    """Parse a file; UsageError when it is not there, `strategy.syntax` when it is no Python."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StrategyError(
            "strategy.syntax",
            f"{path}: expected UTF-8 text, was {error.reason} at byte {error.start}",
            "save the file as UTF-8",
            file=str(path),
        ) from error
    except OSError as error:
        raise UsageError(
            "usage.unknown_strategy",
            f"expected a readable strategy file, was {path} ({error.strerror})",
            "`kimera strategies new NAME` writes one",
        ) from error
    try:
        return Source(path, text, ast.parse(text, str(path)))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        shown = (getattr(error, "text", None) or "").strip()
        raise Source(path, text, ast.Module([], [])).error(
            "syntax",
            line,
            f"expected valid Python, was `{shown}` ({getattr(error, 'msg', error)})",
            f"mend line {line}",
        ) from error


def describe(name: str, origin: str, path: Path) -> StrategyInfo:
    """Return what the file at `path` declares."""
    source = read_source(path)
    docstring = ast.get_docstring(source.tree) or ""
    return StrategyInfo(
        name=name,
        origin=origin,
        path=path,
        summary=docstring.partition("\n")[0],
        params=read_params(source),
        interval_ns=read_interval(source),
        source_hash=hashlib.sha256(source.text.encode()).hexdigest(),
        protocol=read_protocol(source),
        features=_flag(source, "FEATURES", default=True),
        grouped=_flag(source, "GROUP", default=False),
        errors=read_errors(source),
        description=description_of(docstring),
        docs=parse_parameters(docstring),
    )


def _assigned(source: Source, name: str) -> ast.expr | None:
    for node in source.tree.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return node.value
    return None


def _literal(source: Source, node: ast.expr, what: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise source.error(
            "declaration",
            node,
            f"expected {what} as a literal, was `{ast.unparse(node)}`",
            "write the number itself: the file is read without being run",
        ) from None


def _flag(source: Source, name: str, *, default: bool) -> bool:
    """Return what a name says, True or False; `default` when it is not there."""
    node = _assigned(source, name)
    if node is None:
        return default
    value = _literal(source, node, name)
    if not isinstance(value, bool):
        raise source.error(
            "declaration",
            node,
            f"expected {name} as True or False, was `{ast.unparse(node)}`",
            f"leave it out, which means {default}",
        )
    return value


def _literal_dict(source: Source, name: str) -> list[tuple[ast.expr, Any, Any]]:
    """Return (key node, key, value) of a literal dict, {} when the name is not assigned."""
    node = _assigned(source, name)
    if node is None:
        return []
    if not isinstance(node, ast.Dict) or None in node.keys:
        raise source.error(
            "declaration",
            node,
            f"expected {name} as a dict literal, was `{ast.unparse(node)}`",
            f'write {name} = {{"name": 1.0}}'
            if name == "PARAMS"
            else f'write {name} = {{-1: "why"}}',
        )
    pairs = [(k, v) for k, v in zip(node.keys, node.values, strict=True) if k is not None]
    return [(k, _literal(source, k, "a key"), _literal(source, v, "a value")) for k, v in pairs]


def read_params(source: Source) -> dict[str, float]:
    """Return PARAMS in order: names to finite defaults, at most MAX_PARAMS."""
    params: dict[str, float] = {}
    for node, name, value in _literal_dict(source, "PARAMS"):
        if not isinstance(name, str) or not name.isidentifier() or name in params:
            raise source.error(
                "params", node, f"expected a new parameter name, was {name!r}", "rename it"
            )
        if not is_finite_number(value):
            raise source.error(
                "params",
                node,
                f"expected a finite number for parameter {name}, was {value!r}",
                "strategies take numbers only: use 0 and 1 for a switch",
            )
        params[name] = float(value)
        if len(params) > MAX_PARAMS:
            raise source.error(
                "params",
                node,
                f"expected at most {MAX_PARAMS} parameters, was more",
                "make constants of those that never change",
            )
    return params


def is_finite_number(value: object) -> bool:
    """Return True for a finite int or float; booleans are no numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_interval(source: Source) -> int:
    """Return INTERVAL_NS, 0 when it is not declared."""
    node = _assigned(source, "INTERVAL_NS")
    if node is None:
        return 0
    value = _literal(source, node, "INTERVAL_NS")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise source.error(
            "declaration",
            node,
            f"expected INTERVAL_NS as whole nanoseconds from 0, was {value!r}",
            "0 wakes after every venue message, 100_000_000 every 100 ms",
        )
    return value


def read_errors(source: Source) -> dict[int, str]:
    """Return ERRORS: what each negative return code means."""
    found: dict[int, str] = {}
    for node, code, text in _literal_dict(source, "ERRORS"):
        if isinstance(code, bool) or not isinstance(code, int) or code >= 0:
            raise source.error(
                "declaration",
                node,
                f"expected a code below zero in ERRORS, was {code!r}",
                "only negative return values stop a strategy",
            )
        found[code] = str(text)
    return found


def python_classes(source: Source) -> list[ast.ClassDef]:
    """Return the top-level classes derived from `Strategy` by name."""
    return [
        node
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split(".")[-1] == "Strategy" for base in node.bases)
    ]


def read_protocol(source: Source) -> str:
    """Return `compiled` or `python`; StrategyError unless exactly one thing decides."""
    functions = [
        n
        for n in source.tree.body
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == "decide"
    ]
    classes = python_classes(source)
    if not functions and not classes:
        raise source.error(
            "no_decide",
            1,
            "expected a function `decide(view)` or a class derived from Strategy, was neither",
            "`kimera strategies new NAME` writes a working file to start from",
        )
    if len(functions) + len(classes) > 1:
        second = sorted([*functions, *classes], key=lambda n: n.lineno)[1]
        raise source.error(
            "ambiguous",
            second,
            f"expected one `decide` or one Strategy class in a file, was also `{second.name}`",
            "keep each strategy in a file of its own",
        )
    if functions:
        _check_signature(source, functions[0])
        return "compiled"
    return "python"


def _check_signature(source: Source, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    spec = node.args
    plain = len(spec.posonlyargs) + len(spec.args) == 1
    extra = spec.vararg or spec.kwarg or spec.kwonlyargs or spec.defaults
    if isinstance(node, ast.AsyncFunctionDef) or not plain or extra or node.decorator_list:
        shown = "async def " if isinstance(node, ast.AsyncFunctionDef) else "def "
        decorated = "a decorated " if node.decorator_list else ""
        raise source.error(
            "signature",
            node,
            f"expected `def decide(view):`, was {decorated}`{shown}decide({ast.unparse(spec)})`",
            "kimera compiles decide itself; parameters are read from view.params",
        )


def description_of(docstring: str) -> str:
    """Return the text between the summary line and the Parameters section."""
    match = _SECTION.search(docstring)
    text = docstring[: match.start()] if match else docstring
    return text.partition("\n")[2].strip()


def parse_parameters(docstring: str) -> dict[str, tuple[str, str]]:
    """Return parameter to (unit, meaning) from a numpydoc Parameters section; {} without one."""
    found: dict[str, tuple[str, str]] = {}
    match = _SECTION.search(docstring)
    name = ""
    for line in docstring[match.end() :].splitlines() if match else ():
        if not line.strip():
            break
        if line[0].isspace() and name:
            unit, text = found[name]
            found[name] = unit, f"{text} {line.strip()}".strip()
        else:
            name, _, unit = (part.strip() for part in line.partition(" : "))
            found[name] = unit, ""
    return found
