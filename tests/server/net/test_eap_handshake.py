"""TLS within EAP-TLS, with a client that shares no code with it: who gets in, and with which key."""

import dataclasses
import gc
import hashlib
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from sstpca.server.contracts import (
    Account,
    CertificateRefused,
)
from sstpca.server.net.eap_handshake import Contexts, EapHandshake
from sstpca.server.net.hello import Group
from sstpca.server.net.tls import Certificate
from sstpca.server.ppp.eap_tls import MESSAGE_MAX
from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.judging import Changed, Judgement
from sstpca.server.ppp.proofs import PasswordChange, Proof
from tests.support import eap
from tests.support.handshake import certificate_of
from tests.support.issuer import CLIENT, SERVER, Issued, Issuer

# what clients offer; it comes to 1.2 in any case
VERSIONS = pytest.mark.parametrize(
    "newest", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"]
)


class People:
    """A directory of one authority, in which everybody is known who is not refused."""

    def __init__(self, *roots: bytes) -> None:
        self.roots = roots
        self.asked: list[bytes] = []
        self.refusal: Exception | None = None

    def log_in(self, name: str, source: str, proof: Proof) -> Judgement:
        raise AssertionError("there is no password")

    def change_password(self, account: Account, wish: PasswordChange) -> Changed:
        raise AssertionError("nobody changes a password")

    def by_certificate(self, der: bytes) -> Account:
        self.asked.append(der)
        if self.refusal is not None:
            raise self.refusal
        return Account(1, "alice", True, certificate=hashlib.sha256(der).hexdigest())

    def client_roots(self) -> tuple[bytes, ...]:
        return self.roots


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer.make()


@pytest.fixture(scope="module")
def shown(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    path: Path = tmp_path_factory.mktemp("server") / "server.pem"
    path.write_bytes(issuer.issue("vpn.example.com", SERVER).pem)
    return certificate_of(path)


@pytest.fixture
def people(issuer: Issuer) -> People:
    return People(issuer.own.der)


@pytest.fixture
def server(shown: Certificate, people: People) -> EapHandshake:
    return EapHandshake(Contexts(), shown, people)


def exchange(server: EapHandshake, client: eap.Certificate) -> Handshaken:
    """Carry messages to and fro, whole, until the server is done or has refused."""
    data = client.respond(b"\x20")
    while True:
        answer = server.receive(data[5:])
        if answer.account or answer.refusal:
            if answer.data:
                client.respond(b"\0" + answer.data)
            return answer
        data = client.respond(b"\0" + answer.data)


def peer(issuer: Issuer, mine: Issued, newest: int = SSL.TLS1_3_VERSION) -> eap.Certificate:
    """Return a client that has a certificate and sends each message in one piece."""
    return eap.Certificate("alice@x", mine.pem, issuer.pem, newest=newest, piece=65536)


@VERSIONS
def test_both_sides_have_the_same_key(
    newest: int, issuer: Issuer, server: EapHandshake, people: People, shown: Certificate
) -> None:
    mine = issuer.issue("alice", CLIENT)
    client = peer(issuer, mine, newest)
    answer = exchange(server, client)
    client.finished(success=True)
    assert answer.account is not None
    assert answer.account.certificate == hashlib.sha256(mine.der).hexdigest()
    assert people.asked == [mine.der]
    assert len(answer.key) == 64
    assert answer.key[:32] == client.key
    assert answer.key.hex() not in repr(answer)
    assert hashlib.sha256(client.server).digest() == shown.hashes.sha256


Make = Callable[[Issuer], Issued]


def _namesake(issuer: Issuer) -> Issued:
    name = issuer.own.certificate.subject.rfc4514_string().removeprefix("CN=")
    return Issuer.make(name).issue("alice", CLIENT)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _: Issuer.make().issue("alice", CLIENT), "was not issued by this server's"),
        (_namesake, "was not issued by this server's authority"),
        (lambda _: Issuer.make("alice").own, "was not issued by this server's authority"),
        (lambda issuer: issuer.issue("alice", CLIENT, begins=-9, days=8), "has expired"),
        (lambda issuer: issuer.issue("alice", CLIENT, begins=1), "is not valid yet"),
        (lambda issuer: issuer.issue("alice", SERVER), "is not for clients"),
    ],
    ids=["foreign", "namesake", "self-signed", "expired", "early", "server"],
)
def test_certificates_that_are_refused(
    make: Make, why: str, issuer: Issuer, server: EapHandshake, people: People
) -> None:
    client = peer(issuer, make(issuer))
    answer = exchange(server, client)
    assert answer.refusal.startswith(f"its certificate {why}")
    assert (answer.account, answer.key) == (None, b"")
    assert people.asked == []
    with pytest.raises(eap.CertificateRejected) as rejected:
        client.finished(success=False)
    assert "alert" in rejected.value.alert


def test_a_certificate_signed_by_a_clients(
    issuer: Issuer, server: EapHandshake, people: People
) -> None:
    """A leaf is no authority, whoever signed it."""
    alice = issuer.issue("alice", CLIENT)
    forged = Issuer(alice).issue("bob", CLIENT)
    both = Issued(forged.certificate, forged.key).pem + alice.pem.split(b"KEY-----\n")[-1]
    client = eap.Certificate("bob", both, issuer.pem, piece=65536)
    answer = exchange(server, client)
    assert answer.refusal
    assert people.asked == []


def test_without_a_certificate(issuer: Issuer, server: EapHandshake) -> None:
    client = eap.Certificate("alice@x", b"", issuer.pem, piece=65536)
    answer = exchange(server, client)
    assert answer.refusal == "TLS: the client shows no certificate"


def test_the_directory_refuses_and_the_client_does_not_learn_why(
    issuer: Issuer, server: EapHandshake, people: People
) -> None:
    people.refusal = CertificateRefused("12ab of 'alice' is revoked")
    client = peer(issuer, issuer.issue("alice", CLIENT))
    answer = exchange(server, client)
    assert answer.refusal == "its certificate 12ab of 'alice' is revoked"
    assert (answer.account, answer.data) == (None, b"")


@pytest.mark.parametrize("make", [lambda issuer: issuer.issue("alice"), lambda issuer: issuer.own])
def test_a_certificate_without_a_purpose(
    make: Make, issuer: Issuer, server: EapHandshake, people: People
) -> None:
    answer = exchange(server, peer(issuer, make(issuer)))
    assert answer.refusal.startswith("its certificate is not for clients")
    assert (answer.account, answer.data, people.asked) == (None, b"", [])


def test_a_client_that_does_not_trust_us(
    issuer: Issuer, server: EapHandshake, people: People
) -> None:
    mine = issuer.issue("alice", CLIENT)
    client = eap.Certificate("alice", mine.pem, Issuer.make().pem, piece=65536)
    answer = server.receive(client.respond(b"\x20")[5:])
    answer = server.receive(client.respond(b"\0" + answer.data)[5:])
    assert answer.refusal == "TLS: the client does not know the server certificate's authority"
    assert people.asked == []


def test_a_failing_store_is_no_refusal(
    issuer: Issuer, server: EapHandshake, people: People
) -> None:
    people.refusal = OSError("the disk is gone")
    client = peer(issuer, issuer.issue("alice", CLIENT))
    with pytest.raises(OSError, match="the disk is gone"):
        exchange(server, client)


def test_the_authorities_may_change(shown: Certificate, issuer: Issuer, people: People) -> None:
    """During a rollover, without a new start."""
    contexts, following = Contexts(), Issuer.make()
    mine = following.issue("alice", CLIENT)

    def login() -> Handshaken:
        client = eap.Certificate("alice", mine.pem, issuer.pem, piece=65536)
        return exchange(EapHandshake(contexts, shown, people), client)

    assert login().account is None
    people.roots = (issuer.own.der, following.own.der)
    assert login().account is not None
    people.roots = (issuer.own.der,)
    assert login().account is None


def test_contexts_are_made_once_for_each_certificate(
    issuer: Issuer, shown: Certificate, people: People, tmp_path: Path
) -> None:
    """Clients of two kinds take turns; those of certificates that are shown no more are forgotten."""
    other = tmp_path / "other.pem"
    other.write_bytes(issuer.issue("vpn.example.com", SERVER).pem)
    contexts, second = Contexts(), certificate_of(other)
    made = [contexts.get(one, people.roots, Group.P256) for one in (shown, second)]
    for _ in range(3):
        assert [contexts.get(one, people.roots, Group.P256) for one in (shown, second)] == made
    for number in range(10):
        newer = dataclasses.replace(second, pem=second.pem + b"\n" * number)
        contexts.get(newer, people.roots, Group.P384)
    assert len(contexts._contexts) <= 4
    assert contexts.get(shown, people.roots, Group.P256) not in made


def test_what_strangers_leave_half_done_is_gone_with_them(
    issuer: Issuer, shown: Certificate, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 KiB each, which Python does not count: they must not wait for it to look for circles."""
    hello = peer(issuer, issuer.issue("alice", CLIENT)).respond(b"\x20")[5:]
    made: list[weakref.ref[SSL.Connection]] = []

    class Watched(SSL.Connection):
        def __init__(self, context: SSL.Context, sock: None) -> None:
            super().__init__(context, sock)
            made.append(weakref.ref(self))

    monkeypatch.setattr(SSL, "Connection", Watched)
    gc.disable()
    try:
        for _ in range(2):
            assert EapHandshake(Contexts(), shown, people).receive(hello).data
        assert [one() for one in made] == [None, None]
    finally:
        gc.enable()


def test_sessions_are_not_resumed(issuer: Issuer, shown: Certificate) -> None:
    """A resumed session would show no certificate."""
    people, contexts = People(issuer.own.der), Contexts()
    client = peer(issuer, issuer.issue("alice", CLIENT))
    exchange(EapHandshake(contexts, shown, people), client)
    again = peer(issuer, issuer.issue("bob", CLIENT))
    again.resume(client)
    assert exchange(EapHandshake(contexts, shown, people), again).account is not None
    assert len(people.asked) == 2


def test_tls_before_1_2_is_refused(issuer: Issuer, server: EapHandshake) -> None:
    client = eap.Certificate("alice", b"", issuer.pem, newest=SSL.TLS1_2_VERSION)
    hello = bytearray(client.respond(b"\x20")[5:])
    hello[9:11] = b"\x03\x02"  # the version that ClientHello offers
    assert server.receive(bytes(hello)).refusal


def test_the_clients_largest_message(issuer: Issuer, server: EapHandshake) -> None:
    """What EAP lets through, TLS takes."""
    mine = issuer.issue("alice", CLIENT, padding=MESSAGE_MAX - 4096)
    assert exchange(server, peer(issuer, mine)).account is not None


HELLO = eap.Certificate("alice", b"", Issuer.make().pem).respond(b"\x20")[5:]
changes = st.lists(st.tuples(st.integers(0, len(HELLO) - 1), st.integers(0, 255)), max_size=8)


def changed(places: list[tuple[int, int]]) -> bytes:
    hello = bytearray(HELLO)
    for at, value in places:
        hello[at] = value
    return bytes(hello)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(changes.map(changed) | st.binary(min_size=1, max_size=200), max_size=3))
def test_whatever_comes(shown: Certificate, people: People, messages: list[bytes]) -> None:
    """It is answered or refused, and lets nobody in."""
    server = EapHandshake(Contexts(), shown, people)
    for message in messages:
        answer = server.receive(message)
        assert answer.account is None
        assert len(answer.data) < 65536
