"""The packets of [MS-SSTP] 2.2 and the cutting of the stream."""

import contextlib
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.sstp.wire import (
    MAX_ATTRIBUTES,
    MAX_PACKET,
    Attribute,
    Control,
    Data,
    MessageType,
    Status,
    WireError,
    decode,
    encode,
    status_info,
    status_of,
)
from tests.support import sstp_packets as sstp

PACKETS = [
    (Control(MessageType.CALL_CONNECT_REQUEST, (Attribute(1, b"\0\1"),)), sstp.CONNECT_REQUEST),
    (
        Control(MessageType.CALL_CONNECT_ACK, (Attribute(4, sstp.SHA256.ack[12:]),)),
        sstp.SHA256.ack,
    ),
    (
        Control(MessageType.CALL_CONNECTED, (Attribute(3, sstp.SHA1.connected[12:]),)),
        sstp.SHA1.connected,
    ),
    # 2.2.13 with retry count exceeded
    (
        Control(MessageType.CALL_ABORT, (status_info(2, Status.RETRY_COUNT_EXCEEDED),)),
        bytes.fromhex("10010014 0005 0001 0002000C 00000002 00000006"),
    ),
    # 2.2.14: the one content it may have
    (
        Control(MessageType.CALL_DISCONNECT, (status_info(0, Status.NO_ERROR),)),
        bytes.fromhex("10010014 0006 0001 0002000C 00000000 00000000"),
    ),
    (Control(MessageType.CALL_DISCONNECT_ACK), sstp.DISCONNECT_ACK),
    (Control(MessageType.ECHO_REQUEST), sstp.ECHO_REQUEST),
    (Control(MessageType.ECHO_RESPONSE), sstp.ECHO_RESPONSE),
    # 2.2.12: a refused protocol id goes back
    (
        Control(
            MessageType.CALL_CONNECT_NAK,
            (status_info(1, Status.VALUE_NOT_SUPPORTED, b"\0\2"),),
        ),
        bytes.fromhex("10010016 0003 0001 0002000E 00000001 00000004 0002"),
    ),
    (Data(bytes.fromhex("FF03C02101")), bytes.fromhex("10000009 FF03C02101")),
    (Data(b""), bytes.fromhex("10000004")),
]


@pytest.mark.parametrize(("value", "packet"), PACKETS)
def test_both_ways(value: Control | Data, packet: bytes) -> None:
    assert encode(value) == packet
    assert decode(packet) == value


def test_reserved_bits_are_ignored() -> None:
    # 7 bits beside C, 4 above each length, the reserved byte of the attribute
    packet = bytes.fromhex("10FFF00E 0001 0001 FF01F006 0001")
    assert decode(packet) == PACKETS[0][0]
    assert Inbound(memoryview(bytearray(SCRATCH))).push(packet) == [packet]


MALFORMED = {
    "no message": "10010006 0001",
    "message type 0": "10010008 0000 0000",
    "message type 10": "10010008 000A 0000",
    "an attribute announced and missing": "10010008 0001 0001",
    "65535 attributes": "1001000E 0001 FFFF 00010006 0001",
    "an attribute header cut": "1001000B 0001 0001 000100",
    "an attribute longer than the packet": "1001000E 0001 0001 00010007 0001",
    "an attribute shorter than its header": "1001000E 0001 0001 00010003 0001",
    "an attribute of length 0": "1001000E 0001 0001 00010000 0001",
    "bytes behind the last attribute": "1001000F 0001 0001 00010006 0001 00",
    "an attribute that is not counted": "1001000E 0001 0000 00010006 0001",
}


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED)
def test_malformed_packets_name_the_status_of_an_abort(packet: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(bytes.fromhex(packet))
    assert caught.value.status is Status.INVALID_FRAME_RECEIVED


NOT_A_PACKET = {
    "nothing": "",
    "less than a header": "100100",
    "version 2.0": "20010008 0008 0000",
    "version 1.1": "11010008 0008 0000",
    "length 0": "10010000",
    "length 3": "10000003",
    "cut short": "10010008 0008 00",
    "more than one": "10010008 0008 0000 00",
}


@pytest.mark.parametrize("packet", NOT_A_PACKET.values(), ids=NOT_A_PACKET)
def test_what_is_no_packet_has_no_status(packet: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(bytes.fromhex(packet))
    assert caught.value.status is None


def test_attributes_are_bounded() -> None:
    one = Attribute(9, b"")
    most = Control(MessageType.CALL_ABORT, (one,) * MAX_ATTRIBUTES)
    assert decode(encode(most)) == most
    with pytest.raises(WireError):
        decode(encode(Control(MessageType.CALL_ABORT, (one,) * (MAX_ATTRIBUTES + 1))))


def test_packets_are_bounded() -> None:
    assert len(encode(Data(bytes(MAX_PACKET - 4)))) == MAX_PACKET
    with pytest.raises(ValueError, match="4096"):
        encode(Data(bytes(MAX_PACKET - 3)))


def test_a_refused_value_goes_back_up_to_64_bytes() -> None:
    info = status_info(1, Status.INVALID_ATTRIB_VALUE_LENGTH, bytes(range(100)))
    assert info.value == bytes.fromhex("00000001 00000003") + bytes(range(64))
    assert status_of(info.value) == Status.INVALID_ATTRIB_VALUE_LENGTH
    assert status_of(info.value[:7]) is None


attributes = st.builds(Attribute, st.integers(0, 255), st.binary(max_size=100))
packets = st.one_of(
    st.builds(Data, st.binary(max_size=200)),
    st.builds(
        Control,
        st.sampled_from(MessageType),
        st.lists(attributes, max_size=MAX_ATTRIBUTES).map(tuple),
    ),
)


@given(st.lists(packets, max_size=5), st.data())
def test_any_cut_of_the_stream_gives_the_same_packets(
    sent: list[Control | Data], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    inbound, got = Inbound(memoryview(bytearray(SCRATCH))), []
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        got += [decode(packet) for packet in inbound.push(stream[start:end])]
    assert got == sent


@given(st.binary(max_size=64))
@example(bytes.fromhex("10010000"))
@example(bytes.fromhex("1001000400"))
def test_garbage_raises_only_wire_errors(junk: bytes) -> None:
    with contextlib.suppress(WireError):
        for packet in Inbound(memoryview(bytearray(SCRATCH))).push(junk):
            with contextlib.suppress(WireError):
                decode(packet)


@given(st.binary(max_size=80))
def test_garbage_in_a_control_packet_raises_only_wire_errors(junk: bytes) -> None:
    head = bytes((0x10, 0x01, 0x00, 4 + len(junk)))
    with contextlib.suppress(WireError):
        value = decode(head + junk)
        assert isinstance(value, Control)
        assert len(encode(value)) == 4 + len(junk)


def test_the_inbound_keeps_less_than_one_packet() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    largest = encode(Data(bytes(MAX_PACKET - 4)))
    stream = largest * 3
    taken = 0
    for at in range(len(stream)):
        taken += len(inbound.push(stream[at : at + 1]))
        assert len(inbound._rest) < MAX_PACKET
    assert taken == 3
