"""PAP (RFC 1334) and CHAP with MD5 (RFC 1994), where an access profile takes them, and where none does."""

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Account, Secrets, WeakSignIn
from sstpca.server.ppp.effects import Admit, Authenticated, Effect, LinkDown, LookUp, Note
from sstpca.server.ppp.frames import Code, Packet, Protocol
from sstpca.server.ppp.pap import decode_request
from tests.server.ppp.dialogue import (
    CHALLENGE,
    EARLIER,
    LEASE,
    MAGIC,
    PASSWORD,
    SECRETS,
    USER,
    Link,
    chap,
    frame,
    lcp,
    sent,
)
from tests.support.judging import secrets_of

BOTH = WeakSignIn.PAP | WeakSignIn.CHAP_MD5
WEAK = dataclasses.replace(USER, weak_sign_ins=BOTH)
NOT_KEPT = dataclasses.replace(SECRETS, password="")
PAP_OPTION, MD5_OPTION = "0304C023", "0305C22305"
NO_KEY = "which is weaker: the crypto binding proves the certificate alone"


def agreeing(option: str, *, weak: WeakSignIn = BOTH) -> Link:
    """Return a link, at time 0, with a client that wants this login."""
    link = Link(challenge=CHALLENGE, magic=MAGIC, server_name="vpn.example.com", weak=weak)
    link.start(EARLIER)
    ((_, ours), _) = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 1), EARLIER))
    assert ours.data.endswith(b"\x03\x05\xc2\x23\x81"), "MS-CHAPv2 is asked for first"
    ((_, again),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, ours.id, option), EARLIER))
    if again.data.endswith(bytes.fromhex(option)):
        assert link.receive(lcp(Code.CONFIGURE_ACK, again.id, again.data), EARLIER) == []
    return link


def request(name: bytes = b"User", password: bytes = b"clientPass", identifier: int = 5) -> bytes:
    data = bytes([len(name)]) + name + bytes([len(password)]) + password
    return frame(Protocol.PAP, 1, identifier, data)


def md5_response(challenge: bytes, password: bytes = b"clientPass", identifier: int = 1) -> bytes:
    digest = hashlib.md5(bytes([identifier]) + password + challenge).digest()
    return chap(2, identifier, b"\x10" + digest + b"User")


def challenged() -> tuple[Link, bytes]:
    """Return a link that has sent its Challenge of CHAP-MD5, and its value."""
    link = agreeing(MD5_OPTION)
    ((protocol, packet),) = sent(link.tick(0))
    assert (protocol, packet.code, packet.id, packet.data[:1]) == (Protocol.CHAP, 1, 1, b"\x10")
    assert packet.data[17:] == b"vpn.example.com"
    return link, packet.data[1:17]


@pytest.mark.parametrize("option", [PAP_OPTION, MD5_OPTION])
def test_nobody_has_them_unless_they_are_opened(option: str) -> None:
    link = agreeing(option, weak=WeakSignIn(0))
    assert link.receive(request(), 0) == []
    ((_, packet),) = sent(link.receive(lcp(Code.CONFIGURE_NAK, 2, option), 0))
    assert packet.data.endswith(b"\x03\x05\xc2\x23\x81")


def test_one_of_them_is_not_the_other() -> None:
    link = agreeing(PAP_OPTION, weak=WeakSignIn.CHAP_MD5)
    assert link.receive(request(), 0) == []
    assert "wants PAP" in link.difficulty(0)


def test_pap() -> None:
    link = agreeing(PAP_OPTION)
    assert link.tick(0) == [], "it is the client that asks"
    assert link.receive(request(), 0) == [LookUp("User")]
    assert link.account(WEAK, 0) == [Admit(WEAK, f"PAP, {NO_KEY}")]
    effects = link.leased(LEASE, 0)
    assert sent(effects)[0] == (Protocol.PAP, Packet(2, 5, b"\x07Welcome"))
    # [MS-SSTP] 3.3.5.2.2: there is no key
    assert effects[1] == Authenticated((bytes(32),))
    # RFC 1334 2.2.1: an Ack may be lost
    assert sent(link.receive(request(identifier=6), 1)) == [
        (Protocol.PAP, Packet(2, 6, b"\x07Welcome"))
    ]


def test_md5() -> None:
    link, challenge = challenged()
    assert link.receive(md5_response(challenge), 0) == [LookUp("User")]
    assert link.account(WEAK, 0) == [Admit(WEAK, f"CHAP-MD5, {NO_KEY}")]
    effects = link.leased(LEASE, 0)
    assert sent(effects)[0] == (Protocol.CHAP, Packet(3, 1, b"Welcome"))
    assert effects[1] == Authenticated((bytes(32),))


def test_the_challenge_of_md5_is_not_that_of_ms_chap() -> None:
    """What answers the one must not answer the other."""
    assert challenged()[1] != CHALLENGE


@pytest.mark.parametrize(
    "password", ["grüner Tee".encode(), "grüner Tee".encode("cp1252"), b"clientPass"]
)
def test_passwords_in_both_encodings(password: bytes) -> None:
    text = "clientPass" if password == b"clientPass" else "grüner Tee"
    secrets = secrets_of(text)
    link = agreeing(PAP_OPTION)
    link.receive(request(password=password), 0)
    assert isinstance(link.account(WEAK, 0, secrets=secrets)[0], Admit)
    link, challenge = challenged()
    link.receive(md5_response(challenge, password), 0)
    assert isinstance(link.account(WEAK, 0, secrets=secrets)[0], Admit)


def judged(
    option: str,
    account: Account | None,
    *,
    password: bytes = PASSWORD.encode(),
    secrets: Secrets = SECRETS,
) -> str:
    """Return what the log says of a login that fails; it ends in a second and a half."""
    if option == PAP_OPTION:
        link = agreeing(option)
        link.receive(request(password=password), 0)
    else:
        link, challenge = challenged()
        link.receive(md5_response(challenge, password), 0)
    (note,) = link.account(account, 0, secrets=secrets)
    assert isinstance(note, Note)
    assert note.warning
    assert link.tick(0.49) == []
    ((protocol, packet),) = sent(link.tick(0.5))
    assert (protocol, packet.code) in ((Protocol.PAP, 3), (Protocol.CHAP, 4))
    # the same answer to whatever comes now, right or not
    late: list[Effect] = link.receive(
        request() if option == PAP_OPTION else md5_response(bytes(16)), 0.6
    )
    assert [one.code for _, one in sent(late)] == [packet.code]
    assert [one.code for _, one in sent(link.tick(1.5))] == [Code.TERMINATE_REQUEST]
    assert link.receive(lcp(Code.TERMINATE_ACK, 3), 1.6) == [LinkDown("login failed for 'User'")]
    return note.text.removeprefix("login failed for 'User': ")


@pytest.mark.parametrize("option", [PAP_OPTION, MD5_OPTION])
def test_refusals(option: str) -> None:
    assert judged(option, None) == "there is no such user"
    assert judged(option, WEAK, password=b"guess") == "the password is wrong"
    disabled = dataclasses.replace(WEAK, enabled=False)
    assert judged(option, disabled) == "the account is disabled"
    assert judged(option, disabled, password=b"guess") == "the password is wrong"
    expired = dataclasses.replace(WEAK, password_expired=True)
    assert judged(option, expired) == "the password has expired"


def test_who_has_another_access_profile_has_no_use_for_it() -> None:
    """A client says how before it says who."""
    other = dataclasses.replace(WEAK, weak_sign_ins=WeakSignIn.CHAP_MD5)
    assert judged(PAP_OPTION, other) == (
        "the password is right, but the access profile does not take it in this way"
    )
    assert judged(PAP_OPTION, other, password=b"guess") == "the password is wrong"
    none = dataclasses.replace(WEAK, weak_sign_ins=WeakSignIn(0))
    assert judged(MD5_OPTION, none, secrets=NOT_KEPT) == "the password is wrong"


def test_md5_without_the_password_itself() -> None:
    why = "CHAP-MD5 needs the password itself, and it is not kept: set it again"
    for password in (PASSWORD.encode(), b""):
        assert judged(MD5_OPTION, WEAK, password=password, secrets=NOT_KEPT) == why


def test_no_password_shows() -> None:
    assert PASSWORD not in repr(SECRETS)
    link = agreeing(PAP_OPTION)
    assert PASSWORD not in repr(link.receive(request(), 0))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x04User", b"\x04User\x05pass", b"\x09User\x04pass", b"\xff" * 9],
    ids=["empty", "no password", "cut", "a name too long", "lengths that lie"],
)
def test_what_is_no_request_is_dropped(data: bytes) -> None:
    link = agreeing(PAP_OPTION)
    assert link.receive(frame(Protocol.PAP, 1, 5, data), 0) == []
    assert link.receive(frame(Protocol.PAP, 2, 5, b"\x00"), 0) == []
    assert link.receive(request(), 0) == [LookUp("User")]


@given(st.binary(max_size=80))
def test_any_request_is_decoded_or_dropped(data: bytes) -> None:
    decoded = decode_request(data)
    if decoded is not None:
        name, password = decoded
        again = bytes([len(name)]) + name + bytes([len(password)]) + password
        assert data.startswith(again)


def test_md5_where_ms_chap_was_agreed_is_no_answer() -> None:
    link, challenge = challenged()
    assert link.receive(chap(2, 1, b"\x31" + bytes(49) + b"User"), 0) == []
    assert link.receive(chap(7, 1, bytes(582)), 0) == []
    assert link.receive(md5_response(challenge), 0) == [LookUp("User")]


def test_a_client_that_never_asks_is_gone_after_a_minute_and_a_half() -> None:
    """A person may type for one."""
    link = agreeing(PAP_OPTION)
    assert link.deadline == 90 + EARLIER
    assert [one.code for _, one in sent(link.tick(90))] == [Code.TERMINATE_REQUEST]
    ended = link.receive(lcp(Code.TERMINATE_ACK, 2), 90)
    assert ended == [LinkDown("the client does not say who it is")]


def test_lcp_may_start_anew_before_the_request() -> None:
    link = agreeing(PAP_OPTION)
    effects = sent(link.receive(lcp(Code.CONFIGURE_REQUEST, 2), 1))
    assert [packet.code for _, packet in effects] == [Code.CONFIGURE_REQUEST, Code.CONFIGURE_ACK]
    assert link.receive(request(), 1) == [], "not before LCP is open again"
    ours = effects[0][1]
    assert link.receive(lcp(Code.CONFIGURE_ACK, ours.id, ours.data), 1) == []
    assert link.receive(request(), 1) == [LookUp("User")]
