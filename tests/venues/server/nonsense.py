"""JSON of a venue's own words in the wrong places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st


def values(words: Sequence[str], names: Sequence[str], most: int = 2**70) -> st.SearchStrategy[Any]:
    """Return values of every JSON type, and NaN and integers up to `most`: beyond 64 bits."""
    scalars = st.one_of(
        st.sampled_from(words), st.none(), st.booleans(), st.integers(-5, most), st.floats(),
        st.text(max_size=6),
    )  # fmt: skip
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(names), inner, max_size=6)
        ),
        max_leaves=12,
    )
