"""Signatures of queries: the same as the wire's for the same request, and as the venues publish."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import unquote

import pytest

from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.rest import Query, change_json, get
from kimera_cli.venues.clients.signing import KrakenSigner, iso_ms, iso_s, signer_for

NOW = 1_700_000_000_123_456_789
BASE64 = base64.b64encode(bytes(range(64))).decode()


def header(request: bytes, name: str) -> str:
    return request.decode().split(f"{name}: ")[1].split("\r\n")[0]


def mac(secret: bytes, text: str) -> bytes:
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


def test_kraken_as_its_documentation_has_it() -> None:
    """https://docs.kraken.com/api/docs/guides/spot-rest-auth: key, nonce, body and signature."""
    secret = (
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    )
    signer = KrakenSigner(Credentials("kraken", "key", secret))
    params = {"ordertype": "limit", "pair": "XBTUSD", "price": "37500", "type": "buy"}
    query = Query("POST", "/0/private/AddOrder", {**params, "volume": "1.25"})
    request = signer.sign(query, 1_616_492_376_594_000_000)
    assert header(request, "API-Sign") == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_krakens_nonce_rises_also_when_the_clock_goes_back() -> None:
    signer = KrakenSigner(Credentials("kraken", "key", BASE64))
    nonces = [
        int(signer.sign(Query("POST", "/x"), ts_ns).rpartition(b"nonce=")[2])
        for ts_ns in (NOW, NOW, NOW - 10**9, NOW + 10**9)
    ]
    assert nonces == sorted(set(nonces))
    assert nonces[0] == NOW // 10**6


def test_binance_signs_what_stands_in_the_query() -> None:
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    signer = signer_for(Credentials("binance", "key", secret), bytes)
    line = signer.sign(get("/api/v3/order", symbol="a b"), NOW).split(b" ")[1].decode()
    asked, _, signature = line.partition("?")[2].rpartition("&signature=")
    assert asked == "symbol=a%20b&recvWindow=5000&timestamp=1700000000123"
    assert signature == mac(secret.encode(), asked).hex()


def test_okx_bybit_and_coinbase_exchange_sign_time_method_path_and_body() -> None:
    body = '{"instId":"BTC-USDT","sz":"1"}'
    query = change_json("/api/v5/x", "place", {"instId": "BTC-USDT", "sz": "1"})
    okx = signer_for(Credentials("okx", "key", "secret", "pass"), bytes).sign(query, NOW)
    signed = f"2023-11-14T22:13:20.123ZPOST/api/v5/x{body}"
    assert header(okx, "OK-ACCESS-SIGN") == base64.b64encode(mac(b"secret", signed)).decode()
    bybit = signer_for(Credentials("bybit", "key", "secret"), bytes).sign(query, NOW)
    signed = f"1700000000123key5000{body}"
    assert header(bybit, "X-BAPI-SIGN") == mac(b"secret", signed).hex()
    asked = get("/fills", product_id="BTC-USD")
    credentials = Credentials("coinbaseexchange", "key", BASE64, "pass")
    exchange = signer_for(credentials, bytes).sign(asked, NOW)
    raw = mac(base64.b64decode(BASE64), "1700000000GET/fills?product_id=BTC-USD")
    assert header(exchange, "CB-ACCESS-SIGN") == base64.b64encode(raw).decode()


def test_htx_signs_host_and_sorted_query() -> None:
    signer = signer_for(Credentials("htx", "key", "secret"), bytes)
    line = signer.sign(get("/v1/x", symbol="btcusdt", **{"account-id": 7}), NOW).split(b" ")[1]
    path, _, asked = line.decode().partition("?")
    text, _, signature = asked.rpartition("&Signature=")
    assert text.split("&") == sorted(text.split("&"))
    assert "Timestamp=2023-11-14T22%3A13%3A20" in text
    raw = mac(b"secret", f"GET\napi.huobi.pro\n{path}\n{text}")
    assert unquote(signature) == base64.b64encode(raw).decode()


@pytest.mark.parametrize(("ts_ns", "ms", "s"), [(0, "00.000Z", "00"), (NOW, "20.123Z", "20")])
def test_times_are_cut_not_rounded(ts_ns: int, ms: str, s: str) -> None:
    assert iso_ms(ts_ns).endswith(ms)
    assert iso_s(ts_ns).endswith(s)
