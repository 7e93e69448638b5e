"""Another try, and another password, on the same link: RFC 2759 6, 7 and 9.1, by CHAP and by EAP."""

import dataclasses
import re
from collections.abc import Iterator

import pytest

from sstpca.server.contracts import Account
from sstpca.server.ppp.effects import (
    Admit,
    Authenticated,
    ChangePassword,
    Effect,
    LinkDown,
    LookUp,
    Note,
)
from sstpca.server.ppp.frames import Code, Packet
from tests.server.ppp.dialogue import (
    LEASE,
    PASSWORD,
    PEER_CHALLENGE,
    SECRETS,
    USER,
    authenticating,
    challenging,
    chap,
    eap,
    lcp,
    response_data,
    sent,
)
from tests.support import mschap

NEW = "another Pass-ö"
EXPIRED = dataclasses.replace(USER, password_expired=True)


class ByChap:
    """A client; it counts its identifiers on with each answer, as RFC 2759 9.1 has it."""

    how = "MS-CHAPv2"

    def __init__(self) -> None:
        self.link = authenticating()
        self.now = 0.0
        self.id = 0

    def answer(self, data: bytes, *, code: int = 2) -> list[Effect]:
        self.id += 1
        return self.link.receive(chap(code, self.id, data), self.now)

    def heard(self, effects: list[Effect]) -> tuple[int, bytes]:
        packet = sent(effects)[0][1]
        assert packet.id == self.id
        return packet.code, packet.data


class ByEap:
    """The same words in EAP, where the MS-CHAPv2-ID counts on."""

    how = "EAP-MSCHAPv2"

    def __init__(self) -> None:
        self.link = challenging()
        self.now = 0.0
        self.eap = 2
        self.id = 1

    def answer(self, data: bytes, *, code: int = 2) -> list[Effect]:
        self.id += 1
        inner = bytes([26, code, self.id]) + (4 + len(data)).to_bytes(2, "big") + data
        return self.link.receive(eap(2, self.eap, inner), self.now)

    def heard(self, effects: list[Effect]) -> tuple[int, bytes]:
        packet = sent(effects)[0][1]
        self.eap = packet.id
        assert (packet.code, packet.data[0], packet.data[2]) == (1, 26, self.id)
        assert int.from_bytes(packet.data[3:5], "big") == len(packet.data) - 1
        return packet.data[1], packet.data[5:]


@pytest.fixture(params=[ByChap, ByEap])
def client(request: pytest.FixtureRequest) -> Iterator[ByChap | ByEap]:
    yield request.param()


Client = ByChap | ByEap


def refusal(client: Client, account: Account | None) -> tuple[str, bytes, str]:
    """Have what was answered judged; return E and R, the challenge, and the words for the log."""
    (note,) = client.link.account(account, client.now)
    assert isinstance(note, Note)
    client.now += 0.5
    code, message = client.heard(client.link.tick(client.now))
    assert code == 4
    words = re.fullmatch(r"(E=\d+ R=\d) C=([0-9A-F]{32}) V=3 M=[\w ]+", message.decode())
    assert words, message
    return words[1], bytes.fromhex(words[2]), note.text.partition(": ")[2]


def admitted(client: Client, effects: list[Effect]) -> None:
    """Go on from a right answer to the end of the login."""
    if isinstance(client, ByEap):
        code, _ = client.heard(effects)
        assert code == 3
        effects = client.link.receive(eap(2, client.eap, b"\x1a\x03"), client.now)
    (admit,) = effects
    assert isinstance(admit, Admit)
    assert (admit.account.name, admit.how) == ("User", client.how)


def keys(client: Client) -> tuple[bytes, ...]:
    """Have the client told of its success; return the keys of the login."""
    effects = client.link.leased(LEASE, client.now)
    (told,) = [one for one in effects if isinstance(one, Authenticated)]
    return told.hlaks


def expired(client: Client) -> bytes:
    """Answer with a password that has expired; return the challenge of the Failure."""
    client.answer(response_data())
    error, challenge, why = refusal(client, EXPIRED)
    assert (error, why) == ("E=648 R=1", "the password has expired")
    return challenge


def wished(effects: list[Effect]) -> str | None:
    """Return the password that is to be kept for who may change it; None if it came damaged."""
    (asked,) = effects
    assert isinstance(asked, ChangePassword)
    assert asked.account == EXPIRED
    return asked.wish.opened(SECRETS)


def change(challenge: bytes, *, old: str = PASSWORD, new: str = NEW) -> mschap.Change:
    return mschap.Change(old, new, mschap.Login(b"User", new, challenge, PEER_CHALLENGE))


def test_a_second_try_on_the_same_link(client: Client) -> None:
    """RFC 2759 9.1.4: "++ID", to the challenge in the Failure."""
    client.answer(response_data(password="guess"))
    error, challenge, _ = refusal(client, USER)
    assert error == "E=691 R=1"
    assert client.answer(response_data(challenge)) == [LookUp("User")]
    admitted(client, client.link.account(USER, client.now))
    assert keys(client) == (mschap.Login(b"User", PASSWORD, challenge, PEER_CHALLENGE).key,)


def test_another_name_at_the_second_try(client: Client) -> None:
    client.answer(response_data(name=b"Usr"))
    _, challenge, why = refusal(client, None)
    assert why == "there is no such user"
    assert client.answer(response_data(challenge)) == [LookUp("User")]
    admitted(client, client.link.account(USER, client.now))


def test_three_tries_and_no_more(client: Client) -> None:
    """RFC 2759 9.1.5; each of them is to a challenge of its own, and in the log."""
    challenges, errors = list[bytes](), list[str]()
    challenge = bytes(16)
    for _ in range(3):
        assert client.answer(response_data(challenge, password="guess")) == [LookUp("User")]
        error, challenge, why = refusal(client, USER)
        assert why == "the password is wrong"
        errors.append(error)
        challenges.append(challenge)
    assert errors == ["E=691 R=1", "E=691 R=1", "E=691 R=0"]
    assert len(set(challenges)) == 3
    assert client.answer(response_data(challenge)) != [LookUp("User")]
    assert client.link.deadline == client.now + 1


@pytest.mark.parametrize("account", [None, dataclasses.replace(USER, certificate_only=True)])
def test_who_may_not_in_looks_like_who_is_wrong(client: Client, account: Account | None) -> None:
    """To the last try, also with the right password."""
    challenge, errors = None, list[str]()
    for _ in range(3):
        client.answer(response_data(challenge) if challenge else response_data())
        error, challenge, _ = refusal(client, account)
        errors.append(error)
    assert errors == ["E=691 R=1", "E=691 R=1", "E=691 R=0"]


@pytest.mark.parametrize(
    ("account", "error", "why"),
    [
        (dataclasses.replace(USER, enabled=False), "E=647 R=0", "the account is disabled"),
        (dataclasses.replace(USER, ended=True), "E=708 R=0", "the account has expired"),
        (
            dataclasses.replace(USER, in_hours=False),
            "E=646 R=0",
            "the account is not for this hour",
        ),
    ],
)
def test_typing_again_helps_against_nothing_else(
    client: Client, account: Account, error: str, why: str
) -> None:
    client.answer(response_data())
    told, _, text = refusal(client, account)
    assert (told, text) == (error, why)


def test_an_answer_to_the_old_challenge_is_wrong(client: Client) -> None:
    """What somebody has heard once is of no use again."""
    client.answer(response_data(password="guess"))
    refusal(client, USER)
    client.answer(response_data())
    assert refusal(client, USER)[0] == "E=691 R=1"


def is_windows(client: Client) -> None:
    client.link.receive(lcp(Code.IDENTIFICATION, 9, b"\0\0\0\0MSRASV5.20"), client.now)


def test_a_person_may_take_a_minute(client: Client) -> None:
    """Nothing is asked twice meanwhile: RFC 2759 6 "disables short timeouts", RFC 3748 4.3.

    It is Windows that asks one.
    """
    is_windows(client)
    client.answer(response_data(password="guess"))
    _, challenge, _ = refusal(client, USER)
    for now in (2, 10, 40, 89):
        assert client.link.tick(now) == []
    client.now = 89
    assert client.answer(response_data(challenge)) == [LookUp("User")]


@pytest.mark.parametrize(("windows", "until"), [(False, 5.5), (True, 90.5)])
def test_who_never_tries_again_is_gone_for_the_first_reason(
    client: Client, windows: bool, until: float
) -> None:
    """Soon where nobody types; or when a person has had a minute and a half."""
    if windows:
        is_windows(client)
    client.answer(response_data(password="guess"))
    refusal(client, USER)
    assert client.link.deadline == pytest.approx(until)
    now, codes = client.now, list[int]()
    while Code.TERMINATE_REQUEST not in codes:
        now = client.link.deadline or 0
        assert now <= until + 1
        codes = [packet.code for _, packet in sent(client.link.tick(now))]
    ended = client.link.receive(lcp(Code.TERMINATE_ACK, 2), now)
    assert ended == [LinkDown("login failed for 'User'")]


def test_a_late_response_gets_the_failure_that_it_got() -> None:
    """RFC 1994 4.1: the same identifier, the same answer."""
    client = ByChap()
    client.answer(response_data(password="guess"))
    (_, failure) = (refusal(client, USER), client.link.receive(chap(2, 1, response_data()), 1))
    ((_, packet),) = sent(failure)
    assert (packet.code, packet.id, packet.data[:9]) == (4, 1, b"E=691 R=1")
    assert client.link.receive(chap(2, 3, response_data()), 1) == [], "an identifier too far"


def test_the_identifier_of_the_request_is_known_in_eap_too() -> None:
    """hostap counts on for a new password, but not for another try."""
    client = ByEap()
    client.answer(response_data(password="guess"))
    _, challenge, _ = refusal(client, USER)
    client.id -= 1
    assert client.answer(response_data(challenge)) == [LookUp("User")]


def test_the_client_may_give_up_in_eap() -> None:
    """[MS-CHAP] 4.4: the Failure-Response has an OpCode and no more."""
    client = ByEap()
    client.answer(response_data(password="guess"))
    refusal(client, USER)
    effects = client.link.receive(eap(2, client.eap, b"\x1a\x04"), 1)
    assert [packet for _, packet in sent(effects)] == [Packet(4, client.eap)]
    assert client.link.deadline == 2


def test_another_password(client: Client) -> None:
    """RFC 2759 9.1.6. The keys of the login are those of the new one."""
    challenge = expired(client)
    asked = client.answer(change(challenge).data, code=7)
    assert wished(asked) == NEW
    assert "wish" not in repr(asked)
    admitted(client, client.link.kept("", client.now))
    login = mschap.Login(b"User", NEW, challenge, PEER_CHALLENGE)
    assert keys(client) == (login.key,)


def test_the_server_proves_that_it_knows_the_new_password() -> None:
    client = ByChap()
    challenge = expired(client)
    client.answer(change(challenge).data, code=7)
    client.link.kept("", client.now)
    effects = client.link.leased(LEASE, client.now)
    code, message = client.heard(effects)
    assert (code, message.split()[0]) == (
        3,
        mschap.Login(b"User", NEW, challenge, PEER_CHALLENGE).proof,
    )


def test_another_password_after_another_try(client: Client) -> None:
    """RFC 2759 9.1.7."""
    client.answer(response_data(password="guess"))
    _, challenge, _ = refusal(client, EXPIRED)
    client.answer(response_data(challenge))
    error, challenge, _ = refusal(client, EXPIRED)
    assert error == "E=648 R=1"
    asked = client.answer(change(challenge).data, code=7)
    assert wished(asked) == NEW


def test_a_password_that_is_not_taken(client: Client) -> None:
    challenge = expired(client)
    client.answer(change(challenge, new="short").data, code=7)
    (note,) = client.link.kept("it is too short", client.now)
    assert note == Note("login failed for 'User': no new password: it is too short", warning=True)
    client.now += 0.5
    code, message = client.heard(client.link.tick(client.now))
    assert (code, message[:9], message.partition(b"M=")[2]) == (
        4,
        b"E=709 R=0",
        b"Password not changed",
    )


def broken(challenge: bytes) -> dict[str, bytes]:
    good = change(challenge).data
    return {
        "made with another old password": change(challenge, old="guess").data,
        "made for another challenge": change(bytes(16)).data,
        "its hash is damaged": good[:516] + bytes(16) + good[532:],
        "its block is damaged": bytes(516) + good[516:],
        "the proof is damaged": good[:556] + bytes(26),
    }


@pytest.mark.parametrize("how", sorted(broken(bytes(16))))
def test_a_damaged_password_is_not_taken(client: Client, how: str) -> None:
    challenge = expired(client)
    assert wished(client.answer(broken(challenge)[how], code=7)) is None
    (note,) = client.link.kept("", client.now)
    assert note == Note("login failed for 'User': the new password came damaged", warning=True)
    assert client.link.kept("", client.now) == []
    client.now += 0.5
    code, message = client.heard(client.link.tick(client.now))
    assert (code, message[:9]) == (4, b"E=709 R=0")


@pytest.mark.parametrize("size", [0, 581, 583])
def test_what_is_no_new_password_is_dropped(client: Client, size: int) -> None:
    challenge = expired(client)
    before = client.id
    assert client.answer(bytes(size), code=7) == []
    client.id = before
    asked = client.answer(change(challenge).data, code=7)
    assert wished(asked) == NEW


def test_a_password_changes_only_where_it_was_asked_for(client: Client) -> None:
    """Not in answer to the Challenge, nor to a Failure that says something else."""
    assert client.answer(change(bytes(16)).data, code=7) == []
    client.id -= 1
    client.answer(response_data(password="guess"))
    _, challenge, _ = refusal(client, USER)
    assert client.answer(change(challenge).data, code=7) == []


def test_an_account_that_is_shut_has_no_password_to_change(client: Client) -> None:
    client.answer(response_data())
    assert refusal(client, dataclasses.replace(EXPIRED, enabled=False))[0] == "E=647 R=0"


@pytest.mark.parametrize("password", ["x" * 256, "\N{GRINNING FACE}" * 128, ""])
def test_passwords_of_any_length_come_whole(client: Client, password: str) -> None:
    challenge = expired(client)
    asked = client.answer(change(challenge, new=password).data, code=7)
    assert wished(asked) == password
