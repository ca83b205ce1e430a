"""Turns a name or a path into a strategy that is ready to run."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from kimera_cli.strategies.explain import check_fields, compile_error
from kimera_cli.strategies.protocol import StrategyError, StrategyInfo, StrategySpec
from kimera_cli.strategies.registry import Found, locate
from kimera_cli.strategies.source import Source, describe, python_classes, read_source

_CACHEABLE = {"kimera_cli", "numpy", "numba", *sys.stdlib_module_names}


def load(name_or_path: str) -> StrategySpec:
    """Return a strategy by name or path, compiled.

    UsageError `usage.unknown_strategy`; StrategyError `strategy.*` naming file and line.
    """
    found = locate(name_or_path)
    info = describe(found.name, found.origin, found.path)
    source = read_source(found.path)
    module = _module(found, info, source)
    if info.protocol == "python":
        cls = getattr(module, python_classes(source)[0].name)
        return StrategySpec(**vars(info), python_class=_checked_class(source, cls))
    return StrategySpec(**vars(info), compiled=_compile(source, module.decide))


def _module(found: Found, info: StrategyInfo, source: Source) -> ModuleType:
    """Import the file; a file given by path gets a module name that only its place decides."""
    try:
        if found.module:
            return importlib.import_module(found.module)
        place = hashlib.sha256(str(found.path).encode()).hexdigest()[:12]
        spec = importlib.util.spec_from_file_location(f"kimera_strategy_{place}", found.path)
        if spec is None or spec.loader is None:
            raise ImportError(f"no loader for {found.path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        # Not the loader's own exec: that would leave a __pycache__ beside the user's file.
        exec(compile(source.tree, str(found.path), "exec"), module.__dict__)
    except Exception as error:
        raise _import_error(info, source, error) from error
    return module


def _import_error(info: StrategyInfo, source: Source, error: Exception) -> StrategyError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f.lineno for f in frames if f.filename == str(source.path) and f.lineno]
    hint = "mend that line; --debug shows the traceback"
    if isinstance(error, ModuleNotFoundError):
        hint = f"install {error.name}, or keep the strategy in one file"
    return source.error(
        "import",
        own[-1] if own else 1,
        f"expected strategy {info.name} to load, was {type(error).__name__}: {error}",
        hint,
    )


def _compile(source: Source, decide: Callable[..., Any]) -> Callable[[Any], int]:
    from kimera_cli.kernels._jit import kernel
    from kimera_cli.kernels.strategy import STRATEGY_SIG
    from kimera_cli.layouts import VIEW

    check_fields(source, VIEW.names or ())
    keep = cacheable(source)
    if not keep:
        _forget_machine_code(source, decide)
    try:
        return kernel(STRATEGY_SIG, cache=keep)(decide)  # type: ignore[no-any-return]
    except Exception as error:
        raise compile_error(source, error) from error


def _forget_machine_code(source: Source, decide: Callable[..., Any]) -> None:
    """Switch the cache off for the file's own kernels too: imports may give their constants."""
    from numba.core.caching import NullCache

    for value in decide.__globals__.values():
        function = getattr(value, "py_func", None)
        if function is not None and function.__code__.co_filename == str(source.path):
            value._cache = NullCache()


def cacheable(source: Source) -> bool:
    """Return True when the machine code may be kept between starts.

    Numba notices edits of the file itself only, so a file that imports other modules of the user is
    compiled at each start: what is run is always what is written.
    """
    for node in ast.walk(source.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        if any(name.split(".")[0] not in _CACHEABLE for name in names):
            return False
    return True


def _checked_class(source: Source, cls: object) -> type[Any]:
    from kimera_cli.strategies.python import Strategy

    if isinstance(cls, type) and issubclass(cls, Strategy) and cls.on_wake is not Strategy.on_wake:
        return cls
    raise source.error(
        "signature",
        python_classes(source)[0],
        "expected a class derived from kimera_cli.strategies.Strategy with on_wake(market)",
        "`kimera strategies new NAME --python` writes a working file to start from",
    )
