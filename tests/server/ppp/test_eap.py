"""EAP at the server: identity, choice of the method, identifiers, time. RFC 3748."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp.effects import Effect, LinkDown, Note
from sstpca.server.ppp.frames import Code, Packet, Protocol
from tests.server.ppp.dialogue import (
    CHALLENGE,
    EAP_OPTIONS,
    LEASE,
    SERVER_OPTIONS,
    USER,
    Link,
    authenticating,
    challenging,
    chap,
    eap,
    identifying,
    lcp,
    response,
    response_data,
    sent,
    starting_tls,
)

TLS_START = b"\x0d\x20"


def challenge(identifier: int) -> bytes:
    return bytes((26, 1, identifier, 0, 36, 16)) + CHALLENGE + b"vpn.example.com"


def requests(effects: list[Effect]) -> list[Packet]:
    """Return the EAP packets among the effects."""
    return [packet for protocol, packet in sent(effects) if protocol == Protocol.EAP]


def reason(link: Link, now: float) -> str:
    """Answer the server's Terminate-Request; return why the link is down."""
    for identifier in range(1, 10):
        for effect in link.receive(lcp(Code.TERMINATE_ACK, identifier), now):
            if isinstance(effect, LinkDown):
                return effect.reason
    raise AssertionError("the link is not down")


def test_the_identity_is_asked_for_first() -> None:
    link = identifying()
    assert link.deadline == 1
    assert requests(link.receive(eap(2, 1, b"\x01alice"), 1)) == [Packet(1, 2, challenge(2))]


@pytest.mark.parametrize("begin", [identifying, starting_tls, challenging])
def test_a_request_is_repeated_under_its_identifier(begin: Callable[[], Link]) -> None:
    """RFC 3748 4.1. Five times at most, as 4.3 has it, and in a minute and a half: people type."""
    link = begin()
    first = requests(link.tick(3))
    assert first
    now, count, ended = 3.0, 1, False
    while not ended:
        now = link.deadline or 0
        effects = link.tick(now)
        count += requests(effects) == first
        ended = any(packet.code == Code.TERMINATE_REQUEST for _, packet in sent(effects))
    # the first question comes once more, as it may not have been listened to
    assert (now, count) == (90, 4 + (begin is identifying))
    assert reason(link, now) == "the client does not answer EAP"


@pytest.mark.parametrize(
    "frame",
    [
        eap(2, 0, b"\x01alice"),
        eap(2, 2, b"\x01alice"),
        eap(1, 1, b"\x01alice"),
        eap(3, 1),
        eap(4, 1),
        eap(2, 1),
        eap(2, 1, b"\x01" + b"x" * 257),
        eap(2, 1, "03 1A"),
        eap(2, 1, "1A 02"),
        eap(2, 1, "0D 00"),
        response(1),
    ],
    ids=[
        *("other id", "later id", "request", "success", "failure", "empty", "long"),
        *("nak of the identity", "mschapv2", "tls", "chap"),
    ],
)
def test_what_is_no_identity_is_dropped(frame: bytes) -> None:
    link = identifying()
    assert link.receive(frame, 0.5) == []
    assert link.deadline == 1
    assert requests(link.receive(eap(2, 1, b"\x01" + b"x" * 256), 2)) == [
        Packet(1, 2, challenge(2))
    ]


def test_an_identity_comes_once() -> None:
    link = challenging()
    assert link.receive(eap(2, 1, b"\x01bob"), 1) == []


def test_the_other_login_is_not_heard() -> None:
    link = authenticating()
    assert link.receive(eap(2, 1, b"\x01alice"), 1) == []
    assert link.receive(eap(2, 1, response_data()), 1) == []
    link = identifying()
    assert link.receive(response(1), 1) == []
    assert link.receive(chap(2, 1, b"\x01alice"), 1) == []


@pytest.mark.parametrize("wanted", ["0D", "19 0D", "13"])
def test_the_client_chooses_the_method(wanted: str) -> None:
    """RFC 3748 5.3.1. pppd without a password asks for SRP (19) and takes EAP-TLS all the same."""
    link = challenging()
    assert requests(link.receive(eap(2, 2, f"03 {wanted}"), 1)) == [Packet(1, 3, TLS_START)]


@pytest.mark.parametrize(("wanted", "text"), [("00", "none of these"), ("", "nothing")])
def test_a_client_that_wants_nothing_else(wanted: str, text: str) -> None:
    link = challenging()
    note, *effects = link.receive(eap(2, 2, f"03 {wanted}"), 1)
    assert isinstance(note, Note)
    assert note.text == (
        f"login failed for 'User': the client wants {text}; there are EAP-MSCHAPv2 and EAP-TLS"
    )
    assert requests(effects) == [Packet(4, 2)]
    assert link.deadline == 2
    assert [packet.code for _, packet in sent(link.tick(2))] == [Code.TERMINATE_REQUEST]
    assert reason(link, 2) == "login failed for 'User'"


@pytest.mark.parametrize("wanted", ["1A", "0D", "04 06 15"])
def test_each_method_is_proposed_once(wanted: str) -> None:
    link = starting_tls()
    note, *effects = link.receive(eap(2, 3, f"03 {wanted}"), 1)
    assert isinstance(note, Note)
    assert requests(effects) == [Packet(4, 3)]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [("19", "PEAP"), ("19 15", "PEAP, EAP-TTLS"), ("04 FE", "EAP-MD5, EAP type 254")],
)
def test_peap_and_its_like_are_refused_by_name(wanted: str, text: str) -> None:
    """RFC 3748 5.3.1: what there is is proposed, and then comes Failure; nothing is left hanging."""
    link = challenging()
    assert requests(link.receive(eap(2, 2, f"03 {wanted}"), 1)) == [Packet(1, 3, TLS_START)]
    note, *effects = link.receive(eap(2, 3, f"03 {wanted}"), 1.1)
    assert note == Note(
        f"login failed for 'User': the client wants {text}; there are EAP-MSCHAPv2 and EAP-TLS",
        warning=True,
    )
    assert requests(effects) == [Packet(4, 3)]
    assert [packet.code for _, packet in sent(link.tick(2.1))] == [Code.TERMINATE_REQUEST]
    assert reason(link, 2.1) == "login failed for 'User'"


def test_nak_counts_only_as_the_first_answer() -> None:
    link = starting_tls()
    assert requests(link.receive(eap(2, 3, "0D 40 16"), 1)) == [Packet(1, 4, b"\x0d\x00")]
    assert link.receive(eap(2, 4, "03 1A"), 1) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (eap(2, 1, b"\x01" + b"x" * 257), "the client's answer to EAP cannot be used"),
        (eap(2, 7, b"\x01alice"), "the client does not answer EAP"),
    ],
)
def test_an_answer_that_cannot_be_used_is_no_silence(answer: bytes, why: str) -> None:
    link = identifying()
    assert link.receive(answer, 0.5) == []
    now = 0.0
    while not any(protocol == Protocol.LCP for protocol, _ in sent(link.tick(now))):
        assert link.deadline is not None
        now = link.deadline
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), now) == [LinkDown(why)]


def test_lcp_may_start_anew_before_the_identity() -> None:
    link = identifying()
    link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1)
    assert link.receive(eap(2, 1, b"\x01alice"), 1) == [], "not heard before LCP is open"
    assert link.receive(lcp(Code.CONFIGURE_ACK, 3, EAP_OPTIONS), 1) == []
    assert requests(link.tick(1.05)) == [Packet(1, 2, b"\x01")]


def test_a_client_may_change_to_chap_then() -> None:
    link = identifying()
    link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1)
    link.receive(lcp(Code.CONFIGURE_NAK, 3, "0305C22381"), 1)
    link.receive(lcp(Code.CONFIGURE_ACK, 4, SERVER_OPTIONS), 1)
    ((protocol, packet),) = sent(link.tick(1.05))
    assert (protocol, packet.code) == (Protocol.CHAP, 1)


def test_no_challenge_comes_twice_whatever_carries_it() -> None:
    link = authenticating()
    link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1)
    link.receive(lcp(Code.CONFIGURE_NAK, 2, "0304C227"), 1)
    link.receive(lcp(Code.CONFIGURE_ACK, 3, EAP_OPTIONS), 1)
    link.tick(1.05)
    (packet,) = requests(link.receive(eap(2, 1, b"\x01alice"), 1.1))
    assert packet.data[:6] == challenge(2)[:6]
    assert packet.data[6:22] != CHALLENGE


def test_lcp_may_not_start_anew_after_the_identity() -> None:
    """There is one handshake of TLS for a connection, and not one for each turn of LCP."""
    link = starting_tls()
    effects = link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1)
    assert sent(effects)[-1][1].code == Code.TERMINATE_REQUEST
    assert reason(link, 1) == "the client negotiated LCP anew after its login"


def test_a_login_without_end_is_ended() -> None:
    """A client that sends its TLS byte by byte."""
    link = starting_tls()
    identifier, count = 3, 0
    while True:
        effects = link.receive(eap(2, identifier, "0D 40 16"), 1)
        (packet,) = requests(effects)
        if packet.code == 4:
            break
        identifier, count = packet.id, count + 1
    assert count == 97  # and the first three of 100
    assert Note("login failed for 'User': it takes too long", warning=True) in effects


def test_answers_nobody_asked_for_are_ignored() -> None:
    for link in (identifying(), starting_tls(), challenging()):
        assert link.account(USER, 0) == []
        assert link.leased(LEASE, 0) == []


@given(st.binary(max_size=60))
def test_any_identity_is_fit_for_the_log(identity: bytes) -> None:
    link = challenging(identity=identity)
    note = link.receive(eap(2, 2, "03"), 1)[0]
    assert isinstance(note, Note)
    assert note.text.isprintable()
