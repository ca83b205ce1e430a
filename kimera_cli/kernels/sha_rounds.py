"""SHA-2 compression as LLVM code, the message in registers.

FIPS 180-4 sections 6.2.2 (SHA-256) and 6.4.2 (SHA-512): both are the same rounds over another word
size and other constants. `plain` is the same algorithm in Python, for runs without compilation and
as the readable reference.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


class Sha(NamedTuple):
    """One member of the family; amounts of rotation in the order of FIPS 180-4 section 4.1."""

    bits: int
    start: tuple[int, ...]
    k: tuple[int, ...]
    big_0: tuple[int, int, int]
    big_1: tuple[int, int, int]
    small_0: tuple[int, int, int]
    small_1: tuple[int, int, int]

    @property
    def block_bytes(self) -> int:
        """Bytes of one message block: 16 words."""
        return 2 * self.bits


def root_fractions(n: int, bits: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the constants of FIPS 180-4 section 4.2: the first `bits` bits of the fractions of the
    square roots of the first 8 primes, and of the cube roots of the first n primes.
    """
    primes = [p for p in range(2, 6 * n) if all(p % q for q in range(2, isqrt(p) + 1))][:n]
    mask = (1 << bits) - 1
    square = tuple(isqrt(p << (2 * bits)) & mask for p in primes[:8])
    return square, tuple(_cube_root(p << (3 * bits)) & mask for p in primes)


def _cube_root(n: int) -> int:
    """Return the integer part of the cube root, by Newton's method from above."""
    x = 1 << (n.bit_length() // 3 + 1)
    while (y := (2 * x + n // (x * x)) // 3) < x:
        x = y
    return x


def plain(sha: Sha, state: Any, block: Any, at: int) -> None:
    """Fold the block at `block[at:]` into `state`, in Python integers."""
    mask, size = (1 << sha.bits) - 1, sha.bits // 8
    text = bytes(block[at : at + sha.block_bytes])
    w = [int.from_bytes(text[i : i + size], "big") for i in range(0, sha.block_bytes, size)]

    def rotated(x: int, amounts: tuple[int, ...]) -> int:
        total = 0
        for n in amounts:
            total ^= (x >> n) | (x << (sha.bits - n) & mask)
        return total

    for i in range(16, len(sha.k)):
        s0 = rotated(w[i - 15], sha.small_0[:2]) ^ (w[i - 15] >> sha.small_0[2])
        s1 = rotated(w[i - 2], sha.small_1[:2]) ^ (w[i - 2] >> sha.small_1[2])
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & mask)
    a, b, c, d, e, f, g, h = (int(word) for word in state)
    for word, k in zip(w, sha.k, strict=True):
        t1 = h + rotated(e, sha.big_1) + ((e & f) ^ (~e & g & mask)) + k + word
        t2 = rotated(a, sha.big_0) + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = (t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g
    for i, word in enumerate((a, b, c, d, e, f, g, h)):
        state[i] = np.asarray((int(state[i]) + word) & mask, state.dtype)


def scalar(sha: Sha) -> Any:
    """Return the compression as an intrinsic `(state, block, at)` that any processor runs."""

    @intrinsic
    def compress(typing_context: Any, state: Any, block: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _Rounds(sha, builder).compress(*pointers(context, builder, signature, args))
            return context.get_dummy_value()

        return types.void(state, block, types.intp), generate

    return compress


def pointers(context: Any, builder: Any, signature: Any, args: Any) -> tuple[Any, Any]:
    """Return the addresses of state[0] and block[at] inside an intrinsic."""
    state = context.make_array(signature.args[0])(context, builder, args[0]).data
    block = context.make_array(signature.args[1])(context, builder, args[1]).data
    return state, builder.gep(block, [args[2]])


class _Rounds:
    """Writes the rounds with one builder: sixteen as they are, then a loop of sixteen.

    All of them in a row would be the plainest, but 80 rounds of 64-bit words are more code than a
    processor keeps decoded, and then a block takes two or three times as long (measured).
    """

    def __init__(self, sha: Sha, builder: Any) -> None:
        self.sha, self.b, self.word = sha, builder, ir.IntType(sha.bits)

    def compress(self, state: Any, block: Any) -> None:
        b = self.b
        swap = self.function("bswap", 1)
        source = b.bitcast(block, self.word.as_pointer())
        w = [b.call(swap, [b.load(self.at(source, i), align=1)]) for i in range(16)]
        before = [b.load(self.at(state, i)) for i in range(8)]
        now = before
        for i in range(16):
            now = self.round(now, b.add(w[i], ir.Constant(self.word, self.sha.k[i])))
        now = self.loop(now, w)
        for i in range(8):
            b.store(b.add(before[i], now[i]), self.at(state, i))

    def loop(self, now: list[Any], w: list[Any]) -> list[Any]:
        b, count = self.b, ir.IntType(64)
        constants = self.constants()
        begin, body, end = b.block, b.append_basic_block("rounds"), b.append_basic_block("done")
        b.branch(body)
        b.position_at_end(body)
        number = b.phi(count)
        number.add_incoming(ir.Constant(count, 16), begin)
        carried = [b.phi(self.word) for _ in range(24)]
        for phi, value in zip(carried, [*now, *w], strict=True):
            phi.add_incoming(value, begin)
        now, w = list(carried[:8]), list(carried[8:])
        for i in range(16):
            w.append(self.schedule(w))
            k = b.load(b.gep(constants, [b.add(number, ir.Constant(count, i))]))
            now = self.round(now, b.add(w[-1], k))
        following = b.add(number, ir.Constant(count, 16))
        number.add_incoming(following, body)
        for phi, value in zip(carried, [*now, *w[-16:]], strict=True):
            phi.add_incoming(value, body)
        again = b.icmp_unsigned("<", following, ir.Constant(count, len(self.sha.k)))
        b.cbranch(again, body, end)
        b.position_at_end(end)
        return now

    def constants(self) -> Any:
        """Return the address of the round constants."""
        kind = ir.ArrayType(self.word, len(self.sha.k))
        name = self.b.module.get_unique_name("sha.k")
        table = ir.GlobalVariable(self.b.module, kind, name)
        table.linkage, table.global_constant = "internal", True
        table.initializer = ir.Constant(kind, list(self.sha.k))
        return self.b.bitcast(table, self.word.as_pointer())

    def round(self, s: list[Any], addend: Any) -> list[Any]:
        b, (x, y, z, d, e, f, g, h) = self.b, s
        choice = b.xor(g, b.and_(e, b.xor(f, g)))
        majority = b.or_(b.and_(x, y), b.and_(z, b.or_(x, y)))
        t1 = b.add(b.add(h, addend), b.add(self.rotated(e, self.sha.big_1), choice))
        t2 = b.add(self.rotated(x, self.sha.big_0), majority)
        return [b.add(t1, t2), x, y, z, b.add(d, t1), e, f, g]

    def schedule(self, w: list[Any]) -> Any:
        b = self.b
        s0, s1 = self.small(w[-15], self.sha.small_0), self.small(w[-2], self.sha.small_1)
        return b.add(b.add(w[-16], s0), b.add(w[-7], s1))

    def small(self, x: Any, amounts: tuple[int, int, int]) -> Any:
        shifted = self.b.lshr(x, ir.Constant(self.word, amounts[2]))
        return self.b.xor(self.rotated(x, amounts[:2]), shifted)

    def rotated(self, x: Any, amounts: tuple[int, ...]) -> Any:
        turn = self.function("fshr", 3)
        parts = [self.b.call(turn, [x, x, ir.Constant(self.word, n)]) for n in amounts]
        total = parts[0]
        for part in parts[1:]:
            total = self.b.xor(total, part)
        return total

    def function(self, name: str, arguments: int) -> Any:
        kind = ir.FunctionType(self.word, [self.word] * arguments)
        return cgutils.get_or_insert_function(self.b.module, kind, f"llvm.{name}.i{self.sha.bits}")

    def at(self, base: Any, i: int) -> Any:
        return self.b.gep(base, [ir.Constant(ir.IntType(64), i)])
