"""EAP-TLS at the server: pieces both ways, their bounds, and the end. RFC 5216, RFC 9190."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp.eap_tls import MESSAGE_MAX, decode_piece, encode_pieces
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    Effect,
    Handshake,
    Handshaken,
    LinkDown,
    Note,
)
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.link import LOGIN_LIMIT, Link
from tests.server.ppp.dialogue import (
    EARLIER,
    LEASE,
    USER,
    eap,
    frame,
    identifying,
    lcp,
    sent,
    starting_tls,
)

HELLO = bytes.fromhex("16030100050100000100")
FLIGHT = bytes(range(256)) * 12  # three pieces
KEY = bytes(range(64))
OWNER = dataclasses.replace(USER, certificate="0123456789abcdef" * 4)
DONE = Handshaken(b"finished", OWNER, KEY)


def requests(effects: list[Effect]) -> list[Packet]:
    return [packet for protocol, packet in sent(effects) if protocol == Protocol.EAP]


def tls(identifier: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return eap(2, identifier, bytes([13, flags]) + payload)


def shaking(answer: Handshaken | None = None) -> Link:
    """Return a link whose client has said hello, in Response 3, and been answered if at all."""
    link = starting_tls()
    assert link.receive(tls(3, HELLO), 0) == [Handshake(HELLO)]
    if answer is not None:
        link.handshaken(answer, 0)
    return link


def test_a_handshake() -> None:
    """RFC 5216 2.1.1."""
    link = shaking()
    assert requests(link.handshaken(Handshaken(b"hello done"), 0)) == [
        Packet(1, 4, b"\x0d\0hello done")
    ]
    assert link.receive(tls(4, b"certificate"), 0) == [Handshake(b"certificate")]
    assert requests(link.handshaken(DONE, 0)) == [Packet(1, 5, b"\x0d\0finished")]
    how = "EAP-TLS, certificate 0123456789abcdef"
    assert link.receive(tls(5), 0) == [Admit(OWNER, how)]
    effects = link.leased(LEASE, 0)
    assert requests(effects) == [Packet(3, 5)]
    # what it should be, and what sstpc makes of it with pppd before 2.5
    assert effects[1] == Authenticated((KEY[:32], KEY[:16] + KEY[32:48]))
    assert sent(effects)[1][0] == Protocol.IPCP


def test_the_length_may_be_said_without_need() -> None:
    """As Windows does."""
    link = starting_tls()
    data = len(HELLO).to_bytes(4, "big") + HELLO
    assert link.receive(tls(3, data, 0x80), 0) == [Handshake(HELLO)]


def test_our_pieces_wait_for_each_other() -> None:
    """RFC 5216 2.1.5."""
    link = shaking()
    (packet,) = requests(link.handshaken(Handshaken(FLIGHT), 0))
    assert packet.data[:6] == b"\x0d\xc0\0\0\x0c\0"
    whole, identifier = packet.data[6:], packet.id
    assert link.receive(tls(identifier, b"too early"), 0) == []
    while packet.data[1] & 0x40:
        assert len(packet.data) <= 1196
        (packet,) = requests(link.receive(tls(identifier), 0))
        whole, identifier = whole + packet.data[2:], packet.id
    assert whole == FLIGHT
    assert packet.data[1] == 0
    assert link.receive(tls(identifier, b"next"), 0) == [Handshake(b"next")]


@pytest.mark.parametrize(("mru", "largest"), [("0240", 576), ("05DC", 1200), ("0FFB", 1200)])
def test_our_pieces_fit_into_the_clients_mru(mru: str, largest: int) -> None:
    link = starting_tls(f"0104 {mru}")
    link.receive(tls(3, HELLO), 0)
    (packet,) = requests(link.handshaken(Handshaken(FLIGHT), 0))
    assert len(packet.data) + 4 == largest


def test_a_lost_piece_is_sent_again() -> None:
    link = shaking()
    (first,) = requests(link.handshaken(Handshaken(FLIGHT), 0))
    assert requests(link.tick(3)) == [first]
    (second,) = requests(link.receive(tls(first.id), 4))
    assert link.receive(tls(first.id), 4) == [], "the answer to the repetition"
    assert link.tick(11.9) == [], "the last answer has taken four seconds"
    assert requests(link.tick(12)) == [second]


def test_the_clients_pieces() -> None:
    link = starting_tls()
    message = b"a" * 1000 + b"b" * 1000 + b"c" * 10
    head = len(message).to_bytes(4, "big")
    assert requests(link.receive(tls(3, head + message[:1000], 0xC0), 0)) == [
        Packet(1, 4, b"\x0d\0")
    ]
    assert requests(link.receive(tls(4, message[1000:2000], 0x40), 0)) == [Packet(1, 5, b"\x0d\0")]
    assert link.receive(tls(5, message[2000:]), 0) == [Handshake(message)]


def refusal(link: Link, effects: list[Effect]) -> str:
    """Return why the login failed; the client is only told that it has."""
    note, *rest = effects
    assert isinstance(note, Note)
    assert note.warning
    assert [packet.code for packet in requests(rest)] == [4]
    assert link.leased(LEASE, 0) == []
    return note.text.removeprefix("login failed for 'User': ")


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([tls(3)], "the client's TLS is empty"),
        ([tls(3, b"", 0x40)], "the client's TLS is empty"),
        ([tls(3, b"\x00\x00\x80\x01x", 0xC0)], "the client's TLS has more than 32768 bytes"),
        ([tls(3, b"\xff\xff\xff\xffx", 0x80)], "the client's TLS has more than 32768 bytes"),
        ([tls(3, b"\0\0\0\x02x", 0x80)], "the client's TLS has not the 2 bytes it claims"),
        ([tls(3, b"\0\0\0\0x", 0x80)], "the client's TLS has not the 0 bytes it claims"),
        (
            [tls(3, b"\0\0\0\x03x", 0xC0), tls(4, b"yzz")],
            "the client's TLS has not the 3 bytes it claims",
        ),
    ],
    ids=["empty", "empty piece", "large", "huge", "short", "none", "long"],
)
def test_messages_that_are_refused(pieces: list[bytes], why: str) -> None:
    link = starting_tls()
    *before, last = pieces
    for piece in before:
        link.receive(piece, 0)
    assert refusal(link, link.receive(last, 0)) == why


def test_a_message_that_grows_and_grows() -> None:
    """No more is kept of it than the largest there may be, and it ends."""
    link, identifier, kept = starting_tls(), 3, 0
    while True:
        effects = link.receive(tls(identifier, b"x" * 1400, 0x40), 0)
        kept += 1400
        if isinstance(effects[0], Note):
            break
        identifier += 1
    assert refusal(link, effects) == "the client's TLS has more than 32768 bytes"
    assert kept - 1400 <= MESSAGE_MAX < kept


def test_one_message_at_a_time() -> None:
    link = shaking()
    assert link.receive(tls(3, HELLO), 0) == []
    assert link.deadline == LOGIN_LIMIT + EARLIER


def test_a_refusal_with_an_alert() -> None:
    """RFC 5216 2.1.3: the alert, the client's answer, then Failure."""
    link = shaking()
    note, *effects = link.handshaken(Handshaken(b"alert", refusal="its certificate is old"), 0)
    assert note == Note("login failed for 'User': its certificate is old", warning=True)
    assert requests(effects) == [Packet(1, 4, b"\x0d\0alert")]
    assert requests(link.receive(tls(4), 0.1)) == [Packet(4, 4)]
    assert [packet.code for _, packet in sent(link.tick(1.1))] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), 1.2) == [LinkDown("login failed for 'User'")]


def test_a_client_that_does_not_answer_the_alert() -> None:
    link = shaking(Handshaken(b"alert", refusal="its certificate is old"))
    assert link.deadline == 1
    assert requests(link.tick(1)) == [Packet(4, 4)]


def test_a_refusal_without_an_alert() -> None:
    link = shaking()
    answer = Handshaken(refusal="TLS: tlsv1 alert unknown ca")
    assert refusal(link, link.handshaken(answer, 0)) == "TLS: tlsv1 alert unknown ca"


def test_nobody_gets_in_after_a_refusal() -> None:
    link = shaking(Handshaken(b"alert", refusal="its certificate is old"))
    assert requests(link.receive(tls(4, b"again"), 0.1)) == [Packet(4, 4)]
    assert link.receive(tls(4), 0.2) == []
    assert link.handshaken(DONE, 0.2) == []
    assert link.leased(LEASE, 0.3) == []


def test_a_handshake_that_breaks_off() -> None:
    link = shaking()
    assert refusal(link, link.handshaken(Handshaken(), 0)) == "the client's TLS breaks off"


def test_a_client_that_is_not_content_with_the_end() -> None:
    link = shaking(DONE)
    assert refusal(link, link.receive(tls(4, b"alert"), 0)) == (
        "the client does not trust this server's certificate"
    )


def test_answers_nobody_asked_for_are_ignored() -> None:
    for link in (identifying(), starting_tls(), shaking(DONE)):
        assert link.handshaken(DONE, 0) == []
        assert link.leased(LEASE, 0) == []


@pytest.mark.parametrize("data", [b"\x0d", b"\x0d\x80", b"\x0d\x80\0\0\0", b"\x1a\0x"])
def test_what_is_no_piece_is_dropped(data: bytes) -> None:
    link = starting_tls()
    assert link.receive(frame(Protocol.EAP, 2, 3, data), 1) == []
    assert link.deadline == 3


@given(st.binary(max_size=64))
def test_any_response_is_decoded_or_dropped(data: bytes) -> None:
    piece = decode_piece(data)
    assert piece is None or data.endswith(piece.data)


@given(st.binary(max_size=3000), st.integers(1, 1000))
def test_pieces_of_any_size(message: bytes, room: int) -> None:
    pieces = [decode_piece(data) for data in encode_pieces(message, room)]
    assert b"".join(piece.data for piece in pieces if piece) == message
    assert [piece.more for piece in pieces if piece] == [True] * (len(pieces) - 1) + [False] * bool(
        pieces
    )
    totals = [piece.total for piece in pieces if piece]
    assert totals == ([len(message)] if len(pieces) > 1 else [None] * len(pieces)) + [None] * (
        len(pieces) - 1
    )
