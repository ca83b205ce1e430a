"""Keys: where they come from, who may read them, and that nothing shows them."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path

import pytest

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.venues.clients.credentials import (
    HIDDEN,
    Credentials,
    Redactor,
    from_environment,
    from_file,
    venues_in,
)
from kimera_cli.venues.clients.redaction import shown_request
from kimera_cli.venues.clients.rest import change, get
from kimera_cli.venues.clients.signing import signer_for
from kimera_cli.venues.wire import binance, kraken

SECRET, KEY, PASSPHRASE = "planted-secret-1234567890", "planted-key-0987654321", "planted-pass"
FILE = (
    f'[binance]\nkey = "{KEY}"\nsecret = "{SECRET}"\n\n'
    '[okx]\nkey = "k"\nsecret = "env:OKX_S"\npassphrase = "p"\n'
)


def keys(tmp_path: Path, text: str = FILE, mode: int = 0o600) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def told(error: BaseException) -> str:
    """Everything that a crash report could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


def test_a_keys_file_gives_each_venue_its_own(tmp_path: Path) -> None:
    path = keys(tmp_path)
    assert venues_in(path) == ["binance", "okx"]
    found = from_file(path, "binance", {})
    assert (found.venue, found.key, found.passphrase) == ("binance", KEY, "")
    assert from_file(path, "okx", {"OKX_S": "s3cret"}).secrets()[0] == "k"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_may_read_is_not_read(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError) as caught:
        from_file(keys(tmp_path, mode=mode), "binance", {})
    assert caught.value.code == "usage.keys_mode"
    assert "0600" in caught.value.message
    assert "chmod 600" in caught.value.hint
    assert SECRET not in told(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"[binance]\nsecret = {SECRET}\n",  # no TOML: the parser would quote the line
        f'[binance]\nkey = "{KEY}"\nsecret = ["{SECRET}"]\n',
        f'[binance]\nsecret = "{SECRET}"\n',
        f'[binanze]\nkey = "{KEY}"\nsecret = "{SECRET}"\n',
        f'[binance]\nkey = "{KEY}"\nsecret = "env:NOT_SET_ANYWHERE"\npassphrase = "{SECRET}"\n',
        f'key = "{SECRET}"',
    ],
)
def test_a_file_that_does_not_hold_the_keys_says_so_without_its_content(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(UsageError) as caught:
        from_file(keys(tmp_path, text), "binance", {})
    assert caught.value.code == "usage.keys"
    assert SECRET not in told(caught.value)
    assert KEY not in told(caught.value)


def test_a_missing_file_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        from_file(tmp_path / "none", "binance", {})
    path = keys(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError):
        from_file(path, "binance", {})


def test_the_environment_is_read_where_there_is_no_file() -> None:
    env = {"KIMERA_OKX_KEY": "k", "KIMERA_OKX_SECRET": "s", "KIMERA_OKX_PASSPHRASE": "p"}
    found = from_environment("okx", env)
    assert found is not None
    assert (found.key, found.passphrase) == ("k", "p")
    assert from_environment("kraken", env) is None
    with pytest.raises(UsageError):
        from_environment("okx", {"KIMERA_OKX_KEY": "k"})


def test_credentials_cannot_be_shown_or_carried_away() -> None:
    credentials = Credentials("binance", KEY, SECRET, PASSPHRASE)
    assert repr(credentials) == "Credentials(binance)"
    with pytest.raises(TypeError):
        pickle.dumps(credentials)
    with pytest.raises(TypeError):
        copy.copy(credentials)
    signer = signer_for(credentials, bytes)
    assert SECRET not in repr(signer) + repr(vars(signer))
    credentials.wipe()
    unfit = Credentials("kraken", KEY, "no base64!")
    with pytest.raises(VenueError) as caught:
        unfit.mac(kraken.SIGNING)
    assert "no base64" not in told(caught.value)
    with pytest.raises(VenueError):
        Credentials("binance", KEY, "").mac(binance.SIGNING)


def test_a_redactor_takes_out_every_spelling_and_no_ordinary_word() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE+/abc=\nq2w3e4r5\n-----END EC PRIVATE KEY-----"
    credentials = Credentials("coinbase", KEY, pem, "a b&c/d")
    redactor = Redactor(credentials.secrets())
    for text in (pem, "MHcCAQEE+/abc=", "MHcCAQEE%2B%2Fabc%3D", "a%20b%26c%2Fd", KEY):
        shown = redactor.text(f"before {text} after")
        assert text not in shown
        assert shown.startswith("before ")
        assert shown.endswith(" after")
    assert Redactor(["", "ab", "limit"]).text("a limit of ab") == "a limit of ab"
    assert repr(redactor) == f"Redactor({len(redactor._known)})"


@pytest.mark.parametrize(
    "said",
    [
        "signature=WHAT&a=b",
        '{"sign": "WHAT"}',
        "'Sign':'WHAT'",
        r'{"msg": "{\"signature\":\"WHAT\"}"}',
        "OK-ACCESS-SIGN: WHAT",
        "API-Sign: WHAT",
        '{"jwt":"WHAT"}',
    ],
)
def test_a_redactor_takes_out_what_stands_as_a_signature(said: str) -> None:
    proof = "eyJh.bGci%2BOi+/J_5-0123456789abcdef=="
    for found in (
        Redactor().text(said.replace("WHAT", proof)),
        Redactor().data(said.replace("WHAT", proof).encode()).decode(),
    ):
        assert found == said.replace("WHAT", HIDDEN)
    plain = b'{"signal": "aaaaaaaaaaaaaaaaaaaaaaaa", "sign": "buy"}'
    assert Redactor().data(plain) is plain or Redactor().data(plain) == plain


def test_a_redactor_learns_more_and_forgets_nothing() -> None:
    more = Redactor(["secret-1"]).also("token-of-a-connection", "")
    assert more.text("secret-1 token-of-a-connection") == f"{HIDDEN} {HIDDEN}"


def test_a_shown_request_keeps_what_is_meant_and_hides_what_proves_it() -> None:
    for venue, secret in (
        ("binance", SECRET),
        ("kraken", "cGxhbnRlZC1zZWNyZXQtMTIzNDU2Nzg5MA=="),
        ("okx", SECRET),
        ("bybit", SECRET),
        ("htx", SECRET),
        ("coinbaseexchange", "cGxhbnRlZC1zZWNyZXQtMTIzNDU2Nzg5MA=="),
    ):
        credentials = Credentials(venue, KEY, secret, PASSPHRASE)
        signer = signer_for(credentials, bytes)
        for query in (get("/path", symbol="BTCUSDT"), change("DELETE", "/path", "cancel", a="b")):
            request = signer.sign(query, 1_700_000_000_000_000_000)
            shown = shown_request(request, Redactor(credentials.secrets()))
            assert "/path" in shown
            for hidden in (KEY, secret, PASSPHRASE):
                assert hidden not in shown
            raw = request.decode()
            for name in ("signature=", "Signature=", "SIGN: ", "API-Sign: "):
                if name in raw:
                    value = raw.split(name)[1].split("\r\n")[0].split(" ")[0].split("&")[0]
                    assert value not in shown
