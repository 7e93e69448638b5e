"""Private keys: made, written as PEM (PKCS#8), read back with clear complaints."""

import enum
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..disk.reading import without_mark
from ..errors import Damaged, Refused, SstpcaError, WrongPassphrase
from . import stretching
from .pem import blocks
from .work import check_work

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


_EXPONENT: Final = 65537


@enum.unique
class KeyType(enum.Enum):
    """The kinds of keys: RSA for every client, ECDSA where no old one connects.

    ``KeyType("rsa")`` and ``KeyType("ecdsa")`` are the ones that do for most.
    """

    RSA = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ECDSA = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"

    @classmethod
    def _missing_(cls, value: object) -> "KeyType | None":
        return {"rsa": cls.RSA, "ecdsa": cls.ECDSA}.get(str(value))


#: an authority's key, unless somebody wants another: every client takes it, for its ten years
AUTHORITY_KEY: Final = KeyType.RSA_3072
#: what people may type for a kind of key
KEY_TYPES: Final = ("rsa", "ecdsa", *(kind.value for kind in KeyType))


def make_key(kind: KeyType) -> PrivateKey:
    """Return a new key."""
    match kind:
        case KeyType.RSA | KeyType.RSA_3072 | KeyType.RSA_4096:
            return rsa.generate_private_key(_EXPONENT, int(kind.value.removeprefix("rsa-")))
        case KeyType.ECDSA:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.ECDSA_P384:
            return ec.generate_private_key(ec.SECP384R1())


def key_type(key: object) -> KeyType:
    """Return the kind of a public key; of one that is not made here, the next stronger."""
    match key:
        case rsa.RSAPublicKey(key_size=bits):
            return (
                KeyType.RSA
                if bits <= 2048
                else KeyType.RSA_3072
                if bits <= 3072
                else KeyType.RSA_4096
            )
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return KeyType.ECDSA
        case _:
            return KeyType.ECDSA_P384


def make_authority_key(kind: KeyType) -> PrivateKey:
    """Return a new key for an authority."""
    return make_key(kind)


def key_to_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return ``key`` as PKCS#8 PEM, encrypted when there is a ``passphrase``; see stretching."""
    if passphrase is not None:
        return stretching.encrypt(key, passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_from_pem(pem: bytes, path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Return the private key in ``pem``, which was read from ``path``.

    :raises SstpcaError: if there is none, it is of an unknown kind, or the passphrase is wrong,
        missing, one too many, or it would take very long to try it.
    """
    try:
        key = serialization.load_pem_private_key(_key_block(pem, path), passphrase)
    except TypeError:
        raise _passphrase_error(path, passphrase) from None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None and is_encrypted(pem):
            raise WrongPassphrase(f"the passphrase does not open {path}") from None
        raise Damaged(
            f"{path} has no private key that can be read", "restore it from a backup of the home"
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Refused(f"the key in {path} is neither RSA nor ECDSA")
    return key


def is_encrypted(pem: bytes) -> bool:
    """Return whether the private key in ``pem`` wants a passphrase.

    :raises SstpcaError: if it is text in another encoding than it says.
    """
    return b"ENCRYPTED" in without_mark(pem)


def _key_block(pem: bytes, path: Path) -> bytes:
    """Return the private key in ``pem`` by itself, once opening it is sure to end."""
    for block in blocks(without_mark(pem)):
        if block.label.endswith("PRIVATE KEY"):
            check_work(block.der, str(path))
            return block.pem
    return b""


def _passphrase_error(path: Path, passphrase: bytes | None) -> SstpcaError:
    if passphrase is None:
        return WrongPassphrase(f"the key in {path} is encrypted", "give its passphrase")
    return WrongPassphrase(f"the key in {path} is not encrypted", "leave the passphrase out")


def describe_key(key: object) -> str:
    """Return kind and size of a public key: ``RSA 2048 bits``, ``ECDSA secp256r1``."""
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size} bits"
        case ec.EllipticCurvePublicKey():
            return f"ECDSA {key.curve.name}"
        case _:
            return type(key).__name__.removesuffix("PublicKey")
