"""Profiles: one rule for layers, and errors that name file, line, key and the nearest name."""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli import profile
from kimera_cli.dotted import flatten, line_numbers, unflatten
from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.profile import Layer, Profile, load, merge, parse_sets, problems
from kimera_cli.setting_values import describe, known_keys


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def failure(text: str, tmp_path: Path) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        profile.read_layer(write(tmp_path / "p.toml", text))
    return caught.value


def test_the_development_file_lists_every_setting_with_its_default(env: dict[str, str]) -> None:
    resolved = load(None, env, cwd=Path("/nonexistent"))
    assert resolved.profile == Profile()
    listed = {k for k, place in resolved.origins.items() if "development.toml" in place}
    optional = {"fees.maker", "fees.taker"}
    assert listed >= {k for k in known_keys() if k not in optional}


def test_every_setting_of_the_development_file_is_explained(repository: Path) -> None:
    text = (repository / "profiles/development.toml").read_text(encoding="utf-8")
    for section in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        assert "#" in section, section.splitlines()[0]
    assert all(f"# {key} = " in text for key in ("maker", "taker"))


@pytest.mark.parametrize("name", profile.shipped_names())
def test_shipped_profiles_are_right_and_hold_only_differences(
    name: str, repository: Path, env: dict[str, str]
) -> None:
    path = repository / "profiles" / f"{name}.toml"
    assert problems(path)[1] == []
    if name != "development":
        base = flatten(Profile())
        same = {k for k, v in profile.read_layer(path).values.items() if base.get(k) == v}
        assert not same


def test_later_layers_win_and_origins_tell_which(tmp_path: Path, env: dict[str, str]) -> None:
    user = write(tmp_path / "config/kimera/kimera.toml", "[run]\nseed = 2\nevents = 2\n")
    local = write(
        tmp_path / "work/kimera.toml", "[run]\nevents = 3\n\n[risk]\nmax_drawdown = 0.3\n"
    )
    named = write(tmp_path / "mine.toml", "risk.max_drawdown = 0.4\nrisk.collar_bps = 40\n")
    env = {**env, "KIMERA_RISK__COLLAR_BPS": "50", "KIMERA_JOURNAL__GROUP_COMMIT_MS": "5"}
    resolved = load(str(named), env, {"journal.group_commit_ms": "6"}, cwd=tmp_path / "work")
    settings, origins = resolved.profile, resolved.origins
    assert settings.run.duration == "10m"
    assert origins["run.duration"].startswith("shipped development.toml:")
    assert (settings.run.seed, origins["run.seed"]) == (2, f"{user}:2")
    assert (settings.run.events, origins["run.events"]) == (3, f"{local}:2")
    assert (settings.risk.max_drawdown, origins["risk.max_drawdown"]) == (0.4, f"{named}:1")
    assert settings.risk.collar_bps == 50.0
    assert origins["risk.collar_bps"] == "environment KIMERA_RISK__COLLAR_BPS"
    assert settings.journal.group_commit_ms == 6.0
    assert origins["journal.group_commit_ms"] == "flag"


def test_a_name_is_the_users_own_before_a_shipped_one(tmp_path: Path, env: dict[str, str]) -> None:
    assert load("hft", env).profile.run.durability == "process"
    write(tmp_path / "config/kimera/profiles/hft.toml", "[run]\nseed = 9\n")
    assert load("hft", env).profile.run.seed == 9
    assert load(None, {**env, "KIMERA_PROFILE": "hft"}).profile.run.seed == 9


def test_tables_of_free_names_merge_key_by_key(tmp_path: Path, env: dict[str, str]) -> None:
    path = write(
        tmp_path / "p.toml",
        "[portfolio.rates]\nBTC = 60000.0\n[strategies.own]\ngamma = 1\n[strategies.a]\nb = 2\n",
    )
    over = {"strategies.own.kappa": "1.5", "portfolio.rates.USDT": "0.999"}
    settings = load(str(path), env, over).profile
    assert settings.portfolio.rates == {"USD": 1.0, "USDT": 0.999, "USDC": 1.0, "BTC": 60000.0}
    strategies = {k: v for k, v in settings.strategies.items() if k != "glft"}  # shipped values
    assert strategies == {"own": {"gamma": 1.0, "kappa": 1.5}, "a": {"b": 2.0}}


def test_currencies_in_the_environment_are_upper_case(env: dict[str, str]) -> None:
    env = {**env, "KIMERA_PORTFOLIO__RATES__EUR": "1.1"}
    assert load(None, env).profile.portfolio.rates["EUR"] == 1.1


def test_an_unknown_key_names_file_line_and_nearest_name(tmp_path: Path) -> None:
    error = failure("[risk]\nmax_drawdown = 0.1\nmax_drawdwn = 0.2\n", tmp_path)
    assert error.code == "profile.unknown_key"
    assert f"{tmp_path}/p.toml:3" in error.message
    assert "'risk.max_drawdwn'" in error.message
    assert error.hint == "did you mean 'risk.max_drawdown'?"
    assert error.details == {"key": "risk.max_drawdwn", "file": f"{tmp_path}/p.toml", "line": 3}


@pytest.mark.parametrize(
    ("text", "line", "expectation", "was"),
    [
        ("[run]\n\nseed = 1.5", 3, "a whole number at least 0", "1.5"),
        ("[run]\nseed = true", 2, "a whole number", "True"),
        ("[run]\nseed = -1", 2, "at least 0", "-1"),
        ("[run]\nseed = '7'", 2, "a whole number", "'7'"),
        ("[risk]\nmax_drawdown = 1.01", 2, "a number above 0 and at most 1", "1.01"),
        ("[risk]\nmax_drawdown = nan", 2, "a number above 0", "nan"),
        ("[risk]\nmax_orders_per_s = inf", 2, "a number above 0", "inf"),
        ("[risk]\nstale_after = '5 s'", 2, "a duration such as 250ms", "'5 s'"),
        ("[risk]\nstale_after = '0s'", 2, "a duration", "'0s'"),
        ("[risk]\nstale_after = 5", 2, "a duration", "5"),
        ("[queue]\nmodel = 'fifo'", 2, "one of l3, log, power, risk_averse", "'fifo'"),
        ("[run]\nstrategies = 'glft'", 2, "a list of names", "'glft'"),
        ("[strategies.glft]\ngamma = 'x'", 2, "a number", "'x'"),
        ("[portfolio.rates]\nBTC = 0", 2, "a number above 0", "0"),
        ("run = { seed = -2 }", 1, "at least 0", "-2"),
    ],
)
def test_a_wrong_value_names_line_expectation_and_value(
    tmp_path: Path, text: str, line: int, expectation: str, was: str
) -> None:
    error = failure(text, tmp_path)
    assert error.code == "profile.bad_value"
    assert error.details["line"] == line
    assert f"p.toml:{line}" in error.message
    assert expectation in error.message
    assert error.message.endswith(f"was {was}")


def test_flags_and_environment_are_text_and_read_as_the_settings_type(env: dict[str, str]) -> None:
    over = {"run.seed": "7", "run.strategies": "glft, ofi", "risk.max_drawdown": "0.2"}
    settings = load(None, {**env, "KIMERA_RUN__EVENTS": "9"}, over).profile
    assert (settings.run.seed, settings.run.events) == (7, 9)
    assert settings.run.strategies == ["glft", "ofi"]


def test_syntax_errors_name_the_line(tmp_path: Path) -> None:
    error = failure("[run]\nseed = \n", tmp_path)
    assert error.code == "profile.syntax"
    assert error.details["line"] == 2


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"[run]\nseed = \xff\n")
    with pytest.raises(ProfileError, match="UTF-8"):
        profile.read_layer(path)


def test_every_problem_of_a_file_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "p.toml", "[run]\nsed = 1\nseed = 2\n[risk]\nmax_drawdown = 7\n")
    right, errors = problems(path)
    assert right == 1
    assert [e.code for e in errors] == ["profile.unknown_key", "profile.bad_value"]


def test_settings_that_contradict_each_other_are_refused(env: dict[str, str]) -> None:
    over = {"journal.group_commit_ms": "50", "journal.max_commit_ms": "10"}
    with pytest.raises(ProfileError, match=r"was 50 and 10") as caught:
        load(None, env, over)
    assert caught.value.code == "profile.conflict"


def test_a_mistake_is_told_although_a_later_layer_hides_it(
    tmp_path: Path, env: dict[str, str]
) -> None:
    path = write(tmp_path / "p.toml", "[run]\nseed = -1\n")
    with pytest.raises(ProfileError):
        load(str(path), env, {"run.seed": "1"})


def test_unknown_environment_settings_are_refused_and_others_ignored(env: dict[str, str]) -> None:
    assert load(None, {**env, "KIMERA_HOME": "/x", "OTHER__KEY": "1"}).profile == Profile()
    with pytest.raises(ProfileError, match="KIMERA_RUN__SEDE"):
        load(None, {**env, "KIMERA_RUN__SEDE": "1"})


def test_a_missing_profile(tmp_path: Path, env: dict[str, str]) -> None:
    with pytest.raises(ProfileError) as caught:
        load("prodution", env)
    assert caught.value.hint == "did you mean 'production'?"
    with pytest.raises(ProfileError, match="no file"):
        load(str(tmp_path / "none.toml"), env)


def test_sets_are_split_at_the_first_equals_sign() -> None:
    assert parse_sets(["a.b = c=d", "run.seed=1"]) == {"a.b": "c=d", "run.seed": "1"}
    with pytest.raises(UsageError, match="expected --set"):
        parse_sets(["seed"])


def test_durations_become_nanoseconds(env: dict[str, str]) -> None:
    settings = load(None, env, {"run.duration": "1.5h", "risk.stale_after": "250ms"}).profile
    assert settings.run.duration_ns == 5_400_000_000_000
    assert settings.risk.stale_after_ns == 250_000_000


def test_every_setting_says_in_words_what_it_accepts() -> None:
    for key, kind in known_keys().items():
        assert describe(kind), key


def test_lines_of_nested_and_dotted_keys() -> None:
    text = 'a.b = 1\n# [no]\n[c]\nd = 2  # x = 3\n\n["e f".g]\n"h" = 4\n'
    assert line_numbers(text) == {"a.b": 1, "c": 3, "c.d": 4, "e f.g": 6, "e f.g.h": 7}


KEYS = st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,3}){0,2}", fullmatch=True)
LAYER = st.dictionaries(KEYS, st.integers(), max_size=5)


@given(st.lists(LAYER, max_size=4))
def test_merge_takes_each_key_from_the_last_layer_that_has_it(layers: list[dict[str, int]]) -> None:
    merged = merge([Layer(v, dict.fromkeys(v, str(i))) for i, v in enumerate(layers)])
    for key in {k for v in layers for k in v}:
        last = max(i for i, v in enumerate(layers) if key in v)
        assert (merged.values[key], merged.origins[key]) == (layers[last][key], str(last))
    assert set(merged.values) == {k for v in layers for k in v}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,3}", fullmatch=True),
        st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers(), min_size=1),
    )
)
def test_flatten_and_unflatten_are_inverse(table: dict[str, Any]) -> None:
    assert unflatten(flatten(table)) == table


@given(st.text(max_size=60))
def test_no_text_of_a_profile_escapes_as_another_error(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(ProfileError):
            profile.read_layer(path)
