"""What a session asks its driver (net/connection.py) to do, in order."""

from dataclasses import dataclass
from typing import TypeAlias

from .ppp.effects import Admit, ChangePassword, Handshake, Identified, LookUp
from .sstp.effects import Close, Note, Send

__all__ = [
    "Admit",
    "Bind",
    "ChangePassword",
    "Close",
    "Deliver",
    "Down",
    "Effect",
    "Handshake",
    "Identified",
    "LookUp",
    "Note",
    "Send",
    "Up",
]


@dataclass(frozen=True, slots=True)
class Bind:
    """The crypto binding holds: give what was promised, and answer with :meth:`Session.bound`.

    Whatever the client has sent behind its Call-Connected is to wait for that answer.
    """


@dataclass(frozen=True, slots=True)
class Up:
    """IP may flow: the session has its interface, and IPCP or IPV6CP is open.

    Said again when the other one opens, or closes.

    :param mtu: the largest IP packet the client takes, in bytes.
    :param ipv4: whether IPv4 may flow.
    :param ipv6: our interface identifier, 8 bytes, if IPv6 may; empty otherwise.
    """

    mtu: int
    ipv4: bool = True
    ipv6: bytes = b""


@dataclass(frozen=True, slots=True)
class Down:
    """IP may not flow any more."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """An IP packet from the client that did not come in the usual frame."""

    packet: bytes


Effect: TypeAlias = (
    Send
    | LookUp
    | ChangePassword
    | Handshake
    | Admit
    | Bind
    | Identified
    | Up
    | Down
    | Deliver
    | Note
    | Close
)
