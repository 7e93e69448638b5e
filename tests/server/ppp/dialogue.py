"""Frames of a PPP client, spelled short, and a link brought to where a test begins."""

from ipaddress import IPv4Address

from sstpca.server.contracts import UNHINDERED, Account, Lease, Secrets, Standing
from sstpca.server.ppp import judging, link, mschapv2
from sstpca.server.ppp.effects import Admit, ChangePassword, Effect, LookUp, SendFrame
from sstpca.server.ppp.frames import (
    Code,
    Packet,
    Protocol,
    decode,
    decode_packet,
    encode,
    encode_packet,
)
from tests.support.judging import judge, secrets_of

# RFC 2759 9.2
CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
PASSWORD = "clientPass"
SUCCESS = b"S=407A5589115FD0D6209F510FE9C04566932CDA56 M=Welcome"
# RFC 3079 3.4: receive key, send key
HLAK = bytes.fromhex("D5F0E9521E3EA9589645E86051C822268B7CDC149B993A1BA118CB153F56DCCB")

# when LCP is open, so that the login is asked for at 0
EARLIER = -0.05
MAGIC = 0x5EED5EED
USER = Account(7, "User", enabled=True)
SECRETS = secrets_of(PASSWORD)
LEASE = Lease(
    1,
    IPv4Address("10.99.0.10"),
    IPv4Address("10.99.0.1"),
    (IPv4Address("10.99.0.53"), IPv4Address("10.99.0.54")),
)
# what the server asks for: Magic-Number and MS-CHAPv2
SERVER_OPTIONS = bytes.fromhex("0506 5EED5EED 0305C22381")
# the same for a client that wants EAP
EAP_OPTIONS = bytes.fromhex("0506 5EED5EED 0304C227")


class Link(link.Link):
    """A link, and who answers what it asks."""

    question = LookUp("")
    wish: ChangePassword | None = None

    def receive(self, frame: bytes, now: float) -> list[Effect]:
        return self._remember(super().receive(frame, now))

    def tick(self, now: float) -> list[Effect]:
        return self._remember(super().tick(now))

    def _remember(self, effects: list[Effect]) -> list[Effect]:
        for one in effects:
            if isinstance(one, LookUp):
                self.question = one
            elif isinstance(one, ChangePassword):
                self.wish = one
        return effects

    def account(
        self,
        account: Account | None,
        now: float,
        standing: Standing = UNHINDERED,
        secrets: Secrets = SECRETS,
    ) -> list[Effect]:
        """The last login is as this account; None: there is none."""
        return self.judged(judge(self.question, account, secrets, standing), now)

    def kept(self, refusal: str, now: float) -> list[Effect]:
        """The last password that was wished for is kept, or refused."""
        assert self.wish is not None
        changed = judging.change(self.wish.wish, SECRETS, lambda _: refusal)
        return self.changed(self.wish.account, changed, now)


def frame(protocol: int, code: int, identifier: int, data: bytes | str = b"") -> bytes:
    """Return a control packet in its frame; data may be given in hex."""
    value = bytes.fromhex(data) if isinstance(data, str) else data
    return encode(protocol, encode_packet(Packet(code, identifier, value)))


def lcp(code: int, identifier: int, data: bytes | str = b"") -> bytes:
    return frame(Protocol.LCP, code, identifier, data)


def chap(code: int, identifier: int, data: bytes | str = b"") -> bytes:
    return frame(Protocol.CHAP, code, identifier, data)


def eap(code: int, identifier: int, data: bytes | str = b"") -> bytes:
    return frame(Protocol.EAP, code, identifier, data)


def ipcp(code: int, identifier: int, data: bytes | str = b"") -> bytes:
    return frame(Protocol.IPCP, code, identifier, data)


def ipv6cp(code: int, identifier: int, data: bytes | str = b"") -> bytes:
    return frame(Protocol.IPV6CP, code, identifier, data)


def sent(effects: list[Effect]) -> list[tuple[int, Packet]]:
    """Return protocol and packet of each frame among the effects."""
    decoded = [decode(effect.frame) for effect in effects if isinstance(effect, SendFrame)]
    return [(protocol, decode_packet(information)) for protocol, information in decoded]


def response(
    identifier: int,
    challenge: bytes = CHALLENGE,
    *,
    password: str = PASSWORD,
    name: bytes = b"User",
) -> bytes:
    """Return the Response of a client of that name and password."""
    return chap(2, identifier, response_data(challenge, password=password, name=name))


def response_data(
    challenge: bytes = CHALLENGE, *, password: str = PASSWORD, name: bytes = b"User"
) -> bytes:
    """Return what a Response carries: Value-Size, Value, Name."""
    proof = mschapv2.nt_response(
        mschapv2.challenge_hash(PEER_CHALLENGE, challenge, mschapv2.without_domain(name)),
        mschapv2.nt_hash(password),
    )
    value = PEER_CHALLENGE + bytes(8) + proof + bytes(1)
    return bytes([len(value)]) + value + name


def new_link(mtu: int = 1400) -> Link:
    return Link(challenge=CHALLENGE, magic=MAGIC, server_name="vpn.example.com", mtu=mtu)


def authenticating(client_options: str = "") -> Link:
    """Return a link, at time 0, that has just sent its Challenge, of identifier 1."""
    link = new_link()
    link.start(EARLIER)
    ((_, request), _) = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 1, client_options), EARLIER))
    assert link.receive(lcp(Code.CONFIGURE_ACK, request.id, request.data), EARLIER) == []
    assert [protocol for protocol, _ in sent(link.tick(0))] == [Protocol.CHAP]
    return link


def identifying(client_options: str = "") -> Link:
    """Return a link, at time 0, that has just asked for the Identity, as Request 1."""
    link = new_link()
    link.start(EARLIER)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1, client_options), EARLIER)
    link.receive(lcp(Code.CONFIGURE_NAK, 1, "0304C227"), EARLIER)
    assert link.receive(lcp(Code.CONFIGURE_ACK, 2, EAP_OPTIONS), EARLIER) == []
    asked = sent(link.tick(0))
    assert asked == [(Protocol.EAP, Packet(1, 1, b"\x01"))]
    return link


def challenging(client_options: str = "", identity: bytes = b"User") -> Link:
    """Return a link, at time 0, that has just sent its Challenge in EAP, as Request 2."""
    link = identifying(client_options)
    ((protocol, request),) = sent(link.receive(eap(2, 1, b"\x01" + identity), 0))
    assert (protocol, request.code, request.id) == (Protocol.EAP, 1, 2)
    assert request.data[:2] == b"\x1a\x01"
    return link


def starting_tls(client_options: str = "", identity: bytes = b"User") -> Link:
    """Return a link, at time 0, that has just sent EAP-TLS/Start, as Request 3."""
    link = challenging(client_options, identity)
    asked = sent(link.receive(eap(2, 2, "03 0D"), 0))
    assert asked == [(Protocol.EAP, Packet(1, 3, b"\x0d\x20"))]
    return link


def eap_response(identifier: int, *, password: str = PASSWORD, name: bytes = b"User") -> bytes:
    """Return the Challenge-Response of a client of that name and password."""
    data = response_data(password=password, name=name)
    head = bytes([26, 2, identifier]) + (4 + len(data)).to_bytes(2, "big")
    return eap(2, identifier, head + data)


def admitted(client_options: str = "") -> Link:
    """Return a link, at time 0, whose client has the right password."""
    link = authenticating(client_options)
    assert link.receive(response(1), 0) == [LookUp("User")]
    assert link.account(USER, 0) == [Admit(USER, "MS-CHAPv2")]
    return link


def networking(lease: Lease | None = LEASE) -> Link:
    """Return a link, at time 0, that has told the client of its success."""
    link = admitted()
    link.leased(lease, 0)
    return link


def connected() -> Link:
    """Return a link, at time 0, whose IPCP is open."""
    link = networking()
    link.receive(ipcp(Code.CONFIGURE_ACK, 1, "0306 0A630001"), 0)
    link.receive(ipcp(Code.CONFIGURE_REQUEST, 1, "0306 0A63000A"), 0)
    return link
