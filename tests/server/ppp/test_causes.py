"""Why a login fails is said as data as well: metrics count it, and the history has it."""

from dataclasses import replace

import pytest

from sstpca.server.contracts import UNHINDERED, Account, Cause, LoginMethod, Standing
from sstpca.server.ppp.effects import Effect, Handshake, Handshaken, LookUp, Note
from tests.server.ppp.dialogue import (
    USER,
    authenticating,
    challenging,
    eap,
    eap_response,
    response,
    starting_tls,
)

REFUSALS: dict[str, tuple[Account | None, str, Standing, Cause]] = {
    "wrong": (USER, "guess", UNHINDERED, Cause.PASSWORD),
    "nobody": (None, "clientPass", UNHINDERED, Cause.PASSWORD),
    "locked": (USER, "clientPass", Standing("too many wrong passwords"), Cause.LOCKOUT),
    "disabled": (replace(USER, enabled=False), "clientPass", UNHINDERED, Cause.DISABLED),
    "ended": (replace(USER, ended=True), "clientPass", UNHINDERED, Cause.ENDED),
    "late": (replace(USER, in_hours=False), "clientPass", UNHINDERED, Cause.HOURS),
    "old": (
        replace(USER, password_expired=True),
        "clientPass",
        UNHINDERED,
        Cause.PASSWORD_EXPIRED,
    ),
    "other": (replace(USER, certificate_only=True), "clientPass", UNHINDERED, Cause.METHOD),
}


def note_of(effects: list[Effect]) -> Note:
    (note,) = (one for one in effects if isinstance(one, Note))
    return note


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_of_ms_chap_v2(name: str) -> None:
    account, password, standing, cause = REFUSALS[name]
    link = authenticating()
    (question,) = link.receive(response(1, password=password), 10)
    assert isinstance(question, LookUp)
    note = note_of(link.account(account, 10, standing))
    assert (note.cause, link.method) == (cause, LoginMethod.MS_CHAP_V2)
    assert note.text == f"login failed for 'User': {note.failed}"


def test_a_refusal_of_eap_mschapv2() -> None:
    link = challenging()
    link.receive(eap_response(2, password="guess"), 10)
    assert note_of(link.account(USER, 10)).cause is Cause.PASSWORD
    assert link.method is LoginMethod.EAP_MS_CHAP_V2


def test_a_refusal_of_eap_tls() -> None:
    link = starting_tls()
    hello = bytes.fromhex("16030100050100000100")
    assert link.receive(eap(2, 3, bytes([13, 0]) + hello), 0) == [Handshake(hello)]
    note = note_of(link.handshaken(Handshaken(refusal="its certificate is revoked"), 0))
    assert (note.cause, note.failed) == (Cause.CERTIFICATE, "its certificate is revoked")
    assert link.method is LoginMethod.EAP_TLS


def test_a_client_that_wants_what_there_is_not() -> None:
    link = challenging()
    link.receive(eap(2, 2, bytes([3, 13])), 10)
    note = note_of(link.receive(eap(2, 3, bytes([3, 25])), 10))
    assert note.cause is Cause.METHOD


def test_no_address() -> None:
    link = authenticating()
    link.receive(response(1), 10)
    link.account(USER, 10)
    assert note_of(link.leased(None, 10)).cause is Cause.ADDRESS
