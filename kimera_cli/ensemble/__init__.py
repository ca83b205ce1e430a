"""What cold members publish for the hot path: decision tables, and how good they are.

A member estimates something from a market state in its own time. The filler asks it about every
cell of a quantised state space and writes the answers to a table; the hot path only looks up
(kernels/table.py). docs/explanation/decision-table.md defines every number that is reported.
"""
