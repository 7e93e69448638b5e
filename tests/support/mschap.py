"""What a client computes: MS-CHAPv2 (RFC 2759), its keys (RFC 3079), the binding ([MS-SSTP] 3.2.5.2).

Written apart from the server, on pycryptodome's MD4 and DES.
"""

import hashlib
import hmac
import os
import struct
from collections.abc import Callable

from Crypto.Cipher import DES
from Crypto.Hash import MD4

_SIGN = b"Magic server to client signing constant"
_PAD = b"Pad to make it do more than one iteration"
_MASTER = b"This is the MPPE Master Key"
_CLIENT_SENDS = (
    b"On the client side, this is the send key; on the server side, it is the receive key."
)
_CLIENT_RECEIVES = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)
_BINDING = b"SSTP inner method derived CMK"


def nt_hash(password: str) -> bytes:
    """Return the 16 bytes that stand for ``password`` (RFC 2759 8.3)."""
    return MD4.new(password.encode("utf-16-le")).digest()


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


def _des_key(seven: bytes) -> bytes:
    """Spread 56 bits over 8 bytes; DES ignores the lowest bit of each (RFC 2759 8.6)."""
    bits = int.from_bytes(seven, "big")
    return bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))


class Login:
    """One answer to one challenge.

    :param user: the name as sent, bytes in the client's code page.
    :param authenticator: the server's challenge, 16 bytes.
    :param peer: the client's own, 16 random bytes.
    :param hashes_domain: whether DOMAIN\\ is hashed with the name, against RFC 2759 4.
    """

    def __init__(
        self,
        user: bytes,
        password: str,
        authenticator: bytes,
        peer: bytes,
        *,
        hashes_domain: bool = False,
    ) -> None:
        self._hash = nt_hash(password)
        self._hash_hash = MD4.new(self._hash).digest()
        self._peer = peer
        hashed = user if hashes_domain else user.rpartition(b"\\")[2]
        self._challenge = _sha1(peer, authenticator, hashed)[:8]
        key = self._hash.ljust(21, b"\0")
        self.nt_response = b"".join(
            DES.new(_des_key(key[at : at + 7]), DES.MODE_ECB).encrypt(self._challenge)
            for at in (0, 7, 14)
        )

    @property
    def response(self) -> bytes:
        """The 49 bytes of the CHAP Response value (RFC 2759 4)."""
        return self._peer + bytes(8) + self.nt_response + b"\0"

    @property
    def proof(self) -> bytes:
        """What the server must answer if it knows the password: ``S=...`` (RFC 2759 8.7)."""
        digest = _sha1(self._hash_hash, self.nt_response, _SIGN)
        return b"S=" + _sha1(digest, self._challenge, _PAD).hex().upper().encode()

    @property
    def key(self) -> bytes:
        """The 32 bytes of the higher-layer authentication key: client's send, then receive key."""
        master = _sha1(self._hash_hash, self.nt_response, _MASTER)[:16]
        return b"".join(
            _sha1(master, bytes(40), text, b"\xf2" * 40)[:16]
            for text in (_CLIENT_SENDS, _CLIENT_RECEIVES)
        )


class Change:
    """Another password in place of one that has expired (RFC 2759 7).

    :param login: the answer to the challenge of the Failure, made with the new password.
    :param chance: gives so many random bytes.
    """

    def __init__(
        self, old: str, new: str, login: Login, chance: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._old, self._new = nt_hash(old), nt_hash(new)
        units = new.encode("utf-16-le")
        block = chance(512 - len(units)) + units + struct.pack("<I", len(units))
        self.encrypted = _rc4(self._old, block)
        self._login = login

    @property
    def proof(self) -> bytes:
        """What shows that the old password is known: its hash, encrypted with the new one's."""
        return b"".join(
            DES.new(_des_key(self._new[at : at + 7]), DES.MODE_ECB).encrypt(half)
            for at, half in ((0, self._old[:8]), (7, self._old[8:]))
        )

    @property
    def data(self) -> bytes:
        """The 582 bytes behind the header of the packet."""
        answer = self._login.response
        # the peer's challenge, 8 bytes of zero, the NT-Response; two bytes of flags
        return self.encrypted + self.proof + answer[:48] + b"\0\0"


def new_password(old: str, data: bytes) -> str | None:
    """Return the new password in the 582 bytes of a change, None if it is none (RFC 2759 8.11)."""
    block = _rc4(nt_hash(old), data[:516])
    size = int.from_bytes(block[512:], "little")
    if size > 512:
        return None
    try:
        new = block[512 - size : 512].decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return (
        new
        if Change(old, new, Login(b"", "", bytes(16), bytes(16))).proof == data[516:532]
        else None
    )


def _rc4(key: bytes, data: bytes) -> bytes:
    """Encrypt as the cipher of RFC 2759 8.10 does."""
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def compound_mac(key: bytes, connected: bytes, digest: str) -> bytes:
    """Return the MAC over a Call-Connected packet whose own MAC field is zero.

    :param digest: ``sha256`` (32 bytes) or ``sha1`` (20 bytes).
    """
    size = hashlib.new(digest).digest_size
    seed = _BINDING + struct.pack("<H", size) + b"\x01"
    return hmac.digest(hmac.digest(key, seed, digest), connected, digest)
