"""What a session asks its driver (net/connection.py) to do, in order."""

from dataclasses import dataclass
from typing import TypeAlias

from .ppp.effects import Admit, Handshake, Identified, LookUp
from .sstp.effects import Close, Note, Send

__all__ = [
    "Admit",
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
class Up:
    """IP may flow: the crypto binding holds and IPCP is open.

    :param mtu: the largest IP packet the client takes, in bytes.
    """

    mtu: int


@dataclass(frozen=True, slots=True)
class Down:
    """IP may not flow any more."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """An IPv4 packet from the client that did not come in the usual frame."""

    packet: bytes


Effect: TypeAlias = (
    Send | LookUp | Handshake | Admit | Identified | Up | Down | Deliver | Note | Close
)
