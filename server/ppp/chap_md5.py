"""One proof of a password by CHAP with MD5 (RFC 1994), for access profiles that take it.

It is weaker than MS-CHAPv2: the password itself has to be kept, the server proves nothing, and there
is no key of the login, so that the crypto binding proves the certificate alone ([MS-SSTP] 3.3.5.2.2).
"""

import functools
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from ..contracts import Account, LoginMethod, Standing, WeakSignIn
from . import verdict
from .effects import LookUp
from .password import MAX_NAME, decode_name, shown_name
from .patience import Patience
from .verdict import NO_KEY, Right, Wrong

_DIGEST_SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Md5Response:
    """What the client answers to a Challenge (RFC 1994 4.1).

    :param challenge: the one that it answers.
    """

    id: int = 0
    challenge: bytes = b""
    digest: bytes = b""

    def is_made_of(self, password: str) -> bool:
        """Return whether it is made of this password, in UTF-8 or as Windows sends it.

        None is kept if it is empty.
        """
        secrets = password.encode("utf-8", "replace"), password.encode("cp1252", "replace")
        expected = [
            hashlib.md5(bytes([self.id]) + one + self.challenge, usedforsecurity=False).digest()
            for one in secrets
        ]
        made = [one for one in expected if hmac.compare_digest(one, self.digest)]
        return bool(made and password)


def _proves(response: Md5Response, account: Account | None) -> bool:
    """Whether the password is right, and may be used so."""
    if account is None or WeakSignIn.CHAP_MD5 not in account.weak_sign_ins:
        return False
    return response.is_made_of(account.password)


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
        self._response = Md5Response()
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
        self._response = Md5Response(identifier, value, digest)
        return LookUp(decode_name(name), functools.partial(_proves, self._response))

    def judge(self, account: Account | None, standing: Standing, now: float) -> Right | Wrong:
        """Judge the Response by the account that was looked up, None if there is none."""
        password = account.password if account else ""
        mistake = "" if self._response.is_made_of(password) else "the password is wrong"
        if account is not None and WeakSignIn.CHAP_MD5 in account.weak_sign_ins and not password:
            mistake = "CHAP-MD5 needs the password itself, and it is not kept: set it again"
        against = verdict.objection(
            account, standing=standing, mistake=mistake, by=WeakSignIn.CHAP_MD5
        )
        if against is None and account is not None:
            return Right(account, b"Welcome", verdict.NO_HLAK)
        assert against is not None
        note = verdict.refused(self.user, against)
        at = verdict.when(self._responded, now, standing)
        return Wrong(verdict.TEXTS[against.error].encode(), note, at)

    def change(self, data: bytes, now: float) -> None:
        """RFC 1994 changes no password."""

    def changed(self, account: Account, refusal: str, now: float) -> Right | Wrong:
        """Nothing was to be changed.

        :raises LookupError: always.
        """
        raise LookupError("CHAP-MD5 changes no password")
