"""IPV6CP: interface identifiers, where the lease has a prefix; refused where it has none."""

import dataclasses
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Ipv6Lease, Lease
from sstpca.server.ppp.effects import (
    Effect,
    Identifiers,
    LinkDown,
    NetworkDown,
    NetworkUp,
    SendFrame,
)
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.ipv6cp import Ipv6cpPolicy
from sstpca.server.ppp.link import Link
from sstpca.server.ppp.options import Option, decode_options, encode_options
from tests.server.ppp.dialogue import LEASE, admitted, ipcp, ipv6cp, lcp, sent

OURS = "010a 0000000000000001"
THEIRS = "010a 0211223344556677"
SUGGESTED = "010a 0000000000000002"
IPV6_LEASE = dataclasses.replace(
    LEASE, ipv6=Ipv6Lease(IPv6Network("2001:db8:98:7::/64"), IPv6Address("2001:db8:98::1"))
)
AGREED = Identifiers(bytes.fromhex("0000000000000001"), bytes.fromhex("0211223344556677"))
ADDRESS = "0306 0A63000A"
OUR_ADDRESS = "0306 0A630001"


def networking() -> Link:
    """Return a link whose client may open IPCP and IPV6CP, our request for IPCP sent."""
    link = admitted()
    link.leased(IPV6_LEASE, 0)
    return link


def with_ipv4(link: Link) -> Link:
    link.receive(ipcp(1, 4, ADDRESS), 1)
    assert link.receive(ipcp(2, 1, OUR_ADDRESS), 1) == [NetworkUp(1400)]
    return link


def with_ipv6(link: Link) -> list[Effect]:
    link.receive(ipv6cp(1, 1, THEIRS), 1)
    return link.receive(ipv6cp(2, 1, OURS), 1)


def judged(options: str) -> tuple[str, str]:
    reply = Ipv6cpPolicy().judge(decode_options(bytes.fromhex(options)))
    return reply.code.name.removeprefix("CONFIGURE_"), encode_options(reply.options).hex()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (THEIRS, ("ACK", THEIRS)),
        # zero, ours, none, of another length, twice: RFC 5072 4.1
        ("010a 0000000000000000", ("NAK", SUGGESTED)),
        (OURS, ("NAK", SUGGESTED)),
        ("", ("NAK", SUGGESTED)),
        ("0106 00000003", ("NAK", SUGGESTED)),
        ("010c 02112233445566778899", ("NAK", SUGGESTED)),
        ("0102", ("NAK", SUGGESTED)),
        (THEIRS + THEIRS, ("NAK", SUGGESTED)),
        # header compression, RFC 5172
        ("0204 0061" + THEIRS, ("REJECT", "0204 0061")),
        ("ff02", ("REJECT", "ff02")),
    ],
)
def test_what_is_granted(asked: str, answer: tuple[str, str]) -> None:
    code, options = answer
    assert judged(asked) == (code, options.replace(" ", ""))


@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=10)), max_size=4))
def test_only_one_identifier_that_differs_is_acknowledged(asked: list[tuple[int, bytes]]) -> None:
    policy = Ipv6cpPolicy()
    options = tuple(Option(kind, value) for kind, value in asked)
    reply = policy.judge(options)
    acknowledged = reply.code is Code.CONFIGURE_ACK
    good = [kind for kind, _ in asked] == [1] and asked[0][1] not in (bytes(8), policy.own)
    assert acknowledged == (good and len(asked[0][1]) == 8)
    if reply.code is Code.CONFIGURE_NAK:
        assert policy.judge(reply.options).code is Code.CONFIGURE_ACK


def test_nothing_is_said_before_the_client_asks() -> None:
    link = networking()
    for second in range(60):
        assert all(protocol != Protocol.IPV6CP for protocol, _ in sent(link.tick(second)))


def test_it_opens() -> None:
    link = with_ipv4(networking())
    assert sent(link.receive(ipv6cp(1, 1, THEIRS), 1)) == [
        (Protocol.IPV6CP, Packet(Code.CONFIGURE_REQUEST, 1, bytes.fromhex(OURS))),
        (Protocol.IPV6CP, Packet(Code.CONFIGURE_ACK, 1, bytes.fromhex(THEIRS))),
    ]
    assert link.receive(ipv6cp(2, 1, OURS), 1) == [NetworkUp(1400, ipv4=True, ipv6=AGREED)]
    assert link.deadline is None


def test_it_may_open_first_or_alone() -> None:
    link = networking()
    assert with_ipv6(link) == [NetworkUp(1400, ipv4=False, ipv6=AGREED)]
    link.receive(ipcp(1, 4, ADDRESS), 2)
    assert link.receive(ipcp(2, 1, OUR_ADDRESS), 2) == [NetworkUp(1400, True, AGREED)]


@pytest.mark.parametrize("rejects", [True, False])
def test_a_client_without_ipv4(rejects: bool) -> None:
    link = networking()
    if rejects:
        assert link.receive(lcp(Code.PROTOCOL_REJECT, 1, "8021 0101000a" + OUR_ADDRESS), 0) == []
    assert with_ipv6(link) == [NetworkUp(1400, ipv4=False, ipv6=AGREED)]
    for second in range(2, 120):  # our requests for IPCP, which nobody answers
        for protocol, packet in sent(link.tick(second)):
            assert (protocol, packet.code) == (Protocol.IPCP, Code.CONFIGURE_REQUEST)
    assert link.deadline is None


def test_a_client_without_either_has_a_minute() -> None:
    link = networking()
    link.receive(lcp(Code.PROTOCOL_REJECT, 1, "8021 0101000a" + OUR_ADDRESS), 0)
    assert link.deadline == 60
    assert [packet.code for _, packet in sent(link.tick(60))] == [Code.TERMINATE_REQUEST]


def test_zero_is_replaced_as_open_sstp_client_asks_for_it() -> None:
    link = networking()
    (_, request), (_, nak) = sent(link.receive(ipv6cp(1, 1, "010a 0000000000000000"), 0))
    assert (nak.code, nak.data) == (Code.CONFIGURE_NAK, bytes.fromhex(SUGGESTED))
    link.receive(ipv6cp(2, request.id, OURS), 0)
    ((_, ack), up) = (*sent(done := link.receive(ipv6cp(1, 2, SUGGESTED), 0)), done[-1])
    assert ack.code == Code.CONFIGURE_ACK
    assert isinstance(up, NetworkUp)
    assert up.ipv6 == Identifiers(bytes.fromhex(OURS[5:]), bytes.fromhex(SUGGESTED[5:]))


def test_a_collision_ends_with_two_that_differ() -> None:
    """Both ask for the same; both say Nak, and each takes what the other suggests."""
    link = networking()
    link.receive(ipv6cp(1, 1, OURS), 0)
    ((_, request),) = sent(link.receive(ipv6cp(3, 1, "010a 00000000000000ff"), 0))
    assert request.data == bytes.fromhex("010a 00000000000000ff")
    link.receive(ipv6cp(2, request.id, request.data), 0)
    (up,) = (e for e in link.receive(ipv6cp(1, 2, SUGGESTED), 0) if isinstance(e, NetworkUp))
    assert up.ipv6 is not None
    assert up.ipv6.own != up.ipv6.peer


def test_a_client_that_hears_nothing_of_our_identifier() -> None:
    link = networking()
    link.receive(ipv6cp(1, 1, THEIRS), 0)
    ((_, request),) = sent(link.receive(ipv6cp(4, 1, OURS), 0))
    assert request.data == b""
    assert link.receive(ipv6cp(2, request.id), 0) == [NetworkUp(1400, False, AGREED)]


def test_what_leads_nowhere_ends_ipv6_and_not_the_link() -> None:
    link = with_ipv4(networking())
    effects: list[Effect] = []
    for identifier in range(60):
        effects += link.receive(ipv6cp(1, identifier, "010a 0000000000000000"), 2)
    assert not any(isinstance(one, LinkDown | NetworkDown) for one in effects)
    codes = [packet.code for protocol, packet in sent(effects) if protocol == Protocol.IPV6CP]
    assert Code.TERMINATE_REQUEST in codes
    assert {protocol for protocol, _ in sent(effects)} == {Protocol.IPV6CP}
    for second in range(3, 90):
        assert all(isinstance(one, SendFrame) for one in link.tick(second))
    assert link.deadline is None


def test_the_client_closes_it_and_opens_it_again() -> None:
    link = with_ipv4(networking())
    with_ipv6(link)
    assert link.receive(ipv6cp(5, 9), 2)[-1] == NetworkUp(1400)
    assert link.tick(5) == []
    (_, request), (_, ack) = sent(link.receive(ipv6cp(1, 10, THEIRS), 6))
    assert (request.code, ack.code) == (Code.CONFIGURE_REQUEST, Code.CONFIGURE_ACK)
    assert link.receive(ipv6cp(2, request.id, OURS), 6) == [NetworkUp(1400, True, AGREED)]


def test_the_client_rejects_it() -> None:
    link = with_ipv4(networking())
    with_ipv6(link)
    assert link.receive(lcp(8, 9, "8057 0101000e" + OURS), 2) == [NetworkUp(1400)]
    assert link.deadline is None


def test_the_end_of_the_link_ends_both() -> None:
    link = with_ipv4(networking())
    with_ipv6(link)
    assert link.terminate("why not", 3)[0] == NetworkDown()


@pytest.mark.parametrize(("options", "lease"), [("", LEASE), ("0104 04ff", IPV6_LEASE)])
def test_it_is_refused_where_there_is_no_prefix_or_no_room(options: str, lease: Lease) -> None:
    """1280 bytes are what a link of IPv6 carries at least, RFC 8200 5."""
    link = admitted(options)
    link.leased(lease, 0)
    ((protocol, reject),) = sent(link.receive(ipv6cp(1, 7, THEIRS), 1))
    assert (protocol, reject.code) == (Protocol.LCP, Code.PROTOCOL_REJECT)
    assert reject.data == bytes.fromhex("8057 0107000e" + THEIRS)
    assert "IPv6 (IPV6CP)" in link.difficulty(2)


@pytest.mark.parametrize("code", [1, 2])
def test_ipcp_that_leads_nowhere_is_dropped_where_there_is_ipv6(code: int) -> None:
    """Counters end what never converges; IPv4 is over then, and the client is told of no IPCP."""
    link = with_ipv4(networking())
    with_ipv6(link)
    said: list[Effect] = []
    for number in range(60):
        said += link.receive(ipcp(code, number, "0306 01020304"), 2)
    ups = [effect for effect in said if isinstance(effect, NetworkUp)]
    assert (ups[-1].ipv4, ups[-1].ipv6) == (False, AGREED)
    assert sent(said)[-1][1].code == Code.PROTOCOL_REJECT
    assert not any(isinstance(effect, LinkDown | NetworkDown) for effect in said)


def test_ipcp_that_leads_nowhere_ends_the_link_where_there_is_nothing_else() -> None:
    """Also while it is open: answers to requests that were never sent."""
    link = admitted()
    link.leased(LEASE, 0)
    with_ipv4(link)
    said: list[Effect] = []
    for number in range(60):
        said += link.receive(ipcp(2, number, "0306 01020304"), 2)
    assert NetworkDown() in said
    assert [packet.code for protocol, packet in sent(said) if protocol == Protocol.LCP] == [
        Code.TERMINATE_REQUEST
    ]
