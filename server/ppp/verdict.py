"""What is said of a login, whichever way the password was proved: who is let in, and why not.

A refusal is to be sent a fixed time after the client's answer, however long the look-up took, so
that neither its bytes nor its time tell whether the user exists. Only who knows the password is told
more than that; and where there were too many wrong ones before, nobody is.
"""

import enum
import math
from dataclasses import dataclass, field
from typing import Final

from ..contracts import NO_WEAK_SIGN_IN, Account, Cause, Standing, WeakSignIn
from .effects import Note, login_failed

REFUSAL_STEP: Final = 0.5  # seconds from the answer to the refusal, or the next multiple of them
# of a login that gives no key ([MS-SSTP] 3.3.5.2.2)
NO_KEY: Final = "the crypto binding proves the certificate alone"


@enum.unique
class Error(enum.IntEnum):
    """What a Failure says is wrong; Windows shows the number to the user.

    RFC 2759 6 has them but for 708, that Windows knows beside them (Routing and Remote Access Error
    Codes); the RFC wants codes of others' to be borne.
    """

    RESTRICTED_LOGON_HOURS = 646
    ACCOUNT_DISABLED = 647
    PASSWORD_EXPIRED = 648
    NO_DIALIN_PERMISSION = 649
    AUTHENTICATION_FAILURE = 691
    ACCOUNT_EXPIRED = 708
    CHANGING_PASSWORD = 709


TEXTS: Final = {
    Error.RESTRICTED_LOGON_HOURS: "Not at this hour",
    Error.ACCOUNT_DISABLED: "Account disabled",
    Error.PASSWORD_EXPIRED: "Password expired",
    Error.NO_DIALIN_PERMISSION: "No more sessions",
    Error.AUTHENTICATION_FAILURE: "Access denied",
    Error.ACCOUNT_EXPIRED: "Account expired",
    Error.CHANGING_PASSWORD: "Password not changed",
}
"""What a Failure says in words; few clients show them."""


@enum.unique
class Next(enum.Enum):
    """What a refused client may do on the same link."""

    NOTHING = "leave"
    RETRY = "answer the new challenge"
    CHANGE = "answer it, or give the account another password"


@dataclass(frozen=True, slots=True)
class Right:
    """The password is right.

    :param message: what a Success says.
    :param hlak: the key of this login, 32 bytes ([MS-SSTP] 3.3.5.2.2).
    """

    account: Account
    message: bytes
    hlak: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The client is refused.

    :param message: what a Failure says.
    :param note: for the log, at once: who hangs up before the Failure is guessing passwords.
    :param at: when the Failure is to be sent.
    """

    message: bytes
    note: Note
    at: float
    next: Next = Next.NOTHING


@dataclass(frozen=True, slots=True)
class Objection:
    """Why somebody is not let in.

    :param error: what the client is told.
    :param why: what the log is told.
    :param cause: the same, as it is counted.
    :param guess: whether it was a guess at the password, as far as anybody is told.
    """

    error: Error
    why: str
    cause: Cause
    guess: bool = False


def objection(
    account: Account | None,
    *,
    standing: Standing,
    mistake: str = "",
    by: WeakSignIn = NO_WEAK_SIGN_IN,
) -> Objection | None:
    """Return what speaks against a login as ``account``; None if nothing does.

    :param account: None if there is none of that name.
    :param standing: what becomes of it because of others before it.
    :param mistake: what is wrong with the client's proof; empty if nothing is.
    :param by: how it came, if that has to be in the account's access profile.
    """
    if why := standing.barred:
        if account is not None and not mistake:
            # for the administrator: the client is not told that somebody has found it
            why = f"the password is right, but there were {why}"
        return Objection(Error.AUTHENTICATION_FAILURE, why, Cause.LOCKOUT, guess=True)
    if account is None:
        why = "there is no such user"
        return Objection(Error.AUTHENTICATION_FAILURE, why, Cause.PASSWORD, guess=True)
    if mistake:
        return Objection(Error.AUTHENTICATION_FAILURE, mistake, Cause.PASSWORD, guess=True)
    if account.certificate_only:
        # the client is not told that it was right: it is not for telling passwords
        why = "the password is right, but this user has to show a certificate"
        return Objection(Error.AUTHENTICATION_FAILURE, why, Cause.METHOD)
    if by not in account.weak_sign_ins:
        # neither is it here
        why = "the password is right, but the access profile does not take it in this way"
        return Objection(Error.AUTHENTICATION_FAILURE, why, Cause.METHOD)
    if not account.enabled:
        return Objection(Error.ACCOUNT_DISABLED, "the account is disabled", Cause.DISABLED)
    if account.ended:
        return Objection(Error.ACCOUNT_EXPIRED, "the account has expired", Cause.ENDED)
    if not account.in_hours:
        why = "the account is not for this hour"
        return Objection(Error.RESTRICTED_LOGON_HOURS, why, Cause.HOURS)
    if account.not_now:
        return Objection(Error.NO_DIALIN_PERMISSION, account.not_now, Cause.LIMITS)
    if account.password_expired:
        why = "the password has expired"
        return Objection(Error.PASSWORD_EXPIRED, why, Cause.PASSWORD_EXPIRED)
    return None


def refused(user: str, against: Objection) -> Note:
    """Return the line of the log about a login that has failed.

    :param user: fit for a log.
    """
    return login_failed(user, against.why, against.cause, guess=against.guess)


def when(answered: float, now: float, delay: float) -> float:
    """Return when to send a refusal of what was answered at ``answered``.

    :param delay: seconds that it takes beyond the usual.
    """
    steps = max(1, math.ceil((now - answered) / REFUSAL_STEP))
    return answered + steps * REFUSAL_STEP + delay
