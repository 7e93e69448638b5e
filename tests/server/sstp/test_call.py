"""Dialogues with the call: what comes at what time, and what is answered.

One test or more for each row of [MS-SSTP] 3.3.5.2, 3.3.6 and 3.1.6.
"""

import struct
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.server.sstp.binding import CertificateHashes, Hash
from sstpca.server.sstp.call import ACTIONS, Call
from sstpca.server.sstp.effects import Accepted, Bound, Close, Effect, Frame, Note, Send
from sstpca.server.sstp.states import TRANSITIONS, CallEvent, CallState
from sstpca.server.sstp.wire import (
    Attribute,
    Control,
    Data,
    MessageType,
    Status,
    decode,
    encode,
    status_info,
)
from tests.support import sstp_packets as sstp

NONCE = bytes(range(32))
HLAK = bytes(range(100, 132))
RSA = CertificateHashes.of(b"rsa")
ECDSA = CertificateHashes.of(b"ecdsa")

ACK = bytes.fromhex("10010030 0002 0001 00040028 00000003") + NONCE
CONNECTED = sstp.connected(NONCE, RSA, HLAK)
DISCONNECT = sstp.ending(6)
FRAME = bytes.fromhex("FF03C0210101000A")
DATA = encode(Data(FRAME))

PENDING = CallState.SERVER_CALL_CONNECTED_PENDING
UP = CallState.SERVER_CALL_CONNECTED


def in_request() -> Call:
    call = Call(nonce=NONCE, certificates=(RSA, ECDSA))
    assert call.begin(0) == []
    return call


def in_pending() -> Call:
    call = in_request()
    assert call.receive(sstp.CONNECT_REQUEST, 0) == [Send(ACK), Accepted()]
    return call


def in_up() -> Call:
    call = in_pending()
    assert call.keyed((HLAK,), 0) == []
    assert call.receive(CONNECTED, 0) == [Bound()]
    return call


def in_abort() -> Call:
    call = in_up()
    assert call.receive(sstp.CONNECT_REQUEST, 0)
    return call


def in_abort_timeout() -> Call:
    call = in_up()
    assert call.receive(sstp.ending(5), 0)
    return call


def in_disconnect() -> Call:
    call = in_up()
    assert call.disconnect(0) == [Send(DISCONNECT)]
    return call


def in_disconnect_timeout() -> Call:
    call = in_up()
    assert call.receive(DISCONNECT, 0) == [Send(sstp.DISCONNECT_ACK)]
    return call


def in_closed() -> Call:
    call = in_disconnect()
    assert call.receive(sstp.DISCONNECT_ACK, 0) == [Close("the server ended the call")]
    return call


STATES: dict[CallState, Callable[[], Call]] = {
    CallState.SERVER_CALL_DISCONNECTED: lambda: Call(nonce=NONCE, certificates=(RSA,)),
    CallState.SERVER_CONNECT_REQUEST_PENDING: in_request,
    PENDING: in_pending,
    UP: in_up,
    CallState.CALL_ABORT_PENDING: in_abort,
    CallState.CALL_ABORT_TIMEOUT_PENDING: in_abort_timeout,
    CallState.CALL_DISCONNECT_ACK_PENDING: in_disconnect,
    CallState.CALL_DISCONNECT_TIMEOUT_PENDING: in_disconnect_timeout,
    CallState.CLOSED: in_closed,
}
LIVE = (CallState.SERVER_CONNECT_REQUEST_PENDING, PENDING, UP)
ENDING = (
    CallState.CALL_ABORT_PENDING,
    CallState.CALL_ABORT_TIMEOUT_PENDING,
    CallState.CALL_DISCONNECT_ACK_PENDING,
    CallState.CALL_DISCONNECT_TIMEOUT_PENDING,
)


def states(*which: CallState) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "make", [STATES[state] for state in which], ids=[state.value for state in which]
    )


def abort(status: Status, attribute: int = 2) -> Send:
    return Send(sstp.ending(5, attribute, status))


def assert_aborts(call: Call, effects: list[Effect], send: Send, now: float = 0) -> str:
    """Check an abort by us up to its end; return what the log says of it."""
    note, sent = effects
    assert sent == send
    assert isinstance(note, Note)
    assert note.warning
    assert call.state is CallState.CALL_ABORT_PENDING
    assert call.deadline == now + 3
    assert call.tick(now + 2.9) == []
    assert call.tick(now + 3) == [Close(note.text)]
    assert call.deadline is None
    return note.text


@pytest.mark.parametrize(("state", "make"), STATES.items(), ids=[s.value for s in STATES])
def test_the_makers_make_what_they_say(state: CallState, make: Callable[[], Call]) -> None:
    assert make().state is state


def test_the_table_is_complete() -> None:
    states = [state for state in CallState if not state.name.startswith("CLIENT_")]
    assert set(TRANSITIONS) == {(event, state) for event in CallEvent for state in states}
    assert set(TRANSITIONS.values()) - {"-"} == set(ACTIONS)
    assert {type_.name for type_ in MessageType} < {event.name for event in CallEvent}


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_nonce_of_another_size(size: int) -> None:
    with pytest.raises(ValueError, match="nonce"):
        Call(nonce=bytes(size), certificates=(RSA,))


# Call-Connect-Request: 3.3.5.2.2


def test_a_good_request() -> None:
    call = in_request()
    assert call.deadline == 60
    assert call.receive(sstp.CONNECT_REQUEST, 20) == [Send(ACK), Accepted(round_trip=20)]
    assert call.state is PENDING
    assert call.deadline == 80


def test_a_request_may_say_that_there_is_no_error() -> None:
    info = status_info(0, Status.NO_ERROR)
    request = Control(MessageType.CALL_CONNECT_REQUEST, (Attribute(1, b"\0\1"), info))
    assert in_request().receive(encode(request), 0) == [Send(ACK), Accepted()]


PPP = "00010006 0001"
BAD_REQUESTS = {
    "another protocol": ("00010006 0002", ["000E 00000001 00000004 0002"]),
    "a short protocol": ("00010005 00", ["000D 00000001 00000003 00"]),
    "a long protocol": ("00010007 000100", ["000F 00000001 00000003 000100"]),
    "a very long protocol": ("00010054" + "AA" * 80, ["004C 00000001 00000003" + "AA" * 64]),
    "two protocols": (PPP + PPP, ["000E 00000001 00000001 0001"]),
    "an unknown attribute": (PPP + "00090006 FFFF", ["000C 00000009 00000002"]),
    "attribute 0": (PPP + "00000004", ["000C 00000000 00000002"]),
    "a crypto binding": (PPP + "00030004", ["000C 00000003 00000002"]),
    "no protocol": ("", ["000C 00000002 0000000A"]),
    "an error": (
        PPP + "0002000C 00000001 00000004",
        ["0014 00000002 0000000B 0000000100000004"],
    ),
    "a short status": (PPP + "00020005 00", ["000D 00000002 00000003 00"]),
    "everything": (
        "00010006 0003 00FF0004 00020004",
        ["000E 00000001 00000004 0003", "000C 000000FF 00000002", "000C 00000002 00000003"],
    ),
    "only an unknown one": (
        "00FF0004",
        ["000C 000000FF 00000002", "000C 00000002 0000000A"],
    ),
}


def request_with(attributes: str) -> bytes:
    """Return a Call-Connect-Request with attributes as they stand on the wire."""
    body = bytes.fromhex(attributes)
    count = at = 0
    while at < len(body):
        count, at = count + 1, at + body[at + 3]
    return struct.pack("!HHHH", 0x1001, 8 + len(body), 1, count) + body


@pytest.mark.parametrize(("attributes", "refused"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_a_bad_request_is_refused_attribute_by_attribute(
    attributes: str, refused: list[str]
) -> None:
    body = b"".join(bytes.fromhex("0002" + info) for info in refused)
    nak = struct.pack("!HHHH", 0x1001, 8 + len(body), 3, len(refused)) + body
    call = in_request()
    note, sent = call.receive(request_with(attributes), 10)
    assert isinstance(note, Note)
    assert sent == Send(nak)
    assert call.state is CallState.SERVER_CONNECT_REQUEST_PENDING
    assert call.deadline == 60
    assert call.receive(sstp.CONNECT_REQUEST, 11) == [Send(ACK), Accepted(round_trip=11)]


def test_the_fourth_bad_request_ends_the_call() -> None:
    call, bad = in_request(), request_with("00010006 0002")
    for _ in range(3):
        _, sent = call.receive(bad, 0)
        assert isinstance(sent, Send)
        assert decode(sent.packet) == Control(
            MessageType.CALL_CONNECT_NAK,
            (status_info(1, Status.VALUE_NOT_SUPPORTED, b"\0\2"),),
        )
    assert_aborts(call, call.receive(bad, 0), abort(Status.RETRY_COUNT_EXCEEDED))


# Call-Connected: 3.3.5.2.3


@pytest.mark.parametrize("certificate", [RSA, ECDSA])
@pytest.mark.parametrize("hash_", Hash)
def test_connected_after_the_login(hash_: Hash, certificate: CertificateHashes) -> None:
    call = in_pending()
    assert call.keyed((HLAK,), 1) == []
    assert call.receive(sstp.connected(NONCE, certificate, HLAK, hash_), 2) == [Bound()]
    assert call.state is UP
    assert call.deadline == 62


def test_connected_before_the_login_is_held() -> None:
    call = in_pending()
    assert call.receive(CONNECTED, 1) == []
    assert call.deadline == 60
    assert call.receive(DATA, 2) == [Frame(FRAME)]
    assert call.keyed((HLAK,), 3) == [Bound()]
    assert call.state is UP
    assert call.deadline == 63


def test_only_one_is_held() -> None:
    call = in_pending()
    assert call.receive(CONNECTED, 0) == []
    assert_aborts(call, call.receive(CONNECTED, 0), abort(Status.UNACCEPTED_FRAME_RECEIVED))


def test_a_held_one_still_expires() -> None:
    call = in_pending()
    assert call.receive(CONNECTED, 59) == []
    assert_aborts(call, call.tick(60), abort(Status.NEGOTIATION_TIMEOUT), 60)


def expired(call: Call, after: float, told: float, talks_every: float) -> float:
    """Return when a call ends whose login was over at ``after``, and that only talks PPP then.

    :param talks_every: seconds between two frames of the client, until ``told``.
    """
    assert call.keyed((HLAK,), after) == []
    now = after
    while (now := now + talks_every) <= told:
        assert call.tick(now) == []
        assert call.receive(DATA, now) == [Frame(FRAME)]
    assert call.deadline is not None
    late = call.deadline
    assert call.tick(late - 0.1) == []
    text = assert_aborts(call, call.tick(late), abort(Status.NEGOTIATION_TIMEOUT), late)
    assert text == "no Call-Connected after the login"
    return late - after


def test_an_address_is_kept_for_seconds_without_a_binding() -> None:
    """Not for the minute of 3.3.2.1; while IPCP goes on a little longer, but not for ever."""
    assert expired(in_pending(), 1, told=1, talks_every=1) == 10
    assert expired(in_pending(), 1, told=11, talks_every=5) == 20
    assert expired(in_pending(), 1, told=30, talks_every=5) == 30
    assert expired(in_pending(), 55, told=55, talks_every=1) == 5


def test_the_binding_of_a_client_that_opens_ipcp_first() -> None:
    """Three round trips of five seconds after the login: mac-os-sstp-client, SSTP-Client-iOS."""
    call = in_pending()
    call.keyed((HLAK,), 25)
    for now in (30, 35, 40):
        assert call.receive(DATA, now) == [Frame(FRAME)]
        assert call.tick(now) == []
    assert call.receive(CONNECTED, 45) == [Bound()]


def test_a_second_one_after_the_binding() -> None:
    call = in_up()
    assert_aborts(call, call.receive(CONNECTED, 0), abort(Status.UNACCEPTED_FRAME_RECEIVED))


def test_a_login_without_a_key() -> None:
    call = in_pending()
    assert call.keyed((bytes(32),), 0) == []
    assert call.receive(sstp.connected(NONCE, RSA, bytes(32)), 0) == [Bound()]


BAD_BINDINGS = {
    "nonce": (sstp.connected(bytes(32), RSA, HLAK), "nonce"),
    "certificate": (sstp.connected(NONCE, CertificateHashes.of(b"x"), HLAK), "another certificate"),
    "hash": (CONNECTED[:15] + b"\4" + CONNECTED[16:], "hash"),
    "key": (sstp.connected(NONCE, RSA, bytes(32)), "wrong key"),
}
BAD_FORMS = {
    "no attribute": "10010008 0004 0000",
    "a short binding": "1001000C 0004 0001 00030004",
    "another attribute": "1001000E 0004 0001 00010006 0001",
    "a status": "10010014 0004 0001 0002000C 00000003 00000004",
    "a binding and a status": "1001007C 0004 0002" + CONNECTED[8:].hex() + "0002000C" + "00" * 8,
}


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(("packet", "word"), BAD_BINDINGS.values(), ids=BAD_BINDINGS)
def test_a_bad_binding(packet: bytes, word: str, early: bool) -> None:
    call = in_pending()
    effects = bind(call, packet, early)
    text = assert_aborts(call, effects, abort(Status.VALUE_NOT_SUPPORTED, 3))
    assert word in text
    assert HLAK.hex() not in text


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("packet", BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_binding_of_bad_form(packet: str, early: bool) -> None:
    call = in_pending()
    effects = bind(call, bytes.fromhex(packet), early)
    assert_aborts(call, effects, abort(Status.ATTRIB_NOT_SUPPORTED_IN_MSG))


def bind(call: Call, packet: bytes, early: bool) -> list[Effect]:
    if early:
        assert call.receive(packet, 0) == []
        return call.keyed((HLAK,), 0)
    assert call.keyed((HLAK,), 0) == []
    return call.receive(packet, 0)


# Call-Abort: 3.3.5.2.4


@states(*LIVE, CallState.CALL_DISCONNECT_ACK_PENDING)
def test_the_client_aborts(make: Callable[[], Call]) -> None:
    call = make()
    # what we had begun with before stays the reason
    first = call.reason or "the client aborted the call: VALUE_NOT_SUPPORTED"
    assert call.receive(sstp.ending(5, 2, 4), 7) == [Send(sstp.ending(5))]
    assert call.state is CallState.CALL_ABORT_TIMEOUT_PENDING
    assert call.tick(7.9) == []
    assert call.tick(8) == [Close(first)]


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        ("10010008 0005 0000", "no status given"),
        ("10010014 0005 0001 0002000C 00000003 00000099", "status 153"),
        ("1001000C 0005 0001 00020004", "no status given"),
        ("1001000E 0005 0001 00010006 0001", "no status given"),
    ],
)
def test_an_abort_may_say_why_or_not(packet: str, said: str) -> None:
    call = in_up()
    call.receive(bytes.fromhex(packet), 0)
    assert call.reason == f"the client aborted the call: {said}"
    assert call.left


def test_the_client_answers_our_abort() -> None:
    call = in_abort()
    assert call.receive(sstp.ending(5), 2) == []
    assert call.state is CallState.CALL_ABORT_TIMEOUT_PENDING
    assert call.tick(2.9) == []
    assert [type(effect) for effect in call.tick(3)] == [Close]


# Call-Disconnect and its acknowledgement: 3.3.5.2.5 and 3.3.5.2.6


@states(*LIVE, CallState.CALL_DISCONNECT_ACK_PENDING)
@pytest.mark.parametrize("packet", [DISCONNECT, bytes.fromhex("10010008 0006 0000")])
def test_the_client_disconnects(make: Callable[[], Call], packet: bytes) -> None:
    call = make()
    assert call.receive(packet, 7) == [Send(sstp.DISCONNECT_ACK)]
    assert call.state is CallState.CALL_DISCONNECT_TIMEOUT_PENDING
    assert call.tick(7.9) == []
    assert [type(effect) for effect in call.tick(8)] == [Close]


@states(*LIVE)
def test_the_server_disconnects(make: Callable[[], Call]) -> None:
    call = make()
    assert call.disconnect(7) == [Send(DISCONNECT)]
    assert call.disconnect(8) == []
    assert call.receive(sstp.DISCONNECT_ACK, 8) == [Close("the server ended the call")]


@states(*LIVE)
def test_the_server_disconnects_without_an_answer(make: Callable[[], Call]) -> None:
    call = make()
    call.disconnect(7)
    assert call.tick(11.9) == []
    assert call.tick(12) == [Close("the server ended the call")]


@states(*ENDING, CallState.CLOSED)
def test_disconnect_is_nothing_new_to_a_call_that_ends(make: Callable[[], Call]) -> None:
    call = make()
    before = call.state, call.deadline
    assert call.disconnect(0.5) == []
    assert (call.state, call.deadline) == before


def test_disconnect_before_anything_began() -> None:
    call = Call(nonce=NONCE, certificates=(RSA,))
    assert call.disconnect(0) == [Close("the call never began")]
    assert call.begin(0) == []
    assert call.state is CallState.CLOSED


# Echo: 3.3.5.2.7 and 3.3.5.2.8


@states(PENDING, UP)
def test_an_echo_request_is_answered(make: Callable[[], Call]) -> None:
    assert make().receive(sstp.ECHO_REQUEST, 1) == [Send(sstp.ECHO_RESPONSE)]


def test_hello() -> None:
    call = in_up()
    assert call.deadline == 60
    assert call.tick(59.9) == []
    assert call.tick(60) == [Send(sstp.ECHO_REQUEST)]
    assert call.deadline == 120
    assert call.tick(119.9) == []
    assert call.tick(120) == [Close("the client fell silent for 120 seconds")]
    assert call.tick(121) == []


@pytest.mark.parametrize("packet", [sstp.ECHO_RESPONSE, sstp.ECHO_REQUEST, DATA])
def test_any_packet_answers_hello(packet: bytes) -> None:
    call = in_up()
    assert call.tick(60) == [Send(sstp.ECHO_REQUEST)]
    call.receive(packet, 60)
    assert call.tick(120) == [Send(sstp.ECHO_REQUEST)]
    call.receive(packet, 121)
    assert call.tick(180) == []
    assert call.deadline == 181
    assert call.tick(181) == [Send(sstp.ECHO_REQUEST)]
    assert call.tick(241) == [Close("the client fell silent for 120 seconds")]


def test_hello_counts_what_went_another_way() -> None:
    call = in_up()
    call.heard(59)
    assert call.deadline == 60
    assert call.tick(60) == []
    assert call.deadline == 119
    call.heard(70)
    call.heard(118)
    assert call.tick(119) == []
    assert call.deadline == 178
    assert call.tick(178) == [Send(sstp.ECHO_REQUEST)]
    call.heard(200)
    assert call.tick(238) == []
    assert call.deadline == 260


def test_a_late_tick_asks_before_it_gives_up() -> None:
    call = in_up()
    call.heard(10)
    assert call.tick(1000) == [Send(sstp.ECHO_REQUEST)]
    assert call.deadline == 1060


# Data: 3.3.7.2


@states(PENDING, UP)
def test_frames_are_delivered(make: Callable[[], Call]) -> None:
    assert make().receive(DATA, 0) == [Frame(FRAME)]


@states(*(state for state in STATES if state not in (PENDING, UP)))
def test_frames_at_another_time_are_dropped(make: Callable[[], Call]) -> None:
    call = make()
    before = call.state, call.deadline
    assert call.receive(DATA, 0) == []
    assert (call.state, call.deadline) == before


# Negotiation timer: 3.3.6.1


@states(CallState.SERVER_CONNECT_REQUEST_PENDING, PENDING)
def test_negotiation_timeout(make: Callable[[], Call]) -> None:
    call = make()
    assert call.tick(59.9) == []
    assert_aborts(call, call.tick(60), abort(Status.NEGOTIATION_TIMEOUT), 60)


def test_a_login_that_has_begun_may_take_longer() -> None:
    """3.3.2.1 lets the time for Call-Connected differ: a person may type for a minute."""
    call = in_pending()
    call.allow(240)
    assert call.tick(244.9) == []
    assert_aborts(call, call.tick(245), abort(Status.NEGOTIATION_TIMEOUT), 245)


def test_a_login_that_is_over_may_not() -> None:
    call = in_pending()
    call.allow(240)
    call.keyed((HLAK,), 100)
    call.allow(240)
    assert call.deadline == 110


@states(*(state for state in STATES if state is not PENDING))
def test_at_another_time_no_login_changes_anything(make: Callable[[], Call]) -> None:
    call = make()
    before = call.deadline
    call.allow(240)
    assert call.deadline == before


# Messages out of place


def message(type_: int) -> bytes:
    return struct.pack("!HHHH", 0x1001, 8, type_, 0)


ACCEPTABLE = {
    CallState.SERVER_CONNECT_REQUEST_PENDING: {1, 5, 6},
    PENDING: {4, 5, 6, 8},
    UP: {5, 6, 8, 9},
}
OUT_OF_PLACE = [
    (state, type_)
    for state, good in ACCEPTABLE.items()
    for type_ in range(1, 10)
    if type_ not in good
]


@pytest.mark.parametrize(("state", "type_"), OUT_OF_PLACE)
def test_messages_out_of_place(state: CallState, type_: int) -> None:
    call = STATES[state]()
    effects = call.receive(message(type_), 5)
    text = assert_aborts(call, effects, abort(Status.UNACCEPTED_FRAME_RECEIVED), 5)
    assert state.name in text


# What still means something to a call that ends, as (state, message type)
HEEDED = {
    (CallState.CALL_ABORT_PENDING, 5),
    (CallState.CALL_DISCONNECT_ACK_PENDING, 5),
    (CallState.CALL_DISCONNECT_ACK_PENDING, 6),
    (CallState.CALL_DISCONNECT_ACK_PENDING, 7),
}


@pytest.mark.parametrize("state", [*ENDING, CallState.CLOSED, CallState.SERVER_CALL_DISCONNECTED])
def test_a_call_that_ends_ignores_the_rest(state: CallState) -> None:
    call = STATES[state]()
    before = call.state, call.deadline
    for type_ in range(20):
        if (state, type_) not in HEEDED:
            assert call.receive(message(type_), 0.5) == []
    assert call.keyed((HLAK,), 0.5) == []
    assert (call.state, call.deadline) == before


# Malformed packets: 3.1.5.1


@states(*LIVE)
@pytest.mark.parametrize(
    ("packet", "status"),
    [
        ("10010006 0001", Status.INVALID_FRAME_RECEIVED),
        ("10010008 000A 0000", Status.INVALID_FRAME_RECEIVED),
        ("1001000E 0001 0001 00010003 0001", Status.INVALID_FRAME_RECEIVED),
        ("1001000E 0001 0002 00010006 0001", Status.INVALID_FRAME_RECEIVED),
        ("1001000C 0008 0001 00010004", Status.ATTRIB_NOT_SUPPORTED_IN_MSG),
        ("1001000C 0007 0001 00020004", Status.ATTRIB_NOT_SUPPORTED_IN_MSG),
    ],
)
def test_malformed_packets(make: Callable[[], Call], packet: str, status: Status) -> None:
    call = make()
    assert_aborts(call, call.receive(bytes.fromhex(packet), 3), abort(status), 3)


@states(*LIVE, *ENDING)
@pytest.mark.parametrize("packet", ["", "20010008 0008 0000", "10010000", "10010009 0008 0000"])
def test_a_broken_stream_closes_without_a_word(make: Callable[[], Call], packet: str) -> None:
    call = make()
    (close,) = call.receive(bytes.fromhex(packet), 0)
    assert isinstance(close, Close)
    assert call.state is CallState.CLOSED


@states(CallState.SERVER_CALL_DISCONNECTED, CallState.CLOSED)
def test_a_broken_stream_outside_of_a_call(make: Callable[[], Call]) -> None:
    assert make().receive(b"", 0) == []


@states(*LIVE, *ENDING, CallState.CLOSED)
def test_a_call_begins_once(make: Callable[[], Call]) -> None:
    call = make()
    before = call.state, call.deadline
    assert call.begin(0.5) == []
    assert (call.state, call.deadline) == before


@states(CallState.SERVER_CONNECT_REQUEST_PENDING, UP)
def test_a_key_out_of_time_is_not_taken(make: Callable[[], Call]) -> None:
    call = make()
    before = call.state, call.deadline
    assert call.keyed((HLAK,), 0.5) == []
    assert (call.state, call.deadline) == before
    assert call._hlaks == ()


def test_the_key_is_forgotten() -> None:
    for make in STATES.values():
        call = make()
        assert call._hlaks == ()
        assert call._held is None


# Anything at all

raw = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            sstp.CONNECT_REQUEST,
            CONNECTED,
            sstp.connected(NONCE, RSA, bytes(32)),
            DISCONNECT,
            sstp.ending(5, 2, 4),
            sstp.DISCONNECT_ACK,
            sstp.ECHO_REQUEST,
            sstp.ECHO_RESPONSE,
            DATA,
            request_with("00010006 0002"),
        ]
    ),
    st.builds(
        lambda type_, junk: bytes((0x10, 1, 0, 6 + len(junk), 0, type_)) + junk,
        st.integers(0, 10),
        st.binary(max_size=40),
    ),
)
steps = st.lists(
    st.tuples(
        st.one_of(raw, st.sampled_from(["tick", "key", "hang up", "heard"])), st.floats(0, 70)
    ),
    max_size=25,
)


def perform(call: Call, step: bytes | str, now: float) -> list[Effect]:
    match step:
        case bytes():
            return call.receive(step, now)
        case "tick":
            return call.tick(now)
        case "key":
            return call.keyed((HLAK,), now)
        case "heard":
            call.heard(now)
            return []
        case _:
            return call.disconnect(now)


def begun(good_start: bool) -> Call:
    return in_pending() if good_start else in_request()


@given(st.booleans(), steps)
@example(True, [(CONNECTED, 0), ("key", 0), ("hang up", 0), (sstp.DISCONNECT_ACK, 0), ("tick", 1)])
def test_any_life_ends_once_and_binds_only_with_the_key(
    good_start: bool, life: list[tuple[bytes | str, float]]
) -> None:
    call, now, closed = begun(good_start), 0.0, False
    given_: set[bytes | str] = set()
    for step, pause in life:
        now += pause
        effects = perform(call, step, now)
        given_.add(step)
        assert not (closed and effects)
        assert not any(isinstance(effect, Close) for effect in effects[:-1])
        closed = closed or any(isinstance(effect, Close) for effect in effects)
        assert closed == (call.state is CallState.CLOSED)
        assert (call.deadline is None) == closed
        if Bound() in effects:
            assert {CONNECTED, "key"} <= given_
        assert all(len(e.packet) <= 4095 for e in effects if isinstance(e, Send))


@given(st.booleans(), steps)
def test_left_alone_any_call_ends(good_start: bool, life: list[tuple[bytes | str, float]]) -> None:
    call, now = begun(good_start), 0.0
    for step, pause in life:
        now += pause
        perform(call, step, now)
    for _ in range(6):
        if call.deadline is not None:
            now = max(now, call.deadline)
            call.tick(now)
    assert call.state is CallState.CLOSED


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64))
def test_no_binding_without_a_valid_mac(mac: bytes, hlak: bytes) -> None:
    call = in_pending()
    call.keyed((HLAK,), 0)
    assert Bound() not in call.receive(CONNECTED[:80] + mac, 0)
    call = in_pending()
    call.keyed((hlak,), 0)
    assert Bound() not in call.receive(CONNECTED, 0)
