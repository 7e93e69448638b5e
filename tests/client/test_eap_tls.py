"""EAP-TLS as the peer: against the server's own machines and TLS, and against one that speaks TLS 1.3."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL, crypto

from sstpca.client.certificate_names import is_for
from sstpca.client.dialing import DialError, Endpoint
from sstpca.client.eap import Answer, EapSignIn
from sstpca.client.eap_tls import ByCertificate, EapTls, Step
from sstpca.client.inner_tls import InnerTls, context_for
from sstpca.client.sign_in import Refused, SignedIn
from sstpca.server.contracts import CertificateRefused
from sstpca.server.net.eap_handshake import Contexts, EapHandshake
from sstpca.server.net.tls import Certificate
from sstpca.server.ppp.eap_method import Ask, Fail
from sstpca.server.ppp.eap_tls import MESSAGE_MAX, Tls, encode_pieces
from sstpca.server.ppp.effects import Admit, Handshake
from sstpca.server.ppp.effects import SendFrame as Frame
from sstpca.server.ppp.frames import Packet, decode, decode_packet
from tests.server.net.test_eap_handshake import People
from tests.support.handshake import certificate_of
from tests.support.issuer import CLIENT, SERVER, Issued, Issuer
from tests.support.shown import leaf

NAME = "vpn.example.com"
ROOM = 1190


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.make()


@pytest.fixture(scope="module")
def mine(issuer: Issuer) -> Issued:
    return issuer.issue("alice", CLIENT)


def endpoint(issuer: Issuer, **more: object) -> Endpoint:
    known = {"authorities": issuer.pem.encode()} | more
    return Endpoint("192.0.2.1", 443, NAME, **known)  # type: ignore[arg-type]


def peer(to: Endpoint, mine: Issued, room: int = ROOM) -> EapTls:
    context = context_for(to, mine.pem)
    return EapTls(ByCertificate("alice", lambda: InnerTls(context, to)), room)


class Server:
    """The server's EAP-TLS, packets and TLS."""

    def __init__(self, folder: Path, issuer: Issuer, shown: Issued, room: int = ROOM) -> None:
        path = folder / "server.pem"
        path.write_bytes(shown.pem)
        certificate: Certificate = certificate_of(path)
        self.people = People(issuer.own.der)
        self._tls = EapHandshake(Contexts(), certificate, self.people)
        self.method = Tls("alice", room)
        self.admitted = False

    def take(self, data: bytes) -> bytes | None:
        """Return the data of the next Request; None if it is over."""
        outputs = self.method.receive(data, 0)
        while outputs:
            match outputs.pop(0):
                case Handshake(message):
                    outputs += self.method.handshaken(self._tls.receive(message))
                case Ask(asked):
                    return asked
                case Admit():
                    self.admitted = True
                case Fail():
                    return None
        return None


def converse(client: EapTls, server: Server) -> list[Refused]:
    """Carry pieces to and fro until one of the two is done."""
    request: bytes | None = server.method.begin(1)
    for _ in range(200):
        assert request is not None
        outputs = client.receive(request)
        refused = [one for one in outputs if isinstance(one, Refused)]
        if refused:
            return refused
        [answer] = outputs
        assert isinstance(answer, Answer)
        if (request := server.take(answer.data)) is None:
            return []
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("rooms", [(1190, 1190), (100, 1190), (1190, 100), (64, 64)])
def test_a_login(tmp_path: Path, issuer: Issuer, mine: Issued, rooms: tuple[int, int]) -> None:
    server = Server(tmp_path, issuer, issuer.issue(NAME, SERVER), rooms[1])
    client = peer(endpoint(issuer), mine, rooms[0])
    assert converse(client, server) == []
    assert server.admitted
    assert client.succeeded() == SignedIn(server.method.hlaks[0])
    assert server.people.asked == [mine.der]


def test_a_pinned_server(tmp_path: Path, issuer: Issuer, mine: Issued) -> None:
    shown = issuer.issue("another.example.com", SERVER)
    pinned = endpoint(issuer, authorities=b"", pin=hashlib.sha256(shown.der).digest())
    client = peer(pinned, mine)
    assert converse(client, Server(tmp_path, issuer, shown)) == []
    assert client.succeeded() is not None


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("expired", "it has expired"),
        ("early", "it is not valid yet"),
        ("strange", "its authority is not known here"),
        ("name", f"it is not for {NAME}"),
        ("client", "it is not for servers (its extended key usage lacks serverAuth)"),
        ("pin", "it is another one than the pinned one"),
    ],
)
def test_a_server_that_is_not_believed(
    tmp_path: Path, issuer: Issuer, mine: Issued, what: str, why: str
) -> None:
    shown = {
        "expired": lambda: issuer.issue(NAME, SERVER, begins=-9, days=1),
        "early": lambda: issuer.issue(NAME, SERVER, begins=2),
        "strange": lambda: Issuer.make().issue(NAME, SERVER),
        "name": lambda: issuer.issue("other.example.com", SERVER),
        "client": lambda: issuer.issue(NAME, CLIENT),
        "pin": lambda: issuer.issue(NAME, SERVER),
    }[what]()
    to = endpoint(issuer, pin=bytes(32)) if what == "pin" else endpoint(issuer)
    server, client = Server(tmp_path, issuer, shown), peer(to, mine)
    [refused] = converse(client, server)
    assert refused.reason == f"the server's certificate in EAP-TLS is not to be believed: {why}"
    assert client.succeeded() is None
    # it has not been shown ours
    assert server.people.asked == []


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("expired", "it has expired"),
        ("strange", "the server does not know its authority"),
        ("server", "it is not for clients"),
    ],
)
def test_a_certificate_that_the_server_refuses(
    tmp_path: Path, issuer: Issuer, what: str, why: str
) -> None:
    mine = {
        "expired": lambda: issuer.issue("alice", CLIENT, begins=-9, days=1),
        "strange": lambda: Issuer.make().issue("alice", CLIENT),
        "server": lambda: issuer.issue("alice", SERVER),
    }[what]()
    client = peer(endpoint(issuer), mine)
    assert converse(client, Server(tmp_path, issuer, issuer.issue(NAME, SERVER))) == []
    assert client.succeeded() is None
    assert client.failed().reason == f"the server refuses the certificate: {why}"


def test_a_server_that_gives_no_reason(tmp_path: Path, issuer: Issuer, mine: Issued) -> None:
    server = Server(tmp_path, issuer, issuer.issue(NAME, SERVER))
    server.people.refusal = CertificateRefused("was revoked")
    client = peer(endpoint(issuer), mine)
    assert converse(client, server) == []
    assert client.failed().reason == (
        "the server refuses the certificate or its user; its log says why"
    )


class Newer:
    """A server of TLS 1.3 (RFC 9190), whose messages come whole."""

    def __init__(self, issuer: Issuer, shown: Issued, commitment: bytes = b"\0") -> None:
        self._tls = SSL.Connection(_context_of_1_3(issuer, shown), None)
        self._tls.set_accept_state()
        self._commitment = commitment
        self._done = False

    def take(self, data: bytes) -> bytes:
        """Return the data of the next Request."""
        if len(data) > 1:
            self._tls.bio_write(data[1:])
        if not self._done:
            try:
                self._tls.do_handshake()
                self._done = True
                if self._commitment:
                    self._tls.send(self._commitment)
            except SSL.WantReadError:
                pass
        return b"\0" + self._tls.bio_read(65536)

    @property
    def key(self) -> bytes:
        """The Master Session Key's first half (RFC 9190 2.3)."""
        label = b"EXPORTER_EAP_TLS_Key_Material"
        return self._tls.export_keying_material(label, 128, b"\x0d")[:32]


def _context_of_1_3(issuer: Issuer, shown: Issued) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(shown.certificate)
    context.use_privatekey(shown.key)
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(crypto.X509.from_cryptography(issuer.own.certificate))
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, None)
    return context


def shaken(client: EapTls, server: Newer) -> None:
    """Shake hands, in whole messages."""
    request = b"\x20"
    for _ in range(4):
        [answer] = client.receive(request)
        assert isinstance(answer, Answer)
        if answer.data == b"\0":
            return
        try:
            request = server.take(answer.data)
        except SSL.WantReadError:
            return


def test_tls_1_3(issuer: Issuer, mine: Issued) -> None:
    server = Newer(issuer, issuer.issue(NAME, SERVER))
    client = peer(endpoint(issuer), mine, 65536)
    shaken(client, server)
    assert client.succeeded() == SignedIn(server.key)


@pytest.mark.parametrize("commitment", [b"", b"\1"])
def test_tls_1_3_without_a_word_at_the_end(issuer: Issuer, mine: Issued, commitment: bytes) -> None:
    """RFC 9190 2.5: Success is worth nothing before the server is content."""
    client = peer(endpoint(issuer), mine, 65536)
    shaken(client, Newer(issuer, issuer.issue(NAME, SERVER), commitment))
    assert client.succeeded() is None


def test_a_certificate_that_tls_does_not_take(issuer: Issuer, mine: Issued) -> None:
    other = issuer.issue("bob", CLIENT)
    with pytest.raises(DialError, match="TLS does not take the certificate") as raised:
        context_for(endpoint(issuer), Issued(mine.certificate, other.key).pem)
    assert raised.value.final


class Echo:
    """In place of TLS: keeps what comes, and answers with what it is told to."""

    def __init__(self, answer: bytes = b"hello") -> None:
        self.answer = answer
        self.messages: list[bytes] = []

    def begin(self) -> Step:
        return Step(self.answer)

    def receive(self, message: bytes) -> Step:
        self.messages.append(message)
        return Step(self.answer)


def begun(echo: Echo, room: int = ROOM) -> EapTls:
    client = EapTls(ByCertificate("alice", lambda: echo), room)
    assert client.receive(b"\x20") == [Answer(b"\0hello")]
    return client


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 1300))
def test_messages_arrive_whole_however_they_are_cut(message: bytes, room: int) -> None:
    echo = Echo()
    client = begun(echo)
    *pieces, last = encode_pieces(message, room)
    assert all(client.receive(piece) == [Answer(b"\0")] for piece in pieces)
    assert echo.messages == []
    client.receive(last)
    assert echo.messages == [message]


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 1300))
def test_ours_leave_whole_a_piece_at_a_time(message: bytes, room: int) -> None:
    echo = Echo()
    client = EapTls(ByCertificate("alice", lambda: echo), room)
    echo.answer = message
    pieces = client.receive(b"\x20")
    while client._unsent:
        # whoever does not wait for the rest is not heard
        assert client.receive(b"\0more") == []
        pieces += client.receive(b"\0")
    assert [one.data for one in pieces if isinstance(one, Answer)] == encode_pieces(message, room)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_garbage_raises_nothing_and_stays_small(junk: list[bytes]) -> None:
    client = EapTls(ByCertificate("alice", Echo), ROOM)
    for one in junk:
        client.receive(one)
    assert len(client._received) <= MESSAGE_MAX


def test_what_is_kept_of_a_server_is_bounded() -> None:
    client = begun(Echo())
    said = [client.receive(b"\x40" + bytes(1400)) for _ in range(MESSAGE_MAX // 1400 + 1)]
    assert said[0] == [Answer(b"\0")]
    assert isinstance(said[-1][0], Refused)
    client = begun(Echo())
    assert isinstance(client.receive(b"\xc0\xff\xff\xff\xffx")[0], Refused)
    client = begun(Echo())
    [refused] = client.receive(b"\x80\0\0\0\x09short")
    assert isinstance(refused, Refused) and "not the 9 bytes" in refused.reason


def test_garbage_in_place_of_tls(issuer: Issuer, mine: Issued) -> None:
    client = peer(endpoint(issuer), mine, 65536)
    client.receive(b"\x20")
    _, refused = client.receive(b"\0HTTP/1.1 200 OK\r\n\r\n")
    assert isinstance(refused, Refused) and refused.reason.startswith("TLS in EAP-TLS fails: ")


def answered(outputs: Sequence[object]) -> list[Packet]:
    frames = [one.frame for one in outputs if isinstance(one, Frame)]
    return [decode_packet(decode(one)[1]) for one in frames]


def test_the_method_that_it_has_is_asked_for() -> None:
    """RFC 3748 5.3.1; and what comes of a server that has another alone."""
    login = EapSignIn(EapTls(ByCertificate("alice", Echo), ROOM))
    identity = Packet(1, 7, b"\x01")
    assert answered(login.receive(identity, 0)) == [Packet(2, 7, b"\x01alice")]
    asked = Packet(1, 8, b"\x1a" + bytes(20))
    assert answered(login.receive(asked, 0)) == [Packet(2, 8, b"\x03\x0d")]
    assert answered(login.receive(asked, 0)) == [Packet(2, 8, b"\x03\x0d")]
    # Success that nobody has earned
    assert login.receive(Packet(3, 8), 0) == []
    [refused] = login.receive(Packet(4, 8), 0)
    assert isinstance(refused, Refused)
    assert refused.reason == "the server asks for EAP-MSCHAPv2, and does not take EAP-TLS"


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("vpn.example.com", True),
        ("VPN.Example.COM.", True),
        ("vpn.example.org", False),
        ("a.vpn.example.com", False),
        ("192.0.2.1", False),
        ("", False),
    ],
)
def test_names(name: str, fits: bool) -> None:
    assert is_for(leaf(), name) is fits
