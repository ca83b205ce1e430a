"""Numba kernels: pure functions on preallocated arrays. They know layouts and each other, nothing
else.
"""
