"""The client's machines against the server's own, byte for byte, over a clock of the test's."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from sstpca.client.call import ClientCall
from sstpca.client.link import STRONG, ClientLink, Connected
from sstpca.client.session import ClientEffect, ClientSession, Ended, Packet
from sstpca.client.sign_in import Credentials, Refused
from sstpca.server.contracts import Account, Ipv6Lease, Lease, WeakSignIn
from sstpca.server.effects import Admit, Bind, Close, Down, Effect, LookUp, Note, Send, Up
from sstpca.server.ppp.frames import Protocol, encode
from sstpca.server.ppp.lcp import CHAP_MD5, EAP, MS_CHAP_V2, PAP
from sstpca.server.ppp.link import Link
from sstpca.server.session import Session
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.server.sstp.call import Call
from sstpca.server.sstp.wire import Data
from sstpca.server.sstp.wire import encode as encode_packet
from tests.support.judging import judge, secrets_of

CERTIFICATE = CertificateHashes.of(b"the server's certificate")
WEAK = WeakSignIn.PAP | WeakSignIn.CHAP_MD5
ALICE = Account(1, "alice", enabled=True, weak_sign_ins=WEAK)
LEASE = Lease(
    7,
    IPv4Address("10.99.0.17"),
    IPv4Address("10.99.0.1"),
    dns=(IPv4Address("10.0.0.53"),),
)
WITH_IPV6 = Lease(
    7,
    IPv4Address("10.99.0.17"),
    IPv4Address("10.99.0.1"),
    ipv6=Ipv6Lease(IPv6Network("2001:db8:1::/64"), IPv6Address("2001:db8::1")),
)


def drawn(seed: bytes) -> Callable[[int], bytes]:
    """Return a source of bytes that are the same each time."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + count.to_bytes(4, "big")).digest(size)

    return draw


@dataclass
class Pair:
    """A client and a server, what is between them, and what came of it."""

    account: Account | None = ALICE
    kept: str = "s3cret pass"
    lease: Lease | None = LEASE
    password: str = "s3cret pass"
    user: str = "alice"
    logins: Sequence[bytes] = STRONG
    ipv6: bool = True
    seen: CertificateHashes = CERTIFICATE
    weak: WeakSignIn = WEAK
    delay: float = 0.05
    now: float = 0.0
    client_said: list[ClientEffect] = field(default_factory=list)
    server_said: list[Effect] = field(default_factory=list)
    way: list[tuple[float, bool, bytes]] = field(default_factory=list)
    hears: bool = True

    def __post_init__(self) -> None:
        draw = drawn(b"client")
        credentials = Credentials(self.user, self.password)
        self.link = ClientLink(credentials, random=draw, logins=self.logins, ipv6=self.ipv6)
        self.client = ClientSession(ClientCall(self.seen), self.link)
        link = Link(challenge=bytes(range(16)), magic=0x1234, server_name="vpn", weak=self.weak)
        self.server = Session(Call(nonce=bytes(32), certificates=(CERTIFICATE,)), link)

    def run(self, until: Callable[[], bool], limit: float = 300.0) -> None:
        """Let bytes and time pass until something is so."""
        self._from_server(self.server.begin(self.now))
        self._from_client(self.client.begin(self.now))
        self.go_on(until, limit)

    def go_on(self, until: Callable[[], bool], limit: float = 300.0) -> None:
        """Go on from where it stopped."""
        end = self.now + limit
        while not until():
            times = [one[0] for one in self.way]
            times += [
                one for one in (self.client.deadline, self.server.deadline) if one is not None
            ]
            assert times, "nothing will ever happen"
            self.now = max(self.now, min(times))
            assert self.now <= end, "it takes too long"
            self._deliver()
            self._from_client(self.client.tick(self.now))
            self._from_server(self.server.tick(self.now))

    def _deliver(self) -> None:
        due = [one for one in self.way if one[0] <= self.now]
        self.way = [one for one in self.way if one[0] > self.now]
        for _, to_server, packet in due:
            if to_server:
                self._from_server(self.server.receive(packet, self.now))
            elif self.hears:
                self._from_client(self.client.receive(packet, self.now))

    def _from_client(self, effects: list[ClientEffect]) -> None:
        for one in effects:
            self.client_said.append(one)
            if isinstance(one, Send):
                self.way.append((self.now + self.delay, True, one.packet))

    def _from_server(self, effects: list[Effect]) -> None:
        for one in effects:
            self.server_said.append(one)
            match one:
                case Send(packet):
                    self.way.append((self.now + self.delay, False, packet))
                case LookUp():
                    judgement = judge(one, self.account, secrets_of(self.kept))
                    self._from_server(self.server.judged(judgement, self.now))
                case Admit():
                    self._from_server(self.server.leased(self.lease, self.now))
                case Bind():
                    self._from_server(self.server.bound())
                case _:
                    pass

    @property
    def connected(self) -> Connected | None:
        """What the client was given last."""
        return next((c for c in reversed(self.client_said) if isinstance(c, Connected)), None)

    @property
    def up(self) -> Up | None:
        """What the server lets flow."""
        return next((c for c in reversed(self.server_said) if isinstance(c, Up | Down)), None)  # type: ignore[return-value]

    @property
    def server_closed(self) -> bool:
        """Whether the server's session is over."""
        return any(isinstance(one, Close) for one in self.server_said)

    @property
    def ended(self) -> Ended | None:
        """Why the client's session is over."""
        return next((c for c in self.client_said if isinstance(c, Ended)), None)


@pytest.mark.parametrize("delay", [0.0, 0.05, 1.0, 5.0])
@pytest.mark.parametrize("logins", [(MS_CHAP_V2,), (EAP,), STRONG])
def test_a_login(logins: Sequence[bytes], delay: float) -> None:
    pair = Pair(logins=logins, delay=delay)
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    assert pair.connected == Connected(
        LEASE.address, LEASE.local_address, LEASE.dns, 1400, ipv6=None
    )
    assert not [one for one in pair.server_said if isinstance(one, Note) and one.warning]


def test_ipv6() -> None:
    pair = Pair(lease=WITH_IPV6)
    pair.run(lambda: bool(pair.connected and pair.connected.ipv6 and pair.up and pair.up.ipv6))
    assert pair.connected is not None and pair.connected.ipv6 is not None
    assert pair.up is not None
    assert pair.connected.ipv6.peer == pair.up.ipv6
    assert not pair.connected.ipv6.own[0] & 2


def test_no_ipv6_is_asked_for_where_none_is_wanted() -> None:
    pair = Pair(lease=WITH_IPV6, ipv6=False)
    pair.run(lambda: pair.connected is not None)
    asked = [one for one in pair.client_said if isinstance(one, Send)]
    assert not [one for one in asked if one.packet[6:8] == b"\x80\x57"]


def test_pap_where_it_is_allowed() -> None:
    pair = Pair(logins=(PAP,))
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    assert pair.link.asked == [MS_CHAP_V2, PAP]


def test_a_weak_login_is_refused_unless_it_is_allowed() -> None:
    # a server that takes nothing but CHAP-MD5 is one that wants to know the password
    pair = Pair(logins=(CHAP_MD5,), weak=WeakSignIn(0))
    pair.run(lambda: pair.ended is not None)
    assert pair.connected is None


def test_the_wrong_password() -> None:
    pair = Pair(password="another")
    pair.run(lambda: pair.ended is not None)
    assert pair.ended is not None and isinstance(pair.ended.refused, Refused)
    assert pair.ended.refused.error == 691
    assert pair.ended.reason == "the server refuses name or password (691)"


@pytest.mark.parametrize("logins", [(MS_CHAP_V2,), (EAP,)])
def test_the_numbers_of_refusals_come_through(logins: Sequence[bytes]) -> None:
    disabled = Account(1, "alice", enabled=False)
    pair = Pair(account=disabled, logins=logins)
    pair.run(lambda: pair.ended is not None)
    assert pair.ended is not None and pair.ended.refused is not None
    assert pair.ended.refused.error == 647


@pytest.mark.parametrize("logins", [(MS_CHAP_V2,), (EAP,)])
def test_a_server_with_another_password(logins: Sequence[bytes]) -> None:
    pair = Pair(logins=logins)
    pair.kept = "what it does not know"
    pair.run(lambda: pair.ended is not None)
    assert pair.connected is None


def test_another_certificate_between_the_two() -> None:
    pair = Pair(seen=CertificateHashes.of(b"that of somebody between"))
    pair.run(lambda: pair.ended is not None)
    assert pair.up is None
    assert pair.ended is not None
    assert pair.ended.reason == "the server aborted the call: VALUE_NOT_SUPPORTED"


def test_no_address_is_free() -> None:
    pair = Pair(lease=None)
    pair.run(lambda: pair.ended is not None)
    assert pair.ended == Ended("the server refuses IPv4 (IPCP)", bound=True)


def test_a_silent_server_is_given_up() -> None:
    pair = Pair(hears=False)
    pair.run(lambda: pair.ended is not None)
    assert pair.ended is not None
    assert "does not answer the Call-Connect-Request" in pair.ended.reason


def test_packets_pass_once_both_are_ready() -> None:
    pair = Pair()
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    packet = bytes.fromhex("4500001400000000400100000a6300010a630011")
    frame = encode_packet(Data(encode(Protocol.IPV4, packet)))
    assert pair.client.receive(frame, pair.now) == [Packet(packet)]
    # IPv6 was not agreed on
    frame = encode_packet(Data(encode(Protocol.IPV6, b"\x60" + bytes(39))))
    assert not any(isinstance(one, Packet) for one in pair.client.receive(frame, pair.now))


def test_the_client_ends_politely() -> None:
    pair = Pair()
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    pair._from_client(pair.client.terminate("asked to", pair.now))
    pair.go_on(lambda: pair.ended is not None and pair.server_closed)
    assert pair.ended == Ended("asked to", bound=True)


def test_the_server_ends_politely() -> None:
    pair = Pair()
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    pair._from_server(pair.server.terminate("killed", pair.now))
    pair.go_on(lambda: pair.ended is not None)
    assert pair.ended == Ended("the server ended the connection", bound=True)


def test_silence_is_noticed_by_the_client() -> None:
    pair = Pair()
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    pair.hears = False
    pair.go_on(lambda: pair.ended is not None, limit=400)
    assert pair.ended == Ended("the server fell silent for 120 seconds", bound=True)


def test_it_stays_up_with_nothing_to_say() -> None:
    pair = Pair()
    pair.run(lambda: pair.connected is not None and pair.up is not None)
    start = pair.now
    pair.go_on(lambda: pair.now > start + 3600, limit=4000)
    assert pair.ended is None
