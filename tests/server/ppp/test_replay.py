"""What a client has seen or said before is worth nothing now: replayed and reflected logins.

RFC 1994 2.3 (a Challenge is used once), RFC 2759 9 and [MS-SSTP] 3.3.5.2.3; EAP by RFC 3748 4.1, 7.6.
"""

from collections.abc import Callable

import pytest

from sstpca.server.contracts import Account
from sstpca.server.ppp import mschapv2
from sstpca.server.ppp.eap import MAX_REQUESTS
from sstpca.server.ppp.eap_tls import MESSAGE_MAX
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    Effect,
    Handshake,
    LinkDown,
    LookUp,
    Note,
    SendFrame,
)
from sstpca.server.ppp.frames import Code, Protocol
from sstpca.server.ppp.link import LOGIN_LIMIT
from tests.server.ppp.dialogue import (
    CHALLENGE,
    EARLIER,
    LEASE,
    MAGIC,
    SERVER_OPTIONS,
    USER,
    Link,
    authenticating,
    challenging,
    chap,
    eap,
    eap_response,
    lcp,
    networking,
    response,
    sent,
    starting_tls,
)

OTHER = bytes(range(16))  # the Challenge of another link


def another_link() -> Link:
    """Return a link that has sent its own Challenge, of identifier 1."""
    link = Link(challenge=OTHER, magic=MAGIC, server_name="vpn.example.com")
    link.start(EARLIER)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1), EARLIER)
    link.receive(lcp(Code.CONFIGURE_ACK, 1, SERVER_OPTIONS), EARLIER)
    link.tick(0)
    return link


def refused(effects: list[Effect]) -> bool:
    """Whether a login was judged, and nobody is let in."""
    return not any(isinstance(one, Admit | Authenticated) for one in effects) and any(
        isinstance(one, Note) and one.warning for one in effects
    )


def test_a_response_of_another_link_is_wrong() -> None:
    """The one who has heard a login elsewhere, or leads one with another server, has nothing."""
    link = another_link()
    assert link.receive(response(1, CHALLENGE), 0) == [LookUp("User")]
    assert refused(link.account(USER, 0))


def test_a_response_of_before_lcp_began_anew_is_wrong() -> None:
    link = authenticating()
    first = response(1, CHALLENGE)
    (_, request), _ = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 0))
    link.receive(lcp(Code.CONFIGURE_ACK, request.id, request.data), 3)
    ((protocol, challenge),) = sent(link.tick(3.1))
    assert protocol == Protocol.CHAP
    assert challenge.data[1:17] != CHALLENGE
    assert link.receive(first, 4) == []  # its identifier is over
    under_the_new_one = first[:5] + bytes([challenge.id]) + first[6:]
    assert link.receive(under_the_new_one, 4) == [LookUp("User")]
    assert refused(link.account(USER, 4))


@pytest.mark.parametrize("begin", [authenticating, another_link, networking])
def test_who_sends_a_challenge_gets_no_response(begin: Callable[[], Link]) -> None:
    """RFC 1994 2.3: who answers to what it has asked itself gives its proofs away."""
    link = begin()
    for value in (CHALLENGE, OTHER, bytes(16)):
        for code in (1, 3, 4):
            assert link.receive(chap(code, 1, bytes([16]) + value + b"vpn"), 0) == []


def test_the_servers_own_challenge_as_that_of_the_peer() -> None:
    """Who has no password gains nothing by sending the server's own bytes back (RFC 2759 8.1)."""
    link = authenticating()
    proof = mschapv2.nt_response(
        mschapv2.challenge_hash(CHALLENGE, CHALLENGE, b"User"), mschapv2.nt_hash("guess")
    )
    data = bytes([49]) + CHALLENGE + bytes(8) + proof + b"\0" + b"User"
    assert link.receive(chap(2, 1, data), 0) == [LookUp("User")]
    assert refused(link.account(USER, 0))


def test_a_success_is_not_given_twice_for_another_name() -> None:
    """What comes behind Success under its identifier gets the same answer, and no new login."""
    link = networking()
    other = Account(8, "Other", enabled=True)
    again = link.receive(response(1, password="other", name=b"Other"), 1)
    assert [type(one) for one in again] == [SendFrame]
    assert link.account(other, 1) == []
    assert link.leased(LEASE, 1) == []


@pytest.mark.parametrize("reflected", ["request", "success", "failure"])
def test_what_eap_says_means_nothing_in_a_clients_mouth(reflected: str) -> None:
    """RFC 3748 4: an authenticator takes Responses, and nothing else."""
    link = challenging()
    code = {"request": 1, "success": 3, "failure": 4}[reflected]
    assert link.receive(eap(code, 2, b"\x1a\x03"), 0) == []
    assert link.receive(eap(code, 2), 0) == []
    assert link.receive(eap_response(2), 0) == [LookUp("User")]


def test_a_response_to_a_request_that_is_over_is_dropped() -> None:
    link = challenging()
    first = eap_response(2)
    link.receive(first, 0)
    link.account(USER, 0)
    # the Success-Request, 3, waits: neither the old Response nor the same under its identifier
    assert link.receive(first, 1) == []
    assert link.receive(eap_response(3), 1) == []
    assert [type(one) for one in link.receive(eap(2, 3, b"\x1a\x03"), 1)] == [Admit]


def fragments(link: Link, piece: Callable[[int], bytes]) -> tuple[int, list[Effect]]:
    """Answer every Request with a piece, until the server has had enough; return how many.

    The last effects are those of the end.
    """
    identifier, effects = 3, list[Effect]()
    for count in range(1, 10 * MAX_REQUESTS):
        effects = link.receive(eap(2, identifier, b"\x0d" + piece(count)), 0)
        assert not any(isinstance(one, Handshake) for one in effects)
        (packet,) = (packet for _, packet in sent(effects))
        if packet.code != 1:
            return count, effects
        assert packet.data == b"\x0d\0"
        identifier = packet.id
    raise AssertionError("fragments without end")


@pytest.mark.parametrize("size", [1, 10, 1400])
@pytest.mark.parametrize("claimed", [None, 1, MESSAGE_MAX, 0])
def test_fragments_without_end(size: int, claimed: int | None) -> None:
    """RFC 5216 2.1.5: there is always more, whatever length is claimed, in each piece or never."""
    head = b"\x40" if claimed is None else b"\xc0" + claimed.to_bytes(4, "big")
    count, effects = fragments(starting_tls(), lambda _: head + bytes(size))
    assert count * size <= MESSAGE_MAX + size
    assert count <= MAX_REQUESTS
    assert refused(effects)


@pytest.mark.parametrize("claimed", [MESSAGE_MAX + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_beyond_all_is_refused_at_once(claimed: int) -> None:
    count, effects = fragments(
        starting_tls(), lambda _: b"\xc0" + claimed.to_bytes(4, "big") + b"x"
    )
    assert count == 1
    assert refused(effects)


@pytest.mark.parametrize("claimed", [0, 1, 1000, 1399, 1401, MESSAGE_MAX])
def test_a_length_that_lies_is_refused_at_the_end(claimed: int) -> None:
    """No byte of it reaches TLS."""
    link = starting_tls()
    head = claimed.to_bytes(4, "big")
    first = link.receive(eap(2, 3, b"\x0d\xc0" + head + bytes(700)), 0)
    ((_, request),) = sent(first)
    effects = link.receive(eap(2, request.id, b"\x0d\0" + bytes(700)), 0)
    assert refused(effects)
    assert [packet.code for _, packet in sent(effects)] == [4]


@pytest.mark.parametrize("claimed", [0, 4, 5, 1400, 0xFFFF])
def test_ms_length_that_lies_is_dropped(claimed: int) -> None:
    """draft-kamath 2: a Response that is shorter or longer than it says is none."""
    link = challenging()
    genuine = eap_response(2)
    lying = genuine[:11] + claimed.to_bytes(2, "big") + genuine[13:]
    assert link.receive(lying, 0) == []
    assert link.receive(genuine, 0) == [LookUp("User")]


def test_pieces_that_come_too_slowly_end_with_the_time_for_the_login() -> None:
    """Each piece in time, and the login late: four minutes for all of it, and the link is over."""
    link, now, identifier = starting_tls(), 0.0, 3
    while now < LOGIN_LIMIT + 60:
        effects = link.receive(eap(2, identifier, b"\x0d\x40x"), now)
        identifier = next((p.id for _, p in sent(effects) if p.data == b"\x0d\0"), identifier)
        now += 2.5
        if any(isinstance(one, LinkDown) for one in link.tick(now)):
            break
    assert now < LOGIN_LIMIT + 10
