"""How much work a passphrase is: private keys encrypted so that trying passphrases takes long.

PKCS#8's EncryptedPrivateKeyInfo (RFC 5958) with PBES2 (RFC 8018): PBKDF2 with HMAC-SHA256 and 600,000
rounds, as OWASP's cheat sheet on storing passwords has it, over AES-256-CBC. The library's own way,
BestAvailableEncryption, takes 2,048 rounds. scrypt would cost graphics cards more, but LibreSSL and
GnuTLS could not read the key then, and OpenSSL only with 16 MiB of memory.
"""

from typing import Final

from Crypto.IO import PKCS8
from Crypto.Util.asn1 import DerNull, DerObjectId
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..disk.reading import without_mark
from .pem import Block, PemError, blocks
from .work import check_work

ROUNDS: Final = 600_000

_LABEL: Final = "ENCRYPTED PRIVATE KEY"
_PROTECTION: Final = "PBKDF2WithHMAC-SHA256AndAES256-CBC"
_SALT_BYTES: Final = 16
# RFC 7914 7: the object identifier of scrypt, as DER
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")


def encrypt(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes) -> bytes:
    """Return ``key`` as PEM, encrypted."""
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    algorithm, inner, parameters = PKCS8.unwrap(plain)
    sealed = PKCS8.wrap(
        inner,
        algorithm,
        passphrase,
        _PROTECTION,
        {"iteration_count": ROUNDS, "salt_size": _SALT_BYTES},
        # the curve, or nothing for RSA
        DerNull() if parameters is None else DerObjectId().decode(parameters),
    )
    return Block(_LABEL, "", sealed).pem


def is_weak(pem: bytes) -> bool:
    """Return whether a key in ``pem`` is encrypted, but in another way, and more weakly.

    :raises SstpcaError: if opening it would take more than anybody waits for.
    """
    try:
        keys = [one for one in blocks(without_mark(pem)) if one.label.endswith("PRIVATE KEY")]
    except PemError:
        return False  # whoever reads it will say so
    return any(
        # RFC 1421 4.6.1.1, as OpenSSL wrote keys once: MD5 in one round
        b"ENCRYPTED" in one.headers
        or (
            one.label == _LABEL
            and _SCRYPT not in one.der
            and check_work(one.der, "the key") < ROUNDS
        )
        for one in keys
    )
