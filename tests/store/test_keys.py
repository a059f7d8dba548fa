from __future__ import annotations

import hashlib
import hmac
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaiarouter.store.keys import ParsedKey, hash_secret, mint, parse, verify

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MINTED = mint()


def test_a_minted_key_parses_to_its_own_id_and_secret() -> None:
    minted = mint()
    key = parse(minted.text)
    assert key is not None
    assert key.id == minted.id
    assert verify(key, minted.secret_hash)


def test_a_key_reads_prefix_id_secret_checksum() -> None:
    prefix, gaia, public_id, rest = MINTED.text.split("-")
    secret, checksum = rest[:43], rest[43:]
    number = 0
    for digit in checksum:
        number = 62 * number + BASE62.index(digit)
    assert (prefix, gaia, f"key_{public_id}") == ("sk", "gaia", MINTED.id)
    assert number == zlib.crc32(MINTED.text.removesuffix(checksum).encode())
    assert hashlib.sha256(secret.encode()).digest() == MINTED.secret_hash


def test_a_secret_has_more_than_192_random_bits() -> None:
    texts = [mint().text for _ in range(200)]
    secrets = [text.rpartition("-")[2][:43] for text in texts]
    assert 62**43 > 2**192
    for position in range(43):
        assert len({secret[position] for secret in secrets}) > 40


def test_no_two_minted_keys_share_an_id() -> None:
    assert len({mint().id for _ in range(1000)}) == 1000


@pytest.mark.parametrize("position", range(len(MINTED.text)))
def test_one_wrong_character_anywhere_is_seen_without_a_look_up(position: int) -> None:
    wrong = "x" if MINTED.text[position] != "x" else "y"
    assert parse(MINTED.text[:position] + wrong + MINTED.text[position + 1 :]) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("sk-gaia-", id="prefix"),
        pytest.param("sk-gaia--", id="no-secret"),
        pytest.param("sk-proj-abcdefghijklmnopqrstuvwxyz", id="another-prefix"),
        pytest.param(MINTED.text[:-1], id="one-less"),
        pytest.param(MINTED.text + "A", id="one-more"),
        pytest.param(" " + MINTED.text, id="blank-before"),
        pytest.param(MINTED.text + "\n", id="line-end"),
        pytest.param(MINTED.text.upper(), id="upper-case"),
        pytest.param(MINTED.text.replace("sk-gaia-", "sk-gaia-\u0661"), id="foreign-digit"),
        pytest.param("sk-gaia-é", id="foreign-letter"),
        pytest.param("\udcff" * 70, id="surrogates"),
        pytest.param("x" * 1_000_000, id="endless"),
    ],
)
def test_another_shape_is_no_key(text: str) -> None:
    assert parse(text) is None


@given(st.text(alphabet=st.characters()))
def test_no_text_makes_the_parser_raise(text: str) -> None:
    parse(text)
    parse(MINTED.text[:20] + text)
    parse(text + MINTED.text[-20:])


def test_with_a_pepper_the_hash_is_useless_without_it() -> None:
    minted = mint(pepper=b"salt water")
    key = parse(minted.text)
    assert key is not None
    assert minted.secret_hash == hmac.new(b"salt water", key.secret, "sha256").digest()
    assert verify(key, minted.secret_hash, pepper=b"salt water")
    assert not verify(key, minted.secret_hash)
    assert not verify(key, minted.secret_hash, pepper=b"other")


def test_another_secret_does_not_verify() -> None:
    assert not verify(ParsedKey(id=MINTED.id, secret=b"no"), MINTED.secret_hash)
    assert not verify(ParsedKey(id=MINTED.id, secret=b"no"), b"")


def test_a_hash_is_32_bytes_with_and_without_pepper() -> None:
    assert len(hash_secret(b"s")) == len(hash_secret(b"s", pepper=b"p")) == 32


def test_printing_a_key_does_not_show_it() -> None:
    key = parse(MINTED.text)
    assert key is not None
    shown = repr(MINTED) + repr(key)
    assert key.secret.decode() not in shown
    assert repr(MINTED.secret_hash) not in shown
