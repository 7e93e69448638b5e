"""The login: MS-CHAPv2 at the server."""

import dataclasses
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Account
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    LinkDown,
    LookUp,
    Note,
    SendFrame,
)
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.link import LOGIN_LIMIT
from sstpca.server.ppp.password import decode_response
from sstpca.server.ppp.spelling import decode_name
from tests.server.ppp.dialogue import (
    CHALLENGE,
    EARLIER,
    HLAK,
    LEASE,
    PASSWORD,
    PEER_CHALLENGE,
    SERVER_OPTIONS,
    SUCCESS,
    USER,
    Link,
    admitted,
    authenticating,
    chap,
    lcp,
    networking,
    new_link,
    response,
    sent,
)
from tests.support import mschap

DISABLED = dataclasses.replace(USER, enabled=False)


def challenge_values(packets: list[Packet]) -> list[bytes]:
    """Return their values; each is 16 bytes, and behind it stands the server's name."""
    assert all(one.data[:1] == b"\x10" and one.data[17:] == b"vpn.example.com" for one in packets)
    return [one.data[1:17] for one in packets]


@pytest.mark.parametrize(("round_trip", "again"), [(0, 1.05), (0.4, 1.05), (1, 2.05), (9, 10.05)])
def test_the_challenge_goes_out_when_lcp_opens(round_trip: float, again: float) -> None:
    """Not right behind LCP's last Ack: clients exist that would miss it. Another after a second,
    should it be lost all the same, but not while the answer may be on its way."""
    link = new_link()
    link.start(0, round_trip)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1), 0)
    assert link.receive(lcp(Code.CONFIGURE_ACK, 1, SERVER_OPTIONS), 0) == []
    assert link.receive(response(1), 0.04) == [], "an answer to nothing"
    assert link.deadline == 0.05
    challenge = [(Protocol.CHAP, Packet(1, 1, b"\x10" + CHALLENGE + b"vpn.example.com"))]
    assert sent(link.tick(0.05)) == challenge
    assert link.deadline == again
    ((_, other),) = sent(link.tick(again))
    # RFC 1994 4.1: identifier and value change each time that a Challenge is sent
    assert (other.code, other.id) == (1, 2)
    assert challenge_values([other]) != [CHALLENGE]
    assert link.deadline == pytest.approx(again + max(3, 4 * min(round_trip, 5)))


def until_given_up(link: Link) -> tuple[float, list[Packet]]:
    """Let time pass until the link is ended; return when, and the Challenges sent by then."""
    now, frames = 0.0, list[tuple[int, Packet]]()
    while not any(packet.code == Code.TERMINATE_REQUEST for _, packet in frames):
        now = link.deadline or 0
        frames += sent(link.tick(now))
    return now, [packet for protocol, packet in frames if protocol == Protocol.CHAP]


def test_other_challenges_follow_for_a_minute_and_a_half() -> None:
    """None has the identifier or the value of another; a person who types is not asked too often."""
    link = authenticating()
    now, challenges = until_given_up(link)
    assert [packet.id for packet in challenges] == [2, 3, 4, 5, 6]
    assert len({CHALLENGE, *challenge_values(challenges)}) == 6
    assert now == 90
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), now) == [
        LinkDown("the client does not answer the Challenge")
    ]


def test_an_answer_that_cannot_be_used_is_no_silence() -> None:
    """One of MS-CHAP version 1, whose Value has another size (RFC 2433 5)."""
    link = authenticating()
    for second in (0.5, 2, 5):
        assert link.receive(chap(2, 1, b"\x10" + bytes(16) + b"User"), second) == []
    now, _ = until_given_up(link)
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), now) == [
        LinkDown("the client's answer to the Challenge is not one of MS-CHAPv2")
    ]


def test_as_long_again_when_lcp_starts_anew() -> None:
    link = authenticating()
    for second in (1, 4):
        link.tick(second)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 10)
    link.receive(lcp(Code.CONFIGURE_ACK, 2, SERVER_OPTIONS), 10)
    now, challenges = until_given_up(link)
    assert (round(now, 2), [packet.id for packet in challenges]) == (100.05, [4, 5, 6, 7, 8, 9])


def challenged_three_times() -> tuple[Link, list[bytes]]:
    """Return a link that has sent Challenges 1, 2 and 3 at 0, 1 and 4; and their values."""
    link = authenticating()
    packets = [packet for second in (1, 4) for _, packet in sent(link.tick(second))]
    return link, [CHALLENGE, *challenge_values(packets)]


@pytest.mark.parametrize("identifier", [1, 2, 3])
def test_any_of_the_challenges_may_be_answered(identifier: int) -> None:
    """By a person who was asked by the first, for instance; the answer is to that one."""
    link, values = challenged_three_times()
    effects = link.receive(response(identifier, values[identifier - 1]), 6)
    if identifier < 3:
        assert effects == []
        assert link.deadline == (10, 9)[identifier - 1], "when an answer to the last would be there"
        effects = link.tick(link.deadline)
    assert effects == [LookUp("User")]
    assert link.account(USER, 12) == [Admit(USER, "MS-CHAPv2")]
    assert sent(link.leased(LEASE, 12))[0][1].id == identifier


def test_of_several_answers_the_last_counts() -> None:
    """A client knows what it said last, and makes its key of that."""
    link, values = challenged_three_times()
    assert link.receive(response(1, values[0]), 5.5) == []
    assert link.receive(response(2, values[1]), 6.5) == []
    assert link.receive(response(1, values[0]), 6.6) == [], "repeated, it does not wait for longer"
    assert link.deadline == 9.5
    assert link.receive(response(3, values[2]), 9.5) == [LookUp("User")]
    assert link.receive(response(2, values[1]), 9.6) == []
    assert link.account(USER, 9.6) == [Admit(USER, "MS-CHAPv2")]
    assert sent(link.leased(LEASE, 9.6))[0][1].id == 3
    for earlier in (1, 2):
        assert link.receive(response(earlier, values[earlier - 1]), 9.7) == []


def test_an_answer_to_an_earlier_challenge_waits_for_five_seconds_at_most() -> None:
    link, values = challenged_three_times()
    link.tick(10)
    assert link.receive(response(1, values[0]), 20) == []
    assert link.deadline == 25
    assert link.tick(25) == [LookUp("User")]


def test_success() -> None:
    link = authenticating()
    assert link.receive(response(1), 0) == [LookUp("User")]
    assert link.account(USER, 0) == [Admit(USER, "MS-CHAPv2")]
    effects = link.leased(LEASE, 0)
    assert sent(effects)[0] == (Protocol.CHAP, Packet(3, 1, SUCCESS))
    assert effects[1] == Authenticated((HLAK,))
    assert HLAK.hex() not in repr(effects[1])


def test_nothing_is_said_before_the_lease_is_known() -> None:
    link = admitted()
    assert link.receive(response(1), 1) == []
    assert link.tick(10) == []


def test_a_repeated_response_gets_the_same_success() -> None:
    link = networking()
    for password in ("clientPass", "another"):
        effects = link.receive(response(1, password=password), 5)
        assert sent(effects) == [(Protocol.CHAP, Packet(3, 1, SUCCESS))]
        assert not any(isinstance(effect, Authenticated) for effect in effects)


def refusal(account: Account | None, *, password: str, took: float = 0) -> tuple[float, bytes, str]:
    """Return when the Failure was sent, its message, and what the log says."""
    link = authenticating()
    link.receive(response(1, password=password), 10)
    (note,) = link.account(account, 10 + took)
    assert isinstance(note, Note)
    assert note.warning
    now = link.deadline or 0
    assert link.tick(now - 0.001) == []
    ((protocol, failure),) = sent(link.tick(now))
    assert (protocol, failure.code, failure.id) == (Protocol.CHAP, 4, 1)
    return now - 10, failure.data, note.text


def test_a_wrong_password_and_an_unknown_user_look_the_same() -> None:
    wrong, unknown = refusal(USER, password="guess"), refusal(None, password="guess")
    assert wrong[:2] == unknown[:2]
    assert re.fullmatch(rb"E=691 R=1 C=[0-9A-F]{32} V=3 M=Access denied", wrong[1])
    assert wrong[2] == "login failed for 'User': the password is wrong"
    assert unknown[2] == "login failed for 'User': there is no such user"


@pytest.mark.parametrize("account", [USER, None, DISABLED])
@pytest.mark.parametrize(
    ("took", "sent_after"),
    [(0, 0.5), (0.2, 0.5), (0.5, 0.5), (0.501, 1.0), (1.2, 1.5), (2.0, 2.0)],
)
def test_the_time_of_a_failure_is_fixed(
    account: Account | None, took: float, sent_after: float
) -> None:
    assert refusal(account, password="guess", took=took)[0] == pytest.approx(sent_after)


def test_a_disabled_account_is_told_so_only_with_the_right_password() -> None:
    _, message, note = refusal(DISABLED, password="clientPass")
    assert re.fullmatch(rb"E=647 R=0 C=[0-9A-F]{32} V=3 M=Account disabled", message)
    assert note == "login failed for 'User': the account is disabled"
    assert refusal(DISABLED, password="guess")[1].startswith(b"E=691 ")


def refused() -> Link:
    """Return a link that has sent its Failure at 0.5, and takes no other Response."""
    link = authenticating()
    link.receive(response(1), 0)
    link.account(DISABLED, 0)
    link.tick(0.5)
    return link


def test_the_client_has_a_second_to_read_the_failure() -> None:
    link = refused()
    assert link.deadline == 1.5
    assert link.tick(1.4) == []
    assert [packet.code for _, packet in sent(link.tick(1.5))] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 1.6) == [LinkDown("login failed for 'User'")]


def test_the_client_may_go_sooner() -> None:
    effects = refused().receive(lcp(Code.TERMINATE_REQUEST, 2), 0.6)
    assert sent(effects) == [(Protocol.LCP, Packet(Code.TERMINATE_ACK, 2))]
    assert effects[1:] == [LinkDown("login failed for 'User'")]


def test_a_repeated_response_gets_the_same_failure() -> None:
    """Even if it is right now: RFC 1994 4.1 wants it so against guessing."""
    effects = refused().receive(response(1), 0.7)
    ((protocol, packet),) = sent(effects)
    assert (protocol, packet.code, packet.data[:5]) == (Protocol.CHAP, 4, b"E=647")
    assert len(effects) == 1


@pytest.mark.parametrize(
    "frame",
    [
        chap(2, 2, response(1)[8:]),
        chap(1, 1, response(1)[8:]),
        chap(3, 1, b"S=" + b"0" * 40),
        chap(2, 1, b""),
        chap(2, 1, b"\x31" + bytes(48)),
        chap(2, 1, b"\x30" + bytes(49) + b"User"),
        chap(2, 1, b"\x10" + bytes(16) + b"User"),
        chap(2, 1, b"\x31" + bytes(49) + b"x" * 257),
        chap(7, 1, bytes(582)),
    ],
    ids=["other id", "challenge", "success", "empty", "cut", "48", "md5", "long name", "change"],
)
def test_what_is_no_response_is_dropped(frame: bytes) -> None:
    link = authenticating()
    assert link.receive(frame, 1) == []
    assert link.receive(response(1), 2) == [LookUp("User")]


def test_the_longest_name() -> None:
    """RFC 2759 4."""
    assert authenticating().receive(response(1, name=b"x" * 256), 0) == [LookUp("x" * 256)]


def test_a_response_is_looked_up_once() -> None:
    link = authenticating()
    assert link.receive(response(1), 0) == [LookUp("User")]
    assert link.receive(response(1, name=b"Other"), 0) == []


def test_answers_nobody_asked_for_are_ignored() -> None:
    link = authenticating()
    assert link.account(USER, 0) == []
    assert link.leased(LEASE, 0) == []
    link = networking()
    assert link.account(None, 0) == []
    assert link.leased(None, 0) == []


@pytest.mark.parametrize(
    "name", [b"User", b"BIGCO\\User", b"A\\B\\User", b"User@example.com", b" User. ", b"uSER"]
)
def test_a_name_is_looked_up_as_it_was_sent(name: bytes) -> None:
    """Whose it is, the directory says (names.login_names)."""
    link = authenticating()
    assert link.receive(response(1, name=name), 0) == [LookUp(name.decode())]
    assert link.account(USER, 0) == [Admit(USER, "MS-CHAPv2")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Jürgen".encode(), "Jürgen"),
        ("DOM\\Jürgen".encode("cp1252"), "DOM\\Jürgen"),
        (b"\x81\xfe", "\ufffdþ"),
        (b"", ""),
    ],
)
def test_names_in_both_encodings(name: bytes, text: str) -> None:
    assert decode_name(name) == text
    link = authenticating()
    assert link.receive(response(1, name=name), 0) == [LookUp(text)]
    assert link.account(USER, 0) == [Admit(USER, "MS-CHAPv2")], (
        "the hash is over the bytes as they came"
    )


def spoken(sent_name: bytes, hashed: bytes, *, password: str = PASSWORD) -> str:
    """Return what the log says of a client that makes its proof of another name than it sends."""
    link = authenticating()
    login = mschap.Login(hashed, password, CHALLENGE, PEER_CHALLENGE, hashes_domain=True)
    value = login.response
    link.receive(chap(2, 1, bytes([len(value)]) + value + sent_name), 0)
    (note,) = link.account(USER, 0)
    assert isinstance(note, Note)
    ((_, failure),) = sent(link.tick(0.5))
    assert failure.data.startswith(b"E=691 R=1 "), "the client is told nothing of it"
    return note.text.partition(": ")[2]


@pytest.mark.parametrize(
    ("sent_name", "hashed"),
    [
        (b"user", b"User"),
        (b"User", b"USER"),
        (b"User ", b"User"),
        (b"User@example.com", b"User"),
        (b"OFFICE\\User@example.com", b"User"),
        ("Jürgen".encode(), "Jürgen".encode("cp1252")),
        ("Jürgen".encode("cp1252"), "Jürgen".encode()),
        ("Jürgen".encode(), unicodedata.normalize("NFD", "Jürgen").encode()),
        (b"alias", b"User"),
    ],
)
def test_a_right_password_for_another_spelling_is_no_wrong_password(
    sent_name: bytes, hashed: bytes
) -> None:
    said = spoken(sent_name, hashed)
    assert said.startswith("the password is right, but not for the name that was sent: for '")
    assert spoken(sent_name, hashed, password="guess") == "the password is wrong"


def test_a_name_that_was_not_meant_is_not_guessed() -> None:
    assert spoken(b"User", b"somebody else") == "the password is wrong"


def test_a_name_cannot_write_its_own_log_line() -> None:
    link = authenticating()
    link.receive(response(1, name=b"x\n\x1b[2J" + b"y" * 200), 0)
    (note,) = link.account(None, 0)
    assert note == Note(
        f"login failed for 'x[2J{'y' * 60}': there is no such user", warning=True, guess=True
    )


def test_lcp_may_start_anew_before_the_response() -> None:
    """RFC 1994 4.1: with another Challenge, under another identifier."""
    link = authenticating()
    effects = link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1)
    codes = [packet.code for _, packet in sent(effects)]
    assert codes == [Code.CONFIGURE_REQUEST, Code.CONFIGURE_ACK]
    assert link.receive(response(1), 1) == [], "CHAP is not heard before LCP is open"
    assert link.receive(lcp(Code.CONFIGURE_ACK, 2, SERVER_OPTIONS), 1) == []
    ((_, challenge),) = sent(link.tick(1.05))
    assert challenge.id == 2
    value = challenge.data[1:17]
    assert value != CHALLENGE
    assert link.receive(response(2, value), 2) == [LookUp("User")]
    assert link.account(USER, 2) == [Admit(USER, "MS-CHAPv2")]


@pytest.mark.parametrize("frame", [lcp(Code.CONFIGURE_REQUEST, 2), lcp(Code.TERMINATE_ACK, 2)])
@pytest.mark.parametrize("begin", [admitted, networking])
def test_lcp_may_not_start_anew_after_the_response(begin: Callable[[], Link], frame: bytes) -> None:
    link = begin()
    effects = link.receive(frame, 1)
    assert sent(effects)[-1][1].code == Code.TERMINATE_REQUEST
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), 1) == [
        LinkDown("the client negotiated LCP anew after its login")
    ]
    assert link.leased(LEASE, 2) == []


@given(st.binary(max_size=120))
def test_any_response_is_decoded_or_dropped(data: bytes) -> None:
    decoded = decode_response(data)
    if decoded is not None:
        assert (len(decoded.peer_challenge), len(decoded.nt_response)) == (16, 24)


@given(st.binary(max_size=60))
def test_any_name_is_text(name: bytes) -> None:
    decode_name(name).encode()


def test_the_client_must_log_in_within_four_minutes() -> None:
    """A person may type for one of them, and the line be slow."""
    link = authenticating()
    link.receive(response(1), 20)  # and the look-up never ends
    assert link.deadline == LOGIN_LIMIT + EARLIER
    effects = link.tick(LOGIN_LIMIT)
    assert [packet.code for _, packet in sent(effects)] == [Code.TERMINATE_REQUEST]
    assert all(isinstance(effect, SendFrame) for effect in effects)
    assert link.account(USER, LOGIN_LIMIT + 0.5) == []
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), LOGIN_LIMIT + 1) == [
        LinkDown("the client did not log in in time")
    ]
