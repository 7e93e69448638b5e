"""One proof of a password by MS-CHAPv2 (RFC 2759), whatever carries it: CHAP, or EAP.

Who types a wrong password may try again on the same link, as RFC 2759 9.1.4 has it, and who has to
change it does that there, too (RFC 2759 7). Each answer is to a challenge of its own.
"""

import functools
import hashlib
import hmac
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ..contracts import UNHINDERED, Account, Cause, LoginMethod, Standing
from . import mschapv2, verdict
from .effects import ChangePassword, LookUp, printable
from .login import PROGRAM
from .patience import ANSWER_LIMIT, Patience
from .verdict import Error, Next, Objection, Right, Wrong

MAX_NAME: Final = 256  # RFC 2759 4
MAX_ATTEMPTS: Final = 3  # on one link, as RFC 2759 9.1.5 and Windows Server have it

# RFC 2759 4: peer challenge, 8 reserved bytes, NT-Response, flags
_VALUE_SIZE: Final = 49
# RFC 2759 7: Encrypted-Password, Encrypted-Hash, Peer-Challenge, Reserved, NT-Response, Flags
_CHANGE: Final = struct.Struct(f"{mschapv2.ENCRYPTED_PASSWORD_SIZE}s16s16s8x24s2x")


@dataclass(frozen=True, slots=True)
class Response:
    """What the client answers to a Challenge (RFC 2759 4).

    :param name: as sent, with its domain.
    :param challenge: the one that it answers.
    """

    peer_challenge: bytes = b""
    nt_response: bytes = b""
    name: bytes = b""
    challenge: bytes = b""

    def matching(self, password_hash: bytes) -> bytes | None:
        r"""Return the ChallengeHash that this password's Response was made of; None if it is wrong.

        Of ``DOMAIN\user`` Windows hashes the user alone, as RFC 2759 4 wants it; Open SSTP Client
        the whole. The bytes are those that were sent.
        """
        found = self.made_of((mschapv2.without_domain(self.name), self.name), password_hash)
        return self._hashed(found[0]) if found else None

    def made_of(self, names: Iterable[bytes], password_hash: bytes) -> list[bytes]:
        """Return those of ``names`` that the Response is made of, with this password."""
        respond = mschapv2.responder(password_hash)
        expected = [(name, respond(self._hashed(name))) for name in names]
        return [name for name, made in expected if hmac.compare_digest(made, self.nt_response)]

    def _hashed(self, name: bytes) -> bytes:
        return mschapv2.challenge_hash(self.peer_challenge, self.challenge, name)


def decode_response(data: bytes) -> Response | None:
    """Return the Response in a packet's data: Value-Size, Value, Name.

    :returns: None if it is not one of MS-CHAPv2.
    """
    value, name = data[1 : 1 + _VALUE_SIZE], data[1 + _VALUE_SIZE :]
    if data[:1] != bytes([_VALUE_SIZE]) or len(value) != _VALUE_SIZE or len(name) > MAX_NAME:
        return None
    return Response(value[:16], value[24:48], name)


def decode_name(name: bytes) -> str:
    """Return a name as text, and nothing but that.

    Windows sends it in the client's ANSI code page ([MS-CHAP] 3.1.5.2), other clients in UTF-8.
    """
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp1252", "replace")


def shown_name(name: bytes) -> str:
    """Return the user's name for a log: without its domain and the blanks around it."""
    return printable(decode_name(name).rpartition("\\")[2].strip())


def spellings(sent: bytes, user: str) -> Iterator[str]:
    """Yield how else a name may be spelt: what a client may have made its proof of.

    :param sent: the name in the Response.
    :param user: the user's own; empty if there is none.
    """
    whole = decode_name(sent)
    bare = whole.rpartition("\\")[2]
    texts = (user, whole, bare, bare.strip(), bare.strip().rpartition("@")[0])
    forms: tuple[Callable[[str], str], ...] = (
        str,
        str.lower,
        str.upper,
        str.capitalize,
        functools.partial(unicodedata.normalize, "NFC"),
        functools.partial(unicodedata.normalize, "NFD"),
    )
    yield from dict.fromkeys(form(text) for text in texts for form in forms)


def _proves(response: Response, account: Account | None) -> bool:
    """Whether the password is right, and says so to who sent it."""
    if account is None or account.certificate_only:
        return False
    return response.matching(account.nt_hash) is not None


class Exchange:
    """Challenges of one link, the Response to the last of them, and the judgement.

    :param seed: 16 random bytes: the first Challenge. Later ones are derived from them.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    :ivar prompts: whether the client is known to ask a person for another password.
    """

    method = LoginMethod.MS_CHAP_V2
    how = "MS-CHAPv2"

    def __init__(self, seed: bytes, server_name: str) -> None:
        self.prompts = False
        self._seed = seed
        self._server_name = server_name.encode()[:64]
        self._count = 0
        self._challenge = seed
        self._response = Response()
        self._responded = 0.0
        self._attempts = 0
        self._expired: Account | None = None  # who may change the password now
        self._new_hash = b""
        self._standing = UNHINDERED

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
        return LookUp(decode_name(response.name), functools.partial(_proves, self._response))

    def judge(self, account: Account | None, standing: Standing, now: float) -> Right | Wrong:
        """Judge the Response by the account that was looked up, None if there is none.

        :param standing: what becomes of this login because of others before it.
        """
        self._standing = standing
        # for nobody the same is computed as for somebody
        password_hash = account.nt_hash if account else self._derive("nobody")
        challenge = self._response.matching(password_hash)
        mistake = "" if challenge else self._mistake(account, password_hash)
        against = verdict.objection(account, mistake=mistake, standing=standing)
        if against is not None:
            return self._refuse(against, now, account)
        assert account is not None
        assert challenge is not None
        return self._admit(account, challenge)

    def change(self, data: bytes, now: float) -> ChangePassword | Wrong | None:
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
        self._response = Response(peer_challenge, nt_response, name, self._challenge)
        self._responded, self._expired = now, None
        password = mschapv2.new_password(encrypted, account.nt_hash)
        self._new_hash = mschapv2.nt_hash(password or "")
        expected = mschapv2.encrypted_hash(account.nt_hash, self._new_hash)
        whole = hmac.compare_digest(expected, sealed_hash)
        if password is None or not whole or not self._response.matching(self._new_hash):
            return self._refuse(_DAMAGED, now)
        return ChangePassword(account, password)

    def changed(self, account: Account, refusal: str, now: float) -> Right | Wrong:
        """Go on once another password was to be kept for ``account``.

        :param refusal: why it was not; empty if it was.
        """
        challenge = self._response.matching(self._new_hash)
        if refusal or challenge is None:
            return self._refuse(replace(_DAMAGED, why=f"no new password: {refusal}"), now)
        return self._admit(replace(account, nt_hash=self._new_hash), challenge)

    def _mistake(self, account: Account | None, password_hash: bytes) -> str:
        """Return what is wrong with the Response: the password, or the name that it is made of.

        Some clients make it of another spelling than they send, against RFC 2759 8.2.
        """
        names = list(spellings(self._response.name, account.name if account else ""))
        for encoding in ("utf-8", "cp1252"):
            made_of = dict.fromkeys(name.encode(encoding, "replace") for name in names)
            if found := self._response.made_of(made_of, password_hash):
                name = printable(found[0].decode(encoding))
                return f"the password is right, but not for the name that was sent: for '{name}'"
        return "the password is wrong"

    def _admit(self, account: Account, challenge: bytes) -> Right:
        response = self._response.nt_response
        proof = mschapv2.authenticator_response(account.nt_hash, response, challenge)
        hlak = mschapv2.hlak(account.nt_hash, response)
        return Right(account, f"S={proof} M=Welcome".encode(), hlak)

    def _refuse(self, against: Objection, now: float, account: Account | None = None) -> Wrong:
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
        at = verdict.when(self._responded, now, self._standing)
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


_DAMAGED: Final = Objection(
    Error.CHANGING_PASSWORD, "the new password came damaged", Cause.PASSWORD_EXPIRED
)
