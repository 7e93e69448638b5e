"""The IP Control Protocol as the server speaks it (RFC 1332, RFC 1877): a policy."""

import enum
from typing import Final

from ..contracts import Lease
from .frames import Protocol
from .negotiation import MAX_FAILURE, Reply, verdict
from .options import Option, Options


@enum.unique
class IpcpOption(enum.IntEnum):
    """The options that the server talks about. All others are rejected.

    Above all 1 and 2 of RFC 1332, and the NetBIOS name servers 130 and 132 of RFC 1877.
    """

    ADDRESS = 3  # RFC 1332 3.3
    DNS_1 = 129  # RFC 1877 1.1
    DNS_2 = 131  # RFC 1877 1.3


_DNS: Final = (IpcpOption.DNS_1, IpcpOption.DNS_2)


class IpcpPolicy:
    """Gives the client its lease: the address, and up to two DNS servers.

    A single one is given for both, as pppd does: clients exist that end when one is rejected.
    """

    name = "IPCP"
    protocol = Protocol.IPCP.value

    __slots__ = ("_lease", "_told", "address_taken")

    def __init__(self, lease: Lease) -> None:
        self.address_taken = False  # the client has asked for its address and been acknowledged
        self._lease = lease
        self._told = True  # the client hears of our address

    @property
    def _address(self) -> Option:
        return Option(IpcpOption.ADDRESS, self._lease.address.packed)

    def _given(self) -> dict[int, Option]:
        """Return what the client is given, by the options' types."""
        servers = zip(_DNS, self._lease.dns * 2, strict=False)
        return {IpcpOption.ADDRESS.value: self._address} | {
            type_.value: Option(type_, server.packed) for type_, server in servers
        }

    def request(self) -> Options:
        """Return our address in the tunnel, unless the client will not hear of it."""
        own = Option(IpcpOption.ADDRESS, self._lease.local_address.packed)
        return (own,) if self._told else ()

    def judge(self, asked: Options) -> Reply:
        """Lead the client to what the lease says.

        An address that it does not ask for is appended to the Nak, as RFC 1332 3.3 recommends.
        """
        given = self._given()
        refused = tuple(option for option in asked if option.type not in given)
        wrong = {option.type for option in asked if option not in given.values()}
        naked = tuple(given[type_] for type_ in given if type_ in wrong)
        if IpcpOption.ADDRESS not in {option.type for option in asked}:
            naked += (self._address,)
        return verdict(asked, refused, naked)

    def granted(self, asked: Options) -> None:
        """Note whether the client has taken its address."""
        self.address_taken = self._address in asked

    def naked(self, wanted: Options, rounds: int) -> str:
        """Insist on our address for a while, then go on without: nothing depends on it."""
        if rounds >= MAX_FAILURE:
            self._told = False
        return ""

    def rejected(self, refused: Options) -> str:
        """Go on without telling our address."""
        self._told = False
        return ""
