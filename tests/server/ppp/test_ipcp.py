"""IPCP: the address and the DNS servers of the lease."""

import dataclasses
from ipaddress import IPv4Address

import pytest

from sstpca.server.ppp.effects import LinkDown, NetworkDown, NetworkUp, Note
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.ipcp import IpcpPolicy
from sstpca.server.ppp.link import Link
from sstpca.server.ppp.options import decode_options, encode_options
from tests.server.ppp.dialogue import LEASE, admitted, connected, ipcp, lcp, networking, sent

ADDRESS = "03060a63000a"
DNS = "81060a630035"
DNS_2 = "83060a630036"


def judged(options: str, dns: int = 2) -> tuple[str, str]:
    """Return the name and the options, in hex, of the answer to a Configure-Request."""
    lease = dataclasses.replace(LEASE, dns=LEASE.dns[:dns])
    reply = IpcpPolicy(lease).judge(decode_options(bytes.fromhex(options)))
    return reply.code.name.removeprefix("CONFIGURE_"), encode_options(reply.options).hex()


@pytest.mark.parametrize(
    ("asked", "dns", "answer"),
    [
        (ADDRESS, 2, ("ACK", ADDRESS)),
        ("030600000000", 2, ("NAK", ADDRESS)),
        ("0306c0a80105", 2, ("NAK", ADDRESS)),
        ("0304c0a8", 2, ("NAK", ADDRESS)),
        ("", 2, ("NAK", ADDRESS)),
        (DNS, 2, ("NAK", ADDRESS)),
        # Windows 10: address, DNS, WINS, DNS, WINS
        (
            "030600000000810600000000820600000000830600000000840600000000",
            2,
            ("REJECT", "820600000000840600000000"),
        ),
        ("030600000000810600000000830600000000", 2, ("NAK", ADDRESS + DNS + DNS_2)),
        (ADDRESS + DNS + "830608080808", 2, ("NAK", DNS_2)),
        (ADDRESS + DNS + DNS_2, 2, ("ACK", ADDRESS + DNS + DNS_2)),
        # the only server for both, as pppd gives it
        ("030600000000810600000000830600000000", 1, ("NAK", ADDRESS + DNS + "83" + DNS[2:])),
        ("030600000000810600000000830600000000", 0, ("REJECT", "810600000000830600000000")),
        # pppd: VJ compression
        ("0206002d0f01030600000000", 2, ("REJECT", "0206002d0f01")),
        ("010a0a63000a0a630001", 2, ("REJECT", "010a0a63000a0a630001")),
        ("ff02" + ADDRESS, 2, ("REJECT", "ff02")),
    ],
)
def test_what_is_granted(asked: str, dns: int, answer: tuple[str, str]) -> None:
    assert judged(asked, dns) == answer


def test_more_than_two_dns_servers_are_not_offered() -> None:
    servers = tuple(IPv4Address(f"10.99.0.{host}") for host in (53, 54, 55))
    policy = IpcpPolicy(dataclasses.replace(LEASE, dns=servers))
    reply = policy.judge(decode_options(bytes.fromhex(ADDRESS + DNS + DNS_2)))
    assert reply.code is Code.CONFIGURE_ACK


def test_our_request_follows_the_success() -> None:
    effects = sent(admitted().leased(LEASE, 0))
    assert effects[1:] == [
        (Protocol.IPCP, Packet(Code.CONFIGURE_REQUEST, 1, bytes.fromhex("03060A630001")))
    ]


def test_network_up() -> None:
    link = networking()
    # with our own request again, which the client may have been too early for
    assert sent(link.receive(ipcp(1, 4, ADDRESS), 1)) == [
        (Protocol.IPCP, Packet(Code.CONFIGURE_REQUEST, 1, bytes.fromhex("03060A630001"))),
        (Protocol.IPCP, Packet(Code.CONFIGURE_ACK, 4, bytes.fromhex(ADDRESS))),
    ]
    assert link.receive(ipcp(2, 1, "03060A630001"), 1) == [NetworkUp(1400)]
    assert link.deadline is None


@pytest.mark.parametrize("code", [Code.CONFIGURE_REJECT, Code.CONFIGURE_NAK])
def test_our_address_does_not_matter(code: Code) -> None:
    link = networking()
    link.receive(ipcp(1, 4, ADDRESS), 1)
    rounds = 1 if code is Code.CONFIGURE_REJECT else 5
    asked = "03060A630001" if code is Code.CONFIGURE_REJECT else "0306C0A80101"
    requests = [
        sent(link.receive(ipcp(code, identifier, asked), 1)) for identifier in range(1, rounds + 1)
    ]
    ((_, request),) = requests[-1]
    assert request == Packet(Code.CONFIGURE_REQUEST, request.id, b"")
    assert link.receive(ipcp(2, request.id), 1) == [NetworkUp(1400)]


def test_a_client_that_will_not_have_its_address() -> None:
    """After five Naks it is a Reject; without an address there is no point in going on."""
    link = networking()
    link.receive(ipcp(2, 1, "03060A630001"), 0)
    codes = [sent(link.receive(ipcp(1, n, "0306C0A80105"), 0))[0][1].code for n in range(6)]
    assert codes == [Code.CONFIGURE_NAK] * 5 + [Code.CONFIGURE_REJECT]
    effects = link.receive(ipcp(1, 9), 0)
    assert not any(isinstance(effect, NetworkUp) for effect in effects)
    assert [packet.code for _, packet in sent(effects)] == [
        Code.CONFIGURE_ACK,
        Code.TERMINATE_REQUEST,
    ]
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 0) == [
        LinkDown("the client does not take the address it is given")
    ]


def test_ipcp_may_start_anew() -> None:
    link = connected()
    effects = link.receive(ipcp(1, 5, ADDRESS), 10)
    assert [packet.code for _, packet in sent(effects)] == [1, 2]
    assert effects[-1] == NetworkDown()
    assert link.receive(ipcp(2, 2, "03060A630001"), 10) == [NetworkUp(1400)]


def ended(link: Link) -> LinkDown:
    """Let time pass until the link is down."""
    down: list[LinkDown] = []
    while link.deadline is not None:
        down += [e for e in link.tick(link.deadline) if isinstance(e, LinkDown)]
    (only,) = down
    return only


def test_the_client_closes_ipcp() -> None:
    link = connected()
    effects = link.receive(ipcp(Code.TERMINATE_REQUEST, 5), 10)
    assert sent(effects) == [(Protocol.IPCP, Packet(Code.TERMINATE_ACK, 5))]
    assert effects[-1] == NetworkDown()
    assert link.deadline == 13
    assert ended(link) == LinkDown("the client closed IPCP")


def test_the_client_rejects_ipcp() -> None:
    link = networking()
    effects = link.receive(ipcp(Code.CODE_REJECT, 5, "01010004"), 0)
    assert [(p, packet.code) for p, packet in sent(effects)] == [
        (Protocol.LCP, Code.TERMINATE_REQUEST)
    ]
    assert ended(link) == LinkDown("the client rejects IPCP")


def test_the_client_is_silent() -> None:
    """Ten requests, three seconds apart: IPCP itself gives up first."""
    assert ended(networking()) == LinkDown("the client does not answer IPCP")


def quarrel(link: Link, start: int) -> None:
    """Keep IPCP busy for a minute with a client that answers everything and agrees to nothing."""
    for now in range(start, start + 60, 4):
        frames = sent(link.tick(now))
        frames += sent(link.receive(ipcp(Code.CONFIGURE_REQUEST, 1, "8206 00000000"), now))
        assert [packet.code for _, packet in frames][-1:] == [Code.CONFIGURE_REJECT]
        for identifier in {p.id for _, p in frames if p.code == Code.CONFIGURE_REQUEST}:
            link.receive(ipcp(Code.CONFIGURE_NAK, identifier, "0306 C0A80101"), now)


def test_ipcp_must_open_within_a_minute() -> None:
    link = networking()
    quarrel(link, 0)
    effects = link.tick(60)
    assert [packet.code for _, packet in sent(effects)][-1:] == [Code.TERMINATE_REQUEST]
    assert ended(link) == LinkDown("the client did not open IPCP in time")


def test_ipcp_must_open_again_within_a_minute() -> None:
    link = connected()
    assert NetworkDown() in link.receive(ipcp(Code.CONFIGURE_REQUEST, 5, "8206 00000000"), 100)
    quarrel(link, 100)
    effects = link.tick(160)
    assert [packet.code for _, packet in sent(effects)][-1:] == [Code.TERMINATE_REQUEST]
    assert ended(link) == LinkDown("the client did not open IPCP again")


def test_no_address_is_free() -> None:
    """The login succeeds, IPCP is not there: Windows shows error 720, not 691."""
    link = admitted()
    effects = link.leased(None, 10)
    assert [(protocol, packet.code) for protocol, packet in sent(effects)] == [(Protocol.CHAP, 3)]
    assert effects[-1] == Note("no address is free for 'User'", warning=True)
    for identifier in (1, 2):
        effects = link.receive(ipcp(1, identifier, "030600000000"), 11)
        ((protocol, reject),) = sent(effects)
        assert (protocol, reject.code) == (Protocol.LCP, Code.PROTOCOL_REJECT)
        assert reject.data == bytes.fromhex(f"8021 01{identifier:02x}000a 030600000000")
    assert link.deadline == 13
    assert [packet.code for _, packet in sent(link.tick(13))] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), 13) == [LinkDown("no address is free")]
