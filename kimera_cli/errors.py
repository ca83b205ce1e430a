"""What kimera says when something is wrong: one error type with a stable code.

An error names what was expected, what it was, and where (file, line, key, venue); the hint is the
command or the edit that mends it. Exit codes are not decided here: they belong to the command line
(`diagnostics.exit_code_for`), which reads the first part of the dotted code.
"""

from __future__ import annotations


class KimeraError(Exception):
    """A failure that a user can act on.

    `code` is dotted and stable (`data.gap`, `profile.unknown_key`); scripts may rely on it.
    `details` are extra facts for the error record (file, line, key), already JSON-safe.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", **details: str | int | float
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(KimeraError):
    """The command line or an argument is wrong; code `usage.*`."""


class ProfileError(KimeraError):
    """A profile cannot be read or holds a wrong value; code `profile.*`."""


class DataError(KimeraError):
    """Data are missing, damaged or of another kind; code `data.*`."""


class VenueError(KimeraError):
    """A venue or the network failed; code `venue.*`."""


class RiskError(KimeraError):
    """A limit or the governor refused; code `risk.*`."""


class RunError(KimeraError):
    """A run or a strategy failed; code `run.*` or `strategy.*`."""
