"""Clients by their sources and published logs, on the real server: what each of them can do with it."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from tests.support import dhcp, packets, sstp
from tests.support.faults import Closed, TimedOut
from tests.support.line import Line, Traveller, method_of
from tests.support.matrix import came
from tests.support.peers import (
    ANDROID,
    CSHARP,
    DART,
    GO,
    IOS,
    MAC,
    PPPD,
    ROUTEROS,
    WINDOWS,
)
from tests.support.script import EAP_LOGIN, Habits
from tests.support.server import DNS, NAME, PASSWORDS, POOL, PORT, Vpn
from tests.support.waiting import PATIENCE, wait_for
from tests.support.wire import Wire

pytestmark = pytest.mark.root

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True, slots=True)
class Peer:
    """One client.

    :param habits: what it does in SSTP and PPP.
    :param newest: the newest TLS that it speaks.
    :param suites: of TLS 1.2, in OpenSSL's words.
    :param identifications: what it calls itself.
    :param ipv6: whether it asks for IPv6 as it comes.
    :param eap: whether it can log in by EAP-MSCHAPv2.
    """

    habits: Habits
    newest: ssl.TLSVersion = TLS_1_3
    suites: str = ""
    identifications: tuple[bytes, ...] = ()
    ipv6: bool = False
    eap: bool = False


#: Suites of a Windows 10 and of RouterOS with pfs=yes: with AES-GCM, and as it comes.
_SCHANNEL = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384"
PEERS = {
    "Windows 10": Peer(
        WINDOWS,
        TLS_1_2,
        _SCHANNEL,
        (b"MSRASV5.20", b"MSRAS-0-TEST", bytes.fromhex("8CAAA48B58AAE34A9A8F3C33FE8F6A7D")),
        ipv6=True,
        eap=True,
    ),
    "Windows 11": Peer(WINDOWS, TLS_1_3, _SCHANNEL, (b"MSRASV5.20",), ipv6=True, eap=True),
    "RouterOS, by client.rsc": Peer(ROUTEROS, TLS_1_2, "ECDHE-RSA-AES256-GCM-SHA384", ipv6=True),
    "RouterOS, its own ciphers": Peer(ROUTEROS, TLS_1_2, "ECDHE-RSA-AES256-SHA", ipv6=True),
    "Open SSTP Client": Peer(ANDROID, eap=True),
    "pppd as of sstpc": Peer(PPPD, eap=True),
    "mac-os-sstp-client": Peer(MAC),
    "SSTP-Client-iOS": Peer(IOS, TLS_1_2),
    "sstp_client (Dart)": Peer(DART),
    "sstp-proxy (Go)": Peer(GO),
    "TqkLibrary (C#)": Peer(CSHARP),
}
WITH_EAP = {name: peer for name, peer in PEERS.items() if peer.eap}


def line(
    vpn: Vpn, peer: Peer, *, habits: Habits | None = None, password: str = PASSWORDS["alice"]
) -> Line:
    """Return the connection of a client, TLS done and the server verified."""
    wire = Wire(
        vpn.network.client.connect((str(vpn.network.server_address), PORT)),
        ca=vpn.home.authority("alice"),
        name=NAME,
        newest=peer.newest,
        patience=PATIENCE,
        suites=peer.suites,
    )
    chosen = habits or peer.habits
    shown = wire.tls.getpeercert(binary_form=True)
    assert shown is not None
    client = Traveller(
        chosen,
        password=password,
        certificate=shown,
        method=method_of(chosen, "alice", password),
        identifications=peer.identifications,
        ipv6=peer.ipv6,
    )
    return Line(client, wire)


def ended(vpn: Vpn) -> None:
    wait_for(vpn.idle, "the end of the session")


@pytest.mark.parametrize("name", PEERS)
def test_it_logs_in_and_learns_when_its_session_is_ended(vpn: Vpn, name: str) -> None:
    peer = PEERS[name]
    with line(vpn, peer).connect() as one:
        assert not one.client.gave_up
        assert POOL[0] <= one.address <= POOL[1]
        assert one.dns == list(DNS[: len(one.dns)])
        assert bool(one.dns) == bool(peer.habits.ipcp)
        one.ping(vpn.network.host)
        one.ping(vpn.network.host, size=1000)
        (session,) = vpn.home.sessions()
        assert session.user == "alice"
        came(name, "password")
        vpn.home.run("session", "kill", str(session.id))
        with suppress(Closed):
            one.until(lambda: one.client.closed, "the end")
        assert one.client.closed
        assert one.client.gave_up in ("the server ended PPP", "")
    ended(vpn)
    came(name, "ended by the server", "told")


@pytest.mark.parametrize("name", WITH_EAP)
def test_it_logs_in_by_eap(vpn: Vpn, name: str) -> None:
    peer = PEERS[name]
    with line(vpn, peer, habits=replace(peer.habits, login=EAP_LOGIN)).connect() as one:
        assert not one.client.gave_up
        one.ping(vpn.network.host)
        one.hang_up()
    ended(vpn)
    came(name, "EAP-MSCHAPv2")


@pytest.mark.parametrize("name", PEERS)
def test_it_is_told_that_its_password_is_wrong(vpn: Vpn, name: str) -> None:
    with line(vpn, PEERS[name], password="wrong") as one:
        with suppress(Closed):
            one.connect()
        assert "E=691" in one.client.gave_up
        assert one.client.up is None
    ended(vpn)
    # or the next ones would be locked out
    vpn.home.run("lockout", "clear")
    came(name, "wrong password", "told 691")


@pytest.mark.parametrize("kind", [sstp.Kind.DISCONNECT, sstp.Kind.ABORT], ids=lambda one: one.name)
def test_it_leaves_by_a_message(vpn: Vpn, kind: sstp.Kind) -> None:
    """Some say so by Call-Disconnect or Call-Abort, without attributes, and not by PPP."""
    with line(vpn, PEERS["mac-os-sstp-client"]).connect() as one:
        for data in one.client.message(kind):
            one.wire.send(data)
        with suppress(Closed, TimedOut):
            one.listen(2.0)
    ended(vpn)


@pytest.mark.parametrize("name", ["Windows 10", "Windows 11"])
def test_windows_asks_by_dhcp(vpn: Vpn, name: str) -> None:
    """As it does once it has its address ([MS-DHCPE] 2.2, RFC 2131 4.4.3)."""
    with line(vpn, PEERS[name]).connect() as one:
        assert not one.client.gave_up
        answers: list[dhcp.Message] = []

        def answered() -> bool:
            found = (dhcp.answer(packets.parse(packet)) for packet in one.arrived())
            answers.extend(answer for answer in found if answer is not None)
            return bool(answers)

        one.send(dhcp.packet(dhcp.inform(one.address), one.address).encode())
        one.until(answered, "the answer to DHCPINFORM")
        assert answers[0].addresses(6) == list(DNS)
        one.hang_up()
    ended(vpn)
    came(name, "DHCPINFORM")


def _way(one: Line) -> str:
    """What the server made of its wish for IPv6."""
    if one.client.ipv6cp.opened:
        return "yes"
    return "goes on without" if not one.client.closed else f"ends: {one.client.gave_up}"


IPV6: dict[str, Callable[[Peer], Peer]] = {
    "Windows 10": lambda peer: peer,
    "RouterOS, by client.rsc": lambda peer: peer,
    "pppd as of sstpc": lambda peer: replace(peer, ipv6=True),
    "Open SSTP Client": lambda peer: replace(
        peer, habits=replace(peer.habits, insists_on_ipv6=True)
    ),
}


@pytest.mark.parametrize("name", IPV6)
def test_ipv6_where_the_profile_has_none(vpn: Vpn, name: str) -> None:
    """All go on with IPv4, but for Open SSTP Client, which ends if it was told to use IPv6."""
    with line(vpn, IPV6[name](PEERS[name])) as one:
        with suppress(Closed):
            one.connect().listen(1.0)
        outcome = _way(one)
        assert outcome == (
            "ends: the server sent LCP 8" if name == "Open SSTP Client" else "goes on without"
        )
        if not one.client.closed:
            one.ping(vpn.network.host)
    ended(vpn)
    came(name, "IPv6, profile without", outcome)


@pytest.fixture
def with_ipv6(vpn: Vpn) -> Iterator[Vpn]:
    """The server, while its access profile has a prefix."""
    vpn.home.run("profile", "set", "default", "--ipv6", "2001:db8:98::/48")
    yield vpn
    vpn.home.run("profile", "set", "default", "--no-ipv6")


@pytest.mark.parametrize("name", IPV6)
def test_ipv6_where_the_profile_has_it(with_ipv6: Vpn, name: str) -> None:
    with line(with_ipv6, replace(PEERS[name], ipv6=True)).connect() as one:
        one.until(lambda: one.client.ipv6cp.opened or one.client.closed, "IPV6CP")
        one.ping(with_ipv6.network.host)
        (session,) = with_ipv6.home.sessions()
        assert session.prefix.startswith("2001:db8:98:")
        outcome = _way(one)
        assert outcome == "yes"
        one.hang_up()
    ended(with_ipv6)
    came(name, "IPv6", outcome)
