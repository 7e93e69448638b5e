"""What the link needs of a login, whichever it is: CHAP (:mod:`.chap`) or EAP (:mod:`.eap`)."""

import typing
from typing import Final

from ..interfaces import Account
from .effects import Admit, Authenticated, Handshake, Handshaken, LookUp, Note, SendFrame
from .frames import Packet
from .negotiation import GiveUp

RETRY: Final = 3.0  # seconds between two times of asking the same
MAX_TRIES: Final = 10
FAREWELL: Final = 1.0  # seconds to read the Failure: a link cut at once shows 629 instead of 691

Output = SendFrame | LookUp | Handshake | Admit | Authenticated | Note | GiveUp


class Login(typing.Protocol):
    """Authenticates the client of one link. Its methods return outputs.

    :ivar deadline: when to call :meth:`tick`.
    :ivar failure: what went wrong, once the client is refused; fit for a log.
    """

    deadline: float | None
    failure: str

    @property
    def user(self) -> str:
        """Who logs in, as far as that is known; fit for a log."""

    @property
    def untouched(self) -> bool:
        """Whether the client has said nothing yet that would cost us anything."""

    @property
    def admitted(self) -> bool:
        """Whether a lease was asked for, and nothing else is waited for."""

    def begin(self, mru: int, now: float) -> list[Output]:
        """Ask the client: LCP is open, and it takes control packets of at most ``mru`` bytes."""

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet of the client."""

    def account(self, account: Account | None, now: float) -> list[Output]:
        """Take the answer to :class:`LookUp`."""

    def handshaken(self, answer: Handshaken, now: float) -> list[Output]:
        """Take the answer to :class:`Handshake`."""

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: the answer to :class:`Admit` is there."""

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
