"""Every command line in README.md and docs/ is executed.

A block marked `sh`, `bash` or `console` is run as a reader would run it: its lines in order, in one
folder of its own, with kimera's data in there too; the blocks of a tutorial share one, because a
tutorial goes on where it was. A venue server in the background stays until the block is through,
however slow the machine. In a `console` block only the lines after `$ ` are commands; a line
ending in a backslash goes on. CONTRIBUTING.md tells how to mark a block.

- `# not run: reason` on a line: that command is skipped, with the reason. On a line of its own it
  speaks for the rest of the block.
- `# exit: N` at the end of a command: N is the exit code that the text promises; else it is 0.
- `# fixture: NAME` on a line of its own: the folder of recordings is linked as `NAME`.
- a command that needs a program which is not installed (jq) is skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from conftest import Kimera

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>sh|bash|console)[^\n]*\n(?P<body>.*?)^ *```", re.M | re.S
)
NOT_RUN = re.compile(r"#\s*not run:\s*(?P<reason>.+)$")
EXIT = re.compile(r"\s#\s*exit:\s*(?P<code>\d+)\s*$")
FIXTURE = re.compile(r"^#\s*fixture:\s*(?P<name>\S+)\s*$")
NEEDED = ("jq", "column", "gnuplot", "sqlite3", "duckdb", "docker", "systemctl", "crontab")
QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'")
STAYS = re.compile(r"(?P<serve>\bvenue serve\b.*\s--for )\w+(?P<rest>.*&)$")
SLOWEST = "20m"
INSTALLS = re.compile(r"^(make|git|pip|python3? -m (pip|venv)|sudo|cd|source)\b")
"""Set-up lines: `make run` and friends are what runs this very test."""


class Command(NamedTuple):
    """One command line of a page; `skip` is why it is not run."""

    line: int
    text: str
    code: int
    skip: str


class Block(NamedTuple):
    """One fenced block: commands that share a folder."""

    page: Path
    line: int
    commands: list[Command]
    fixture: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page that hold command lines."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        lines = match["body"].splitlines()
        fixture = next((m["name"] for s in lines if (m := FIXTURE.match(s.strip()))), "")
        commands = parse(lines, line + 1, console=match["kind"] == "console")
        if commands:
            found.append(Block(page, line, commands, fixture))
    return together(found) if page.parent.name == "tutorial" else found


def together(parts: list[Block]) -> list[Block]:
    """Return the blocks of a tutorial as one."""
    if not parts:
        return []
    commands = [command for part in parts for command in part.commands]
    fixture = next((part.fixture for part in parts if part.fixture), "")
    return [Block(parts[0].page, parts[0].line, commands, fixture)]


def parse(lines: list[str], first: int, *, console: bool) -> list[Command]:
    """Return the commands of a block's lines."""
    commands: list[Command] = []
    rest_skipped, pending, started = "", "", first
    for number, raw in enumerate(lines, first):
        text = raw.strip()
        if console and not pending:
            if not text.startswith("$ "):
                continue
            text = text[2:].strip()
        if not pending:
            started = number
        pending += text
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        whole, pending = pending.strip(), ""
        if not whole:
            continue
        reason = NOT_RUN.search(whole)
        if whole.startswith("#"):
            rest_skipped = reason["reason"] if reason else rest_skipped
            continue
        commands.append(command(started, whole, rest_skipped))
    return commands


def command(line: int, text: str, skipped: str) -> Command:
    """Return one command with its promised exit code and its reason not to run, if any."""
    reason = NOT_RUN.search(text)
    if reason:
        skipped = reason["reason"]
    elif INSTALLS.match(text):
        skipped = "sets up or leaves the checkout"
    promised = EXIT.search(text)
    code = int(promised["code"]) if promised else 0
    bare = EXIT.sub("", NOT_RUN.sub("", text)).strip()
    return Command(line, bare, code, skipped)


def missing_program(text: str) -> str:
    """Return the program that a line calls and this machine lacks; a name in quotes is no call."""
    words = set(re.findall(r"[A-Za-z0-9_.-]+", QUOTED.sub("", text)))
    return next((p for p in NEEDED if p in words and shutil.which(p) is None), "")


def run(text: str, kimera: Kimera, ends: contextlib.ExitStack) -> subprocess.CompletedProcess[str]:
    """Run one line in bash, failing when any part of a pipe fails, except by a closed pipe.

    What it leaves in the background is ended with `ends`.
    """
    text = STAYS.sub(rf"\g<serve>{SLOWEST}\g<rest>", text)
    with subprocess.Popen(
        ["bash", "-c", f"set -o pipefail\nshopt -s expand_aliases\n{text}\n"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kimera.env, "KIMERA_TEST": "1"},
        cwd=kimera.folder,
        start_new_session=True,
    ) as line:
        ends.callback(end_group, line.pid)
        said, complained = line.communicate(timeout=600)
    return subprocess.CompletedProcess(text, line.returncode, said, complained)


def end_group(number: int) -> None:
    """End what is left of a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGTERM)


@pytest.mark.parametrize(
    "block", [b for page in PAGES for b in blocks(page)], ids=lambda block: block.name
)
def test_block(block: Block, kimera: Kimera, request: pytest.FixtureRequest) -> None:
    if block.fixture:
        data = request.getfixturevalue("shared_data")
        (kimera.folder / block.fixture).symlink_to(data, target_is_directory=True)
    skipped = []
    with contextlib.ExitStack() as ends:
        for step in block.commands:
            program = missing_program(step.text)
            if step.skip or program:
                skipped.append(f"line {step.line}: {step.skip or program + ' is not installed'}")
                continue
            done = run(step.text, kimera, ends)
            allowed = {step.code, 141} if "|" in step.text and "head" in step.text else {step.code}
            assert done.returncode in allowed, (
                f"{block.page}:{step.line}: {step.text}\nexpected exit {step.code}, was "
                f"{done.returncode}\n{done.stderr}{done.stdout[-2000:]}"
            )
    if len(skipped) == len(block.commands):
        pytest.skip("; ".join(skipped))


def test_console_takes_prompted_lines_and_goes_on_after_a_backslash() -> None:
    lines = [
        "$ kimera a \\",
        "    --b",
        "some output",
        "$ kimera c  # exit: 3",
        "$ x  # not run: y",
    ]
    assert parse(lines, 10, console=True) == [
        Command(10, "kimera a --b", 0, ""),
        Command(13, "kimera c", 3, ""),
        Command(14, "x", 0, "y"),
    ]


def test_a_program_is_needed_where_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert missing_program("kimera a | jq -e '.x == 0'") == "jq"
    assert missing_program('python -c "import duckdb; print(\\"duckdb\\")"') == ""


def test_a_reason_on_its_own_line_speaks_for_the_rest() -> None:
    lines = ["kimera a", "# just a comment", "# not run: needs a venue", "kimera b", "make run"]
    assert [c.skip for c in parse(lines, 1, console=False)] == [
        "",
        "needs a venue",
        "sets up or leaves the checkout",
    ]


def test_the_blocks_of_a_tutorial_share_a_folder() -> None:
    page = ROOT / "docs" / "tutorial" / "first-run.md"
    (whole,) = blocks(page)
    written = [c for c in page.read_text(encoding="utf-8").splitlines() if c.startswith("kimera ")]
    assert [c.text for c in whole.commands if c.text.startswith("kimera ")] == [
        EXIT.sub("", line).strip() for line in written
    ]


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]:
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.partition("#")[0]
            if path and "://" not in target and not (page.parent / path).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_inline_kimera_command_exists() -> None:
    """`kimera xyz` in running text names a command that is there."""
    from kimera_cli.registry import COMMANDS

    unknown = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for word in re.findall(r"`kimera ([a-z][a-z-]*)", text):
            if word not in COMMANDS:
                unknown.append(f"{page.relative_to(ROOT)}: kimera {word}")
    assert not unknown


def test_the_documents_that_users_expect_are_there() -> None:
    for name in ("README.md", "LICENSE", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"):
        path = ROOT / name
        assert path.is_file(), name
        assert path.stat().st_size, name
