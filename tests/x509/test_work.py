"""Files that would take for ever to open are refused before anybody begins."""

import base64
import hashlib
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import SstpcaError
from sstpca.x509 import trial
from sstpca.x509.asn1 import INTEGER, OCTETS, OID, SEQUENCE, encoded
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import key_from_pem, key_to_pem
from sstpca.x509.parsing import parse
from sstpca.x509.work import ROUNDS_MAX, check_work, key_work
from tests.support.forge import authority
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

PATH = Path("file")
KEY = ec.generate_private_key(ec.SECP256R1())
ONE = authority("one", KEY).certificate
ENDLESS = 2**31 - 1


def integer(value: int) -> bytes:
    return encoded(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def sequence(*parts: bytes) -> bytes:
    return encoded(SEQUENCE, b"".join(parts))


def oid(text: str) -> bytes:
    return encoded(OID, bytes.fromhex(text))


PBES2, PBKDF2, SCRYPT = (
    oid("2a864886f70d01050d"),
    oid("2a864886f70d01050c"),
    oid("2b06010401da47040b"),
)
AES = sequence(oid("60864801650304012a"), encoded(OCTETS, bytes(16)))
SALT = encoded(OCTETS, bytes(16))
PKCS12_3DES = oid("2a864886f70d010c0103")
ENCRYPTED = oid("2a864886f70d010706")
DATA, SHROUDED = oid("2a864886f70d010701"), oid("2a864886f70d010c0a0102")


def pkcs8(derivation: bytes, sealed: bytes = bytes(64)) -> bytes:
    return sequence(sequence(PBES2, sequence(derivation, AES)), encoded(OCTETS, sealed))


def pbkdf2(rounds: int) -> bytes:
    return sequence(PBKDF2, sequence(SALT, integer(rounds)))


def scrypt(cost: int, size: int, times: int) -> bytes:
    return sequence(SCRYPT, sequence(SALT, *map(integer, (cost, size, times))))


def pkcs12(bag: bytes = b"", mac: int = 1) -> bytes:
    """A PFX with one shrouded key; its MAC is wrong, which nobody learns in this life."""
    safe = sequence(sequence(SHROUDED, encoded(0xA0, bag)) if bag else b"")
    inner = sequence(sequence(DATA, encoded(0xA0, encoded(OCTETS, safe))))
    outer = sequence(DATA, encoded(0xA0, encoded(OCTETS, inner)))
    digest = sequence(sequence(oid("2b0e03021a"), b"\5\0"), encoded(OCTETS, bytes(20)))
    return sequence(integer(3), outer, sequence(digest, SALT, integer(mac)))


def pem(der: bytes, headers: bytes = b"", label: bytes = b"ENCRYPTED PRIVATE KEY") -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN %b-----\n%b%b-----END %b-----\n" % (label, headers, body, label)


ENDLESS_ONES = {
    "pkcs8 with PBKDF2": pkcs8(pbkdf2(ENDLESS)),
    "pkcs8 with scrypt, in memory": pkcs8(scrypt(1 << 30, 8, 1)),
    "pkcs8 with scrypt, in time": pkcs8(scrypt(1 << 14, 8, 1 << 20)),
    "pkcs8 with PBES1": sequence(
        sequence(PKCS12_3DES, sequence(SALT, integer(ENDLESS))), encoded(OCTETS, bytes(64))
    ),
    "pkcs12, its mac": pkcs12(mac=ENDLESS),
    "pkcs12, a key in it": pkcs12(pkcs8(pbkdf2(ENDLESS))),
    "what is sealed is no ASN.1": pkcs8(pbkdf2(ENDLESS), sequence(b"\x1f" * 14)),
    "what is sealed has no end": pkcs8(pbkdf2(ENDLESS), sequence(b"\x30\0" * 110_000)),
    "headers before it": pem(pkcs8(pbkdf2(ENDLESS)), b"X: y\n\n"),
    "a number without end": sequence(integer(0), *[integer(1 << 100_000) for _ in range(8)]),
}


def rsa(bits: int) -> bytes:
    """What is as long as an RSA key (RFC 8017 A.1.2), and none."""
    whole, half = (1 << bits) - 1, (1 << bits // 2) - 1
    return sequence(*map(integer, (0, whole, 65537, whole, half, half, half, half, half)))


def test_large_rsa_keys_are_bounded_too() -> None:
    """A key of 16384 bits takes 43 s of processor time: its primes are tested."""
    label = b"RSA PRIVATE KEY"
    encrypted = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,%b\n\n" % (b"00" * 16)
    for content in (rsa(16384), pem(rsa(16384), label=label), pem(rsa(16384), encrypted, label)):
        with pytest.raises(SstpcaError, match="asks for too much work"):
            parse(PATH, content, lambda _: b"secret")
    with pytest.raises(SstpcaError, match="asks for too much work"):
        parse(PATH, pkcs8(pbkdf2(1), bytes(len(rsa(16384)))), lambda _: b"secret")
    for bits, many in ((2048, 100), (4096, 12), (8192, 2)):
        assert key_work(len(rsa(bits))) * many < ROUNDS_MAX < key_work(len(rsa(bits))) * 10 * many


@pytest.mark.parametrize("name", ENDLESS_ONES)
def test_what_would_take_for_ever_is_refused_at_once(name: str) -> None:
    begin = time.monotonic()
    with pytest.raises(SstpcaError, match=r"asks for .* to open it"):
        parse(PATH, ENDLESS_ONES[name], lambda _: b"secret")
    assert time.monotonic() - begin < PATIENCE


def hidden(rounds: int, secret: bytes) -> bytes:
    """A PFX with a key that shows only when what is around it is open, by the right password."""
    key = hashlib.pbkdf2_hmac("sha1", secret, bytes(16), 1, 32)
    bag = sequence(sequence(SHROUDED, encoded(0xA0, pkcs8(pbkdf2(rounds)))))
    padder = padding.PKCS7(128).padder()
    seal = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    sealed = seal.update(padder.update(bag) + padder.finalize()) + seal.finalize()
    how = sequence(PBES2, sequence(pbkdf2(1), AES))
    part = sequence(integer(0), sequence(DATA, how, encoded(0x80, sealed)))
    safe = sequence(sequence(ENCRYPTED, encoded(0xA0, part)))
    outer = sequence(DATA, encoded(0xA0, encoded(OCTETS, safe)))
    return sequence(integer(3), outer)


def test_a_key_behind_encryption_that_would_take_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 1)
    with pytest.raises(SstpcaError, match=r"^file asks for too many rounds"):
        parse(PATH, hidden(ENDLESS, b"secret"), lambda _: b"secret")
    with pytest.raises(SstpcaError, match=r"password does not open|cannot be read"):
        parse(PATH, hidden(ENDLESS, b"secret"), lambda _: b"other")


def test_many_keys_that_take_long_are_as_bad_as_one() -> None:
    one = pkcs8(pbkdf2(ROUNDS_MAX // 2))
    assert check_work(one, "file") == ROUNDS_MAX // 2
    with pytest.raises(SstpcaError, match="rounds of hashing"):
        check_work(sequence(one, one, one), "file")


def test_a_key_of_the_home_is_looked_at_too() -> None:
    with pytest.raises(SstpcaError, match="rounds of hashing"):
        key_from_pem(pem(pkcs8(pbkdf2(ENDLESS))), PATH, b"secret")


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-legacy"],
        ["-iter", "600000"],
        ["-keypbe", "AES-256-CBC", "-certpbe", "NONE"],
        ["-nomaciter"],
    ],
    ids=" ".join,
)
def test_what_openssl_makes_is_opened(options: list[str], tmp_path: Path) -> None:
    require("openssl", root=False)
    (tmp_path / "in.pem").write_bytes(key_to_pem(KEY) + certificate_to_pem(ONE))
    command = ["openssl", "pkcs12", "-export", "-in", "in.pem", "-passout", "pass:secret"]
    done = subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    assert 0 < check_work(done.stdout, "file") < ROUNDS_MAX
    assert parse(PATH, done.stdout, lambda _: b"secret").certificates == (ONE,)


@given(st.binary(max_size=300))
def test_any_bytes_take_no_time(content: bytes) -> None:
    assert check_work(content, "file") >= 0


@pytest.mark.parametrize("deep", [b"\x30\x80", b"\x24\x80", b"\x30\x84\0\0\xff\xff"])
def test_nothing_is_too_deep(deep: bytes) -> None:
    assert check_work(deep * 100_000, "file") == 0
    flat = sequence(b"\x30\0" * 200_000)
    assert check_work(flat, "file") == 0
