"""One session's responders, which are asked only so often."""

from typing import Final

from . import dhcp, dhcpv6, routers
from .known import Known, Responder

#: All of them: each is given every packet that was diverted.
RESPONDERS: Final[tuple[Responder, ...]] = (dhcp.respond, routers.respond, dhcpv6.respond)

#: Packets that are looked at at once, and in a second: clients ask a few times after their login.
_AT_ONCE: Final = 20
_A_SECOND: Final = 2.0


class Answers:
    """Answers one client.

    :param responders: those that answer.
    """

    __slots__ = ("_at", "_known", "_left", "_responders")

    def __init__(self, responders: tuple[Responder, ...] = RESPONDERS) -> None:
        self._responders = responders
        self._known: Known | None = None
        self._left = float(_AT_ONCE)
        self._at: float | None = None

    def know(self, known: Known) -> None:
        """Answer by this from now on."""
        self._known = known

    def to(self, packets: list[bytes], now: float) -> list[bytes]:
        """Return the answers to ``packets``; those that are too many get none, and are lost.

        :param packets: whole IP packets, as they were diverted.
        :param now: the time, in seconds of a monotonic clock.
        """
        if self._known is None:
            return []
        if self._at is not None:
            self._left = min(_AT_ONCE, self._left + (now - self._at) * _A_SECOND)
        self._at = now
        heard = packets[: int(self._left)]
        self._left -= len(heard)
        return [
            answer
            for packet in heard
            for responder in self._responders
            for answer in responder(packet, self._known)
        ]
