"""Files that several processes map: rings, broadcasts, state blocks, counters.

Checked wrappers over kernels/{ring,broadcast,seqlock,counters,conflate}.py. This room opens, checks
and describes the files (docs/explanation/rings.md has their layout) and tells whether the process
on the other side lives; what moves records is in the kernels, and reaches them by address.
"""
