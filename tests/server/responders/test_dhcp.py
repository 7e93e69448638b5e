"""DHCPINFORM: what is answered, with what, and what is not heard at all."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Lease
from sstpca.server.responders.dhcp import carried, respond
from sstpca.server.responders.known import Known
from tests.support import dhcp, packets
from tests.support.dhcp import ACK, EVERYBODY, Message, inform
from tests.support.packets import Packet, udp

OURS, SERVER = IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1")
ROUTES = ("10.1.0.0/16", "10.2.3.0/25", "172.16.0.0/12", "192.168.7.9/32", "128.0.0.0/1")
LEASE = Lease(
    1,
    OURS,
    SERVER,
    dns=(IPv4Address("10.1.0.53"), IPv4Address("10.1.0.54")),
    routes=tuple(map(IPv4Network, ROUTES)),
    dns_suffix="corp.example.com",
)
KNOWN = Known(LEASE, 1400)


def told(message: Message | bytes, known: Known = KNOWN, **fields: Any) -> Message:
    """Return the one answer to a message."""
    (found,) = respond(dhcp.packet(message, OURS, **fields).encode(), known)
    read = packets.parse(found)
    assert (read.source, read.destination) == (SERVER, OURS)
    assert len(found) <= known.mtu
    answer = dhcp.answer(read)
    assert answer is not None
    return answer


def with_option(code: int, value: bytes, **fields: Any) -> Message:
    message = inform(OURS, **fields)
    return replace(message, options=(*message.options, (code, value)))


def test_what_windows_asks_it_is_told() -> None:
    asked = inform(OURS, flags=0x8000, secs=3, hops=1)
    answer = told(asked)
    assert answer.value(53) == bytes((ACK,))
    assert answer.addresses(54) == [SERVER]
    assert answer.addresses(6) == list(LEASE.dns)
    assert answer.value(15) == b"corp.example.com"
    assert answer.value(119) == b"\4corp\7example\3com\0"
    assert answer.routes(121) == [(route, SERVER) for route in LEASE.routes]
    assert answer.routes(249) == answer.routes(121)
    # in the order in which it asked, after what an answer always has
    assert [code for code, _ in answer.options] == [53, 54, 61, 15, 6, 121, 249, 119]


def test_the_fixed_fields_are_those_of_rfc_2131_table_3() -> None:
    asked = inform(OURS, flags=0x8000, secs=3, hops=1)
    answer = told(asked)
    assert answer.op == 2
    assert (answer.xid, answer.flags, answer.ciaddr) == (asked.xid, 0x8000, OURS)
    assert (answer.htype, answer.hlen, answer.chaddr) == (8, 6, asked.chaddr)
    assert (answer.hops, answer.secs) == (0, 0)
    assert {answer.yiaddr, answer.siaddr, answer.giaddr} == {dhcp.NOBODY}
    assert not any(answer.names)
    # no lease time: RFC 2131 4.3.5
    assert answer.value(51) is answer.value(58) is answer.value(59) is None


def test_the_routes_have_the_bytes_of_rfc_3442() -> None:
    router = SERVER.packed.hex()
    expected = f"100a01{router} 190a020300{router} 0cac10{router} 20c0a80709{router} 0180{router}"
    assert told(inform(OURS, bytes((121,)))).value(121) == bytes.fromhex(expected)


def test_a_message_is_as_long_as_bootp_has_it() -> None:
    (found,) = respond(dhcp.packet(inform(OURS, bytes((6,))), OURS).encode(), KNOWN)
    assert len(found) == 20 + 8 + 300


def test_its_client_identifier_comes_back() -> None:
    assert told(inform(OURS)).value(61) == b"\x08\x00\x53\x45\x00\x00\x00"
    bare = Message(((53, b"\x08"),), ciaddr=OURS)
    assert told(bare).value(61) is None


@pytest.mark.parametrize("code", [6, 15, 119, 121, 249])
def test_only_what_is_asked_for(code: int) -> None:
    answer = told(inform(OURS, bytes((code, 1, 3, code, 44, 51, 53, 54))))
    assert [one for one, _ in answer.options] == [53, 54, 61, code]


def test_who_does_not_say_what_is_told_everything() -> None:
    answer = told(Message(((53, b"\x08"),), ciaddr=OURS))
    assert [code for code, _ in answer.options] == [53, 54, 6, 15, 119, 121, 249]


def test_where_there_is_nothing_to_tell_it_is_answered() -> None:
    answer = told(inform(OURS), Known(Lease(1, OURS, SERVER), 1400))
    assert [code for code, _ in answer.options] == [53, 54, 61]


def test_an_inform_to_us_alone_is_answered() -> None:
    assert told(inform(OURS), target=SERVER).value(53) == bytes((ACK,))


def test_from_whatever_port_the_answer_goes_to_the_client_s() -> None:
    packet = udp((OURS, 1068), (EVERYBODY, 67), inform(OURS).encode())
    (found,) = respond(packet.encode(), KNOWN)
    assert dhcp.answer(packets.parse(found)) is not None


@pytest.mark.parametrize("count", [31, 32, 256])
@pytest.mark.parametrize("mtu", [576, 1000, 1400, 1500])
def test_many_routes_are_as_many_as_fit(count: int, mtu: int) -> None:
    routes = tuple(IPv4Network((0x0A000000 + 256 * n, 24)) for n in range(count))
    lease = replace(LEASE, routes=routes)
    answer = told(inform(OURS, bytes((6, 121, 249))), Known(lease, mtu))
    found = [route for route, _ in answer.routes(121)]
    # each takes 8 bytes
    assert found == list(routes[: len(found)])
    room = mtu - 28 - 240 - 31
    assert len(found) == count or room - 8 * len(found) < 40
    assert answer.addresses(6) == list(lease.dns)
    assert all(len(value) <= 255 for _, value in answer.options)
    windows = told(inform(OURS, bytes((15, 6, 121))), Known(lease, mtu))
    assert carried(lease, mtu) == len(windows.routes(121))
    # the same again as far as there is room, and no half of a route
    assert [route for route, _ in answer.routes(249)] == found[: len(answer.routes(249))]


def test_all_routes_of_a_few_are_carried() -> None:
    assert carried(LEASE, 576) == len(ROUTES)
    assert carried(replace(LEASE, routes=()), 576) == 0


@pytest.mark.parametrize(("largest", "size"), [(576, 576), (1000, 1000), (100, 576), (9000, 1400)])
def test_no_more_than_it_takes(largest: int, size: int) -> None:
    routes = tuple(IPv4Network((0x0A000000 + 256 * n, 24)) for n in range(256))
    known = Known(replace(LEASE, routes=routes), 1400)
    asked = with_option(57, largest.to_bytes(2), asked=bytes((121,)))
    (found,) = respond(dhcp.packet(asked, OURS).encode(), known)
    assert size - 10 < len(found) <= size


def test_options_in_pieces_are_one() -> None:
    message = inform(OURS, b"")
    options = (*message.options[:-1], (55, b"\x06"), (0, b""), (55, b"\x0f"))
    content = replace(message, options=options).encode().replace(b"\0\0\x37\1\x0f", b"\0\x37\1\x0f")
    assert {code for code, _ in told(content).options} == {53, 54, 61, 6, 15}


def test_an_end_may_be_missing_and_something_come_behind_it() -> None:
    assert told(inform(OURS, end=b"")).value(6)
    assert told(inform(OURS, end=b"\xff\x35\x01\x01")).value(6)


UNHEARD: dict[str, Message | bytes] = {
    **{
        f"type {kind}": Message(((53, bytes((kind,))),), ciaddr=OURS)
        for kind in (*range(8), *range(9, 19), 255)
    },
    "no type": Message(((55, b"\x06"),), ciaddr=OURS),
    "two types": Message(((53, b"\x08"), (53, b"\x03")), ciaddr=OURS),
    "a type of two bytes": Message(((53, b"\x08\x08"),), ciaddr=OURS),
    "no type's value": Message(((53, b""),), ciaddr=OURS),
    "an answer": inform(OURS, op=2),
    "no op": inform(OURS, op=0),
    "another's address": inform(IPv4Address("10.99.0.11")),
    "no address": inform(dhcp.NOBODY),
    "the server's address": inform(SERVER),
    "a relay": inform(OURS, giaddr=IPv4Address("10.99.0.9")),
    "BOOTP": inform(OURS, cookie=b"", end=b"").encode()[:240],
    "another cookie": inform(OURS, cookie=b"\x63\x82\x53\x64"),
    "a hardware address of 17 bytes": inform(OURS, hlen=17),
    "nothing": b"",
    "less than the fixed fields": inform(OURS).encode()[:239],
    "no options": inform(OURS).encode()[:240],
    "an option that is cut off": inform(OURS, end=b"\x0c\x05PC"),
    "an option without its length": inform(OURS, end=b"\x0c"),
}


@pytest.mark.parametrize("what", UNHEARD)
def test_what_is_none_of_ours_is_not_heard(what: str) -> None:
    assert respond(dhcp.packet(UNHEARD[what], OURS).encode(), KNOWN) == []


def _changed(change: Callable[[bytearray], None]) -> bytes:
    made = bytearray(dhcp.packet(inform(OURS), OURS).encode())
    change(made)
    return bytes(made)


def _set(at: int, value: int) -> Callable[[bytearray], None]:
    return lambda packet: packet.__setitem__(at, value)


DAMAGED = {
    "a wrong IP checksum": _changed(_set(10, 1)),
    "a wrong UDP checksum": _changed(_set(26, 1)),
    "an end": dhcp.packet(inform(OURS), OURS).encode()[:-1],
    "IPv6": _changed(_set(0, 0x65)),
    "a header of 16 bytes": _changed(_set(0, 0x44)),
    "a fragment": replace(dhcp.packet(inform(OURS), OURS), more=True).encode(),
    "another source": dhcp.packet(inform(OURS), IPv4Address("10.99.0.11")).encode(),
    "no source": dhcp.packet(inform(OURS), dhcp.NOBODY).encode(),
    "to a group": dhcp.packet(inform(OURS), OURS, IPv4Address("224.0.0.1")).encode(),
    "to another": dhcp.packet(inform(OURS), OURS, IPv4Address("10.99.0.2")).encode(),
    "another port": udp((OURS, 68), (EVERYBODY, 68), inform(OURS).encode()).encode(),
    "TCP": replace(dhcp.packet(inform(OURS), OURS), protocol=6).encode(),
    "half of UDP": Packet(OURS, EVERYBODY, 17, bytes(7)).encode(),
    "nothing": b"",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_not_heard(what: str) -> None:
    assert respond(DAMAGED[what], KNOWN) == []


def test_padding_behind_the_packet_and_no_checksum_do_no_harm() -> None:
    made = bytearray(dhcp.packet(inform(OURS), OURS).encode())
    made[26:28] = bytes(2)
    assert len(respond(bytes(made) + bytes(9), KNOWN)) == 1


def test_a_packet_with_options_is_heard() -> None:
    plain = bytearray(dhcp.packet(inform(OURS), OURS).encode())
    plain[20:20] = bytes.fromhex("94040000")
    plain[0], plain[10:12] = 0x46, bytes(2)
    plain[2:4] = len(plain).to_bytes(2)
    plain[10:12] = packets.checksum(bytes(plain[:24])).to_bytes(2)
    assert len(respond(bytes(plain), KNOWN)) == 1


@given(junk=st.binary(max_size=400), start=st.integers(0, 400), whole=st.booleans())
def test_junk_is_answered_as_it_should_or_not_at_all(junk: bytes, start: int, whole: bool) -> None:
    message = inform(OURS).encode()
    content = message[:start] + junk + (message[start + len(junk) :] if whole else b"")
    for found in respond(dhcp.packet(content, OURS).encode(), KNOWN):
        answer = dhcp.answer(packets.parse(found))
        assert answer is not None
        assert (answer.ciaddr, answer.value(53)) == (OURS, bytes((ACK,)))
        assert len(found) <= KNOWN.mtu


@given(junk=st.binary(max_size=100))
def test_junk_in_place_of_a_packet(junk: bytes) -> None:
    assert respond(junk, KNOWN) == []
    assert respond(b"\x45" + junk, KNOWN) == []
