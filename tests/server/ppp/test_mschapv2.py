"""MS-CHAPv2 against the vectors of its specifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp import mschapv2

# RFC 1320 A.5; nt_hash is the only way in, so the inputs are those that are UTF-16LE
MD4 = [
    ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
    (b"abcdefghijklmnopqrstuvwxyz".decode("utf-16-le"), "d79e1c308aa5bbcdeea8ed63df412da9"),
    (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".decode("utf-16-le"),
        "043f8582f241db351ce627e153e7f0e4",
    ),
    ((b"1234567890" * 8).decode("utf-16-le"), "e33b4ddc9c38f2199c3e7b164fcc0536"),
]

# RFC 2759 9.2
CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
HASHED_CHALLENGE = bytes.fromhex("D02E4386BCE91226")
PASSWORD_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
# RFC 3079 3.5.3: the client's receive key is the server's send key
SEND_START_KEY = bytes.fromhex("8B7CDC149B993A1BA118CB153F56DCCB")


@pytest.mark.parametrize(("password", "digest"), MD4)
def test_md4(password: str, digest: str) -> None:
    assert mschapv2.nt_hash(password).hex() == digest


def test_nt_hash() -> None:
    assert mschapv2.nt_hash("clientPass") == PASSWORD_HASH


def test_nt_hash_of_rfc_2759_9_3() -> None:
    """The RFC prints that password without its zero bytes; the hash is that of UTF-16LE."""
    assert mschapv2.nt_hash("MyPw").hex().upper() == "FC156AF7EDCD6C0EDDE3337D427F4EAC"


@pytest.mark.parametrize(
    ("raw", "key"),
    [("FC156AF7EDCD6C", "FD0B5B5E7F6E34D9"), ("0EDDE3337D427F", "0E6E796737EA08FE")],
)
def test_des_keys_of_rfc_2759_9_3(raw: str, key: str) -> None:
    """Each byte but for its last bit, the parity, which DES ignores."""
    expanded = mschapv2._des_key(bytes.fromhex(raw))
    assert expanded == bytes(byte & 0xFE for byte in bytes.fromhex(key))


def test_challenge_hash() -> None:
    assert mschapv2.challenge_hash(PEER_CHALLENGE, CHALLENGE, b"User") == HASHED_CHALLENGE


def test_nt_response() -> None:
    assert mschapv2.nt_response(HASHED_CHALLENGE, PASSWORD_HASH) == NT_RESPONSE


def test_authenticator_response() -> None:
    proof = mschapv2.authenticator_response(PASSWORD_HASH, NT_RESPONSE, HASHED_CHALLENGE)
    assert proof == "407A5589115FD0D6209F510FE9C04566932CDA56"


def test_hlak_is_receive_key_then_send_key() -> None:
    key = mschapv2.hlak(PASSWORD_HASH, NT_RESPONSE)
    assert key[16:] == SEND_START_KEY
    assert key[:16].hex().upper() == "D5F0E9521E3EA9589645E86051C82226"


@pytest.mark.parametrize(
    ("name", "user"),
    [
        (b"User", b"User"),
        (b"BIGCO\\User", b"User"),
        (b"A\\B\\User", b"User"),
        (b"User@example.com", b"User@example.com"),
        (b"BIGCO\\", b""),
        (b"", b""),
    ],
)
def test_without_domain(name: bytes, user: bytes) -> None:
    assert mschapv2.without_domain(name) == user


@given(st.text(st.characters(), max_size=40))
def test_any_password_has_a_hash(password: str) -> None:
    assert len(mschapv2.nt_hash(password)) == 16


def test_a_lone_surrogate_has_a_hash() -> None:
    assert len(mschapv2.nt_hash("\ud800")) == 16
