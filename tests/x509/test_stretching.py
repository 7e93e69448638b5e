"""How much work a passphrase of a private key is, as other programs read it."""

import re
import subprocess
from pathlib import Path

import pytest
from Crypto.IO import PEM, PKCS8
from Crypto.Util.asn1 import DerNull, DerObjectId
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sstpca.authority.authority import Authority
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.x509 import work
from sstpca.x509.keys import KeyType, PrivateKey, key_from_pem, key_to_pem, make_key
from sstpca.x509.stretching import is_weak
from tests.support.requirements import require

PASSPHRASE = "correct hörse".encode()
PATH = Path("ca.key")


def rounds(pem: bytes) -> int:
    return work.check_work(bytes(PEM.decode(pem.decode())[0]), "the key")


def by_library(key: PrivateKey, form: serialization.PrivateFormat) -> bytes:
    """Return the key as earlier releases, and older programs, encrypted it."""
    way = serialization.BestAvailableEncryption(PASSPHRASE)
    return key.private_bytes(serialization.Encoding.PEM, form, way)


def by(protection: str, rounds: int) -> bytes:
    key = make_key(KeyType.ECDSA)
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    oid, inner, parameters = PKCS8.unwrap(plain)
    curve = DerNull() if parameters is None else DerObjectId().decode(parameters)
    sealed = PKCS8.wrap(inner, oid, PASSPHRASE, protection, {"iteration_count": rounds}, curve)
    return PEM.encode(sealed, "ENCRYPTED PRIVATE KEY").encode() + b"\n"


@pytest.mark.parametrize("kind", [*KeyType, "secp521r1"])
def test_a_key_is_read_back(kind: KeyType | str) -> None:
    key = make_key(kind) if isinstance(kind, KeyType) else ec.generate_private_key(ec.SECP521R1())
    pem = key_to_pem(key, PASSPHRASE)
    assert rounds(pem) == 600_000
    assert not is_weak(pem)
    again = key_from_pem(pem, PATH, PASSPHRASE)
    assert key_to_pem(again) == key_to_pem(key)
    with pytest.raises(SstpcaError, match="does not open"):
        key_from_pem(pem, PATH, b"another one")


@pytest.mark.parametrize("kind", [KeyType.RSA, KeyType.ECDSA, KeyType.ECDSA_P384])
def test_other_programs_read_it(tmp_path: Path, kind: KeyType) -> None:
    """OpenSSL and GnuTLS, and they say the same of its rounds."""
    require("openssl", "certtool", root=False)
    key = make_key(kind)
    (tmp_path / "key.pem").write_bytes(key_to_pem(key, PASSPHRASE))
    (tmp_path / "pass").write_bytes(PASSPHRASE)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    plain = run("openssl", "pkey", "-in", "key.pem", "-passin", "file:pass")
    assert key_to_pem(key_from_pem(plain.encode(), PATH)) == key_to_pem(key)
    assert re.search(r"INTEGER +:0927C0", run("openssl", "asn1parse", "-in", "key.pem"))
    told = run("certtool", "--key-info", "--infile=key.pem", f"--password={PASSPHRASE.decode()}")
    assert "Public Key Info" in told


def test_what_older_programs_wrote_is_weak() -> None:
    key = make_key(KeyType.RSA)
    pkcs8 = by_library(key, serialization.PrivateFormat.PKCS8)
    assert rounds(pkcs8) == 2048
    for pem in (pkcs8, by_library(key, serialization.PrivateFormat.TraditionalOpenSSL)):
        assert is_weak(pem)
        assert isinstance(key_from_pem(pem, PATH, PASSPHRASE), rsa.RSAPrivateKey)
    assert not is_weak(key_to_pem(key))


def test_scrypt_is_as_good() -> None:
    pem = by("scryptAndAES256-CBC", 1 << 14)
    assert not is_weak(pem)
    assert isinstance(key_from_pem(pem, PATH, PASSPHRASE), ec.EllipticCurvePrivateKey)


def test_a_key_that_would_take_very_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ROUNDS_MAX", 500_000)
    pem = key_to_pem(make_key(KeyType.ECDSA), PASSPHRASE)
    with pytest.raises(SstpcaError, match="600000 rounds"):
        key_from_pem(pem, PATH, PASSPHRASE)


@given(st.binary(max_size=64))
def test_garbage_is_no_encrypted_key(junk: bytes) -> None:
    assert not is_weak(junk)
    label = b"ENCRYPTED PRIVATE KEY-----"
    is_weak(b"-----BEGIN " + label + junk + b"-----END " + label)


@pytest.fixture
def weak_home(quick_home: Home) -> Home:
    """A home whose authority's key an earlier release has encrypted."""
    key = Authority.load(quick_home, None).key
    quick_home.ca_key.write_bytes(by_library(key, serialization.PrivateFormat.PKCS8))
    return quick_home


def test_an_old_key_is_written_anew_when_it_is_opened(weak_home: Home) -> None:
    before = Authority.load(weak_home, PASSPHRASE)
    pem = weak_home.ca_key.read_bytes()
    assert rounds(pem) == 600_000
    assert weak_home.ca_key.stat().st_mode & 0o777 == 0o600
    after = Authority.load(weak_home, PASSPHRASE)
    assert key_to_pem(after.key) == key_to_pem(before.key)
    assert weak_home.ca_key.read_bytes() == pem


def test_an_old_key_stays_while_it_cannot_be_written(
    weak_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = weak_home.ca_key.read_bytes()
    with pytest.raises(SstpcaError):
        Authority.load(weak_home, b"another one")
    with weak_home.changing_certificates():
        Authority.load(weak_home, PASSPHRASE)
    assert weak_home.ca_key.read_bytes() == old

    def full(*_values: object) -> None:
        raise SstpcaError("no space left on device")

    monkeypatch.setattr("sstpca.authority.authority.write_file", full)
    Authority.load(weak_home, PASSPHRASE)
    assert weak_home.ca_key.read_bytes() == old
