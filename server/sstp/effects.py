"""What a :class:`~.call.Call` asks its session to do, in order."""

from dataclasses import dataclass, field
from typing import TypeAlias

from ..contracts import Cause

__all__ = ["Accepted", "Bound", "Close", "Effect", "Frame", "Note", "Send"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes to the client: one whole SSTP packet."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """Call-Connect-Ack is sent: PPP may begin ("Lower Link Up", [MS-SSTP] 3.1.7.1).

    :param round_trip: seconds from the HTTP answer to the Call-Connect-Request that followed it:
        at least as long as packets are on their way to the client and back.
    """

    round_trip: float = 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A PPP frame from the client, as it stood in its SSTP data packet."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Bound:
    """The crypto binding holds: the client may send and receive IP ([MS-SSTP] 3.3.5.2.3)."""


@dataclass(frozen=True, slots=True)
class Close:
    """Flush what is queued, then close the TCP connection; comes once, and nothing after it.

    :param reason: for the log, in words.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person would want to find in the log.

    :param guess: whether it tells of a guess at a password.
    :param failed: why a login has failed, if it tells of that; ``cause`` is the same as it is counted.
    """

    text: str
    warning: bool = False
    guess: bool = False
    failed: str = field(default="", compare=False)
    cause: Cause | None = field(default=None, compare=False)


Effect: TypeAlias = Send | Accepted | Frame | Bound | Close | Note
