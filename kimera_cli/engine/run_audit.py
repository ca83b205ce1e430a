"""Checks a run folder against itself, and closes one whose process was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.engine.runfolder import RunFolder, Status
from kimera_cli.errors import DataError
from kimera_cli.files import FileInfo, sha256_of
from kimera_cli.journal import log
from kimera_cli.journal.chain import Head, canonical_hash
from kimera_cli.journal.export import merged_rows
from kimera_cli.journal.journal import BULK, JOURNAL, LOG, Journal
from kimera_cli.journal.lease import is_written
from kimera_cli.journal.verify import Expected, Verified, verify_file
from kimera_cli.records import JournalCheck


def verify_run(folder: RunFolder) -> Iterator[JournalCheck]:
    """Yield one record per chain, one for the trade hash, one per file that the manifest states."""
    audit = verify_file(folder.path / JOURNAL, _expected(folder, ""))
    yield _chain_check(folder, "journal", JOURNAL, audit, _state(folder, audit))
    bulk = verify_file(folder.path / BULK, _expected(folder, "bulk_"))
    yield _chain_check(folder, "bulk", BULK, bulk, "")
    if folder.status in ("complete", "interrupted", "halted"):
        yield from _trade_hash_check(folder, audit)
    for name, stated in folder.manifest.get("files", {}).items():
        yield _file_check(folder, name, FileInfo(**stated))


def failure(folder: RunFolder, bad: list[JournalCheck]) -> DataError:
    """Return the error that says what failed, for the exit code and for stderr."""
    first = bad[0]
    place = f" in {first.file}" + (f", table {first.table}" if first.table else "")
    at = "" if first.bad_seq is None else f" at seq {first.bad_seq}"
    return DataError(
        "data.journal_altered",
        f"expected run {folder.run} as it was written, was altered{place}{at}: {first.detail}",
        "restore the run folder from a copy; entries before that place hold",
        failed=len(bad),
    )


def recover_run(
    folder: RunFolder, *, now_ns: int, monotonic_ns: Callable[[], int]
) -> list[JournalCheck]:
    """Close a run that was killed or failed: log into database, files from the journal, manifest.

    Returns the checks of the recovered run. A killed run becomes `interrupted`, a failed one stays
    `failed`; one that ended by itself is only checked. RunError `run.busy` while it is written.
    """
    if folder.status in ("running", "failed") and not folder.manifest.get("files"):
        end = Journal.resume(folder.path, monotonic_ns=monotonic_ns).close()
        folder.manifest["journal"] = msgspec.to_builtins(end)
        if bad := [check for check in verify_run(folder) if not check.ok]:
            raise failure(folder, bad)
        status: Status = "interrupted" if folder.status == "running" else "failed"
        folder.finish(status, ended_ns=now_ns, files=_rebuild(folder), journal=end)
    return list(verify_run(folder))


def _rebuild(folder: RunFolder) -> dict[str, FileInfo]:
    recorder = RunRecorder(folder.path)
    try:
        for rows in merged_rows(folder.path):
            recorder.write(rows)
    except BaseException:
        recorder.abort()
        raise
    return recorder.close()


def _expected(folder: RunFolder, prefix: str) -> Expected:
    profile = folder.manifest.get("profile")
    end = folder.manifest.get("journal")
    return Expected(
        run=folder.run,
        profile_hash=None if profile is None else canonical_hash(profile),
        head=None
        if end is None
        else Head(
            end[f"{prefix}entries"], end[f"{prefix}seq"], bytes.fromhex(end[f"{prefix}hash"])
        ),
    )


def _state(folder: RunFolder, audit: Verified) -> str:
    """Say how far a run is that did not end by itself, and what its log still holds."""
    if folder.status not in ("running", "failed"):
        return ""
    how = "failed" if folder.status == "failed" else "was cut off"
    state = "the run goes on" if is_written(folder.path) else f"the run {how}"
    head = Head(audit.entries, audit.seq, bytes.fromhex(audit.hash))
    waiting = len(log.waiting(folder.path / LOG, head, audit.genesis))
    wait = f"; {waiting} more in {LOG}: kimera journal recover" if waiting else ""
    return f"{state}; holds up to its last committed entry{wait}"


def _chain_check(
    folder: RunFolder, check: str, file: str, found: Verified, state: str
) -> JournalCheck:
    problem = found.problem
    return JournalCheck(
        run=folder.run,
        check=check,
        file=file,
        entries=found.entries,
        ok=problem is None,
        bad_seq=None if problem is None else problem.seq,
        table="" if problem is None else problem.table,
        detail=state if problem is None else problem.what,
        last_seq=found.seq,
        hash=found.hash,
    )


def _trade_hash_check(folder: RunFolder, audit: Verified) -> Iterator[JournalCheck]:
    try:
        stated = folder.summary().trade_hash
    except DataError as error:
        if folder.status == "interrupted" and not (folder.path / "summary.json").exists():
            return  # a killed run that was recovered never came to a summary
        stated, detail = "", error.message
    else:
        detail = f"the journal's fills give {audit.trade_hash}, summary.json says {stated}"
    ok = stated == audit.trade_hash
    yield JournalCheck(
        run=folder.run,
        check="trade_hash",
        file="summary.json",
        entries=audit.fills,
        ok=ok,
        detail="" if ok else detail,
        hash=audit.trade_hash,
    )


def _file_check(folder: RunFolder, name: str, stated: FileInfo) -> JournalCheck:
    path = folder.path / name
    found = sha256_of(path) if path.is_file() else ""
    return JournalCheck(
        run=folder.run,
        check="file",
        file=name,
        entries=stated.rows,
        ok=found == stated.sha256,
        detail=""
        if found == stated.sha256
        else "missing"
        if not found
        else "not the bytes written",
        hash=found,
    )
