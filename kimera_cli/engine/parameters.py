"""Which values the parameters of a run's strategies have: defaults, profile, then --set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.names import did_you_mean, nearest
from kimera_cli.profile import Resolved
from kimera_cli.setting_values import known_keys
from kimera_cli.settings import Profile
from kimera_cli.strategies.params import resolve
from kimera_cli.strategies.protocol import StrategyInfo

Texts = dict[str, str]


def split_sets(sets: Mapping[str, str]) -> tuple[Texts, Texts]:
    """Return profile settings (`risk.max_drawdown`) and parameters (`gamma`, `glft.gamma`)."""
    settings = {k: v for k, v in sets.items() if k.partition(".")[0] in _SECTIONS and "." in k}
    return settings, {k: v for k, v in sets.items() if k not in settings}


_SECTIONS = frozenset(Profile.__struct_fields__)


def parameters(
    infos: Sequence[StrategyInfo], resolved: Resolved, typed: Texts
) -> list[dict[str, float]]:
    """Return the parameters of each strategy; errors name the key, its place and the nearest name.

    `gamma=0.2` sets every strategy of the run that has a gamma, `NAME.gamma=0.2` only that one.
    """
    _check_owners(infos, resolved)
    given = [_from_profile(info, resolved) for info in infos]
    for key, text in typed.items():
        takers = list(_takers(key, infos))
        if not takers:
            raise _nobody(key, infos)
        for index in takers:
            given[index][key.rpartition(".")[2]] = _number(key, text)
    return [resolve(info, values) for info, values in zip(infos, given, strict=True)]


def unused(infos: Sequence[StrategyInfo], resolved: Resolved) -> Iterator[str]:
    """Yield a warning for each section of parameters that looks like a misspelt strategy."""
    names = [info.name for info in infos]
    for section in resolved.profile.strategies:
        near = nearest(section, names)
        if section not in names and near:
            place = _origin(resolved, section)
            yield f"{place} sets parameters of '{section}', which does not run; meant '{near}'?"


def _check_owners(infos: Sequence[StrategyInfo], resolved: Resolved) -> None:
    """A parameter typed for a strategy that does not run is a mistake; in a file it may wait."""
    names = [info.name for info in infos]
    for key, origin in resolved.origins.items():
        section, _, rest = key.partition(".")
        if section == "strategies" and origin == "flag" and rest.rpartition(".")[0] not in names:
            raise _no_such_strategy(rest.rpartition(".")[0], key, names)


def _from_profile(info: StrategyInfo, resolved: Resolved) -> dict[str, float]:
    values = resolved.profile.strategies.get(info.name, {})
    for name in values:
        if name not in info.params:
            place = resolved.origins.get(f"strategies.{info.name}.{name}", "the profile")
            raise ProfileError(
                "profile.unknown_param",
                f"expected a parameter of strategy {info.name} in "
                f"{'the command line' if place == 'flag' else place}, was '{name}'",
                did_you_mean(name, info.params) or "it has no parameters",
                key=f"strategies.{info.name}.{name}",
            )
    return dict(values)


def _takers(key: str, infos: Sequence[StrategyInfo]) -> Iterator[int]:
    owner, _, name = key.rpartition(".")
    for index, info in enumerate(infos):
        if name in info.params and owner in ("", info.name):
            yield index


def _nobody(key: str, infos: Sequence[StrategyInfo]) -> UsageError:
    """Return the error for a --set that no setting and no strategy of the run knows."""
    owner, _, name = key.rpartition(".")
    names = [info.name for info in infos]
    if owner and owner not in names:
        return _no_such_strategy(owner, key, names)
    params = {p: None for info in infos if owner in ("", info.name) for p in info.params}
    settings = {k.rpartition(".")[2]: k for k in known_keys()}
    near = nearest(name, [*params, *settings])
    near = near if near in params else settings.get(near, "")
    return UsageError(
        "usage.unknown_param",
        f"expected a setting or a parameter of {owner or ', '.join(names)}, was '{key}'",
        f"did you mean '{near}'?" if near else did_you_mean(name, params) or "see --help",
        key=key,
    )


def _no_such_strategy(owner: str, key: str, names: Sequence[str]) -> UsageError:
    known = [*names, *_SECTIONS]
    return UsageError(
        "usage.unknown_param",
        f"expected a strategy of this run ({', '.join(names)}) or a section of the profile "
        f"before the dot, was '{owner}' in '{key}'",
        did_you_mean(owner, known if nearest(owner, known) else names),
        key=key,
    )


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            "usage.param_value",
            f"expected a number for {key}, was {text!r}",
            "for example: --set gamma=0.2",
            key=key,
        ) from None


def _origin(resolved: Resolved, section: str) -> str:
    prefix = f"strategies.{section}."
    return next((o for k, o in resolved.origins.items() if k.startswith(prefix)), "the profile")
