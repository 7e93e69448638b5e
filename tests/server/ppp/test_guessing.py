"""Where there were too many wrong passwords, the right one is refused as a wrong one is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sstpca.server.contracts import UNHINDERED, Account, Standing
from sstpca.server.ppp.effects import Admit, LookUp, Note, SendFrame
from sstpca.server.ppp.judging import judge
from tests.server.ppp.dialogue import (
    LEASE,
    SECRETS,
    USER,
    Link,
    authenticating,
    challenging,
    eap_response,
    response,
    sent,
)

BARRED = Standing("too many wrong passwords", 7.5)
DISABLED = replace(USER, enabled=False)
CERTIFICATE_ONLY = replace(USER, certificate_only=True)
CARRIERS: dict[str, tuple[Callable[[], Link], Callable[..., bytes], int]] = {
    "chap": (authenticating, response, 1),
    "eap": (challenging, eap_response, 2),
}


def ask(carrier: str, password: str) -> tuple[Link, LookUp]:
    """Bring a link to where it wants to know who that is, at 10."""
    begin, answer, identifier = CARRIERS[carrier]
    link = begin()
    (question,) = link.receive(answer(identifier, password=password), 10)
    assert isinstance(question, LookUp)
    return link, question


def refusal(
    carrier: str, account: Account | None, password: str, standing: Standing
) -> tuple[float, bytes, Note]:
    """Return when the refusal is sent, its frame, and what the log says."""
    link, _ = ask(carrier, password)
    (note,) = link.account(account, 10, standing)
    assert isinstance(note, Note)
    now = link.deadline or 0
    ((_, packet),) = sent(link.tick(now))
    assert link.leased(LEASE, now) == []
    return now - 10, packet.data, note


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_right_password_looks_like_a_wrong_one(carrier: str) -> None:
    seen = [
        refusal(carrier, account, password, BARRED)
        for account in (USER, DISABLED, CERTIFICATE_ONLY, None)
        for password in ("clientPass", "guess")
    ]
    assert {one[:2] for one in seen} == {seen[0][:2]}
    took, message, _ = seen[0]
    assert took == 8.0
    assert b"E=691 R=1" in message


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_administrator_is_told(carrier: str) -> None:
    right, wrong, nobody = (
        refusal(carrier, account, password, BARRED)[2]
        for account, password in ((USER, "clientPass"), (USER, "guess"), (None, "guess"))
    )
    words = "the password is right, but there were too many wrong passwords"
    assert right == Note(f"login failed for 'User': {words}", warning=True, guess=True)
    assert wrong.text == nobody.text == "login failed for 'User': too many wrong passwords"
    assert wrong.guess


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_refusal_takes_longer(carrier: str) -> None:
    """While there may be more of them as well; the right password is heard at once."""
    took, message, note = refusal(carrier, USER, "guess", Standing(delay=1.5))
    assert took == 2.0
    assert message == refusal(carrier, USER, "guess", UNHINDERED)[1]
    assert note.text == "login failed for 'User': the password is wrong"
    link, _ = ask(carrier, "clientPass")
    (effect,) = link.account(USER, 10, Standing(delay=1.5))
    assert isinstance(effect, Admit if carrier == "chap" else SendFrame)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    ("account", "password", "proven"),
    [
        (USER, "clientPass", True),
        (DISABLED, "clientPass", True),
        (USER, "guess", False),
        (None, "clientPass", False),
        # its user is told that it is wrong, so it counts as that
        (CERTIFICATE_ONLY, "clientPass", False),
    ],
)
def test_what_counts_as_a_wrong_password(
    carrier: str, account: Account | None, password: str, proven: bool
) -> None:
    counted: list[bool] = []

    def count(right: bool) -> Standing:
        counted.append(right)
        return UNHINDERED

    found = None if account is None else (account, SECRETS)
    judge(ask(carrier, password)[1].proof, found, count)
    assert counted == [proven]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_only_guesses_are_noted_as_such(carrier: str) -> None:
    """Who bans by these lines must not ban a user whose account is disabled."""
    assert refusal(carrier, USER, "guess", UNHINDERED)[2].guess
    assert refusal(carrier, None, "guess", UNHINDERED)[2].guess
    assert not refusal(carrier, DISABLED, "clientPass", UNHINDERED)[2].guess
    assert not refusal(carrier, CERTIFICATE_ONLY, "clientPass", UNHINDERED)[2].guess


def test_a_look_up_that_says_nothing_of_it_proves_nothing() -> None:
    assert judge(LookUp("User").proof, (USER, SECRETS), lambda _: UNHINDERED).against is not None
