"""`kimera` and `python -m kimera_cli`.

Ctrl-C while the program's own modules load, before it can answer for its endings, ends it at once.
"""

from __future__ import annotations

from kimera_cli import stop_signals


def main() -> None:
    """Run the program."""
    stop_signals.end_at_once()
    from kimera_cli.main import main as program

    program()


if __name__ == "__main__":
    main()
