"""What the PPP link asks its driver to do."""

from dataclasses import dataclass, field

from ..interfaces import Account


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send one PPP frame; it starts with FF 03 and is carried by one SSTP data packet."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find the user of this name and answer with :meth:`Link.account`."""

    name: str


@dataclass(frozen=True, slots=True)
class Admit:
    """The password is right: lease an address and answer with :meth:`Link.leased`."""

    account: Account


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client is told that it is in.

    :param hlak: the higher-layer authentication key of [MS-SSTP] 3.3.5.2.2, 32 bytes.
    """

    hlak: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NetworkUp:
    """IPCP is open: IP may flow, in packets of at most ``mtu`` bytes towards the client."""

    mtu: int


@dataclass(frozen=True, slots=True)
class NetworkDown:
    """IPCP is no longer open: IP must stop."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """PPP is over, and why: the call should be ended. Said exactly once, and last."""

    reason: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The client says what it is (RFC 1570 2.1), for instance MSRAS-0- and its machine's name."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person would want in the log."""

    text: str
    warning: bool = False


Effect = (
    SendFrame
    | LookUp
    | Admit
    | Authenticated
    | NetworkUp
    | NetworkDown
    | LinkDown
    | Identified
    | Note
)


def printable(text: str, limit: int = 64) -> str:
    """Return the printable characters of ``text``, at most ``limit`` of them, fit for a log."""
    return "".join(filter(str.isprintable, text))[:limit]
