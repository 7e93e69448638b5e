"""The link: its phases and its endings."""

import pytest

from sstpca.server.ppp.effects import (
    Effect,
    LinkDown,
    NetworkDown,
    NetworkUp,
    SendFrame,
)
from sstpca.server.ppp.frames import Code, Packet, Protocol, decode, encode
from sstpca.server.ppp.link import LOGIN_LIMIT, Link
from tests.server.ppp.dialogue import (
    LEASE,
    SERVER_OPTIONS,
    USER,
    authenticating,
    chap,
    connected,
    frame,
    ipcp,
    lcp,
    networking,
    new_link,
    response,
    sent,
)
from tests.server.ppp.phases import (
    PHASES,
    Begin,
    asked,
    by_phase,
    ending,
    over,
    started,
    without_address,
)


def downs(effects: list[Effect]) -> list[LinkDown]:
    return [effect for effect in effects if isinstance(effect, LinkDown)]


def wait(link: Link) -> tuple[float, list[Effect]]:
    """Let time pass until the link is over; return when, and all it did."""
    now, effects = 0.0, list[Effect]()
    while link.deadline is not None:
        now = max(now, link.deadline)
        effects += link.tick(now)
    return now, effects


def test_start_counts_once() -> None:
    link = started()
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1), 0.5)
    assert link.start(1) == []
    assert link.deadline == 3.5


def test_nothing_is_heard_before_start() -> None:
    link = new_link()
    assert link.receive(lcp(Code.CONFIGURE_REQUEST, 1), 0) == []
    assert link.tick(100) == []
    assert link.deadline is None


@pytest.mark.parametrize(
    "data",
    [
        chap(2, 1, bytes(60)),
        ipcp(1, 1, "030600000000"),
        frame(0x8057, 1, 1, "010A0000000000000001"),
        frame(0x80FD, 1, 1, "120601000040"),
        encode(0xC023, b"\x01\x01\x00\x08\x01u\x01p"),
        encode(Protocol.IPV4, bytes(20)),
        encode(0x0057, bytes(40)),
    ],
    ids=lambda data: data.hex()[4:8],
)
@pytest.mark.parametrize("begin", [started, asked, authenticating, ending])
def test_frames_of_a_later_phase_are_dropped(begin: Begin, data: bytes) -> None:
    link = begin()
    before = link.deadline
    assert link.receive(data, 1) == []
    assert link.deadline == before


# the last ones: headers compressed without having agreed on it, multilink, compressed packets; and
# what RFC 1661 2 has treated as unrecognised, as no protocol is even
_UNKNOWN = [0x8057, 0x80FD, 0xC023, 0x0057, 0x0001, 0x8281, 0x002D, 0x002F, 0x003D, 0x00FD, 0x0020]


@pytest.mark.parametrize("protocol", _UNKNOWN)
@pytest.mark.parametrize("begin", [networking, connected, without_address])
def test_unknown_protocols_are_rejected_when_the_network_is_there(
    begin: Begin, protocol: int
) -> None:
    link = begin()
    identifiers = set()
    for _ in range(3):
        ((answered, packet),) = sent(link.receive(encode(protocol, b"\x01\x02"), 1))
        assert (answered, packet.code) == (Protocol.LCP, Code.PROTOCOL_REJECT)
        assert packet.data == protocol.to_bytes(2, "big") + b"\x01\x02"
        identifiers.add(packet.id)
    assert len(identifiers) == 3


@pytest.mark.parametrize(("options", "room"), [("", 1500), ("0104 0FFB", 1500), ("0104 0240", 576)])
def test_a_protocol_reject_fits_the_peer(options: str, room: int) -> None:
    """Windows asks for 4091 but takes 1614."""
    link = authenticating(options)
    link.receive(response(1), 0)
    link.account(USER, 0)
    link.leased(LEASE, 0)
    (effect,) = link.receive(encode(0x8057, bytes(4000)), 0)
    assert isinstance(effect, SendFrame)
    assert len(decode(effect.frame)[1]) == room


@pytest.mark.parametrize(
    ("mtu", "options", "agreed"),
    [(1400, "", 1400), (1400, "0104 0FFB", 1400), (1400, "0104 0240", 576), (1600, "", 1500)],
)
def test_the_mtu_is_the_smaller_of_both(mtu: int, options: str, agreed: int) -> None:
    link = new_link(mtu)
    link.start(0)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1, options), 0)
    link.receive(lcp(Code.CONFIGURE_ACK, 1, SERVER_OPTIONS), 0)
    link.tick(0.05)
    link.receive(response(1), 0.1)
    link.account(USER, 0)
    link.leased(LEASE, 0)
    link.receive(ipcp(1, 1, "0306 0A63000A"), 0)
    assert link.receive(ipcp(2, 1, "0306 0A630001"), 0) == [NetworkUp(agreed)]


@pytest.mark.parametrize(
    "data",
    [
        *("", "FF", "FF03", "21", "FF0321", "0021", "C021", "FF03C021 0101", "C223", "80"),
        *("FF13 0021 45", "FF03 FF 45", "FF 45", "FF02 C021 01010004"),
    ],
)
@by_phase
def test_frames_without_content_and_those_that_are_none_change_nothing(
    begin: Begin, data: str
) -> None:
    """RFC 1661 5, 6.6; RFC 1662 3.1."""
    link = begin()
    before = link.deadline
    assert link.receive(bytes.fromhex(data), 0) == []
    assert link.deadline == before


@pytest.mark.parametrize("protocol", [0x8057, 0x002D, 0x003D])
def test_a_protocol_without_content_is_rejected_as_well(protocol: int) -> None:
    ((_, packet),) = sent(connected().receive(encode(protocol, b""), 1))
    assert (packet.code, packet.data) == (Code.PROTOCOL_REJECT, protocol.to_bytes(2, "big"))


def test_ip_packets_are_not_for_the_link() -> None:
    link = connected()
    assert link.receive(encode(Protocol.IPV4, b"\x45" + bytes(19)), 1) == []
    assert link.receive(b"\x21\x45" + bytes(19), 1) == []


def test_terminate_with_an_answer() -> None:
    link = connected()
    effects = link.terminate("the server stops", 10)
    assert effects[0] == NetworkDown()
    assert sent(effects) == [(Protocol.LCP, Packet(Code.TERMINATE_REQUEST, 2))]
    assert link.terminate("again", 10.5) == []
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 11) == [LinkDown("the server stops")]
    assert (link.deadline, link.terminate("again", 12)) == (None, [])


def test_terminate_without_an_answer() -> None:
    link = connected()
    link.terminate("the server stops", 10)
    assert [packet.code for _, packet in sent(link.tick(11))] == [Code.TERMINATE_REQUEST]
    assert link.deadline == 12
    assert link.tick(12) == [LinkDown("the server stops")]


def test_terminate_while_the_client_does_too() -> None:
    link = connected()
    link.terminate("the server stops", 10)
    effects = link.receive(lcp(Code.TERMINATE_REQUEST, 8), 10)
    assert sent(effects) == [(Protocol.LCP, Packet(Code.TERMINATE_ACK, 8))]
    assert effects[-1] == LinkDown("the server stops")


@pytest.mark.parametrize("begin", [new_link, started])
def test_terminate_before_lcp_has_begun(begin: Begin) -> None:
    link = begin()
    assert link.terminate("the server stops", 1) == [LinkDown("the server stops")]
    assert link.start(2) == link.receive(lcp(1, 1), 2) == link.tick(100) == []
    assert link.deadline is None


@by_phase
def test_terminate_in_any_phase_is_down_within_two_seconds(begin: Begin) -> None:
    link = begin()
    effects = link.terminate("the server stops", 0)
    now, later = wait(link)
    assert len(downs(effects + later)) == (begin is not over)
    assert now <= 2


@pytest.mark.parametrize("begin", PHASES[1:-1])
def test_left_alone_every_link_that_is_not_open_ends(begin: Begin) -> None:
    link = begin()
    now, effects = wait(link)
    assert now <= LOGIN_LIMIT + 2
    assert len(downs(effects)) == (begin is not connected)


def test_the_network_goes_before_the_link() -> None:
    link = connected()
    effects = link.receive(lcp(Code.TERMINATE_REQUEST, 8), 1)
    assert effects[1:] == [NetworkDown(), LinkDown("the client ended the connection")]


def test_lcp_anew_takes_the_network_down() -> None:
    link = connected()
    effects = link.receive(lcp(Code.CONFIGURE_REQUEST, 8), 1)
    assert NetworkDown() in effects
    assert len(sent(effects)) == 3
