"""LCP: what the server grants, and the packets that are LCP's own."""

import pytest

from sstpca.server.ppp.effects import Identified, LinkDown, SendFrame
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.lcp import FIRST_WAIT, LcpPolicy
from sstpca.server.ppp.options import decode_options, encode_options
from tests.server.ppp.dialogue import (
    MAGIC,
    SERVER_OPTIONS,
    Link,
    authenticating,
    connected,
    lcp,
    networking,
    new_link,
    sent,
)

REQUEST = (Protocol.LCP, Packet(Code.CONFIGURE_REQUEST, 1, SERVER_OPTIONS))


def judged(options: str) -> tuple[str, str]:
    """Return the name and the options, in hex, of the answer to a Configure-Request."""
    reply = LcpPolicy(MAGIC).judge(decode_options(bytes.fromhex(options)))
    return reply.code.name.removeprefix("CONFIGURE_"), encode_options(reply.options).hex()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("", ("ACK", "")),
        ("01040ffb", ("ACK", "01040ffb")),
        ("01040240", ("ACK", "01040240")),
        ("0104023f", ("NAK", "01040578")),
        ("01030f", ("NAK", "01040578")),
        ("01040ffb05062a3b4c5d", ("ACK", "01040ffb05062a3b4c5d")),
        # each of the options to be rejected, unchanged and in their order
        ("0206000a0000", ("REJECT", "0206000a0000")),
        ("0304c023", ("REJECT", "0304c023")),
        ("070208020d0306110406401303011702", ("REJECT", "070208020d0306110406401303011702")),
        ("ff05aabbcc", ("REJECT", "ff05aabbcc")),
        # a Reject goes before a Nak
        ("01040001050600000000070205062a3b4c5d", ("REJECT", "0702")),
    ],
)
def test_what_is_granted(asked: str, answer: tuple[str, str]) -> None:
    assert judged(asked) == answer


@pytest.mark.parametrize("asked", ["050600000000", f"0506{MAGIC:08x}", "0504beef"])
def test_a_bad_magic_number_is_answered_by_another(asked: str) -> None:
    code, options = judged(asked)
    assert (code, options[:4]) == ("NAK", "0506")
    assert options[4:] not in ("00000000", f"{MAGIC:08x}")
    assert judged(asked) == (code, options), "derived from what was given, so the same each time"


def test_an_mru_holds_until_the_next_agreement() -> None:
    policy = LcpPolicy(MAGIC)
    policy.granted(decode_options(bytes.fromhex("01040240")))
    assert policy.peer_mru == 576
    policy.granted(())
    assert policy.peer_mru == 1500


def test_the_request_waits_for_the_client() -> None:
    """Windows would ignore one sent at once, and answer only the next, 3 s later."""
    link = new_link()
    assert link.start(100) == []
    assert link.deadline == 100 + FIRST_WAIT
    effects = link.receive(lcp(Code.CONFIGURE_REQUEST, 0, "0506 2A3B4C5D"), 100.5)
    assert sent(effects) == [
        REQUEST,
        (Protocol.LCP, Packet(Code.CONFIGURE_ACK, 0, bytes.fromhex("05062A3B4C5D"))),
    ]
    assert link.deadline == 103.5


def test_the_request_does_not_wait_for_long() -> None:
    link = new_link()
    link.start(100)
    assert link.tick(101.9) == []
    assert sent(link.tick(102)) == [REQUEST]
    assert link.deadline == 105


def test_a_late_client_is_asked_again_at_once() -> None:
    link = new_link()
    link.start(0)
    assert sent(link.tick(2)) == [REQUEST]
    codes = [p.code for _, p in sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 0, "0702"), 2.5))]
    assert codes == [Code.CONFIGURE_REQUEST, Code.CONFIGURE_REJECT]
    # until it has answered
    link.receive(lcp(Code.CONFIGURE_ACK, 1, SERVER_OPTIONS), 2.6)
    codes = [p.code for _, p in sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 1, "0702"), 2.6))]
    assert codes == [Code.CONFIGURE_REJECT]


def test_other_packets_of_a_late_client_do_not_count() -> None:
    link = new_link()
    link.start(0)
    link.tick(2)
    assert link.receive(lcp(Code.TIME_REMAINING, 1, "00000000 0000003C"), 2.5) == []


def test_a_late_client_that_has_answered_is_not_asked_again() -> None:
    link = new_link()
    link.start(0)
    link.tick(2)
    link.receive(lcp(Code.CONFIGURE_ACK, 1, SERVER_OPTIONS), 2.4)
    effects = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 0), 2.5))
    assert [(p, packet.code) for p, packet in effects] == [
        (Protocol.LCP, Code.CONFIGURE_ACK),
    ]


def test_a_frame_that_is_no_packet_does_not_end_the_wait() -> None:
    link = new_link()
    link.start(0)
    assert link.receive(bytes.fromhex("FF03C021 0100"), 0.5) == []
    assert link.deadline == FIRST_WAIT


def established() -> Link:
    link = new_link()
    link.start(0)
    link.receive(lcp(Code.CONFIGURE_REQUEST, 1), 0)
    return link


def test_the_client_may_do_without_a_magic_number() -> None:
    link = established()
    effects = link.receive(lcp(Code.CONFIGURE_REJECT, 1, "0506 5EED5EED"), 0)
    assert sent(effects) == [
        (Protocol.LCP, Packet(Code.CONFIGURE_REQUEST, 2, bytes.fromhex("0305C22381")))
    ]


def test_the_client_may_want_another_magic_number() -> None:
    link = established()
    ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, 1, "0506 11223344"), 0))
    assert request.data[:2] == b"\x05\x06"
    assert request.data[2:6] not in (bytes(4), MAGIC.to_bytes(4, "big"))


def test_the_client_may_want_an_mru() -> None:
    link = established()
    ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, 1, "0104 05DC"), 0))
    assert request.data == bytes.fromhex("010405DC") + SERVER_OPTIONS
    ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_REJECT, 2, "0104 05DC"), 0))
    assert request.data == SERVER_OPTIONS


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("0304C023", ", and wants PAP"),
        ("0305C22380", ", and wants MS-CHAP version 1"),
        ("0305C22305", ", and wants CHAP-MD5"),
        ("0304BEEF", ""),
    ],
)
def test_a_client_that_wants_another_login(wanted: str, text: str) -> None:
    link = established()
    for identifier in range(1, 5):
        ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, identifier, wanted), 0))
        assert request == Packet(Code.CONFIGURE_REQUEST, identifier + 1, SERVER_OPTIONS)
    effects = link.receive(lcp(Code.CONFIGURE_NAK, 5, wanted), 0)
    assert [packet.code for _, packet in sent(effects)] == [Code.TERMINATE_REQUEST]
    ended = link.receive(lcp(Code.TERMINATE_ACK, 6), 0)
    assert ended == [LinkDown("the client refuses MS-CHAPv2 and EAP" + text)]


def test_a_client_that_rejects_the_login() -> None:
    link = established()
    effects = link.receive(lcp(Code.CONFIGURE_REJECT, 1, "0305C22381"), 0)
    assert [packet.code for _, packet in sent(effects)] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 0) == [
        LinkDown("the client refuses MS-CHAPv2 and EAP")
    ]


def test_a_client_may_want_eap() -> None:
    link = established()
    ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, 1, "0304C227"), 0))
    assert request.data == bytes.fromhex("0506 5EED5EED 0304C227")
    ((_, request),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, 2, "0305C22381"), 0))
    assert request.data == SERVER_OPTIONS


def test_a_client_that_cannot_decide_on_a_login() -> None:
    link = established()
    for identifier in range(1, 5):
        wanted = "0304C227" if identifier % 2 else "0305C22381"
        link.receive(lcp(Code.CONFIGURE_NAK, identifier, wanted), 0)
    link.receive(lcp(Code.CONFIGURE_NAK, 5, "0304C227"), 0)
    assert link.receive(lcp(Code.TERMINATE_ACK, 6), 0) == [
        LinkDown("the client refuses MS-CHAPv2 and EAP")
    ]


def test_a_client_that_naks_without_end() -> None:
    link = established()
    for identifier in range(1, 6):
        link.receive(lcp(Code.CONFIGURE_NAK, identifier, "0506 00000001"), 0)
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 0) == [
        LinkDown("the client does not agree to the options of LCP")
    ]


def test_echo_only_when_open() -> None:
    link = established()
    assert link.receive(lcp(Code.ECHO_REQUEST, 3, "2A3B4C5D 6869"), 0) == []
    effects = authenticating().receive(lcp(Code.ECHO_REQUEST, 3, "2A3B4C5D 6869"), 0)
    reply = Packet(Code.ECHO_REPLY, 3, MAGIC.to_bytes(4, "big") + b"hi")
    assert sent(effects) == [(Protocol.LCP, reply)]


def test_an_echo_fits_the_client() -> None:
    """RFC 1661 5.8: up to its MRU, and no longer."""
    effects = authenticating("0104 0240").receive(lcp(Code.ECHO_REQUEST, 3, bytes(1000)), 0)
    ((_, reply),) = sent(effects)
    assert len(reply.data) == 576 - 4


def test_echo_without_magic_number() -> None:
    link = established()
    link.receive(lcp(Code.CONFIGURE_REJECT, 1, "0506 5EED5EED"), 0)
    link.receive(lcp(Code.CONFIGURE_ACK, 2, "0305C22381"), 0)
    effects = link.receive(lcp(Code.ECHO_REQUEST, 3, "00000000"), 0)
    assert sent(effects) == [(Protocol.LCP, Packet(Code.ECHO_REPLY, 3, bytes(4)))]


@pytest.mark.parametrize(
    "frame",
    [
        lcp(Code.ECHO_REQUEST, 3, "2A3B4C"),
        lcp(Code.ECHO_REPLY, 3, "2A3B4C5D"),
        lcp(Code.DISCARD_REQUEST, 3, "2A3B4C5D"),
        lcp(Code.TIME_REMAINING, 3, "2A3B4C5D 0000003C"),
        lcp(Code.PROTOCOL_REJECT, 3, "80FD 0101"),
        lcp(Code.PROTOCOL_REJECT, 3, "80"),
        lcp(Code.CODE_REJECT, 3, "0C010004"),
    ],
    ids=lambda frame: frame.hex(),
)
def test_what_needs_no_answer(frame: bytes) -> None:
    assert connected().receive(frame, 0) == []


def test_identification_of_windows() -> None:
    link = authenticating()
    version = lcp(Code.IDENTIFICATION, 2, b"\x2a\x3b\x4c\x5dMSRASV5.20")
    host = lcp(Code.IDENTIFICATION, 3, b"\x2a\x3b\x4c\x5dMSRAS-0-LAPTOP")
    binary = lcp(Code.IDENTIFICATION, 4, b"\x2a\x3b\x4c\x5d\x9e\x01\x00\xc3\x28AB")
    assert link.receive(version, 0) == [Identified("MSRASV5.20")]
    assert link.receive(host, 0) == [Identified("MSRAS-0-LAPTOP")]
    assert link.receive(binary, 0) == []


def test_identification_cannot_flood_the_log() -> None:
    link = authenticating()
    long = lcp(Code.IDENTIFICATION, 2, bytes(4) + b"x" * 1000)
    said = [effect for _ in range(50) for effect in link.receive(long, 0)]
    assert said == [Identified("x" * 64)] * 4


@pytest.mark.parametrize(
    ("rejected", "reason"),
    [
        ("C223", "the client refuses MS-CHAPv2 and EAP"),
        ("C227", "the client refuses MS-CHAPv2 and EAP"),
        ("8021", "the client refuses IPv4 (IPCP)"),
        ("C021", "the client rejects LCP"),
    ],
)
def test_protocol_reject_of_what_we_need(rejected: str, reason: str) -> None:
    link = networking()
    effects = link.receive(lcp(Code.PROTOCOL_REJECT, 3, rejected), 0)
    assert [packet.code for _, packet in sent(effects)] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 2), 0) == [LinkDown(reason)]


def test_protocol_reject_counts_only_when_open() -> None:
    assert established().receive(lcp(Code.PROTOCOL_REJECT, 3, "C021"), 0) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "the client ended the connection"),
        ("2A3B4C5D 003CCD74 00000000", "the client ended the connection"),
        ("2A3B4C5D 003CCD74 000002DC", "the client ended the connection (Windows error 732)"),
        (b"User request".hex(), "the client ended the connection"),
    ],
)
def test_terminate_request(data: str, reason: str) -> None:
    """The answer is on its way before the link is down."""
    effects = networking().receive(lcp(Code.TERMINATE_REQUEST, 9, data), 0)
    assert isinstance(effects[0], SendFrame)
    assert sent(effects) == [(Protocol.LCP, Packet(Code.TERMINATE_ACK, 9))]
    assert effects[1:] == [LinkDown(reason)]


def test_a_silent_client() -> None:
    link = new_link()
    link.start(0)
    frames = []
    down: list[LinkDown] = []
    now = 0.0
    while link.deadline is not None:
        now = link.deadline
        effects = link.tick(now)
        frames += sent(effects)
        down += [effect for effect in effects if isinstance(effect, LinkDown)]
    assert frames == [REQUEST] * 10
    assert down == [LinkDown("the client does not answer LCP")]
    assert now == 32
