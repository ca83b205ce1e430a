"""SHA-2 and HMAC: published vectors, hashlib at every length, both instruction paths, as one."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels import sha256
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.hmac_sha import (
    KEY,
    PADDING,
    fold256,
    hmac256_in_place,
    hmac512_in_place,
    set_key256,
    set_key512,
    sha256_in_place,
)
from kimera_cli.kernels.sha256 import PATH, SHA256, START256, compress256
from kimera_cli.kernels.sha512 import SHA512, START512, compress512
from kimera_cli.kernels.sha_rounds import plain

LENGTHS = 300
COMPILED = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="instruction paths exist only compiled"
)


def padded(message: bytes, block: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """FIPS 180-4 section 5.1, written down apart from the kernel."""
    size = block // 8
    zeros = -(len(message) + 1 + size) % block
    tail = (8 * len(message)).to_bytes(size, "big")
    return np.frombuffer(message + b"\x80" + bytes(zeros) + tail, np.uint8).copy()


@kernel
def fold_all256(state, text, at, stop):
    while at < stop:
        compress256(state, text, at)
        at += 64


@kernel
def fold_all512(state, text, at, stop):
    while at < stop:
        compress512(state, text, at)
        at += 128


def digest256(message: bytes) -> bytes:
    state, text = START256.copy(), padded(message, 64)
    fold_all256(state, text, 0, len(text))
    return state.astype(">u4").tobytes()


def digest512(message: bytes) -> bytes:
    state, text = START512.copy(), padded(message, 128)
    fold_all512(state, text, 0, len(text))
    return state.astype(">u8").tobytes()


NIST = {  # FIPS 180-2 appendices B and C, and the CAVP short messages
    b"": (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ),
    b"abc": (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
        "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445",
    ),
}


@pytest.mark.parametrize("message", NIST, ids=lambda m: f"{len(m)} bytes")
def test_nist(message: bytes) -> None:
    assert (digest256(message).hex(), digest512(message).hex()) == NIST[message]


def test_a_million_letters() -> None:
    """FIPS 180-2 appendix B.3."""
    if numba.config.DISABLE_JIT:
        pytest.skip("a million bytes take minutes in plain Python")
    expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    assert digest256(b"a" * 1_000_000).hex() == expected


def test_every_length_as_hashlib() -> None:
    for n in range(0, LENGTHS + 1, 1 if not numba.config.DISABLE_JIT else 17):
        message = bytes((7 * i + n) & 255 for i in range(n))
        assert digest256(message) == hashlib.sha256(message).digest(), n
        assert digest512(message) == hashlib.sha512(message).digest(), n


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=1_000))
def test_any_message_as_hashlib(message: bytes) -> None:
    assert digest256(message) == hashlib.sha256(message).digest()
    assert digest512(message) == hashlib.sha512(message).digest()


def test_the_plain_rounds_are_the_standard() -> None:
    """The reference that runs without compilation, on its own."""
    for sha, start, kind in ((SHA256, START256, ">u4"), (SHA512, START512, ">u8")):
        state, text = start.copy(), padded(b"abc", sha.block_bytes)
        plain(sha, state, text, 0)
        name = f"sha{8 * sha.bits}"
        assert state.astype(kind).tobytes() == hashlib.new(name, b"abc").digest()


@COMPILED
@pytest.mark.parametrize("path", sorted(sha256.PATHS))
def test_both_paths_give_the_same_words(path: str) -> None:
    if path == "x86-sha" and not sha256.compiles_for("sha"):
        pytest.skip("this processor has no SHA instructions")
    compress = sha256.PATHS[path]

    @numba.njit
    def fold(state: Any, text: Any, at: int) -> None:
        compress(state, text, at)

    rng = np.random.default_rng(3)
    for _ in range(200):
        state = rng.integers(0, 1 << 32, 8, np.uint32)
        text = rng.integers(0, 256, 100, np.uint8)
        at = int(rng.integers(0, 37))
        expected = state.copy()
        plain(SHA256, expected, text, at)
        fold(state, text, at)
        assert np.array_equal(state, expected)


@COMPILED
@pytest.mark.parametrize(
    ("variable", "value"), [("NUMBA_CPU_NAME", "generic"), ("NUMBA_CPU_FEATURES", "+sse2,-sha")]
)
def test_the_path_follows_what_numba_compiles_for(
    run_python: Any, variable: str, value: str
) -> None:
    """An instruction that numba was told to leave out would end the process."""
    code = (
        "import numpy as np\n"
        "from kimera_cli.kernels.sha256 import PATH, SHA256, START256, compress256\n"
        "from kimera_cli.kernels.hmac_sha import KEY, set_key256\n"
        "key = np.zeros(1, KEY).view(np.recarray)[0]\n"
        "set_key256(key, np.zeros(64, np.uint8))\n"
        "print(PATH, key.inner256[0])\n"
    )
    done = run_python(
        code, env={variable: value, "KIMERA_CACHE": os.environ.get("KIMERA_CACHE", "")}
    )
    assert done.code == 0, done.err
    state = START256.copy()
    plain(SHA256, state, np.full(64, 0x36, np.uint8), 0)
    assert done.out.split() == ["scalar", str(state[0])]


def test_the_chosen_path_is_the_best_there_is() -> None:
    assert ("x86-sha" if sha256.compiles_for("sha") else "scalar") == PATH


# --- HMAC ----------------------------------------------------------------------------------------


def new_key(secret: bytes) -> Any:
    """The signing state of a secret, as venues/wire/account.py makes it."""
    key = np.zeros(1, KEY).view(np.recarray)[0]
    for size, name, take in ((64, "sha256", set_key256), (128, "sha512", set_key512)):
        raw = secret if len(secret) <= size else hashlib.new(name, secret).digest()
        block = np.zeros(size, np.uint8)
        block[: len(raw)] = np.frombuffer(raw, np.uint8)
        take(key, block)
        assert not block.any(), "the key was left in the block"
    return key


@kernel
def sign256(key, out, begin, end):
    hmac256_in_place(key, key.inner256, out, begin, end, 64)


@kernel
def sign512(key, out, begin, end):
    hmac512_in_place(key, out, begin, end)


@kernel
def sign_folded(key, state, out, begin, end, folded):
    hmac256_in_place(key, state, out, begin, end, folded)


@kernel
def hash_in_place(key, out, begin, end):
    sha256_in_place(key, out, begin, end)


def laid(message: bytes, before: int = 5) -> Any:
    """The message in a buffer of which nothing else is clean."""
    buffer = np.full(before + len(message) + PADDING, 0xEE, np.uint8)
    buffer[before : before + len(message)] = np.frombuffer(message, np.uint8)
    return buffer


RFC_4231 = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b",
        "87aa7cdea5ef619d4ff0b4241a1d6cb0",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c7",
        "164b7a7bfcf819e2e395fbe73b56e0a3",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a7",
        "fa73b0089d56a284efb0f0756c890be9",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a",
        "b0ba465637458c6990e5a8c5f61d4af7",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f",
        "80b24263c7c1a3ebb71493c1dd7be8b4",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. The "
        b"key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffd",
    ),
]
"""Cases 1 to 4, 6 and 7; the first 16 bytes of each digest."""


@pytest.mark.parametrize("case", RFC_4231, ids=["1", "2", "3", "4", "6", "7"])
def test_rfc_4231(case: tuple[bytes, bytes, str, str]) -> None:
    secret, message, of_256, of_512 = case
    key = new_key(secret)
    sign256(key, laid(message), 5, 5 + len(message))
    assert key.digest[:16].tobytes().hex() == of_256
    assert key.digest[:32].tobytes() == hmac.digest(secret, message, "sha256")
    sign512(key, laid(message), 5, 5 + len(message))
    assert key.digest[:16].tobytes().hex() == of_512
    assert key.digest.tobytes() == hmac.digest(secret, message, "sha512")


def test_hmac_of_every_length() -> None:
    key = new_key(b"secret")
    for n in range(0, LENGTHS + 1, 1 if not numba.config.DISABLE_JIT else 37):
        message = bytes((11 * i + n) & 255 for i in range(n))
        buffer = laid(message)
        sign256(key, buffer, 5, 5 + n)
        assert key.digest[:32].tobytes() == hmac.digest(b"secret", message, "sha256"), n
        assert buffer[: 5 + n].tobytes() == b"\xee" * 5 + message, "the message was written over"
        sign512(key, laid(message), 5, 5 + n)
        assert key.digest.tobytes() == hmac.digest(b"secret", message, "sha512"), n
        hash_in_place(key, laid(message), 5, 5 + n)
        assert key.digest[:32].tobytes() == hashlib.sha256(message).digest(), n


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.binary(max_size=400))
def test_hmac_of_anything(secret: bytes, message: bytes) -> None:
    key = new_key(secret)
    sign256(key, laid(message), 5, 5 + len(message))
    assert key.digest[:32].tobytes() == hmac.digest(secret, message, "sha256")
    sign512(key, laid(message), 5, 5 + len(message))
    assert key.digest.tobytes() == hmac.digest(secret, message, "sha512")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.binary(max_size=200))
def test_constant_blocks_are_folded_once(blocks: int, rest: bytes) -> None:
    """The state behind the constant beginning signs as the whole message does."""
    key, n = new_key(b"secret"), 64 * blocks
    text = np.frombuffer(bytes(range(64)) * blocks, np.uint8).copy()
    state = np.zeros(8, np.uint32)
    fold256(key, state, text, n)
    message = text.tobytes() + rest
    sign_folded(key, state, laid(message), 5 + n, 5 + len(message), 64 + n)
    assert key.digest[:32].tobytes() == hmac.digest(b"secret", message, "sha256")
