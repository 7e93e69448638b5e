"""A publisher of scripts: code-signing keys in files, and the program that uses them."""

import datetime
import functools
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.requirements import require

PASSWORD = "correct h\u00f6rse battery"
NAME = "Example Publisher"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def require_osslsigncode() -> None:
    """Skip the test unless there is an osslsigncode that signs scripts."""
    require("osslsigncode", root=False)
    said = subprocess.run(["osslsigncode", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"osslsigncode (\d+)\.(\d+)", said)
    assert found is not None
    if (int(found[1]), int(found[2])) < (2, 9):
        pytest.skip("needs osslsigncode 2.9 or newer (on Debian 12, from bookworm-backports)")


@functools.cache
def _key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(key: Key, usage: x509.ObjectIdentifier | None) -> x509.Certificate:
    """Return a certificate signed by its own key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 17, start, start + datetime.timedelta(days=30)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(key, hashes.SHA256())


def key_file(
    folder: Path,
    kind: str = "rsa",
    *,
    pem: bool = False,
    password: str = PASSWORD,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
) -> Path:
    """Write a key with its certificate to a file, as PKCS#12 or PEM, and return its path.

    :param kind: "rsa" or "ecdsa".
    :param password: empty: the key is not encrypted.
    :param usage: what the certificate is for; None: it does not say.
    """
    key, path = _key(kind), folder / "signing key"
    certificate = _certificate(key, usage)
    way: KeySerializationEncryption = NoEncryption()
    if password:
        way = BestAvailableEncryption(password.encode())
    if pem:
        content = certificate.public_bytes(Encoding.PEM)
        content += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, way)
    else:
        content = pkcs12.serialize_key_and_certificates(None, key, certificate, None, way)
    path.write_bytes(content)
    return path
