"""The wheel holds the tree, the editable install sees it live, and no name leaks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

MAPPED = {
    "commands": "kimera_cli/commands",
    "profiles": "kimera_cli/profiles",
    "bench": "kimera_cli/bench",
}
SHIPPED = {"completions": "share/"}


@pytest.fixture(scope="module")
def settings(repository: Path) -> dict[str, Any]:
    with (repository / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def tracked(repository: Path, folder: str) -> set[str]:
    """Files of a folder that belong to the project, as paths from the checkout."""
    files = (p for p in (repository / folder).rglob("*") if p.is_file())
    return {
        str(p.relative_to(repository))
        for p in files
        if "__pycache__" not in p.parts and not p.name.endswith((".pyc", ".tmp"))
    }


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that nothing is left in the checkout."""
    import shutil

    source = tmp_path_factory.mktemp("source")
    for name in ["kimera_cli", *MAPPED, *SHIPPED]:
        shutil.copytree(
            repository / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for name in ["pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(repository / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--wheel-dir", out, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("kimera-*.whl")
    return path


def test_every_package_is_listed(repository: Path, settings: dict[str, Any]) -> None:
    """A folder that is not listed works in the checkout and is silently absent from the wheel."""
    folders = {
        ".".join(p.parent.relative_to(repository).parts)
        for p in (repository / "kimera_cli").rglob("*.py")
        if "__pycache__" not in p.parts
    }
    mapped = {
        ".".join([*MAPPED[folder].split("/"), *p.parent.relative_to(repository / folder).parts])
        for folder in MAPPED
        for p in (repository / folder).rglob("*.py")
        if "__pycache__" not in p.parts
    }
    assert set(settings["tool"]["setuptools"]["packages"]) == folders | mapped


def test_every_listed_package_is_a_package(repository: Path, settings: dict[str, Any]) -> None:
    for package in settings["tool"]["setuptools"]["packages"]:
        folder = package.replace(".", "/")
        for source, installed in MAPPED.items():
            if f"{folder}/".startswith(f"{installed}/"):
                folder = source + folder.removeprefix(installed)
        assert (repository / folder / "__init__.py").is_file(), f"{folder}/__init__.py is missing"


def test_wheel_content_is_the_tree(repository: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = tracked(repository, "kimera_cli")
    for folder, inside in MAPPED.items():
        expected |= {inside + path.removeprefix(folder) for path in tracked(repository, folder)}
    held = {name for name in names if name.startswith("kimera_cli/")}
    assert held == expected
    top = {name.split("/")[0] for name in names}
    assert {t for t in top if not t.startswith("kimera-")} == {"kimera_cli"}


def test_wheel_carries_completions_and_licence(repository: Path, wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for path in tracked(repository, "completions"):
        assert any("/share/" in n and n.endswith(path.split("/")[1]) for n in names), path
    assert any(n.endswith("/LICENSE") for n in names)


def test_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked and first on the path, it finds its commands and its profiles."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import kimera_cli, kimera_cli.commands.profile as p, kimera_cli.profiles as q\n"
        "from kimera_cli import context, main\n"
        "assert 'site' in kimera_cli.__file__ and 'site' in p.__file__ and 'site' in q.__file__\n"
        "sys.exit(main.run(context.from_process(), ['profile', 'list']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout


def test_the_editable_install_is_live(repository: Path, run_python: Any) -> None:
    """An edited or a new command module counts at once, without another install."""
    code = (
        "import kimera_cli, kimera_cli.commands, kimera_cli.profiles, kimera_cli.bench\n"
        "from importlib.resources import files\n"
        "print(kimera_cli.commands.__file__)\n"
        "print(kimera_cli.bench.__file__)\n"
        "print(files('kimera_cli.profiles') / 'development.toml')\n"
    )
    assert run_python(code).out.splitlines() == [
        str(repository / "commands/__init__.py"),
        str(repository / "bench/__init__.py"),
        str(repository / "profiles/development.toml"),
    ]


@pytest.mark.parametrize("name", ["commands", "profiles", "bench", "tests", "completions"])
def test_no_top_level_name_leaks(run_python: Any, name: str) -> None:
    assert run_python(f"import {name}").code != 0


@pytest.mark.parametrize("name", ["commands", "bench"])
def test_no_second_import_under_a_bare_name(repository: Path, name: str) -> None:
    """With the checkout as the current folder a bare import would load every module twice."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )
    assert done.returncode != 0
    assert f"kimera_cli.{name}" in done.stderr


def test_an_uninstalled_checkout_says_what_to_do(repository: Path, tmp_path: Path) -> None:
    """`python -m kimera_cli` from a bare checkout lists commands; running one asks to install."""
    code = (
        "import sys\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in type(f).__module__"
        " and 'editable' not in getattr(f, '__module__', '')]\n"
        f"sys.path.insert(0, {str(repository)!r})\n"
        "from kimera_cli import context, main\n"
        "sys.exit(main.run(context.from_process(), sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        [*command, "profile", "list"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1, done.stdout
    assert "pip install -e ." in done.stderr
    done = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0


def test_the_ten_packages_are_dependencies(settings: dict[str, Any]) -> None:
    names = {d.split(">")[0].split("<")[0].strip() for d in settings["project"]["dependencies"]}
    assert names >= {"typer", "rich", "ccxt", "numpy", "torch", "pandas", "psutil"}
    assert names >= {"cryptography", "pqcrypto", "textual"}
    (typer,) = [d for d in settings["project"]["dependencies"] if d.startswith("typer")]
    assert "<0.29" in typer, "0.29 imports pydantic on each call"


def test_every_dependency_is_pinned(repository: Path, settings: dict[str, Any]) -> None:
    import re

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", pin) for pin in pins)
    pinned = {plain(pin.split("==")[0]) for pin in pins}
    project = settings["project"]
    wanted = [
        *project["dependencies"],
        *(d for g in project["optional-dependencies"].values() for d in g),
    ]
    assert {plain(re.split(r"[<>=\[ ]", d)[0]) for d in wanted} <= pinned


def test_setting_up_honours_the_users_own_pip_configuration(repository: Path) -> None:
    """No index, host or wheel folder is named: pip's configuration decides."""
    for name in ("Makefile", ".ci/run", "constraints.txt", "pyproject.toml"):
        text = (repository / name).read_text(encoding="utf-8")
        for option in ("index-url", "find-links", "trusted-host", "--extra-index", "://"):
            assert option not in text, f"{name}: {option}"


def test_torch_is_pinned_so_that_a_cpu_build_is_taken(repository: Path) -> None:
    """Without a local part (`+cu128`) a pin also matches the CPU wheel, which pip then prefers."""
    pins = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = [pin for pin in pins if pin.startswith("torch==")]
    assert "+" not in torch
    assert not [pin for pin in pins if pin.startswith("nvidia-")]


def test_make_knows_the_promised_targets(repository: Path) -> None:
    done = subprocess.run(
        ["make", "help"], capture_output=True, text=True, cwd=repository, check=True
    )
    listed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")}
    assert {"help", "run", "test", "check", "bench"} <= listed


def test_the_version_is_one() -> None:
    from importlib.metadata import version

    import kimera_cli

    assert version("kimera") == kimera_cli.__version__


@pytest.mark.parametrize(("test_code", "check_code", "expected"), [(0, 0, 0), (2, 0, 2), (0, 2, 2)])
def test_ci_fails_when_tests_or_checks_fail(
    repository: Path, tmp_path: Path, test_code: int, check_code: int, expected: int
) -> None:
    """Run with a make that only says how pytest closed, and fails as told."""
    make = tmp_path / "make"
    make.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = test ] && echo "7 passed, 1 skipped in 2.00s" && exit {test_code}\n'
        f"exit {check_code}\n",
        encoding="utf-8",
    )
    make.chmod(0o755)
    done = subprocess.run(
        [repository / ".ci/run"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == expected
    if not expected:
        assert done.stdout.splitlines()[-1] == "7 passed, 1 skipped in 2.00s"
