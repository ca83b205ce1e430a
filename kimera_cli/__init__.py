"""kimera: composable trading commands for crypto markets over one core library.

Importing this package imports nothing else: every heavy part loads when it is asked for.
"""

from __future__ import annotations

__version__ = "0.1.0"
