"""The encrypted file: what it is made of, and that every change to it is noticed."""

import hashlib
import hmac
import io
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.authority import sealed
from sstpca.authority.sealed import HEADER_BYTES, Sealed, Sealing
from sstpca.errors import SstpcaError

PASSPHRASE = b"correct horse"
# the real cost, 2^17, is for one test
CHEAP = 1 << 4


def seal(*parts: bytes) -> bytes:
    file = io.BytesIO()
    sealing = Sealing(file, PASSPHRASE)
    for part in parts:
        assert sealing.write(part) == len(part)
    sealing.seal()
    return file.getvalue()


def unseal(path: Path, passphrase: bytes = PASSPHRASE, size: int = 1000) -> bytes:
    with Sealed.open(path, passphrase) as one:
        one.verify()
        content = one.content()
        return b"".join(iter(lambda: content.read(size), b""))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", CHEAP)


def test_the_format_is_what_the_docstring_says(tmp_path: Path) -> None:
    """Read by other means: hashlib's scrypt, hmac, and AES-GCM in one piece."""
    blob = seal(b"hello, ", b"world")
    magic, salt, nonce, check = blob[:16], blob[16:32], blob[32:44], blob[44:76]
    assert magic == b"sstpca backup 1\n"
    keys = hashlib.scrypt(PASSPHRASE, salt=salt, n=1 << 17, r=8, p=1, maxmem=1 << 28, dklen=64)
    assert hmac.digest(keys[32:], blob[:44], "sha256") == check
    assert AESGCM(keys[:32]).decrypt(nonce, blob[76:], blob[:76]) == b"hello, world"
    path = tmp_path / "backup"
    path.write_bytes(blob)
    assert unseal(path) == b"hello, world"
    assert len(blob) == HEADER_BYTES + len(b"hello, world") + 16


def test_no_two_are_alike(cheap: None) -> None:
    first, second = seal(b"x" * 64), seal(b"x" * 64)
    assert first[16:44] != second[16:44]
    assert first[HEADER_BYTES:] != second[HEADER_BYTES:]


@given(st.lists(st.binary(max_size=300)), st.integers(1, 400))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out(cheap: None, tmp_path: Path, parts: list[bytes], size: int) -> None:
    path = tmp_path / "backup"
    path.write_bytes(seal(*parts))
    assert unseal(path, size=size) == b"".join(parts)


def test_a_wrong_passphrase(cheap: None, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_bytes(seal(b"content"))
    with pytest.raises(SstpcaError, match=r"the passphrase does not open .*backup"):
        unseal(path, b"wrong horse")


def test_every_flipped_bit_is_noticed(cheap: None, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    blob = seal(b"0123456789")
    for place in range(len(blob)):
        for bit in (1, 0x80):
            broken = bytearray(blob)
            broken[place] ^= bit
            path.write_bytes(broken)
            with pytest.raises(SstpcaError, match=r"no backup made|does not open|is damaged"):
                unseal(path)


@pytest.mark.parametrize("content", [b"", b"0123456789"])
def test_every_other_length_is_noticed(cheap: None, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "backup"
    blob = seal(content)
    for length in range(len(blob)):
        path.write_bytes(blob[:length])
        with pytest.raises(SstpcaError, match=r"no backup made|is damaged"):
            unseal(path)
    path.write_bytes(blob + b"\0")
    with pytest.raises(SstpcaError, match="is damaged"):
        unseal(path)


def test_a_file_that_shrinks_meanwhile(cheap: None, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_bytes(seal(b"x" * 1000))
    with Sealed.open(path, PASSPHRASE) as one:
        content = one.content()
        path.write_bytes(b"")
        with pytest.raises(SstpcaError, match="is damaged"):
            content.read(1000)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage(cheap: None, tmp_path: Path, garbage: bytes, with_magic: bool) -> None:
    path = tmp_path / "backup"
    path.write_bytes((sealed.MAGIC if with_magic else b"") + garbage)
    with pytest.raises(SstpcaError):
        unseal(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(SstpcaError, match=f"cannot read the backup .*{why}"):
            sealed.check_header(path)
