"""The client's session with servers of other makes, by script: what they ask for, and how they end.

What a make does is from its sources (pppd's, SoftEther VPN's, accel-ppp's) or from what is written of it
(RRAS, RouterOS).
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest

from sstpca.client.call import ClientCall
from sstpca.client.http import read_answer
from sstpca.client.link import ClientLink, Connected
from sstpca.client.session import ClientEffect, ClientSession, Ended, Packet
from sstpca.client.sign_in import Credentials
from sstpca.doctor.dialogue import check_answer
from sstpca.doctor.outcome import Verdict
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.server.sstp.effects import Send
from tests.support import mschap, ppp, sstp
from tests.support.matrix import came
from tests.support.ppp import Code

PASSWORD = "s3cret pass"
ADDRESS, DNS = IPv4Address("10.97.0.10"), IPv4Address("10.97.0.53")
CHALLENGE, NONCE = bytes(range(16)), bytes(range(32))
MRU, ASYNCMAP, AUTH, MAGIC, PFC, ACFC, MRRU, DISCRIMINATOR = 1, 2, 3, 5, 7, 8, 17, 19
MSCHAPV2 = bytes.fromhex("c22381")
PING = bytes.fromhex("4500001400000000400100000a61000a0a610001")
#: MPPE and MPPC, as [MS-CHAP]'s servers ask for; BSD-Compress and Deflate, as pppd does.
MPPE, BSD = {18: bytes.fromhex("01000040")}, {21: b"\x2f", 26: bytes.fromhex("7800")}


@dataclass(frozen=True, slots=True)
class Make:
    """How a server speaks.

    :param link: the options of LCP that it asks for.
    :param row: in docs/interop.md, where no real one is tried.
    :param address: that it says it has in the tunnel.
    :param compression: the options of CCP that it asks for, right behind the login; none: no CCP.
    :param network: further options of IPCP that it asks for.
    :param dns: whether it gives DNS servers, or rejects the question.
    :param mask: the hash protocols in its Call-Connect-Ack.
    :param short: whether its frames come without address and control, and with one byte of protocol.
    :param failure: how it says that a login failed.
    :param end: the attributes of its Call-Disconnect.
    """

    link: Mapping[int, bytes]
    address: str = "10.97.0.1"
    compression: Mapping[int, bytes] = field(default_factory=dict)
    network: Mapping[int, bytes] = field(default_factory=dict)
    dns: bool = True
    mask: int = 3
    short: bool = False
    failure: bytes = b"E=691 R=0 V=3"
    end: Mapping[int, bytes] = field(default_factory=dict)
    row: str = ""


def mru(size: int) -> bytes:
    return size.to_bytes(2, "big")


MAKES = {
    "pppd": Make(
        {ASYNCMAP: bytes(4), AUTH: MSCHAPV2, MAGIC: b"sorz", PFC: b"", ACFC: b""},
        compression=BSD,
        network={2: bytes.fromhex("002d0f01")},
        short=True,
        failure=b"E=691 R=1 C=" + b"0" * 32 + b" V=0 M=Access denied",
        end={0: bytes(4)},  # as sstp-server has it: no Status Info, but its inside
    ),
    "accel-ppp": Make({AUTH: MSCHAPV2, MRU: mru(1400), MAGIC: b"acel"}, end=sstp.status(0, 0)),
    "SoftEther VPN": Make({MRU: mru(1500), AUTH: MSCHAPV2}, address="1.0.0.1", mask=2),
    "RRAS": Make(
        {
            MRU: mru(4091),
            AUTH: MSCHAPV2,
            MAGIC: b"rras",
            PFC: b"",
            ACFC: b"",
            MRRU: mru(1614),
            DISCRIMINATOR: b"\x01" + bytes(20),
        },
        compression=MPPE,
        short=True,
        end=sstp.status(0, 0),
        row="RRAS",
    ),
    "RouterOS": Make(
        {AUTH: MSCHAPV2, MRU: mru(1500), MAGIC: b"rout", MRRU: mru(1600)},
        compression=MPPE,
        dns=False,
        end=sstp.status(0, 0),
        row="RouterOS",
    ),
    "only SHA-1": Make({AUTH: MSCHAPV2}, mask=1),
}


class Server:
    """A server that answers at once; :meth:`receive` returns its packets."""

    def __init__(self, make: Make) -> None:
        self.make = make
        self.key = b""
        self.bound = False
        self.lcp = ppp.Negotiation(ppp.LCP, make.link, self._judge_link)
        own = {3: IPv4Address(make.address).packed, **make.network}
        self.ipcp = ppp.Negotiation(ppp.IPCP, own, self._judge_network)
        self.ccp = ppp.Negotiation(ppp.CCP, make.compression, lambda *_: None)
        self.certificate = CertificateHashes.of(b"a certificate")

    def receive(self, packet: bytes) -> list[bytes]:
        """Take an SSTP packet."""
        match sstp.decode(packet):
            case sstp.Data(frame):
                frames = self._frame(*ppp.unframe(frame))
                return [sstp.Data(self._shown(one)).encode() for one in frames]
            case sstp.Control(sstp.Kind.CONNECT_REQUEST):
                offer = bytes((0, 0, 0, self.make.mask)) + NONCE
                ack = sstp.Control(sstp.Kind.CONNECT_ACK, {sstp.Attribute.BINDING_REQUEST: offer})
                return [ack.encode(), sstp.Data(self.lcp.request()).encode()]
            case sstp.Control(sstp.Kind.CONNECTED):
                self._bind(packet)
            case sstp.Control(sstp.Kind.DISCONNECT):
                return [sstp.Control(sstp.Kind.DISCONNECT_ACK).encode()]
            case _:
                pass
        return []

    def disconnect(self) -> bytes:
        """End the call, without a word in PPP."""
        return sstp.Control(sstp.Kind.DISCONNECT, self.make.end).encode()

    def _bind(self, packet: bytes) -> None:
        digest = "sha256" if packet[15] == 2 else "sha1"
        assert packet[15] & self.make.mask
        blank = packet[:80] + bytes(32)
        self.bound = mschap.compound_mac(self.key, blank, digest).ljust(32, b"\0") == packet[80:]

    def _shown(self, frame: bytes) -> bytes:
        """RFC 1661 6.5 and 6.6: LCP itself is never shortened."""
        protocol = int.from_bytes(frame[2:4], "big")
        if not self.make.short or protocol == ppp.LCP:
            return frame
        return frame[3:] if protocol < 256 else frame[2:]

    def _frame(self, protocol: int, payload: bytes) -> list[bytes]:
        if protocol == ppp.IPV4:
            return [ppp.frame(ppp.IPV4, payload)]
        code, number, body = ppp.unpack(payload)
        match protocol:
            case ppp.LCP if code <= Code.REJECT:
                answer, before = [], self.lcp.opened
                answer += self.lcp.receive(code, number, body)
                begun = not before and self.lcp.opened
                return answer + [self._challenge()] * begun
            case ppp.LCP if code == Code.TERMINATE:
                return [ppp.frame(ppp.LCP, ppp.packet(Code.TERMINATE_ACK, number))]
            case ppp.CHAP:
                return self._judge_login(number, body)
            case ppp.IPCP:
                return self.ipcp.receive(code, number, body)
            case ppp.IPV6CP:
                reject = ppp.packet(Code.PROTOCOL_REJECT, 9, b"\x80\x57" + payload)
                return [ppp.frame(ppp.LCP, reject)]
            case _:
                return []

    def _challenge(self) -> bytes:
        return ppp.frame(ppp.CHAP, ppp.packet(1, 7, b"\x10" + CHALLENGE + b"server"))

    def _judge_login(self, number: int, body: bytes) -> list[bytes]:
        login = mschap.Login(body[50:], PASSWORD, CHALLENGE, body[1:17])
        if login.response != body[1:50]:
            return [ppp.frame(ppp.CHAP, ppp.packet(4, number, self.make.failure))]
        self.key = login.key
        success = ppp.frame(ppp.CHAP, ppp.packet(3, number, login.proof + b" M=Welcome"))
        ccp = [self.ccp.request()] if self.make.compression else []
        return [success, *ccp, self.ipcp.request()]

    def _judge_link(self, kind: int, value: bytes) -> bytes | None:
        return value if kind in (MRU, MAGIC) else None

    def _judge_network(self, kind: int, value: bytes) -> bytes | None:
        if kind == 3:
            return ADDRESS.packed
        return DNS.packed if kind in (129, 131) and self.make.dns else None


class Pair:
    """The client's session and a server, with nothing between them."""

    def __init__(self, make: Make, password: str = PASSWORD) -> None:
        drawn = itertools.count(1)
        self.server = Server(make)
        link = ClientLink(
            Credentials("alice", password), random=lambda size: next(drawn).to_bytes(size, "big")
        )
        self.client = ClientSession(ClientCall(self.server.certificate), link)
        self.said: list[ClientEffect] = []
        self.now = 0.0
        self._pass(self.client.begin(self.now))

    def hear(self, packet: bytes) -> None:
        """Have the client take a packet, and both go on until nobody has more to say."""
        self._pass(self.client.receive(packet, self.now))

    def wait(self) -> None:
        """Let the client's timers run out until it is over."""
        while not self.client.over:
            assert self.client.deadline is not None
            self.now = self.client.deadline
            self._pass(self.client.tick(self.now))

    def _pass(self, effects: list[ClientEffect]) -> None:
        waiting = list(effects)
        while waiting:
            one = waiting.pop(0)
            self.said.append(one)
            if isinstance(one, Send):
                for packet in self.server.receive(one.packet):
                    waiting += self.client.receive(packet, self.now)

    @property
    def connected(self) -> Connected | None:
        """What the client was given last."""
        return next((c for c in reversed(self.said) if isinstance(c, Connected)), None)


@pytest.fixture(params=MAKES)
def make(request: pytest.FixtureRequest) -> Make:
    return MAKES[request.param]


@pytest.mark.parametrize(
    "head",
    [
        # RRAS, of [MS-SSTP] 4.1; the others' of their sources
        b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\nServer: Microsoft-HTTPAPI/2.0",
        b"HTTP/1.1 200 OK\r\nDate: x\r\nServer: accel-ppp\r\ncontent-length:18446744073709551615",
        b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nServer: SSTP-Server/0.6.0",
    ],
)
def test_the_answer_by_http(head: bytes) -> None:
    answer = read_answer(head)
    assert answer.is_sstp
    assert check_answer(answer).verdict is Verdict.PASS


def test_a_login_and_a_packet(make: Make) -> None:
    pair = Pair(make)
    assert pair.server.bound
    dns = (DNS,) if make.dns else ()
    assert pair.connected == Connected(ADDRESS, IPv4Address(make.address), dns, 1400, ipv6=None)
    frame = pair.server._shown(ppp.frame(ppp.IPV4, PING))
    pair.hear(sstp.Data(frame).encode())
    assert Packet(PING) in pair.said
    assert not pair.client.over
    if make.row:
        came(make.row, "password")


def test_the_wrong_password(make: Make) -> None:
    pair = Pair(make, "not it")
    pair.wait()
    (ended,) = (one for one in pair.said if isinstance(one, Ended))
    assert ended.refused is not None
    assert ended.refused.error == 691
    if make.row:
        came(make.row, "wrong password", "told 691")


def test_the_server_ends_without_a_word_in_ppp(make: Make) -> None:
    pair = Pair(make)
    pair.hear(pair.server.disconnect())
    pair.wait()
    (ended,) = (one for one in pair.said if isinstance(one, Ended))
    assert ended == Ended("the server ended the call", bound=True)
