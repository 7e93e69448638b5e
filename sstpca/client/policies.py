"""What the client asks for in LCP and IPCP, and how it answers the server: two policies.

That of IPV6CP is the server's own (:class:`sstpca.server.ppp.ipv6cp.Ipv6cpPolicy`).
"""

import hashlib
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Final

from sstpca.server.ppp.frames import DEFAULT_MRU, Protocol
from sstpca.server.ppp.ipcp import IpcpOption
from sstpca.server.ppp.lcp import MIN_MRU, LcpOption
from sstpca.server.ppp.negotiation import MAX_FAILURE, Reply, verdict
from sstpca.server.ppp.options import Option, Options

_NOWHERE: Final = IPv4Address(0).packed
_ADDRESS: Final = IpcpOption.ADDRESS.value
_DNS: Final = (IpcpOption.DNS_1.value, IpcpOption.DNS_2.value)


class ClientLcpPolicy:
    """Asks for a Magic-Number alone, and lets the server say how to log in, if we can.

    :param magic: our Magic-Number, 32 random bits, not zero.
    :param logins: the values of the Authentication-Protocol option that we take, the best first.
    :ivar asked: those that the server has asked for, in this order.
    """

    name = "LCP"
    protocol = Protocol.LCP.value

    def __init__(self, magic: int, logins: Sequence[bytes]) -> None:
        self.magic = magic
        self.peer_mru = DEFAULT_MRU
        self.authentication = b""
        self.difficulty = ""
        self.asked: list[bytes] = []
        self._logins = tuple(logins)

    def request(self) -> Options:
        """Return our options."""
        return (Option(LcpOption.MAGIC, self.magic.to_bytes(4, "big")),) if self.magic else ()

    def judge(self, asked: Options) -> Reply:
        """Take a login that we can, a sane MRU and an own Magic-Number, and reject the rest."""
        known = tuple(LcpOption)
        refused = tuple(one for one in asked if one.type not in known)
        return verdict(asked, refused, tuple(filter(None, map(self._better, asked))))

    def granted(self, asked: Options) -> None:
        """Note how we log in, and the server's MRU."""
        self.peer_mru, self.authentication = DEFAULT_MRU, b""
        for option in asked:
            match option.type:
                case LcpOption.MRU:
                    self.peer_mru = int.from_bytes(option.value, "big")
                case LcpOption.AUTHENTICATION:
                    self.authentication = option.value
                case _:
                    pass

    def naked(self, wanted: Options, rounds: int) -> str:
        """Take another Magic-Number: nothing else of ours can be talked about."""
        if any(option.type == LcpOption.MAGIC for option in wanted) and self.magic:
            digest = hashlib.sha256(self.magic.to_bytes(4, "big")).digest()
            self.magic = int.from_bytes(digest[:4], "big") or 1
        return "the server does not agree to the options of LCP" if rounds >= MAX_FAILURE else ""

    def rejected(self, refused: Options) -> str:
        """Go on without a Magic-Number."""
        self.magic = 0
        return ""

    def _better(self, option: Option) -> Option | None:
        """Return the option as we would have it, or None if it is good."""
        value = int.from_bytes(option.value, "big")
        match option.type:
            case LcpOption.AUTHENTICATION:
                if option.value not in self.asked:
                    self.asked.append(option.value)
                if option.value in self._logins:
                    self.difficulty = ""
                    return None
                self.difficulty = "the server asks for a way to log in that is not allowed here"
                return Option(LcpOption.AUTHENTICATION, self._logins[0])
            case LcpOption.MRU if len(option.value) != 2 or value < MIN_MRU:
                return Option(LcpOption.MRU, DEFAULT_MRU.to_bytes(2, "big"))
            case LcpOption.MAGIC if len(option.value) != 4 or value in (0, self.magic):
                # RFC 1661 6.4: it hears itself, or has none
                other = hashlib.sha256(b"\0" + self.magic.to_bytes(4, "big")).digest()[:4]
                return Option(LcpOption.MAGIC, other)
            case _:
                return None


class ClientIpcpPolicy:
    """Asks for an address and two DNS servers, and takes what it is given (RFC 1332, RFC 1877).

    :ivar address: ours; 0.0.0.0 before the server has given one.
    :ivar server: the server's; None where it does not say.
    """

    name = "IPCP"
    protocol = Protocol.IPCP.value

    def __init__(self) -> None:
        self._wanted = dict.fromkeys((_ADDRESS, *_DNS), _NOWHERE)
        self.server: IPv4Address | None = None

    @property
    def address(self) -> IPv4Address:
        """Our address."""
        return IPv4Address(self._wanted[_ADDRESS])

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        """The DNS servers that we were given."""
        given = (self._wanted.get(one, _NOWHERE) for one in _DNS)
        return tuple(dict.fromkeys(IPv4Address(one) for one in given if one != _NOWHERE))

    def request(self) -> Options:
        """Return our options."""
        return tuple(Option(type_, value) for type_, value in self._wanted.items())

    def judge(self, asked: Options) -> Reply:
        """Take the server's own address; reject the rest, such as compression of headers."""
        refused = tuple(
            one
            for one in asked
            if one.type != _ADDRESS or len(one.value) != 4 or one.value == _NOWHERE
        )
        return verdict(asked, refused, ())

    def granted(self, asked: Options) -> None:
        """Note the server's address."""
        addresses = [one.value for one in asked if one.type == _ADDRESS]
        self.server = IPv4Address(addresses[0]) if addresses else None

    def naked(self, wanted: Options, rounds: int) -> str:
        """Take what the server gives us."""
        for option in wanted:
            if option.type in self._wanted and len(option.value) == 4:
                self._wanted[option.type] = option.value
        return "the server gives no address that it takes itself" if rounds > MAX_FAILURE else ""

    def rejected(self, refused: Options) -> str:
        """Go on without DNS servers, but not without an address."""
        for option in refused:
            if option.type == _ADDRESS:
                return "the server gives no address"
            self._wanted.pop(option.type, None)
        return ""
