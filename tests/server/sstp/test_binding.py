"""Crypto binding: the examples of [MS-SSTP] 4.7, and every way to get it wrong."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.sstp.binding import (
    CertificateHashes,
    Fault,
    Hash,
    compound_mac,
    compound_mac_key,
    crypto_binding_request,
    verify,
)
from tests.support import sstp_packets as sstp
from tests.support.sstp_packets import Vector

VECTORS = pytest.mark.parametrize("vector", [sstp.SHA256, sstp.SHA1], ids=["SHA-256", "SHA-1"])


def check(
    vector: Vector,
    packet: bytes | None = None,
    *,
    hlak: bytes | None = None,
    hlaks: tuple[bytes, ...] | None = None,
    nonce: bytes | None = None,
    certificates: tuple[CertificateHashes, ...] | None = None,
    offered: int = 3,
) -> Fault | None:
    """Verify the vector's Call-Connected with something changed."""
    return verify(
        vector.connected if packet is None else packet,
        hlaks=(vector.hlak if hlak is None else hlak,) if hlaks is None else hlaks,
        nonce=vector.nonce if nonce is None else nonce,
        certificates=(vector.hashes,) if certificates is None else certificates,
        offered=offered,
    )


@VECTORS
def test_key(vector: Vector) -> None:
    assert compound_mac_key(vector.hlak, vector.hash) == vector.key


@VECTORS
def test_compound_mac(vector: Vector) -> None:
    mac = compound_mac(vector.hlak, vector.connected, vector.hash)
    assert mac.ljust(32, b"\0") == vector.connected[80:]


# PAP, CHAP-MD5 or no login at all: 3.2.5.2.2. Checked with openssl dgst -mac HMAC.
@pytest.mark.parametrize(
    ("hash_", "key"),
    [
        (Hash.SHA256, "D342EB00477D6A37E1A184FB0168CB3EA3B6645FA0F227904D20EEF5CB8F9327"),
        (Hash.SHA1, "AE571EDE1E11EFB7BB85B8B4F07E15F0E086761A"),
    ],
)
def test_key_of_a_login_that_makes_none(hash_: Hash, key: str) -> None:
    assert compound_mac_key(bytes(32), hash_) == bytes.fromhex(key)
    assert compound_mac_key(b"", hash_) == bytes.fromhex(key)


def test_a_longer_key_is_cut() -> None:
    # EAP-TLS makes 64 bytes: 3.2.5.2.2
    hlak = sstp.SHA256.hlak
    assert compound_mac_key(hlak + hlak, Hash.SHA256) == sstp.SHA256.key


@VECTORS
def test_the_examples_are_accepted(vector: Vector) -> None:
    assert check(vector) is None


@VECTORS
def test_any_of_our_certificates_will_do(vector: Vector) -> None:
    other = CertificateHashes(bytes(20), bytes(32))
    assert check(vector, certificates=(other, vector.hashes)) is None


@VECTORS
def test_faults(vector: Vector) -> None:
    other = CertificateHashes(b"?" * 20, b"?" * 32)
    assert check(vector, nonce=bytes(32)) is Fault.NONCE
    assert check(vector, certificates=(other,)) is Fault.CERTIFICATE
    assert check(vector, certificates=()) is Fault.CERTIFICATE
    assert check(vector, hlak=bytes(32)) is Fault.MAC
    assert check(vector, hlak=vector.hlak[16:] + vector.hlak[:16]) is Fault.MAC
    assert check(vector, hlaks=()) is Fault.MAC
    assert check(vector, hlaks=(bytes(32), vector.hlak)) is None
    assert check(vector, offered=3 - vector.hash) is Fault.HASH


@pytest.mark.parametrize("number", [0, 3, 4, 255])
def test_unknown_hashes(number: int) -> None:
    packet = bytearray(sstp.SHA256.connected)
    packet[15] = number
    assert check(sstp.SHA256, bytes(packet)) is Fault.HASH


def test_a_sha1_hash_is_not_found_in_a_sha256_field() -> None:
    # The SHA-1 packet, relabelled: its padded 20 bytes are no SHA-256 hash.
    packet = bytearray(sstp.SHA1.connected)
    packet[15] = Hash.SHA256
    assert check(sstp.SHA1, bytes(packet)) is Fault.CERTIFICATE


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        sstp.SHA256.connected[:-1],
        sstp.SHA256.connected + b"\0",
        sstp.SHA256.connected[:6] + b"\0\2" + sstp.SHA256.connected[8:],  # two attributes
        sstp.SHA256.connected[:9] + b"\4" + sstp.SHA256.connected[10:],  # the wrong one
        sstp.SHA256.connected[:11] + b"\x67" + sstp.SHA256.connected[12:],  # its wrong size
        sstp.SHA256.connected[:5] + b"\1" + sstp.SHA256.connected[6:],  # another message
    ],
)
def test_form(packet: bytes) -> None:
    assert check(sstp.SHA256, packet) is Fault.FORM


def test_padding_is_ignored() -> None:
    # 2.2.7: both paddings of SHA-1 are ignored on receipt and count as zeros
    packet = bytearray(sstp.SHA1.connected)
    packet[68:80] = packet[100:112] = b"x" * 12
    assert check(sstp.SHA1, bytes(packet)) is None


COVERED = {
    "SHA-256": (sstp.SHA256, [*range(112)]),
    "SHA-1": (sstp.SHA1, [*range(68), *range(80, 100)]),
}


@pytest.mark.parametrize(("vector", "covered"), COVERED.values(), ids=COVERED)
def test_every_byte_counts(vector: Vector, covered: list[int]) -> None:
    for at in covered:
        packet = bytearray(vector.connected)
        packet[at] ^= 0x40
        assert check(vector, bytes(packet)) is not None, at


@given(st.binary(min_size=112, max_size=112))
def test_no_other_mac_is_accepted(junk: bytes) -> None:
    assert check(sstp.SHA256, junk) is not None
    assert check(sstp.SHA256, sstp.SHA256.connected[:80] + junk[80:]) is Fault.MAC


def test_the_hashes_of_a_certificate() -> None:
    hashes = CertificateHashes.of(b"der")
    assert hashes.sha1 == hashlib.sha1(b"der").digest()
    assert hashes.sha256 == hashlib.sha256(b"der").digest()
    assert hashes.by(Hash.SHA1) == hashes.sha1
    assert hashes.by(Hash.SHA256) == hashes.sha256


def test_both_hashes_are_offered() -> None:
    # 2.2.6, and 4.7 but for the mask
    request = crypto_binding_request(sstp.SHA256.nonce)
    assert request.id == 4
    assert request.value == bytes.fromhex("00000003") + sstp.SHA256.nonce
