"""The arithmetic of MS-CHAPv2 (RFC 2759 8) and of the keys it gives (RFC 3079 3).

MD4, DES and RC4 are what the protocol is made of, and what Windows speaks. They come from
pycryptodome: OpenSSL 3 has dropped them. What protects the password on its way is the TLS below.
"""

import hashlib
import struct
from collections.abc import Callable
from typing import Final

from Crypto.Cipher import ARC4, DES
from Crypto.Hash import MD4

CHALLENGE_SIZE: Final = 16
# RFC 2759 8.10: 256 units of UTF-16, what is before the password at random, and its length in bytes
_PASSWORD_BLOCK: Final = struct.Struct("<512sI")
ENCRYPTED_PASSWORD_SIZE: Final = _PASSWORD_BLOCK.size

# RFC 2759 8.7
_MAGIC_1: Final = b"Magic server to client signing constant"
_MAGIC_2: Final = b"Pad to make it do more than one iteration"
# RFC 3079 3.4
_MASTER_KEY: Final = b"This is the MPPE Master Key"
_CLIENT_SENDS: Final = (
    b"On the client side, this is the send key; on the server side, it is the receive key."
)
_CLIENT_RECEIVES: Final = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)
_PAD_1: Final = b"\x00" * 40
_PAD_2: Final = b"\xf2" * 40


def nt_hash(password: str) -> bytes:
    """Return NtPasswordHash: MD4 of the password in UTF-16LE, 16 bytes (RFC 2759 8.3)."""
    return _md4(password.encode("utf-16-le", "surrogatepass"))


def without_domain(name: bytes) -> bytes:
    r"""Return the part of ``DOMAIN\user`` that is hashed (RFC 2759 4); ``user@realm`` is whole."""
    return name.rpartition(b"\\")[2]


def challenge_hash(peer: bytes, authenticator: bytes, name: bytes) -> bytes:
    """Return ChallengeHash, 8 bytes (RFC 2759 8.2).

    :param peer: the client's challenge, 16 bytes.
    :param authenticator: the server's challenge, 16 bytes.
    :param name: the user's name as the client sent it, without its domain.
    """
    return _sha1(peer, authenticator, name)[:8]


def nt_response(challenge: bytes, password_hash: bytes) -> bytes:
    """Return ChallengeResponse, 24 bytes (RFC 2759 8.5).

    :param challenge: of :func:`challenge_hash`, 8 bytes.
    :param password_hash: of :func:`nt_hash`, 16 bytes.
    """
    return responder(password_hash)(challenge)


def responder(password_hash: bytes) -> Callable[[bytes], bytes]:
    """Return what :func:`nt_response` makes of a challenge, for many of them and one password."""
    keys = password_hash.ljust(21, b"\x00")
    encrypts = [_des(keys[at : at + 7]) for at in (0, 7, 14)]
    return lambda challenge: b"".join(encrypt(challenge) for encrypt in encrypts)


def authenticator_response(password_hash: bytes, response: bytes, challenge: bytes) -> str:
    """Return what the server proves itself with: 40 upper-case hex digits (RFC 2759 8.7).

    :param response: the client's NT-Response, 24 bytes.
    :param challenge: of :func:`challenge_hash`, 8 bytes.
    """
    digest = _sha1(_md4(password_hash), response, _MAGIC_1)
    return _sha1(digest, challenge, _MAGIC_2).hex().upper()


def hlak(password_hash: bytes, response: bytes) -> bytes:
    """Return the higher-layer authentication key of this login, 32 bytes.

    On the server it is the master receive key, then the master send key ([MS-SSTP] 3.3.5.2.2),
    each of 128 bits (RFC 3079 3.4).

    :param response: the client's NT-Response, 24 bytes.
    """
    master = _sha1(_md4(password_hash), response, _MASTER_KEY)[:16]
    return b"".join(
        _sha1(master, _PAD_1, label, _PAD_2)[:16] for label in (_CLIENT_SENDS, _CLIENT_RECEIVES)
    )


def new_password(encrypted: bytes, old_hash: bytes) -> str | None:
    """Return the password that a client wishes for, NewPasswordEncryptedWithOldNtPasswordHash.

    RFC 2759 8.9 to 8.11.

    :param encrypted: 516 bytes.
    :param old_hash: of :func:`nt_hash`, 16 bytes.
    :returns: None if it does not decrypt to one.
    """
    block, size = _PASSWORD_BLOCK.unpack(ARC4.new(old_hash).decrypt(encrypted))
    if size > len(block):
        return None
    try:
        password: str = block[len(block) - size :].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return password


def encrypted_hash(old_hash: bytes, new_hash: bytes) -> bytes:
    """Return OldNtPasswordHashEncryptedWithNewNtPasswordHash, 16 bytes (RFC 2759 8.12, 8.13)."""
    first, second = _des(new_hash[:7]), _des(new_hash[7:14])
    return first(old_hash[:8]) + second(old_hash[8:])


def _md4(data: bytes) -> bytes:
    return MD4.new(data).digest()  # noqa: S303


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()


def _des(key: bytes) -> Callable[[bytes], bytes]:
    """Return what encrypts 8 bytes with a key of 7 (RFC 2759 8.6)."""
    return DES.new(_des_key(key), DES.MODE_ECB).encrypt  # noqa: S304


def _des_key(raw: bytes) -> bytes:
    """Return 7 bytes as a DES key of 8: after each seven bits a parity bit, that DES ignores."""
    bits = int.from_bytes(raw, "big")
    return bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
