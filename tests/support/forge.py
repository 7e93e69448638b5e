"""Certificates with planted defects: what no decent authority issues."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
HOST = "vpn.example.com"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
# DigestInfo of PKCS #1 v1.5 (RFC 8017 9.2, note 1), and the last byte of the signature's OID
_DIGESTS = {
    "md5": ("3020300c06082a864886f70d020505000410", 4),
    "sha1": ("3021300906052b0e03021a05000414", 5),
    "sha256": ("3031300d060960864801650304020105000420", 11),
}
_RSA_OID = bytes.fromhex("2a864886f70d0101")


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its certificate and key."""

    certificate: x509.Certificate
    key: Key


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in names for name in _USAGES})


def server_extensions(names: Iterable[x509.GeneralName] = (x509.DNSName(HOST),)) -> list[Any]:
    """Return what a server's certificate has."""
    return [
        x509.BasicConstraints(ca=False, path_length=None),
        usage("digital_signature", "key_encipherment"),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName(list(names)),
    ]


def authority_extensions(path_length: int | None = None) -> list[Any]:
    """Return what an authority's certificate has."""
    return [
        x509.BasicConstraints(ca=True, path_length=path_length),
        usage("key_cert_sign", "crl_sign"),
    ]


def changed(extensions: list[Any], *others: Any, without: type[Any] | None = None) -> list[Any]:
    """Return ``extensions`` with ``others`` in place of those of the same kind."""
    gone = {type(one) for one in others} | {without}
    return [one for one in extensions if type(one) not in gone] + list(others)


def make(
    subject: str | x509.Name,
    key: Any,
    issuer: Issuer | None,
    extensions: Iterable[Any],
    *,
    signer: Key | None = None,
    begin: datetime = NOW - DAY,
    end: datetime = NOW + 395 * DAY,
    critical: tuple[type[Any], ...] = (),
    serial: int | None = None,
    pss: bool = False,
) -> x509.Certificate:
    """Return a certificate; self-signed by ``signer`` if there is no ``issuer``.

    :param key: the public key.
    :param critical: which kinds of extensions are.
    :param pss: whether an RSA key signs with RSASSA-PSS.
    """
    name = common_name(subject) if isinstance(subject, str) else subject
    builder = x509.CertificateBuilder(
        subject_name=name,
        issuer_name=name if issuer is None else issuer.certificate.subject,
        public_key=key,
        serial_number=x509.random_serial_number() if serial is None else serial,
        not_valid_before=begin,
        not_valid_after=end,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, critical))
    signing = signer if issuer is None else issuer.key
    assert signing is not None
    pss_padding = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    return builder.sign(signing, hashes.SHA256(), rsa_padding=pss_padding if pss else None)


def authority(
    name: str, key: Key, issuer: Issuer | None = None, extensions: Any = None, **options: Any
) -> Issuer:
    """Return an authority below ``issuer``, or a root."""
    wanted = authority_extensions() if extensions is None else extensions
    signer = key if issuer is None else None
    return Issuer(make(name, key.public_key(), issuer, wanted, signer=signer, **options), key)


def signed_again(
    certificate: x509.Certificate,
    key: rsa.RSAPrivateKey,
    digest: str = "sha256",
    replace: tuple[bytes, bytes] = (b"", b""),
) -> bytes:
    """Return ``certificate`` as DER with another digest, or other bytes of the same length in it.

    The builder refuses these; the signature is made by hand (RFC 8017 8.2.1).
    """
    prefix, last = _DIGESTS[digest]
    der = certificate.public_bytes(Encoding.DER)
    tbs = certificate.tbs_certificate_bytes
    assert len(replace[0]) == len(replace[1])

    def patched(content: bytes) -> bytes:
        content = content.replace(*replace) if replace[0] else content
        return content.replace(_RSA_OID + b"\x0b", _RSA_OID + bytes([last]))

    info = bytes.fromhex(prefix) + hashlib.new(digest, patched(tbs)).digest()
    size = key.key_size // 8
    padded = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    private = key.private_numbers()
    modulus = private.public_numbers.n
    signature = pow(int.from_bytes(padded), private.d, modulus).to_bytes(size)
    assert der.endswith(certificate.signature)
    return patched(der.removesuffix(certificate.signature)) + signature
