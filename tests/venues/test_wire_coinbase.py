"""Coinbase Advanced: the request, and tokens verified with the public key."""

from __future__ import annotations

import base64
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kimera_cli.errors import VenueError
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.orders.lookup import expiry_ns
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.coinbase import CANCEL, PLACE, REST, TokenMaker
from kimera_cli.venues.wire.order_wire import OrderWire

NAME = "organizations/0b1c2d3e/apiKeys/4f5a6b7c"
NOW_S = 1_700_000_000
NONCE = bytes(range(16))
CLIENT_ID = b"0b1c2d3e-0000-4000-8000-000000000001"


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def account() -> Account:
    return Account(REST.signing, NAME, b"")


def read(token: bytes, public: ec.EllipticCurvePublicKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token whose signature holds (RFC 7515, RFC 7518 section 3.4)."""
    head, claims, signature = (
        base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in token.split(b".")
    )
    assert len(signature) == 64
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public.verify(utils.encode_dss_signature(r, s), token.rpartition(b".")[0], ec.ECDSA(SHA256()))
    return json.loads(head), json.loads(claims)


def wire(desk: Any, account: Account) -> OrderWire:
    return OrderWire(REST, desk.instrument(), account, symbol="BTC-USD")


@pytest.mark.parametrize(
    ("kind", "side", "name", "more"),
    [
        ("gtc", "buy", "limit_limit_gtc", {"limit_price": "50000.12", "post_only": False}),
        ("post_only", "sell", "limit_limit_gtc", {"limit_price": "50000.12", "post_only": True}),
        ("ioc", "sell", "sor_limit_ioc", {"limit_price": "50000.12"}),
        ("fok", "buy", "limit_limit_fok", {"limit_price": "50000.12"}),
        ("market", "sell", "market_market_ioc", {}),
    ],
)
def test_orders_are_those_of_ccxt(
    desk: Any, account: Account, private: Any, kind: str, side: str, name: str, more: Any
) -> None:
    """Shapes as ccxt 4.5.90 sends them, with the client id that ccxt leaves out."""
    TokenMaker(NAME, pem(private)).authorize(account, PLACE, NOW_S, NONCE)
    order_type, tif = desk.kinds[kind]
    data = wire(desk, account).place(
        desk.sides[side], order_type, tif, 5_000_012, 100, CLIENT_ID, desk.now_ns
    )
    http = desk.http(data)
    assert (http.method, http.target) == ("POST", PLACE)
    assert http.json == {
        "client_order_id": CLIENT_ID.decode(),
        "product_id": "BTC-USD",
        "side": side.upper(),
        "order_configuration": {name: {"base_size": "0.001", **more}},
    }
    scheme, _, token = http.headers["Authorization"].partition(" ")
    header, claims = read(token.encode(), private.public_key())
    assert scheme == "Bearer"
    assert header == {"alg": "ES256", "typ": "JWT", "kid": NAME, "nonce": NONCE.hex()}
    assert claims["uri"] == f"POST {http.headers['Host']}{http.target}"
    assert (claims["nbf"], claims["exp"], claims["sub"]) == (NOW_S, NOW_S + 30, NAME)
    assert claims["exp"] * NS_PER_S == expiry_ns("coinbase", NOW_S * NS_PER_S)


def test_cancel_needs_its_own_token(desk: Any, account: Account, private: Any) -> None:
    TokenMaker(NAME, pem(private)).authorize(account, CANCEL, NOW_S, NONCE)
    http = desk.http(wire(desk, account).cancel(desk.now_ns, venue_id=b"0b1c-77"))
    assert http.json == {"order_ids": ["0b1c-77"]}
    _, claims = read(http.headers["Authorization"][7:].encode(), private.public_key())
    assert claims["uri"] == f"POST api.coinbase.com{http.target}"


def test_what_the_venue_lacks_is_refused(desk: Any, account: Account) -> None:
    account.set_token(b"t")
    built = wire(desk, account)
    with pytest.raises(VenueError, match="expected a request that coinbase takes") as error:
        built.place(0, 1, 0, 1, 1, CLIENT_ID, desk.now_ns)
    assert error.value.code == "venue.order_no_program"
    with pytest.raises(VenueError, match="cancel by client id"):
        built.cancel(desk.now_ns, client_id=CLIENT_ID)


def test_without_a_token_nothing_is_built(desk: Any, account: Account) -> None:
    with pytest.raises(VenueError) as error:
        wire(desk, account).place(0, 0, 0, 1, 1, CLIENT_ID, desk.now_ns)
    assert error.value.code == "venue.order_token"


def test_a_token_is_not_used_twice_unless_asked(account: Account, private: Any) -> None:
    def tokens(reuse_s: int, times: list[int]) -> list[bytes]:
        maker = TokenMaker(NAME, pem(private), reuse_s=reuse_s)
        seen = []
        for now_s in times:
            maker.authorize(account, PLACE, now_s, NONCE)
            seen.append(account.state["token"][0].tobytes())
        return seen

    fresh = tokens(0, [NOW_S, NOW_S])
    assert fresh[0] != fresh[1]
    first, second, third, fourth = tokens(20, [NOW_S, NOW_S + 19, NOW_S + 20, NOW_S + 10])
    assert first == second != third
    assert fourth not in (first, third), "a clock that went back makes a new token"


def test_paths_have_tokens_of_their_own(account: Account, private: Any) -> None:
    maker = TokenMaker(NAME, pem(private), reuse_s=20)
    for path in (PLACE, CANCEL, PLACE):
        maker.authorize(account, path, NOW_S, NONCE)
        token = account.state["token"][0].tobytes().rstrip(b"\0")
        assert read(token, private.public_key())[1]["uri"].endswith(path)


def test_wrong_keys_are_refused_without_showing_them(private: Any) -> None:
    wrong = [
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
        b"not a key at all",
        b"",
        pem(private)[:-40],
    ]
    for secret in wrong:
        with pytest.raises(VenueError) as error:
            TokenMaker(NAME, secret)
        assert error.value.code == "venue.credentials"
        shown = f"{error.value!r} {error.value} {error.value.__context__!r}"
        assert not any(line and line.decode() in shown for line in secret.splitlines()[1:-1])


def test_a_maker_shows_and_gives_away_nothing(private: Any) -> None:
    maker = TokenMaker(NAME, pem(private))
    assert repr(maker) == "TokenMaker(ready)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(maker)
    with pytest.raises(VenueError, match="nonce of 16 bytes"):
        maker.token(PLACE, NOW_S, b"short")
    maker.wipe()
    with pytest.raises(VenueError, match="not wiped"):
        maker.token(PLACE, NOW_S, NONCE)


def test_exact_sizes(desk: Any, account: Account) -> None:
    account.set_token(b"t")
    built = OrderWire(REST, desk.instrument("0.0001", "0.00000001"), account, symbol="BTC-USD")
    http = desk.http(built.place(1, 0, 0, 12_345, 123_456_789, CLIENT_ID, desk.now_ns))
    (limit,) = http.json["order_configuration"].values()
    assert Decimal(limit["limit_price"]) == Decimal("1.2345")
    assert limit["base_size"] == "1.23456789"
