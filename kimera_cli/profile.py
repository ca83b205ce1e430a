"""Profiles: strict TOML settings in layers, and where each value comes from.

Later layers win: shipped `development` < user's kimera.toml < ./kimera.toml < profile named
with `--profile` < environment (KIMERA_RUN__SEED=7) < flags (`--seed 7`, `--set run.seed=7`). Every
layer is checked on its own, so that a mistake is reported with its file and line even when a later
layer hides it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kimera_cli.dotted import flatten, line_numbers, line_of, unflatten
from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.setting_values import check_value
from kimera_cli.settings import Profile

__all__ = [
    "Layer",
    "Profile",
    "Resolved",
    "available",
    "flatten",
    "load",
    "locate",
    "merge",
    "parse_sets",
    "problems",
    "read_layer",
    "resolve",
    "shipped_names",
    "user_folder",
]

DEFAULT = "development"


class Layer(NamedTuple):
    """Checked values of one source by dotted key, and the place of each (`file:line`, variable)."""

    values: dict[str, Any]
    origins: dict[str, str]


class Resolved(NamedTuple):
    """A profile ready to use; `origins` tells for each dotted key which layer gave its value."""

    profile: Profile
    origins: dict[str, str]
    name: str = DEFAULT


def load(
    name_or_path: str | None,
    env: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    cwd: Path | None = None,
) -> Resolved:
    """Return the profile named (a shipped or user name, or a TOML file) with all layers applied.

    `overrides` holds flags by dotted key; text is parsed as the setting's type. ProfileError names
    file, line and key of whatever is wrong.
    """
    name = name_or_path or env.get("KIMERA_PROFILE") or ""
    layers = [_read_shipped(DEFAULT)]
    for found in (user_folder(env) / "kimera.toml", (cwd or Path()) / "kimera.toml"):
        if found.is_file():
            layers.append(read_layer(found))
    if name:
        layers.append(read_layer(locate(name, env)))
    layers += [_from_environment(env), _from_flags(overrides or {})]
    return resolve(layers, name or DEFAULT)


def resolve(layers: Sequence[Layer], name: str = DEFAULT) -> Resolved:
    """Merge checked layers into a Profile; what no layer gives keeps its built-in default."""
    merged = merge(layers)
    try:
        profile = msgspec.convert(unflatten(merged.values), Profile)
    except msgspec.ValidationError as error:
        # Every value was checked alone; what is left are conflicts between two of them.
        raise ProfileError(
            "profile.conflict", str(error).split(" - at ")[0], "see: kimera profile show --origin"
        ) from None
    origins = {key: merged.origins.get(key, "built-in") for key in flatten(profile)}
    return Resolved(profile, origins, name)


def merge(layers: Iterable[Layer]) -> Layer:
    """Return one layer in which later layers win, key by key."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        values.update(layer.values)
        origins.update(layer.origins)
    return Layer(values, origins)


def shipped_names() -> list[str]:
    """Return the names of the profiles that come with kimera."""
    folder = files("kimera_cli.profiles")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def user_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of the user's own profiles (XDG_CONFIG_HOME/kimera or the platform's)."""
    if base := env.get("XDG_CONFIG_HOME"):
        return Path(base) / "kimera"
    import platformdirs

    return Path(platformdirs.user_config_dir("kimera", appauthor=False))


def locate(name: str, env: Mapping[str, str]) -> Path:
    """Return the file of a profile: a path, or a name in the user's folder or among the shipped."""
    if name.endswith(".toml") or "/" in name:
        if not Path(name).is_file():
            raise ProfileError(
                "profile.not_found", f"expected a profile at {name}, was no file", "check the path"
            )
        return Path(name)
    own = user_folder(env) / "profiles" / f"{name}.toml"
    if own.is_file():
        return own
    if name in shipped_names():
        return _shipped_path(name)
    known = [*shipped_names(), *(p.stem for p in own.parent.glob("*.toml"))]
    raise ProfileError(
        "profile.not_found",
        f"expected the name of a profile or a TOML file, was '{name}'",
        did_you_mean(name, known),
    )


def available(env: Mapping[str, str]) -> list[tuple[str, Path, str]]:
    """Return name, file and summary (the first comment) of every profile that has a name."""
    own = sorted((user_folder(env) / "profiles").glob("*.toml"))
    files_by_name = {name: _shipped_path(name) for name in shipped_names()}
    files_by_name |= {path.stem: path for path in own}
    return [(name, path, _summary(path)) for name, path in sorted(files_by_name.items())]


def _summary(path: Path) -> str:
    first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return first.lstrip("# ").partition(". ")[0].rstrip(".") if first.startswith("#") else ""


def problems(path: Path) -> tuple[int, list[ProfileError]]:
    """Return how many settings of a file are right, and everything that is wrong with it."""
    try:
        layer, errors = _check_layer(path, str(path))
        if not errors:
            resolve([_read_shipped(DEFAULT), layer], path.stem)
    except ProfileError as error:
        return 0, [error]
    return len(layer.values), errors


def read_layer(path: Path, label: str = "") -> Layer:
    """Return the checked values of one TOML file; origins are `label:line` (label: the path)."""
    layer, errors = _check_layer(path, label or str(path))
    if errors:
        raise errors[0]
    return layer


def _check_layer(path: Path, label: str) -> tuple[Layer, list[ProfileError]]:
    text, table = _read_toml(path)
    lines = line_numbers(text)
    layer, errors = Layer({}, {}), []
    for key, value in flatten(table).items():
        line = line_of(key, lines)
        place = f"{label}:{line}"
        try:
            layer.values[key] = check_value(key, value, place, file=str(path), line=line)
            layer.origins[key] = place
        except ProfileError as error:
            errors.append(error)
    return layer, errors


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise ProfileError(
            "profile.unreadable",
            f"expected a readable profile at {path}, was: {error.strerror}",
            "check the path and its permissions",
            file=str(path),
        ) from None
    except UnicodeDecodeError as error:
        raise ProfileError(
            "profile.syntax",
            f"expected UTF-8 text in {path}, was byte {error.object[error.start]:#x}",
            "save the file as UTF-8",
            file=str(path),
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, str(error)) from None


def _read_shipped(name: str) -> Layer:
    return read_layer(_shipped_path(name), f"shipped {name}.toml")


def _shipped_path(name: str) -> Path:
    return Path(str(files("kimera_cli.profiles") / f"{name}.toml"))


def _syntax_error(path: Path, message: str) -> ProfileError:
    where = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(where.group(1)) if where else 0
    what = message.split(" (at ")[0]
    return ProfileError(
        "profile.syntax",
        f"expected TOML in {path}:{line}, was: {what}",
        "https://toml.io explains the format; strings need quotes",
        file=str(path),
        line=line,
    )


def _from_environment(env: Mapping[str, str]) -> Layer:
    layer = Layer({}, {})
    for variable, text in sorted(env.items()):
        if variable.startswith("KIMERA_") and "__" in variable:
            key = ".".join(variable.removeprefix("KIMERA_").lower().split("__"))
            key = _restore_case(key)
            layer.values[key] = check_value(
                key, text, f"environment variable {variable}", from_text=True
            )
            layer.origins[key] = f"environment {variable}"
    return layer


def _restore_case(key: str) -> str:
    """Currencies are upper case; variable names cannot tell."""
    table, _, last = key.rpartition(".")
    return f"{table}.{last.upper()}" if table == "portfolio.rates" else key


def _from_flags(overrides: Mapping[str, Any]) -> Layer:
    layer = Layer({}, {})
    for key, value in overrides.items():
        layer.values[key] = check_value(key, value, "the command line", from_text=True)
        layer.origins[key] = "flag"
    return layer


def parse_sets(assignments: Iterable[str]) -> dict[str, str]:
    """Return `section.key=value` texts (`--set`) as overrides; UsageError when there is no `=`."""
    overrides: dict[str, str] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                "usage.set",
                f"expected --set section.key=value, was '{text}'",
                "for example: --set risk.max_drawdown=0.05",
            )
        overrides[key.strip()] = value.strip()
    return overrides
