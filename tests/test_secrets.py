"""Passwords and the sealing of their hashes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer, check_password, generate_database_key, generate_password

NT_HASH = bytes(range(16))


@pytest.mark.parametrize("password", ["12345678", "pass wörd", " x'\"$`\\ ", "x" * 256])
def test_good_passwords_stay_as_they_are(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize(
    "password",
    [
        *("", "1234567", "x" * 257, "\U0001f512" * 129),
        *("tab\tinside", "two\nlines!", "nul\x00inside", "c1\x85control", "lone\udc80surrogate"),
    ],
)
def test_bad_passwords_are_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_password(password)
    assert not password or password not in str(caught.value) + caught.value.hint


def test_generated_passwords_are_four_groups_of_four_that_differ() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        check_password(password)
        groups = password.split("-")
        assert [len(group) for group in groups] == [4, 4, 4, 4]
        assert not set("".join(groups)) & set("l1o0")
    # 32 signs, 5 bits each: 80 bits
    assert len(set("".join(made)) - {"-"}) == 32


@given(st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=64))
def test_what_is_sealed_opens(nt_hash: bytes, name: str) -> None:
    sealer = Sealer(bytes(32))
    blob = sealer.seal(nt_hash, name)
    assert len(blob) == 12 + 16 + 16
    assert sealer.open(blob, name) == nt_hash


def test_no_two_seals_are_alike() -> None:
    sealer = Sealer(bytes(32))
    assert sealer.seal(NT_HASH, "alice") != sealer.seal(NT_HASH, "alice")


@given(st.integers(0, 43), st.integers(0, 7))
def test_no_bit_of_a_seal_can_be_changed(position: int, bit: int) -> None:
    sealer = Sealer(bytes(32))
    blob = bytearray(sealer.seal(NT_HASH, "alice"))
    blob[position] ^= 1 << bit
    with pytest.raises(SstpcaError):
        sealer.open(bytes(blob), "alice")


@given(st.binary(max_size=60))
def test_garbage_does_not_open(blob: bytes) -> None:
    with pytest.raises(SstpcaError):
        Sealer(bytes(32)).open(blob, "alice")


def test_a_seal_is_bound_to_its_user_and_key() -> None:
    blob = Sealer(bytes(32)).seal(NT_HASH, "alice")
    with pytest.raises(SstpcaError, match="'bob'"):
        Sealer(bytes(32)).open(blob, "bob")
    with pytest.raises(SstpcaError, match="'alice'"):
        Sealer(b"\x01" * 32).open(blob, "alice")


def test_a_sealer_does_not_show_its_key() -> None:
    assert "x" * 32 not in repr(Sealer(b"x" * 32))


def test_the_key_comes_from_the_environment_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Sealer.load(home).key == base64.b64decode(home.database_key.read_bytes())
    monkeypatch.setenv("SSTPCA_DATABASE_KEY", base64.b64encode(b"k" * 32).decode())
    assert Sealer.load(home).key == b"k" * 32


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", base64.b64encode(b"k" * 33).decode()])
def test_a_broken_key_is_named_but_not_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SSTPCA_DATABASE_KEY", text)
    with pytest.raises(SstpcaError, match="SSTPCA_DATABASE_KEY is not a database key"):
        Sealer.load(home)
    monkeypatch.delenv("SSTPCA_DATABASE_KEY")
    home.database_key.write_text(text)
    with pytest.raises(SstpcaError, match=r"database\.key is not a database key"):
        Sealer.load(home)
    home.database_key.unlink()
    with pytest.raises(SstpcaError, match=r"the database key .*database\.key is missing"):
        Sealer.load(home)


def test_new_database_keys_differ() -> None:
    assert generate_database_key() != generate_database_key()
