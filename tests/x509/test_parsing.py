"""Files of certificates and keys: every format is read, and garbage is our error."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from sstpca.disk.reading import FILE_MAX
from sstpca.errors import SstpcaError
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import key_to_pem
from sstpca.x509.parsing import CERTIFICATES_MAX, Contents, merge, parse
from tests.support.forge import authority, common_name
from tests.support.requirements import require

PATH = Path("file")
SECRET = b"secret"
KEY = ec.generate_private_key(ec.SECP256R1())
# [0] EXPLICIT Version, RFC 5280 4.1
VERSION_3, VERSION_63 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x3f"
ONE = authority("one", KEY).certificate
TWO = authority("two", KEY).certificate


def no_password(path: Path) -> bytes:
    raise AssertionError(f"there is nothing encrypted in {path}")


def password(_path: Path) -> bytes:
    return SECRET


def key_bytes(encoding: Encoding, form: PrivateFormat, secret: bytes | None) -> bytes:
    encryption = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    return KEY.private_bytes(encoding, form, encryption)


def p12(secret: bytes | None) -> bytes:
    encryption = NoEncryption() if secret is None else BestAvailableEncryption(secret)
    return pkcs12.serialize_key_and_certificates(b"x", KEY, ONE, [TWO], encryption)


CERTIFICATES = {
    "pem": certificate_to_pem(ONE) + certificate_to_pem(TWO),
    "pem with text and Windows' line ends": b"Subject: x\r\n\r\n"
    + (certificate_to_pem(ONE) + b"-- \n" + certificate_to_pem(TWO)).replace(b"\n", b"\r\n"),
    "p7b": pkcs7.serialize_certificates([ONE, TWO], Encoding.DER),
    "p7b as pem": pkcs7.serialize_certificates([ONE, TWO], Encoding.PEM),
}
KEYS = {
    "pkcs8": key_to_pem(KEY),
    "pkcs8 der": key_bytes(Encoding.DER, PrivateFormat.PKCS8, None),
    "sec1": key_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, None),
    "sec1 der": key_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, None),
}
ENCRYPTED = {
    "pkcs8": key_to_pem(KEY, SECRET),
    "pkcs8 der": key_bytes(Encoding.DER, PrivateFormat.PKCS8, SECRET),
    "sec1": key_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, SECRET),
    "p12": p12(SECRET),
}


@pytest.mark.parametrize("form", CERTIFICATES)
def test_certificates(form: str) -> None:
    found = parse(PATH, CERTIFICATES[form], no_password)
    assert set(found.certificates) == {ONE, TWO}
    assert found.keys == ()


def test_one_der_certificate() -> None:
    assert parse(PATH, ONE.public_bytes(Encoding.DER), no_password).certificates == (ONE,)


@pytest.mark.parametrize("form", KEYS)
def test_keys(form: str) -> None:
    (key,) = parse(PATH, KEYS[form], no_password).keys
    assert key.public_key() == KEY.public_key()


@pytest.mark.parametrize("form", ENCRYPTED)
def test_encrypted_ones(form: str) -> None:
    (key,) = parse(PATH, ENCRYPTED[form], password).keys
    assert key.public_key() == KEY.public_key()
    with pytest.raises(SstpcaError, match="the password does not open file"):
        parse(PATH, ENCRYPTED[form], lambda _path: b"wrong")


def test_everything_in_one_file() -> None:
    content = key_to_pem(KEY, SECRET) + CERTIFICATES["pem"]
    found = parse(PATH, content, password)
    assert found.certificates == (ONE, TWO)
    assert len(found.keys) == 1


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_p12(secret: bytes | None) -> None:
    found = parse(PATH, p12(secret), no_password if secret is None else password)
    assert found.certificates == (ONE, TWO)
    assert len(found.keys) == 1


@pytest.mark.parametrize("options", [["-passout", "pass:"], ["-passout", "pass:", "-legacy"]])
def test_a_p12_by_openssl_with_the_empty_password(tmp_path: Path, options: list[str]) -> None:
    """With -legacy it is as old Windows wrote it: RC2, which not everybody reads any more."""
    require("openssl", root=False)
    path, target = tmp_path / "in.pem", tmp_path / "out.p12"
    path.write_bytes(key_to_pem(KEY) + certificate_to_pem(ONE))
    command = ["openssl", "pkcs12", "-export", "-in", str(path), "-out", str(target), *options]
    subprocess.run(command, check=True)
    assert parse(PATH, target.read_bytes(), no_password).certificates == (ONE,)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: b"", "has no certificate and no private key"),
        (lambda: b"garbage", "has no certificate and no private key that can be read"),
        (lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n", "cannot be read"),
        (lambda: certificate_to_pem(ONE)[:300], "cannot be read"),
        (lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "has no cert"),
        (lambda: key_to_pem(KEY)[:100], "cannot be read"),
        (lambda: b"x" * (FILE_MAX + 1), "too long"),
        (lambda: request(Encoding.PEM), "is a request"),
        (lambda: request(Encoding.DER), "is a request"),
        (lambda: ed25519_key(), "neither RSA nor ECDSA"),
    ],
)
def test_files_that_do_not_do(make: Callable[[], bytes], complaint: str) -> None:
    with pytest.raises(SstpcaError, match=complaint):
        parse(PATH, make(), no_password)


def request(encoding: Encoding) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(common_name("x"))
    return builder.sign(KEY, hashes.SHA256()).public_bytes(encoding)


def ed25519_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("form", ["der", "p7b"])
def test_a_certificate_of_no_known_version(form: str) -> None:
    content = {"der": ONE.public_bytes(Encoding.DER), **CERTIFICATES}[form]
    with pytest.raises(SstpcaError, match="can"):
        parse(PATH, content.replace(VERSION_3, VERSION_63, 1), no_password)


def parsed(content: bytes) -> None:
    """Only our own error may come out of it."""
    try:
        found = parse(PATH, content, password)
    except SstpcaError:
        return
    assert found.certificates or found.keys
    assert all(
        isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) for key in found.keys
    )


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_garbage(content: bytes) -> None:
    parsed(content)
    parsed(b"-----BEGIN CERTIFICATE-----\n" + content + b"\n-----END CERTIFICATE-----\n")


SAMPLES = [
    ONE.public_bytes(Encoding.DER),
    *CERTIFICATES.values(),
    *KEYS.values(),
    p12(None),
]


@given(st.sampled_from(SAMPLES), st.data())
def test_damage(sample: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sample) - 1))
    cut = data.draw(st.booleans())
    change = data.draw(st.binary(max_size=4))
    parsed(sample[:place] + change + (b"" if cut else sample[place + len(change) :]))


def test_many_begins_take_no_time() -> None:
    with pytest.raises(SstpcaError):
        parse(PATH, b"-----BEGIN CERTIFICATE-----\n" * (FILE_MAX // 30), no_password)


def test_each_once() -> None:
    found = merge([Contents((ONE, TWO), (KEY,)), Contents((TWO, ONE), (KEY,))])
    assert found.certificates == (ONE, TWO)
    assert len(found.keys) == 1
    assert "keys" not in repr(found)


def test_too_many() -> None:
    many = [authority(str(number), KEY).certificate for number in range(CERTIFICATES_MAX + 1)]
    assert len(merge([Contents(tuple(many[1:]))]).certificates) == CERTIFICATES_MAX
    with pytest.raises(SstpcaError, match="more than 100"):
        merge([Contents(tuple(many[:50])), Contents(tuple(many[50:]))])
