"""What a client shows to prove a password, and how that is checked.

It is checked where the passwords are, by :mod:`.judging`, and that is not the process that speaks to
strangers: here are the values that go from the one to the other.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ..contracts import NO_WEAK_SIGN_IN, Account, Secrets, WeakSignIn
from . import mschapv2
from .spelling import printable, spellings

_WRONG: Final = "the password is wrong"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a right proof gives, for this one login; of the password, nothing follows from it.

    :param authenticator: what the server proves itself with (RFC 2759 8.7); empty where it does not.
    :param hlak: the key of this login, 32 bytes ([MS-SSTP] 3.3.5.2.2); zero where there is none.
    """

    authenticator: str = ""
    hlak: bytes = field(default=bytes(32), repr=False)


@dataclass(frozen=True, slots=True)
class MsChapV2Proof:
    """What the client answers to a Challenge of MS-CHAPv2 (RFC 2759 4).

    :param name: as sent, with its domain.
    :param challenge: the one that it answers.
    """

    by: ClassVar = NO_WEAK_SIGN_IN

    peer_challenge: bytes = b""
    nt_response: bytes = b""
    name: bytes = b""
    challenge: bytes = b""

    def mistake(self, account: Account | None, secrets: Secrets) -> str:
        """Return what is wrong with it: the password, or the name that it is made of; empty if nothing.

        Some clients make it of another spelling than they send, against RFC 2759 8.2.
        """
        if self.matching(secrets.nt_hash) is not None:
            return ""
        names = list(spellings(self.name, account.name if account else ""))
        for encoding in ("utf-8", "cp1252"):
            made_of = dict.fromkeys(name.encode(encoding, "replace") for name in names)
            if found := self._made_of(made_of, secrets.nt_hash):
                name = printable(found[0].decode(encoding))
                return f"the password is right, but not for the name that was sent: for '{name}'"
        return _WRONG

    def keys(self, secrets: Secrets) -> Keys:
        """Return what it gives.

        :raises ValueError: if it is wrong.
        """
        challenge = self.matching(secrets.nt_hash)
        if challenge is None:
            raise ValueError("a wrong proof gives no keys")
        proof = mschapv2.authenticator_response(secrets.nt_hash, self.nt_response, challenge)
        return Keys(proof, mschapv2.hlak(secrets.nt_hash, self.nt_response))

    def matching(self, password_hash: bytes) -> bytes | None:
        r"""Return the ChallengeHash that this password's Response was made of; None if it is wrong.

        Of ``DOMAIN\user`` Windows hashes the user alone, as RFC 2759 4 wants it; Open SSTP Client
        the whole. The bytes are those that were sent.
        """
        names = dict.fromkeys((mschapv2.without_domain(self.name), self.name))
        found = self._made_of(names, password_hash)
        return self._hashed(found[0]) if found else None

    def _made_of(self, names: Iterable[bytes], password_hash: bytes) -> list[bytes]:
        """Return those of ``names`` that the Response is made of, with this password."""
        respond = mschapv2.responder(password_hash)
        expected = [(name, respond(self._hashed(name))) for name in names]
        return [name for name, made in expected if hmac.compare_digest(made, self.nt_response)]

    def _hashed(self, name: bytes) -> bytes:
        return mschapv2.challenge_hash(self.peer_challenge, self.challenge, name)


@dataclass(frozen=True, slots=True)
class Md5Proof:
    """What the client answers to a Challenge of CHAP with MD5 (RFC 1994 4.1).

    :param id: of the packet.
    :param challenge: the one that it answers.
    """

    by: ClassVar = WeakSignIn.CHAP_MD5

    id: int
    challenge: bytes
    digest: bytes

    def mistake(self, account: Account | None, secrets: Secrets) -> str:
        """Return what is wrong with it; empty if nothing."""
        opened = account is not None and self.by in account.weak_sign_ins
        if opened and not secrets.password:
            return "CHAP-MD5 needs the password itself, and it is not kept: set it again"
        return "" if self._is_made_of(secrets.password) else _WRONG

    def keys(self, secrets: Secrets) -> Keys:
        """It gives none."""
        return Keys()

    def _is_made_of(self, password: str) -> bool:
        """Return whether it is made of this password, in UTF-8 or as Windows sends it.

        None is kept if it is empty.
        """
        texts = password.encode("utf-8", "replace"), password.encode("cp1252", "replace")
        expected = [
            hashlib.md5(bytes([self.id]) + one + self.challenge, usedforsecurity=False).digest()
            for one in texts
        ]
        made = [one for one in expected if hmac.compare_digest(one, self.digest)]
        return bool(made and password)


@dataclass(frozen=True, slots=True)
class PapProof:
    """The password itself, as PAP has it (RFC 1334 2.2.1)."""

    by: ClassVar = WeakSignIn.PAP

    password: bytes = field(repr=False)

    def mistake(self, account: Account | None, secrets: Secrets) -> str:
        """Return what is wrong with it, read as UTF-8 or as Windows sends it; empty if nothing."""
        texts = (
            self.password.decode("utf-8", "replace"),
            self.password.decode("cp1252", "replace"),
        )
        made = [mschapv2.nt_hash(text) for text in texts]
        right = [one for one in made if hmac.compare_digest(one, secrets.nt_hash)]
        return "" if right else _WRONG

    def keys(self, secrets: Secrets) -> Keys:
        """It gives none."""
        return Keys()


Proof = MsChapV2Proof | Md5Proof | PapProof

#: Of nothing, and never right.
NO_PROOF: Final = MsChapV2Proof()


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """Another password (RFC 2759 7), encrypted with the one before.

    :param encrypted: Encrypted-Password, 516 bytes.
    :param sealed_hash: Encrypted-Hash, 16 bytes.
    :param proof: made of the new password.
    """

    encrypted: bytes = field(repr=False)
    sealed_hash: bytes = field(repr=False)
    proof: MsChapV2Proof

    def opened(self, before: Secrets) -> str | None:
        """Return the new password; None if it came damaged, or who sent it knows not the one before."""
        password = mschapv2.new_password(self.encrypted, before.nt_hash)
        new_hash = mschapv2.nt_hash(password or "")
        expected = mschapv2.encrypted_hash(before.nt_hash, new_hash)
        whole = hmac.compare_digest(expected, self.sealed_hash)
        return password if whole and self.proof.matching(new_hash) is not None else None
