"""The packet builders: against bytes from elsewhere, and their parsers against them."""

import dataclasses
from ipaddress import IPv4Address

import pytest

from tests.support import packets
from tests.support.packets import Datagram, Malformed

HERE = IPv4Address("10.99.0.10")
THERE = IPv4Address("198.18.1.2")


def test_checksum() -> None:
    # RFC 1071 3: the sum of this example is ddf2, the checksum its complement
    assert packets.checksum(bytes.fromhex("0001 f203 f4f5 f6f7")) == 0xFFFF - 0xDDF2


# captured on the loopback of a Linux machine
PING = bytes.fromhex("4500001c4de040004001eefe7f0000017f0000010800f7c700070031")
REPLY = bytes.fromhex("4500001c4de1000040012efe7f0000017f0000010000ffc700070031")


def test_a_reply_from_linux() -> None:
    assert packets.echo_reply(packets.parse(REPLY)) == (0x31, b"")
    assert packets.echo_reply(packets.parse(PING)) is None


def test_a_damaged_header() -> None:
    with pytest.raises(Malformed):
        packets.parse(REPLY.replace(b"\x4d", b"\x4e"))


def test_a_damaged_reply() -> None:
    with pytest.raises(Malformed):
        packets.echo_reply(packets.parse(REPLY[:-1] + b"\x30"))


def test_echo() -> None:
    packet = packets.echo(HERE, THERE, 7, b"content")
    assert packet.payload[:2] == b"\x08\x00" and packets.checksum(packet.payload) == 0
    answer = dataclasses.replace(packet, payload=b"\x00\x00" + packet.payload[2:])
    with pytest.raises(Malformed):
        packets.echo_reply(answer)


def test_headers_survive_the_round_trip() -> None:
    packet = packets.udp((HERE, 5000), (THERE, 53), b"question")
    packet = dataclasses.replace(packet, ttl=7)
    assert packets.parse(packet.encode()) == packet


def test_fragments_survive_the_round_trip() -> None:
    packet = packets.Packet(HERE, THERE, packets.UDP, bytes(16), more=True, offset=1480)
    assert packets.parse(packet.encode()) == packet


def test_datagram() -> None:
    packet = packets.udp((HERE, 5000), (THERE, 53), b"question")
    assert packets.datagram(packet) == Datagram(5000, 53, b"question")
    damaged = dataclasses.replace(packet, payload=packet.payload[:-1] + b"N")
    with pytest.raises(Malformed):
        packets.datagram(damaged)


def test_syn() -> None:
    packet = packets.syn((HERE, 5000), (THERE, 80), 1460)
    assert packets.mss_of(packet) == 1460
    damaged = dataclasses.replace(packet, payload=packet.payload[:-1] + b"\0")
    with pytest.raises(Malformed):
        packets.mss_of(damaged)


@pytest.mark.parametrize("content", [b"", b"\x45" * 19, b"\x60" + bytes(39), b"\x45" + bytes(19)])
def test_what_is_no_packet(content: bytes) -> None:
    with pytest.raises(Malformed):
        packets.parse(content)
