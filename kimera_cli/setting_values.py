"""Checks of one setting: is the name known, does the value fit, and what to say when not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

import msgspec

from kimera_cli.errors import ProfileError
from kimera_cli.names import nearest
from kimera_cli.settings import Profile, Section

FREE = {
    "portfolio.rates": 1,
    "risk.venue_orders_per_s": 1,
    "risk.venue_order_burst": 1,
    "strategies": 2,
}
"""Tables whose keys the user chooses, with how many levels of names they have."""


@cache
def known_keys() -> dict[str, Any]:
    """Return dotted key -> type of every setting with a fixed name."""
    known: dict[str, Any] = {}
    for section, kind in get_type_hints(Profile).items():
        if isinstance(kind, type) and issubclass(kind, Section):
            hints = get_type_hints(kind, include_extras=True)
            known |= {f"{section}.{name}": hint for name, hint in hints.items()}
    return {key: hint for key, hint in known.items() if key not in FREE}


def _type_of(key: str) -> Any | None:
    for table, levels in FREE.items():
        if key.startswith(f"{table}.") and key.removeprefix(table).count(".") == levels:
            section, _, name = table.partition(".")
            hints = get_type_hints(Profile, include_extras=True)
            if name:
                hints = get_type_hints(hints[section], include_extras=True)
            hint = hints[name or section]
            for _ in range(levels):
                hint = hint.__args__[1]
            return hint
    return known_keys().get(key)


def check_value(
    key: str, value: Any, where: str, *, from_text: bool = False, **details: str | int
) -> Any:
    """Return the value in its setting's type; ProfileError names key, place and expectation.

    With `from_text`, text is read as that type (flags, environment); TOML tells its types itself.
    """
    kind = _type_of(key)
    if kind is None:
        raise _unknown_key(key, where, details)
    try:
        lenient = from_text and isinstance(value, str)
        converted = msgspec.convert(
            _split(value) if lenient and kind == list[str] else value, kind, strict=not lenient
        )
        if isinstance(converted, float) and not math.isfinite(converted):
            raise msgspec.ValidationError
    except msgspec.ValidationError:
        raise ProfileError(
            "profile.bad_value",
            f"expected {describe(kind)} for {key} in {where}, was {_shown(value)}",
            "see: kimera profile show development",
            key=key,
            **details,
        ) from None
    return converted


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _unknown_key(key: str, where: str, details: Mapping[str, str | int]) -> ProfileError:
    known = [*known_keys(), *FREE]
    section, _, name = key.rpartition(".")
    siblings = [k for k in known if k.startswith(f"{section}.")]
    match = nearest(key, siblings or known) or nearest(name, [k.rpartition(".")[2] for k in known])
    full = match if "." in match else next((k for k in known if k.endswith(f".{match}")), match)
    hint = f"did you mean '{full}'?" if match else "see: kimera profile show"
    return ProfileError(
        "profile.unknown_key",
        f"expected a known setting in {where}, was '{key}'",
        hint,
        key=key,
        **details,
    )


def describe(kind: Any) -> str:
    """Return what a setting accepts, in words: `a number above 0 and at most 1`."""
    info: Any = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.Metadata):
        if description := (info.extra_json_schema or {}).get("description"):
            return str(description)
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        info = info.types[0]
    if isinstance(info, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(str(v) for v in info.values)
    if isinstance(info, msgspec.inspect.IntType | msgspec.inspect.FloatType):
        noun = "a whole number" if isinstance(info, msgspec.inspect.IntType) else "a number"
        return " ".join([noun, " and ".join(_bounds(info))]).rstrip()
    if isinstance(info, msgspec.inspect.ListType):
        return "a list of names"
    return "text"


def _bounds(info: Any) -> list[str]:
    words = (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))
    found = ((word, getattr(info, name)) for name, word in words)
    return [f"{word} {bound:g}" for word, bound in found if bound is not None]
