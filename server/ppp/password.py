"""One proof of a password by MS-CHAPv2 (RFC 2759), whatever carries it: CHAP, or EAP.

Who types a wrong password may try again on the same link, as RFC 2759 9.1.4 has it, and who has to
change it does that there, too (RFC 2759 7). Each answer is to a challenge of its own.
"""

import hashlib
import hmac
import struct
from dataclasses import replace
from typing import Final

from ..contracts import Account, Cause, LoginMethod
from . import mschapv2, verdict
from .effects import ChangePassword, LookUp
from .judging import Changed, Judgement
from .login import PROGRAM
from .patience import ANSWER_LIMIT, Patience
from .proofs import Keys, MsChapV2Proof, PasswordChange
from .spelling import MAX_NAME, decode_name, shown_name
from .verdict import Error, Next, Objection, Right, Wrong

MAX_ATTEMPTS: Final = 3  # on one link, as RFC 2759 9.1.5 and Windows Server have it

# RFC 2759 4: peer challenge, 8 reserved bytes, NT-Response, flags
_VALUE_SIZE: Final = 49
# RFC 2759 7: Encrypted-Password, Encrypted-Hash, Peer-Challenge, Reserved, NT-Response, Flags
_CHANGE: Final = struct.Struct(f"{mschapv2.ENCRYPTED_PASSWORD_SIZE}s16s16s8x24s2x")


def decode_response(data: bytes) -> MsChapV2Proof | None:
    """Return the Response in a packet's data, but for its challenge: Value-Size, Value, Name.

    :returns: None if it is not one of MS-CHAPv2.
    """
    value, name = data[1 : 1 + _VALUE_SIZE], data[1 + _VALUE_SIZE :]
    if data[:1] != bytes([_VALUE_SIZE]) or len(value) != _VALUE_SIZE or len(name) > MAX_NAME:
        return None
    return MsChapV2Proof(value[:16], value[24:48], name)


class Exchange:
    """Challenges of one link, the Response to the last of them, and the judgement.

    :param seed: 16 random bytes: the first Challenge. Later ones are derived from them.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    :ivar prompts: whether the client is known to ask a person for another password.
    """

    method = LoginMethod.MS_CHAP_V2
    how = "MS-CHAPv2"

    __slots__ = (
        "_attempts",
        "_challenge",
        "_count",
        "_expired",
        "_responded",
        "_response",
        "_seed",
        "_server_name",
        "prompts",
    )

    def __init__(self, seed: bytes, server_name: str) -> None:
        self.prompts = False
        self._seed = seed
        self._server_name = server_name.encode()[:64]
        self._count = 0
        self._challenge = seed
        self._response = MsChapV2Proof()
        self._responded = 0.0
        self._attempts = 0
        self._expired: Account | None = None  # who may change the password now

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return shown_name(self._response.name)

    def grace(self, patience: Patience) -> float:
        """Return how long another try may take, in seconds.

        :param patience: how long an answer may, without anybody who types.
        """
        return ANSWER_LIMIT if self.prompts else PROGRAM + patience.wait(0.0)

    def challenge(self) -> bytes:
        """Return the data of a Challenge never sent before: Value-Size, Value, Name."""
        self._renew_challenge()
        return bytes([len(self._challenge)]) + self._challenge + self._server_name

    def take(
        self, identifier: int, data: bytes, now: float, challenge: bytes = b""
    ) -> LookUp | None:
        """Take the data of a Response: Value-Size, Value, Name.

        :param identifier: of the packet; it is no part of the proof.
        :param challenge: what :meth:`challenge` gave for what is answered; if empty, the last.
        :returns: what to ask; None if this is no Response of MS-CHAPv2.
        """
        response = decode_response(data)
        if response is None:
            return None
        if challenge:
            self._challenge = challenge[1 : 1 + mschapv2.CHALLENGE_SIZE]
        self._response = replace(response, challenge=self._challenge)
        self._responded, self._expired = now, None
        self._attempts += 1
        return LookUp(decode_name(response.name), self._response)

    def judge(self, judgement: Judgement, now: float) -> Right | Wrong:
        """Say what has come of the Response."""
        account, against = judgement.account, judgement.against
        if against is not None:
            return self._refuse(against, now, account, delay=judgement.delay)
        assert account is not None
        return _admit(account, judgement.keys)

    def change(self, data: bytes, now: float) -> ChangePassword | None:
        """Take the data of a Change-Password packet (RFC 2759 7), answer to E=648.

        Its NT-Response is made of the new password and the challenge of that Failure.

        :returns: what is to be done, and told to :meth:`changed`; None if it is no such packet, or
            not its time.
        """
        account = self._expired
        if account is None or len(data) != _CHANGE.size:
            return None
        encrypted, sealed_hash, peer_challenge, nt_response = _CHANGE.unpack(data)
        name = self._response.name
        self._response = MsChapV2Proof(peer_challenge, nt_response, name, self._challenge)
        self._responded, self._expired = now, None
        return ChangePassword(account, PasswordChange(encrypted, sealed_hash, self._response))

    def changed(self, account: Account, changed: Changed, now: float) -> Right | Wrong:
        """Go on once another password was to be kept for ``account``."""
        if changed.refusal:
            why = Objection(Error.CHANGING_PASSWORD, changed.refusal, Cause.PASSWORD_EXPIRED)
            return self._refuse(why, now)
        return _admit(account, changed.keys)

    def _refuse(
        self, against: Objection, now: float, account: Account | None = None, *, delay: float = 0.0
    ) -> Wrong:
        """Say no in the words of RFC 2759 6: with R=1, the next answer is to the challenge in it."""
        next_ = self._next(against.error)
        if next_ is Next.CHANGE:
            self._expired = account
        self._renew_challenge()
        message = (
            f"E={against.error.value} R={int(next_ is not Next.NOTHING)} "
            f"C={self._challenge.hex().upper()} V=3 M={verdict.TEXTS[against.error]}"
        )
        note = verdict.refused(self.user, against)
        at = verdict.when(self._responded, now, delay)
        return Wrong(message.encode(), note, at, next_)

    def _next(self, error: Error) -> Next:
        """Return what may help: to type again, or to change the password; other things do not."""
        if error is Error.PASSWORD_EXPIRED and self._attempts <= MAX_ATTEMPTS:
            return Next.CHANGE
        if error is Error.AUTHENTICATION_FAILURE and self._attempts < MAX_ATTEMPTS:
            return Next.RETRY
        return Next.NOTHING

    def _renew_challenge(self) -> None:
        """Have another one: RFC 1994 4.1 wants it each time."""
        self._challenge = self._derive(f"challenge {self._count}") if self._count else self._seed
        self._count += 1

    def _derive(self, label: str) -> bytes:
        """Return 16 bytes made from the given randomness."""
        return hmac.digest(self._seed, label.encode(), hashlib.sha256)[: mschapv2.CHALLENGE_SIZE]


def _admit(account: Account, keys: Keys) -> Right:
    return Right(account, f"S={keys.authenticator} M=Welcome".encode(), keys.hlak)
