"""One proof of a password by MS-CHAPv2 (RFC 2759), whatever carries it: CHAP, or EAP.

A refusal is to be sent a fixed time after the client's Response, however long the look-up took, so
that neither its bytes nor its time tell whether the user exists.
"""

import enum
import hashlib
import hmac
import math
from dataclasses import dataclass, field
from typing import Final

from ..contracts import Account
from . import mschapv2
from .effects import LookUp, Note, printable

REFUSAL_STEP: Final = 0.5  # seconds from Response to Failure, or the next multiple of them
MAX_NAME: Final = 256  # RFC 2759 4

# RFC 2759 4: peer challenge, 8 reserved bytes, NT-Response, flags
_VALUE_SIZE: Final = 49


@enum.unique
class Error(enum.IntEnum):
    """What a Failure says is wrong; Windows shows the number to the user (RFC 2759 6)."""

    ACCOUNT_DISABLED = 647
    AUTHENTICATION_FAILURE = 691


_TEXTS: Final = {
    Error.ACCOUNT_DISABLED: "Account disabled",
    Error.AUTHENTICATION_FAILURE: "Access denied",
}


@dataclass(frozen=True, slots=True)
class Response:
    """What the client answers to a Challenge (RFC 2759 4).

    :param name: as sent, with its domain.
    """

    peer_challenge: bytes = b""
    nt_response: bytes = b""
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class Right:
    """The password is right.

    :param message: what a Success says (RFC 2759 5).
    :param hlak: the key of this login, 32 bytes; see mschapv2.hlak.
    """

    account: Account
    message: bytes
    hlak: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The client is refused.

    :param message: what a Failure says (RFC 2759 6).
    :param note: for the log, at once: who hangs up before the Failure is guessing passwords.
    :param at: when the Failure is to be sent.
    """

    message: bytes
    note: Note
    at: float


def decode_response(data: bytes) -> Response | None:
    """Return the Response in a packet's data: Value-Size, Value, Name.

    :returns: None if it is not one of MS-CHAPv2.
    """
    value, name = data[1 : 1 + _VALUE_SIZE], data[1 + _VALUE_SIZE :]
    if data[:1] != bytes([_VALUE_SIZE]) or len(value) != _VALUE_SIZE or len(name) > MAX_NAME:
        return None
    return Response(value[:16], value[24:48], name)


def decode_name(name: bytes) -> str:
    """Return the user's name without its domain and the blanks around it, as text.

    Windows sends it in the client's ANSI code page ([MS-CHAP] 3.1.5.2), other clients in UTF-8.
    Keyboards of phones append a blank.
    """
    user = mschapv2.without_domain(name)
    try:
        text = user.decode()
    except UnicodeDecodeError:
        text = user.decode("cp1252", "replace")
    return text.strip()


class Exchange:
    """Challenges of one link, the Response to the last of them, and the judgement.

    :param seed: 16 random bytes: the first Challenge. Later ones are derived from them.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    """

    def __init__(self, seed: bytes, server_name: str) -> None:
        self._seed = seed
        self._server_name = server_name.encode()[:64]
        self._count = 0
        self._challenge = seed
        self._response = Response()
        self._responded = 0.0

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return printable(decode_name(self._response.name))

    def challenge(self) -> bytes:
        """Return the data of a Challenge never sent before: Value-Size, Value, Name."""
        # RFC 1994 4.1: the value changes each time
        self._challenge = self._derive(f"challenge {self._count}") if self._count else self._seed
        self._count += 1
        return bytes([len(self._challenge)]) + self._challenge + self._server_name

    def take(self, data: bytes, now: float) -> LookUp | None:
        """Take the data of a Response: Value-Size, Value, Name.

        :returns: what to ask; None if this is no Response of MS-CHAPv2.
        """
        response = decode_response(data)
        if response is None:
            return None
        self._response, self._responded = response, now
        return LookUp(decode_name(response.name))

    def judge(self, account: Account | None, now: float) -> Right | Wrong:
        """Judge the Response by the account that was looked up, None if there is none."""
        # for nobody the same is computed as for somebody
        password_hash = account.nt_hash if account else self._derive("nobody")
        challenge = self._matching(password_hash)
        if account is None:
            return self._refuse(Error.AUTHENTICATION_FAILURE, "there is no such user", now)
        if challenge is None:
            return self._refuse(Error.AUTHENTICATION_FAILURE, "the password is wrong", now)
        if account.certificate_only:
            # the client is not told that it was right: it is not for telling passwords
            why = "the password is right, but this user has to show a certificate"
            return self._refuse(Error.AUTHENTICATION_FAILURE, why, now)
        if not account.enabled:
            return self._refuse(Error.ACCOUNT_DISABLED, "the account is disabled", now)
        return self._admit(account, challenge)

    def _matching(self, password_hash: bytes) -> bytes | None:
        r"""Return the ChallengeHash that this password's Response was made of; None if it is wrong.

        Of ``DOMAIN\user`` Windows hashes the user alone, as RFC 2759 4 wants it; Open SSTP Client
        the whole. The bytes are those that were sent.
        """
        response, found = self._response, None
        for name in dict.fromkeys((mschapv2.without_domain(response.name), response.name)):
            challenge = mschapv2.challenge_hash(response.peer_challenge, self._challenge, name)
            expected = mschapv2.nt_response(challenge, password_hash)
            if hmac.compare_digest(expected, response.nt_response):
                found = challenge
        return found

    def _admit(self, account: Account, challenge: bytes) -> Right:
        response = self._response.nt_response
        proof = mschapv2.authenticator_response(account.nt_hash, response, challenge)
        hlak = mschapv2.hlak(account.nt_hash, response)
        return Right(account, f"S={proof} M=Welcome".encode(), hlak)

    def _refuse(self, error: Error, why: str, now: float) -> Wrong:
        challenge = self._derive("failure").hex().upper()
        message = f"E={error.value} R=0 C={challenge} V=3 M={_TEXTS[error]}"
        steps = max(1, math.ceil((now - self._responded) / REFUSAL_STEP))
        note = Note(f"login failed for '{self.user}': {why}", warning=True)
        return Wrong(message.encode(), note, self._responded + steps * REFUSAL_STEP)

    def _derive(self, label: str) -> bytes:
        """Return 16 bytes made from the given randomness."""
        return hmac.digest(self._seed, label.encode(), hashlib.sha256)[: mschapv2.CHALLENGE_SIZE]
