"""What the link needs of a login, whichever it is: CHAP (:mod:`.chap`) or EAP (:mod:`.eap`)."""

import typing
from typing import Final

from ..contracts import Account, LoginMethod
from .effects import (
    Admit,
    Authenticated,
    ChangePassword,
    Handshake,
    Handshaken,
    LookUp,
    Note,
    SendFrame,
)
from .frames import Packet, Protocol
from .judging import Changed, Judgement
from .negotiation import GiveUp
from .patience import Patience

# Seconds from the end of LCP to the first question: some clients do not listen to the login yet, when
# it comes right behind LCP's last Ack.
LOGIN_DELAY: Final = 0.05
FIRST_RETRY: Final = (
    1.0  # seconds until the first question is repeated, should it be lost all the same
)
RETRY: Final = 3.0  # the same for the next time, and for any other question
# Seconds beyond those of the line to answer a Failure with another password, for a client that has it
# at once. Windows asks a person for it: RFC 2759 6 "disables short timeouts".
PROGRAM: Final = 5.0
FAREWELL: Final = 1.0  # seconds to read the Failure: a link cut at once shows 629 instead of 691

Output = SendFrame | LookUp | ChangePassword | Handshake | Admit | Authenticated | Note | GiveUp


class Login(typing.Protocol):
    """Authenticates the client of one link. Its methods return outputs.

    :ivar protocol: what its packets come in.
    :ivar deadline: when to call :meth:`tick`.
    :ivar failure: what went wrong, once the client is refused; fit for a log.
    """

    protocol: Protocol
    deadline: float | None
    failure: str

    @property
    def method(self) -> LoginMethod:
        """How the client logs in, as far as that is known."""

    @property
    def user(self) -> str:
        """Who logs in, as far as that is known; fit for a log."""

    @property
    def untouched(self) -> bool:
        """Whether the client has said nothing yet that would cost us anything."""

    @property
    def admitted(self) -> bool:
        """Whether a lease was asked for, and nothing else is waited for."""

    def begin(self, mru: int, patience: Patience, now: float) -> list[Output]:
        """Ask the client, in a moment: LCP is open.

        :param mru: the client takes control packets of at most so many bytes.
        :param patience: how long an answer may take: nothing is repeated before. Who is asked
            twice may answer twice, and not know our answer to the first.
        """

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet of the client."""

    def judged(self, judgement: Judgement, now: float) -> list[Output]:
        """Take the answer to :class:`LookUp`."""

    def changed(self, account: Account, changed: Changed, now: float) -> list[Output]:
        """Take the answer to :class:`ChangePassword`; see :meth:`.link.Link.changed`."""

    def handshaken(self, answer: Handshaken, now: float) -> list[Output]:
        """Take the answer to :class:`Handshake`."""

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: the answer to :class:`Admit` is there."""

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
