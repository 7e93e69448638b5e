"""One proof of a password by CHAP with MD5 (RFC 1994), for access profiles that take it.

It is weaker than MS-CHAPv2: the password itself has to be kept, the server proves nothing, and there
is no key of the login, so that the crypto binding proves the certificate alone ([MS-SSTP] 3.3.5.2.2).
"""

import hashlib
import hmac
from typing import Final

from ..contracts import Account, LoginMethod
from . import verdict
from .effects import LookUp
from .judging import Changed, Judgement
from .patience import Patience
from .proofs import Md5Proof
from .spelling import MAX_NAME, decode_name, shown_name
from .verdict import NO_KEY, Right, Wrong

_DIGEST_SIZE: Final = 16


class Md5Exchange:
    """Challenges of one link, the Response to the last of them, and the judgement.

    :param seed: 16 random bytes, which the challenges are derived from.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    """

    method = LoginMethod.CHAP_MD5
    how = f"CHAP-MD5, which is weaker: {NO_KEY}"

    def __init__(self, seed: bytes, server_name: str) -> None:
        self._seed = seed
        self._server_name = server_name.encode()[:64]
        self._count = 0
        self._challenge = b""
        self._name = b""
        self._responded = 0.0

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return shown_name(self._name)

    def grace(self, patience: Patience) -> float:
        """RFC 1994 has no second try."""
        return 0.0

    def challenge(self) -> bytes:
        """Return the data of a Challenge never sent before: Value-Size, Value, Name."""
        label = f"md5 {self._count}".encode()
        self._challenge = hmac.digest(self._seed, label, hashlib.sha256)[:_DIGEST_SIZE]
        self._count += 1
        return bytes([len(self._challenge)]) + self._challenge + self._server_name

    def take(
        self, identifier: int, data: bytes, now: float, challenge: bytes = b""
    ) -> LookUp | None:
        """Take the data of a Response: Value-Size, Value, Name; None if it is none of MD5.

        :param challenge: what :meth:`challenge` gave for what is answered; if empty, the last.
        """
        digest, name = data[1 : 1 + _DIGEST_SIZE], data[1 + _DIGEST_SIZE :]
        right_size = data[:1] == bytes([_DIGEST_SIZE]) and len(digest) == _DIGEST_SIZE
        if not right_size or len(name) > MAX_NAME:
            return None
        self._name, self._responded = name, now
        value = challenge[1 : 1 + _DIGEST_SIZE] or self._challenge
        return LookUp(decode_name(name), Md5Proof(identifier, value, digest))

    def judge(self, judgement: Judgement, now: float) -> Right | Wrong:
        """Say what has come of the Response."""
        account, against = judgement.account, judgement.against
        if against is None:
            assert account is not None
            return Right(account, b"Welcome", judgement.keys.hlak)
        note = verdict.refused(self.user, against)
        at = verdict.when(self._responded, now, judgement.delay)
        return Wrong(verdict.TEXTS[against.error].encode(), note, at)

    def change(self, data: bytes, now: float) -> None:
        """RFC 1994 changes no password."""

    def changed(self, account: Account, changed: Changed, now: float) -> Right | Wrong:
        """Nothing was to be changed.

        :raises LookupError: always.
        """
        raise LookupError("CHAP-MD5 changes no password")
