"""SSTP packets for tests: those printed in [MS-SSTP] 4.7, and makers of others."""

import struct
from dataclasses import dataclass
from typing import Final

from sstpca.server.sstp.binding import CertificateHashes, Hash, compound_mac

CONNECT_REQUEST: Final = bytes.fromhex("1001000E 0001 0001 00010006 0001")
DISCONNECT_ACK: Final = bytes.fromhex("10010008 0007 0000")
ECHO_REQUEST: Final = bytes.fromhex("10010008 0008 0000")
ECHO_RESPONSE: Final = bytes.fromhex("10010008 0009 0000")


def ending(type_: int, attribute: int = 0, status: int = 0) -> bytes:
    """Return a Call-Abort (5) or Call-Disconnect (6) with its Status Info: 2.2.13, 2.2.14."""
    return struct.pack("!HHHHHHLL", 0x1001, 20, type_, 1, 0x0002, 12, attribute, status)


@dataclass(frozen=True)
class Vector:
    """One of the two exchanges of [MS-SSTP] 4.7; ``key`` is not printed there but follows."""

    hash: Hash
    ack: bytes
    connected: bytes
    hlak: bytes
    certificate: bytes
    key: bytes

    @property
    def nonce(self) -> bytes:
        return self.ack[16:]

    @property
    def hashes(self) -> CertificateHashes:
        if self.hash is Hash.SHA1:
            return CertificateHashes(self.certificate, bytes(32))
        return CertificateHashes(bytes(20), self.certificate)


SHA256: Final = Vector(
    hash=Hash.SHA256,
    ack=bytes.fromhex("""
        10 01 00 30 00 02 00 01 00 04 00 28 00 00 00 02
        41 2B 48 9A EB D7 EC C7 D0 89 66 F2 6B E7 CD 72
        B2 31 A0 E9 21 0D 7C 91 B3 08 86 2B 03 44 C4 35
    """),
    connected=bytes.fromhex("""
        10 01 00 70 00 04 00 01 00 03 00 68 00 00 00 02
        41 2B 48 9A EB D7 EC C7 D0 89 66 F2 6B E7 CD 72
        B2 31 A0 E9 21 0D 7C 91 B3 08 86 2B 03 44 C4 35
        79 93 EF 31 4C 49 3D AC E9 F0 2D 60 E7 E6 1C 84
        B6 69 0A AF E9 D7 AE EA 92 CB BE 8A D5 99 42 2D
        52 A6 8E FD 8C FF BF 52 77 0B 8F 0F E8 EC 73 71
        65 83 AF 6D 61 1E B6 D1 79 B3 B2 08 40 98 54 49
    """),
    hlak=bytes.fromhex("2A1BB40D55AB0F5EF32F06F2B3CC73C48FD3FAC41D7A1315A19228D9024CA164"),
    certificate=bytes.fromhex("7993EF314C493DACE9F02D60E7E61C84B6690AAFE9D7AEEA92CBBE8AD599422D"),
    key=bytes.fromhex("ECF59AC9FE155CF0A9E7D66ADC1B363C1AD7BA91A9217F0CEC2A534298828DF6"),
)
SHA1: Final = Vector(
    hash=Hash.SHA1,
    ack=bytes.fromhex("""
        10 01 00 30 00 02 00 01 00 04 00 28 00 00 00 01
        0F 1A 2D 58 D4 A3 E3 00 0F AD 3C E4 90 6E 07 B7
        07 AA 9E 44 1C CE AC 5C BD 7B 2C C1 C9 D8 6C DF
    """),
    connected=bytes.fromhex("""
        10 01 00 70 00 04 00 01 00 03 00 68 00 00 00 01
        0F 1A 2D 58 D4 A3 E3 00 0F AD 3C E4 90 6E 07 B7
        07 AA 9E 44 1C CE AC 5C BD 7B 2C C1 C9 D8 6C DF
        58 26 B6 29 BD A5 9B 8E 6F D8 DC D2 62 2F D3 4C
        53 48 05 A5 00 00 00 00 00 00 00 00 00 00 00 00
        69 91 5D D5 83 D8 06 2F EF 16 F6 1D B2 F0 32 90
        EC 27 CB 6C 00 00 00 00 00 00 00 00 00 00 00 00
    """),
    hlak=bytes.fromhex("4B3128F43925D9006EEFB1C4E86515A1D88E56BAB3CA2BDF0373B7F5A8A13B19"),
    certificate=bytes.fromhex("5826B629BDA59B8E6FD8DCD2622FD34C534805A5"),
    key=bytes.fromhex("A98B862A38CC7E224B42CD128586ACB22F0BD1E9"),
)


def connected(
    nonce: bytes, certificate: CertificateHashes, hlak: bytes, hash_: Hash = Hash.SHA256
) -> bytes:
    """Return the Call-Connected that a good client sends, 112 bytes: [MS-SSTP] 2.2.11."""
    head = bytes.fromhex("10010070 0004 0001 00030068 000000") + bytes([hash_])
    packet = head + nonce + certificate.by(hash_).ljust(32, b"\0") + bytes(32)
    return packet[:80] + compound_mac(hlak, packet, hash_).ljust(32, b"\0")
