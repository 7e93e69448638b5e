"""PPP frames and control packets."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.server.ppp.frames import (
    DEFAULT_MRU,
    FrameError,
    Packet,
    Protocol,
    decode,
    decode_packet,
    encode,
    encode_packet,
)


@pytest.mark.parametrize(
    "frame",
    ["FF03 C021 0102", "C021 0102"],
    ids=["address and control", "without"],
)
def test_address_and_control_may_be_missing(frame: str) -> None:
    assert decode(bytes.fromhex(frame)) == (Protocol.LCP, b"\x01\x02")


def test_a_protocol_of_one_byte() -> None:
    assert decode(bytes.fromhex("FF03 21 45")) == (Protocol.IPV4, b"\x45")
    assert decode(bytes.fromhex("21 45")) == (Protocol.IPV4, b"\x45")


def test_a_frame_of_ours_has_everything() -> None:
    assert encode(Protocol.IPV4, b"\x45") == bytes.fromhex("FF03 0021 45")


@pytest.mark.parametrize("frame", ["FF", "FF13002145", "FF02C021", "FF0FFF45", "FF03FF45"])
def test_another_address_or_control_field(frame: str) -> None:
    """RFC 1661 6.6: nothing that was compressed away begins with FF."""
    with pytest.raises(FrameError):
        decode(bytes.fromhex(frame))


@pytest.mark.parametrize("frame", ["", "FF03", "C0", "FF03C0"])
def test_a_frame_without_protocol(frame: str) -> None:
    with pytest.raises(FrameError):
        decode(bytes.fromhex(frame))


# RFC 1661 2: the first byte of a protocol is even, the second odd
protocols = st.integers(0, 0xFFFF).filter(lambda n: n & 0x0101 == 1)


@given(protocols, st.binary(max_size=40))
def test_frames_round_trip(protocol: int, information: bytes) -> None:
    assert decode(encode(protocol, information)) == (protocol, information)


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40), st.binary(max_size=4))
def test_packets_round_trip_with_padding(code: int, ident: int, data: bytes, pad: bytes) -> None:
    packet = Packet(code, ident, data)
    assert decode_packet(encode_packet(packet) + pad) == packet


@pytest.mark.parametrize("information", ["", "010100", "01010003", "0101000501"[:8], "0101FFFF"])
def test_a_packet_with_an_impossible_length(information: str) -> None:
    with pytest.raises(FrameError):
        decode_packet(bytes.fromhex(information))


def test_a_packet_longer_than_our_mru() -> None:
    longest = Packet(1, 1, bytes(DEFAULT_MRU - 4))
    assert decode_packet(encode_packet(longest)) == longest
    with pytest.raises(FrameError):
        decode_packet(encode_packet(Packet(1, 1, bytes(DEFAULT_MRU - 3))))


@given(st.binary(max_size=64))
@example(b"\xff\x03")
def test_garbage_raises_only_frame_errors(junk: bytes) -> None:
    with contextlib.suppress(FrameError):
        decode_packet(decode(junk)[1])
