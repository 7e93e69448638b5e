"""Crypto binding: proof that the client of TLS is the client of PPP ([MS-SSTP] 3.2.5.2).

The client mixes the nonce of this call, the certificate it saw in TLS and the key that its login
made. Somebody between two TLS connections shows another certificate, and has no key.
"""

import enum
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final, Self

from .wire import LENGTH_MASK, Attribute, AttributeId, Control, MessageType, encode

#: The nonce of Call-Connect-Ack, in bytes: [MS-SSTP] 2.2.6.
NONCE_SIZE: Final = 32
#: The higher-layer authentication key, in bytes: [MS-SSTP] 3.2.5.2.2.
HLAK_SIZE: Final = 32
#: Call-Connected has this one size, in bytes: [MS-SSTP] 2.2.11.
CONNECTED_SIZE: Final = 112

# header, type, number of attributes, attribute id and length, hash, nonce, certificate hash, MAC:
# [MS-SSTP] 2.2.11. With one attribute of one size all offsets are fixed.
_CONNECTED: Final = struct.Struct("!4xHHxBH3xB32s32s32s")
_EXPECTED: Final = (MessageType.CALL_CONNECTED, 1, AttributeId.CRYPTO_BINDING, 104)
_CERTIFICATE_AT: Final = 48
_MAC_AT: Final = 80
_SEED: Final = b"SSTP inner method derived CMK"


@enum.unique
class Hash(enum.IntEnum):
    """Hash protocols, as bits of the mask in Call-Connect-Ack: [MS-SSTP] 2.2.6, 2.2.7."""

    SHA1 = 1
    SHA256 = 2

    @property
    def size(self) -> int:
        """The size of what it makes, in bytes."""
        return 20 if self is Hash.SHA1 else 32


#: What is offered: a client that knows both must take SHA-256, and older ones know only SHA-1.
OFFERED: Final = Hash.SHA1 | Hash.SHA256


@enum.unique
class Fault(enum.Enum):
    """Why a Call-Connected is refused, in words for the log: [MS-SSTP] 3.3.5.2.3."""

    FORM = "it has no well-formed crypto binding"
    HASH = "the client chose a hash that was not offered"
    NONCE = "the nonce is not that of this call"
    CERTIFICATE = (
        "the client saw another certificate: TLS interception, or a certificate in front of this"
        " server that it does not know"
    )
    MAC = "wrong key: the client's login made another key than the server's"


@dataclass(frozen=True, slots=True)
class CertificateHashes:
    """Hashes of one server certificate, over its whole DER encoding.

    :param sha1: 20 bytes.
    :param sha256: 32 bytes.
    """

    sha1: bytes
    sha256: bytes

    @classmethod
    def of(cls, der: bytes) -> Self:
        """Return the hashes of a certificate given as DER."""
        # SHA-1 is what the protocol offers older clients
        sha1 = hashlib.sha1(der, usedforsecurity=False)
        return cls(sha1.digest(), hashlib.sha256(der).digest())

    def by(self, hash_: Hash) -> bytes:
        """Return the one made by ``hash_``."""
        return self.sha256 if hash_ is Hash.SHA256 else self.sha1


def crypto_binding_request(nonce: bytes) -> Attribute:
    """Return the attribute of Call-Connect-Ack that asks for a binding to ``nonce`` (32 bytes)."""
    return Attribute(AttributeId.CRYPTO_BINDING_REQ, bytes((0, 0, 0, OFFERED)) + nonce)


def compound_mac_key(hlak: bytes, hash_: Hash) -> bytes:
    """Return the key of the compound MAC: [MS-SSTP] 3.2.5.2.2 and 3.2.5.2.4.

    :param hlak: the key that the login made; it is cut or filled with zeros to 32 bytes.
    """
    key = hlak[:HLAK_SIZE].ljust(HLAK_SIZE, b"\0")
    # One round of PRF+ gives as many bytes as are asked for. LEN is little-endian.
    return hmac.digest(key, _SEED + struct.pack("<H", hash_.size) + b"\x01", hash_.name)


def compound_mac(hlak: bytes, connected: bytes, hash_: Hash) -> bytes:
    """Return the compound MAC, 20 or 32 bytes, that belongs into a Call-Connected.

    :param connected: the packet, 112 bytes; its MAC and padding count as zeros whatever they are
        ([MS-SSTP] 3.2.5.2.1 and 3.2.5.2.3).
    """
    covered = connected[: _CERTIFICATE_AT + hash_.size].ljust(CONNECTED_SIZE, b"\0")
    return hmac.digest(compound_mac_key(hlak, hash_), covered, hash_.name)


def connected(hlak: bytes, nonce: bytes, certificate: CertificateHashes, hash_: Hash) -> bytes:
    """Return the Call-Connected with which a client binds its call: [MS-SSTP] 2.2.11.

    :param hlak: the key that the login made.
    :param nonce: of the server's Call-Connect-Ack, 32 bytes.
    :param certificate: that the server showed in TLS.
    :param hash_: one of those that the server offers.
    """
    value = bytes((0, 0, 0, hash_)) + nonce + certificate.by(hash_).ljust(32, b"\0") + bytes(32)
    attribute = Attribute(AttributeId.CRYPTO_BINDING, value)
    packet = encode(Control(MessageType.CALL_CONNECTED, (attribute,)))
    mac = compound_mac(hlak, packet, hash_)
    return packet[:_MAC_AT] + mac.ljust(32, b"\0")


def verify(
    packet: bytes,
    *,
    hlaks: tuple[bytes, ...],
    nonce: bytes,
    certificates: tuple[CertificateHashes, ...],
    offered: int = OFFERED,
) -> Fault | None:
    """Return what is wrong with a Call-Connected packet, or None: [MS-SSTP] 3.3.5.2.3.

    :param hlaks: the key that the login made, or what clients may make of it: one must match.
    :param nonce: what was sent in Call-Connect-Ack, 32 bytes.
    :param certificates: those the client may have seen; one of them must match.
    :param offered: the mask sent in Call-Connect-Ack.
    """
    if len(packet) != CONNECTED_SIZE:
        return Fault.FORM
    type_, count, id_, size, number, its_nonce, its_hash, its_mac = _CONNECTED.unpack(packet)
    if (type_, count, id_, size & LENGTH_MASK) != _EXPECTED:
        return Fault.FORM
    if number not in tuple(Hash) or not number & offered:
        return Fault.HASH
    hash_ = Hash(number)
    if not hmac.compare_digest(its_nonce, nonce):
        return Fault.NONCE
    seen = its_hash[: hash_.size]
    if not any(hmac.compare_digest(seen, one.by(hash_)) for one in certificates):
        return Fault.CERTIFICATE
    mac = its_mac[: hash_.size]
    if not any(hmac.compare_digest(mac, compound_mac(key, packet, hash_)) for key in hlaks):
        return Fault.MAC
    return None
