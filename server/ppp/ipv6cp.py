"""The IPv6 Control Protocol (RFC 5072) as both ends speak it: a policy.

It agrees on interface identifiers, of which both ends make their link-local addresses (RFC 5072 5).
Prefix and DNS servers come later, in router advertisements and DHCPv6.
"""

import enum
from typing import Final

from .frames import Protocol
from .negotiation import MAX_FAILURE, Reply, verdict
from .options import Option, Options

_SIZE: Final = 8
#: The server's, at first. Like all that are not made of a unique number, with the u bit zero
#: (RFC 5072 4.1).
OWN: Final = (1).to_bytes(_SIZE, "big")
#: What a client is given that has none, or ours.
SUGGESTED: Final = (2).to_bytes(_SIZE, "big")
_NONE: Final = bytes(_SIZE)


@enum.unique
class Ipv6cpOption(enum.IntEnum):
    """The option that the server talks about. Others are rejected: RFC 5172's compression, 2."""

    INTERFACE_IDENTIFIER = 1  # RFC 5072 4.1


class Ipv6cpPolicy:
    """Takes whatever identifier the peer has, if it has one that is not ours.

    :param own: our identifier, 8 bytes, with the u bit zero.
    :ivar peer: the other one, once it is acknowledged; empty before.
    """

    name = "IPV6CP"
    protocol = Protocol.IPV6CP.value

    __slots__ = ("_told", "own", "peer")

    def __init__(self, own: bytes = OWN) -> None:
        self.own = own
        self.peer = b""
        self._told = True  # the peer hears of our identifier

    def request(self) -> Options:
        """Return our identifier, unless the peer will not hear of it."""
        return (_identifier(self.own),) if self._told else ()

    def judge(self, asked: Options) -> Reply:
        """Take an identifier that differs from zero and from ours; suggest another one otherwise.

        RFC 5072 4.1: zero, and one like ours, are answered by a Nak with one that is neither. One
        that the peer does not ask for is appended to the Nak, as with the address in IPCP.
        """
        refused = tuple(one for one in asked if one.type != Ipv6cpOption.INTERFACE_IDENTIFIER)
        identifiers = [one for one in asked if one.type == Ipv6cpOption.INTERFACE_IDENTIFIER]
        good = len(identifiers) == 1 and self._fits(identifiers[0].value)
        other = SUGGESTED if self.own != SUGGESTED else OWN
        return verdict(asked, refused, () if good else (_identifier(other),))

    def granted(self, asked: Options) -> None:
        """Note the peer's identifier."""
        identifiers = [o.value for o in asked if o.type == Ipv6cpOption.INTERFACE_IDENTIFIER]
        self.peer = identifiers[0] if identifiers else b""

    def naked(self, wanted: Options, rounds: int) -> str:
        """Take what the peer suggests, if that is no less unique; after a while, ask no more."""
        for option in wanted:
            if option.value not in (self.own, self.peer) and self._fits(option.value):
                self.own = option.value
        if rounds >= MAX_FAILURE:
            self._told = False
        return ""

    def rejected(self, refused: Options) -> str:
        """Go on without telling our identifier."""
        self._told = False
        return ""

    def _fits(self, identifier: bytes) -> bool:
        return len(identifier) == _SIZE and identifier not in (_NONE, self.own)


def _identifier(value: bytes) -> Option:
    return Option(Ipv6cpOption.INTERFACE_IDENTIFIER, value)
