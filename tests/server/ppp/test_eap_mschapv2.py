"""EAP-MSCHAPv2 at the server ([MS-CHAP] 3.3), with the numbers of RFC 2759 9.2."""

import dataclasses
import re
from collections.abc import Callable

import pytest

from sstpca.server.contracts import Account
from sstpca.server.ppp.effects import Admit, Authenticated, Effect, LinkDown, LookUp, Note
from sstpca.server.ppp.frames import Code, Packet, Protocol
from tests.server.ppp.dialogue import (
    HLAK,
    LEASE,
    SUCCESS,
    USER,
    Link,
    authenticating,
    challenging,
    eap,
    eap_response,
    lcp,
    response,
    sent,
)

DISABLED = dataclasses.replace(USER, enabled=False)
CERTIFICATE_ONLY = dataclasses.replace(USER, certificate_only=True)
ADMIT = Admit(USER, "EAP-MSCHAPv2")
SUCCESS_REQUEST = b"\x1a\x03\x02" + (4 + len(SUCCESS)).to_bytes(2, "big") + SUCCESS


def requests(effects: list[Effect]) -> list[Packet]:
    return [packet for protocol, packet in sent(effects) if protocol == Protocol.EAP]


def test_success() -> None:
    """[MS-CHAP] 4.1."""
    link = challenging()
    assert link.receive(eap_response(2), 0) == [LookUp("User")]
    assert requests(link.account(USER, 0)) == [Packet(1, 3, SUCCESS_REQUEST)]
    assert link.receive(eap(2, 3, "1A 03"), 0) == [ADMIT]
    effects = link.leased(LEASE, 0)
    assert requests(effects) == [Packet(3, 3)]
    # [MS-CHAP] 3.1.5.1, [MS-SSTP] 3.2.5.2.4: the first half of the Master Session Key
    assert effects[1] == Authenticated((HLAK,))
    assert sent(effects)[1][0] == Protocol.IPCP


def test_nobody_is_admitted_before_the_client_believes_us() -> None:
    link = challenging()
    link.receive(eap_response(2), 0)
    link.account(USER, 0)
    for wrong in (eap(2, 3, "1A 04"), eap(2, 3, "1A"), eap(2, 2, "1A 03"), eap_response(3)):
        assert link.receive(wrong, 0) == []
    assert link.leased(LEASE, 0) == []
    assert link.receive(eap(2, 3, "1A 03"), 0) == [ADMIT]


def test_success_is_no_answer_to_a_challenge() -> None:
    link = challenging()
    assert link.receive(eap(2, 2, "1A 03"), 0) == []
    assert link.leased(LEASE, 0) == []


def _cut(data: bytes, at: int, new: str) -> bytes:
    raw = bytes.fromhex(new)
    return data[:at] + raw + data[at + len(raw) :]


GOOD = eap_response(2)[8:]  # type, OpCode, MS-CHAPv2-ID, MS-Length, Value-Size


@pytest.mark.parametrize(
    "data",
    [
        b"\x1a",
        GOOD[:4],
        GOOD[:5],
        GOOD[:54],
        _cut(GOOD, 1, "01"),
        _cut(GOOD, 1, "07"),
        _cut(GOOD, 2, "03"),
        _cut(GOOD, 3, "0003"),
        _cut(GOOD, 3, "0100"),
        _cut(GOOD, 3, "0035"),
        _cut(GOOD, 5, "10"),
        _cut(GOOD, 3, "0137") + b"x" * 253,
    ],
    ids=[
        *("empty", "no length", "nothing in it", "cut", "challenge", "change password", "other id"),
        *("length too small", "length too large", "value cut by the length", "md5", "long name"),
    ],
)
def test_what_is_no_response_is_dropped(data: bytes) -> None:
    link = challenging()
    assert link.receive(eap(2, 2, data), 0) == []
    assert link.receive(eap_response(2), 0) == [LookUp("User")]


def test_padding_behind_the_length_is_ignored() -> None:
    assert challenging().receive(eap(2, 2, GOOD + b"\0\0"), 0) == [LookUp("User")]


def refused(
    account: Account | None, *, password: str = "guess", took: float = 0
) -> tuple[Link, Note]:
    link = challenging()
    link.receive(eap_response(2, password=password), 10)
    (note,) = link.account(account, 10 + took)
    assert isinstance(note, Note)
    return link, note


@pytest.mark.parametrize("account", [USER, None, DISABLED, CERTIFICATE_ONLY])
@pytest.mark.parametrize(("took", "sent_after"), [(0, 0.5), (0.5, 0.5), (0.501, 1.0), (2.0, 2.0)])
def test_refusals_look_the_same(account: Account | None, took: float, sent_after: float) -> None:
    link, note = refused(account, took=took)
    assert note.warning
    assert link.receive(eap_response(2), 10 + took) == []
    assert link.deadline == pytest.approx(10 + sent_after)
    assert link.tick(10 + sent_after - 0.001) == []
    (packet,) = requests(link.tick(10 + sent_after))
    assert (packet.code, packet.id) == (1, 3)
    message = rb"E=691 R=1 C=[0-9A-F]{32} V=3 M=Access denied"
    assert packet.data[:5] == b"\x1a\x04\x02" + (len(packet.data) - 1).to_bytes(2, "big")
    assert re.fullmatch(message, packet.data[5:])


@pytest.mark.parametrize(
    ("account", "password", "text"),
    [
        (USER, "guess", "the password is wrong"),
        (None, "guess", "there is no such user"),
        (DISABLED, "clientPass", "the account is disabled"),
        (
            CERTIFICATE_ONLY,
            "clientPass",
            "the password is right, but this user has to show a certificate",
        ),
    ],
)
def test_the_log_says_why(account: Account | None, password: str, text: str) -> None:
    assert refused(account, password=password)[1].text == f"login failed for 'User': {text}"


def test_a_disabled_account_is_told_so_only_with_the_right_password() -> None:
    link, _ = refused(DISABLED, password="clientPass")
    (packet,) = requests(link.tick(10.5))
    assert packet.data[5:].startswith(b"E=647 R=0 ")


@pytest.mark.parametrize("carry", ["chap", "eap"])
def test_who_has_to_show_a_certificate_cannot_use_a_password(carry: str) -> None:
    """And is not told whether it was right."""
    begin: Callable[[], Link] = authenticating if carry == "chap" else challenging
    answer = response(1) if carry == "chap" else eap_response(2)
    link = begin()
    assert link.receive(answer, 0) == [LookUp("User")]
    (note,) = link.account(CERTIFICATE_ONLY, 0)
    assert isinstance(note, Note)
    assert note.warning
    ((_, packet),) = sent(link.tick(0.5))
    assert b"E=691 R=1" in packet.data, "as one with a wrong password"
    assert link.leased(LEASE, 1) == []


def test_failure_follows_the_clients_answer() -> None:
    """[MS-CHAP] 4.4."""
    link, _ = refused(USER)
    link.tick(10.5)
    assert link.receive(eap_response(3), 10.6)  # whatever it answers
    link, _ = refused(USER)
    link.tick(10.5)
    assert requests(link.receive(eap(2, 3, "1A 04"), 10.6)) == [Packet(4, 3)]
    assert link.deadline == 11.6
    assert [packet.code for _, packet in sent(link.tick(11.6))] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), 11.6) == [LinkDown("login failed for 'User'")]


def test_failure_comes_without_an_answer() -> None:
    """[MS-CHAP] 4.3."""
    link, _ = refused(DISABLED, password="clientPass")
    link.tick(10.5)
    # the client has taken ten seconds to answer: it may need as long again
    assert link.deadline == 20.5
    assert requests(link.tick(20.5)) == [Packet(4, 3)]
    assert link.deadline == 21.5


def test_a_client_that_leaves_with_the_failure() -> None:
    link, _ = refused(USER)
    link.tick(10.5)
    effects = link.receive(lcp(Code.TERMINATE_REQUEST, 9), 10.6)
    assert effects[-1] == LinkDown("login failed for 'User'")


@pytest.mark.parametrize("name", [b"BIGCO\\User", "Jürgen".encode("cp1252"), b"User@example.com"])
def test_the_name_in_the_response_decides(name: bytes) -> None:
    link = challenging()
    (question,) = link.receive(eap_response(2, name=name), 0)
    assert isinstance(question, LookUp)
    assert question.name == name.decode("cp1252")
    assert requests(link.account(USER, 0))[0].data[1] == 3
