"""What EAP (:mod:`.eap`) and its methods say to each other."""

import enum
import typing
from dataclasses import dataclass, field

from ..contracts import Account
from .effects import Admit, ChangePassword, Handshake, Handshaken, LookUp, Note
from .judging import Changed, Judgement


@enum.unique
class EapType(enum.IntEnum):
    """Types of Requests and Responses (RFC 3748 5; IANA, EAP Method Types)."""

    IDENTITY = 1
    NAK = 3
    TLS = 13  # RFC 5216
    MS_CHAP_V2 = 26  # draft-kamath-pppext-eap-mschapv2, [MS-CHAP] 2.2


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a new Request of the method.

    :param data: what comes behind the type.
    :param at: when to send it; at once if None.
    :param last: whether the login has failed: after the answer, or a while without, comes Failure.
    :param typed: whether it has failed so far, and a person may type another answer: there is no
        hurry (RFC 3748 4.3), and nothing is asked twice.
    """

    data: bytes = field(repr=False)
    at: float | None = None
    last: bool = False
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """The login has failed, and there is nothing more to say about it than Failure."""


MethodOutput = Ask | Fail | LookUp | ChangePassword | Handshake | Admit | Note


class Method(typing.Protocol):
    """One method of EAP. Its methods return outputs; none for a Response that is to be dropped.

    :ivar hlaks: once the client is admitted, see :class:`.effects.Authenticated`.
    """

    type: EapType
    hlaks: tuple[bytes, ...]

    @property
    def user(self) -> str:
        """Who logs in, fit for a log; empty while that is not known."""

    def begin(self, identifier: int) -> bytes:
        """Return the data of the first Request, which has this identifier."""

    def receive(self, data: bytes, now: float) -> list[MethodOutput]:
        """Take what comes behind the type in a Response."""

    def judged(self, judgement: Judgement, now: float) -> list[MethodOutput]:
        """Take the answer to :class:`LookUp`."""

    def changed(self, account: Account, changed: Changed, now: float) -> list[MethodOutput]:
        """Take the answer to :class:`ChangePassword`; see :meth:`.link.Link.changed`."""

    def handshaken(self, answer: Handshaken) -> list[MethodOutput]:
        """Take the answer to :class:`Handshake`."""
