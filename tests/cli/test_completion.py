"""Completion: the shipped files are the generated ones, and bash really completes with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Kimera

FILES = {"bash": "kimera.bash", "zsh": "_kimera", "fish": "kimera.fish"}


@pytest.mark.parametrize("shell", FILES)
def test_shipped_file_is_the_generated_one(kimera: Kimera, repository: Path, shell: str) -> None:
    shipped = (repository / "completions" / FILES[shell]).read_text(encoding="utf-8")
    assert kimera("completion", shell).out == shipped, "make generate"


@pytest.mark.parametrize("shell", FILES)
def test_shell_accepts_its_script(repository: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = repository / "completions" / FILES[shell]
    done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def complete(repository: Path, folder: Path, line: str) -> list[str]:
    """Press TAB at the end of a line in a bash that has no kimera, and return what it offers."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        compopt() {{ :; }}  # only works inside a real completion
        source '{repository}/completions/kimera.bash'
        COMP_WORDS=({quoted})
        COMP_CWORD={len(words) - 1}
        _kimera
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["/bin/bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": str(folder)},
        cwd=folder,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


LINES = [
    ("kimera pro", ["profile"]),
    ("kimera profile ", ["list", "show", "check"]),
    ("kimera profile s", ["show"]),
    ("kimera --format csv profile sh", ["show"]),
    ("kimera profile show --or", ["--origin"]),
    ("kimera doctor --format j", ["jsonl", "json"]),
    ("kimera --profile h", ["hft"]),
    ("kimera --lock profile doc", ["doctor"]),
    ("kimera -q profile show --profile ", ["development", "hft", "production"]),
    ("kimera nonsense-x", []),
]


def in_shell(command: list[str], folder: Path) -> list[str]:
    """Return what a shell printed, line by line; a shell that is not installed skips the test."""
    if (found := shutil.which(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [found, *command[1:]],
        capture_output=True,
        text=True,
        env={"PATH": str(folder), "HOME": str(folder)},
        cwd=folder,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def fish_offers(repository: Path, folder: Path, line: str) -> list[str]:
    """Ask fish itself what it would offer."""
    script = f"source '{repository}/completions/kimera.fish'; complete -C '{line}'"
    return [row.split("\t")[0] for row in in_shell(["fish", "--no-config", "-c", script], folder)]


def zsh_offers(repository: Path, folder: Path, line: str) -> list[str]:
    """Run the function in zsh as its completion system does; matching is left to us."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        compadd() {{ shift; print -l -- "$@"; }}
        _describe() {{
            for set in "${{@:2}}"; do [[ $set == -* ]] || print -l -- "${{(@P)set}}"; done
        }}
        _files() {{ :; }}
        compdef() {{ :; }}
        words=({quoted})
        CURRENT={len(words)}
        source '{repository}/completions/_kimera'
        [[ $functions[_kimera] ]] && _kimera
    """
    offered = [row.split(":")[0] for row in in_shell(["zsh", "-f", "-c", script], folder)]
    return [word for word in dict.fromkeys(offered) if word.startswith(words[-1])]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_fish_completes(repository: Path, tmp_path: Path, line: str, expected: list[str]) -> None:
    offered = fish_offers(repository, tmp_path, line)
    assert [word for word in offered if not word.startswith("nonsense")] == sorted(expected)


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_zsh_completes(repository: Path, tmp_path: Path, line: str, expected: list[str]) -> None:
    offered = [word for word in zsh_offers(repository, tmp_path, line) if word]
    assert [word for word in offered if not (line.endswith(" ") and word[0] == "-")] == expected


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_bash_completes(repository: Path, tmp_path: Path, line: str, expected: list[str]) -> None:
    assert complete(repository, tmp_path, line) == expected


def test_bash_offers_every_command(repository: Path, tmp_path: Path) -> None:
    from kimera_cli.registry import COMMANDS

    assert set(complete(repository, tmp_path, "kimera ")) == set(COMMANDS)


def test_a_command_that_has_its_own_option_of_a_global_name_keeps_it(kimera: Kimera) -> None:
    """Nothing is offered twice."""
    for line in kimera("completion", "bash").out.splitlines():
        if 'flags="' in line:
            flags = line.split('flags="')[1].split('"')[0].split()
            assert len(flags) == len(set(flags)), line
