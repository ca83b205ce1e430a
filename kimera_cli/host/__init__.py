"""What the host is, what it should be, and the way there and back.

Everything is read and written below one root folder (`tree.Tree`), so that a mounted or a made-up
host is handled by the same code. Nothing here changes a value that is not in the journal first.
"""
