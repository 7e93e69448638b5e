"""The network layer of one link: IPCP, and IPV6CP where the client may have IPv6 (RFC 1661 3.5)."""

from collections.abc import Iterable
from typing import Final

from ..contracts import Lease
from . import frames, ipcp, ipv6cp
from .automaton import AutomatonEvent, AutomatonState
from .effects import Identified, Identifiers, NetworkDown, NetworkUp, SendFrame
from .frames import Code, Packet, Protocol
from .negotiation import GiveUp, LayerDown, LayerFinished, LayerUp, Negotiator
from .negotiation import Output as Negotiated
from .patience import Patience

#: Bytes that a link of IPv6 carries in a packet, at least; RFC 8200 5.
IPV6_MTU: Final = 1280

Output = SendFrame | Identified | NetworkUp | NetworkDown | GiveUp


class Network:
    """Which of IPv4 and IPv6 may flow. The methods return frames to send, then what has changed.

    :param mtu: the largest IP packet to send to the client, in bytes.
    :param mru: the most that it can receive in a control packet.
    :param patience: how long an answer may take.
    """

    __slots__ = ("_ipcp", "_ipcp_policy", "_ipv6cp", "_ipv6cp_policy", "_mtu", "_said")

    def __init__(self, lease: Lease, *, mtu: int, mru: int, patience: Patience) -> None:
        self._mtu = mtu
        self._ipcp_policy = ipcp.IpcpPolicy(lease)
        self._ipcp: Negotiator | None = Negotiator(self._ipcp_policy, mru, patience)
        self._ipv6cp_policy = ipv6cp.Ipv6cpPolicy()
        self._ipv6cp: Negotiator | None = None
        if lease.ipv6 is not None and mtu >= IPV6_MTU:
            self._ipv6cp = Negotiator(self._ipv6cp_policy, mru, patience)
        self._said: NetworkUp | None = None  # None: NetworkDown, or nothing yet

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`tick`."""
        both = (one.deadline for one in (self._ipcp, self._ipv6cp) if one is not None)
        return min((due for due in both if due is not None), default=None)

    @property
    def up(self) -> bool:
        """Whether IP flows."""
        return self._said is not None

    def open(self, now: float) -> list[Output]:
        """Ask for IPCP; the client has logged in.

        IPV6CP begins when the client asks for it: who has no IPv6 may end at a protocol that it does
        not know, and those who have it ask.
        """
        return self._from_ipcp(_begin(self._ipcp, now)) if self._ipcp else []

    def speaks(self, protocol: int) -> bool:
        """Whether packets of this protocol are for :meth:`receive`."""
        return self._negotiator(protocol) is not None

    def receive(self, protocol: int, information: bytes, now: float) -> list[Output]:
        """Take a packet of a protocol that is spoken here.

        :raises FrameError: it is no packet.
        """
        packet = frames.decode_packet(information)
        match self._negotiator(protocol):
            case None:
                return []
            case negotiator if protocol == Protocol.IPCP:
                return self._from_ipcp(_receive(negotiator, packet, now))
            case negotiator:
                return self._from_ipv6cp(_receive(negotiator, packet, now), now)

    def carries(self, protocol: int) -> bool:
        """Whether IP packets in frames of this protocol are no surprise, maybe late or early ones."""
        if protocol == Protocol.IPV6:
            return self._ipv6cp is not None
        return protocol == Protocol.IPV4

    def does_without(self, protocol: int) -> list[Output] | None:
        """Drop a network protocol that the client rejects, if the other one is left.

        RFC 1661 5.7: it gets no more packets of that.

        :returns: None if nothing is left.
        """
        if self._ipv6cp is None or self._negotiator(protocol) is None:
            return None
        if protocol == Protocol.IPV6CP:
            self._ipv6cp = None
        else:
            self._ipcp = None
        return self._say()

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        outputs: list[Output] = []
        if self._ipcp is not None:
            outputs += self._from_ipcp(self._ipcp.tick(now))
        if self._ipv6cp is not None:
            outputs += self._from_ipv6cp(self._ipv6cp.tick(now), now)
        return outputs

    def _negotiator(self, protocol: int) -> Negotiator | None:
        match protocol:
            case Protocol.IPCP:
                return self._ipcp
            case Protocol.IPV6CP:
                return self._ipv6cp
            case _:
                return None

    def _from_ipcp(self, negotiated: Iterable[Negotiated]) -> list[Output]:
        outputs: list[Output] = []
        for one in negotiated:
            match one:
                case LayerUp() if not self._ipcp_policy.address_taken:
                    outputs.append(GiveUp("the client does not take the address it is given"))
                case LayerUp() | LayerDown():
                    outputs += self._say()
                case LayerFinished() | GiveUp() if _is_open(self._ipv6cp):
                    self._ipcp = None
                    outputs += self._say()
                case LayerFinished(reason) | GiveUp(reason):
                    outputs.append(GiveUp(reason))
                case _:
                    outputs.append(one)
        return outputs

    def _from_ipv6cp(self, negotiated: Iterable[Negotiated], now: float) -> list[Output]:
        """IPv4 goes on whatever becomes of IPv6: a client that will not do without it ends the link."""
        outputs: list[Output] = []
        for one in negotiated:
            match one:
                case LayerUp() | LayerDown():
                    outputs += self._say()
                case GiveUp() if self._ipv6cp is not None:
                    outputs += self._from_ipv6cp(self._ipv6cp.feed(AutomatonEvent.CLOSE, now), now)
                case LayerFinished() | GiveUp():
                    pass
                case _:
                    outputs.append(one)
        return outputs

    def _say(self) -> list[Output]:
        """Say what may flow, if that is another than before."""
        before, self._said = self._said, self._open_protocols()
        if self._said == before:
            return []
        return [NetworkDown() if self._said is None else self._said]

    def _open_protocols(self) -> NetworkUp | None:
        ipv4, ipv6 = _is_open(self._ipcp), None
        # one that has no identifier has no address to send from
        if _is_open(self._ipv6cp) and self._ipv6cp_policy.peer:
            ipv6 = Identifiers(self._ipv6cp_policy.own, self._ipv6cp_policy.peer)
        return NetworkUp(self._mtu, ipv4, ipv6) if ipv4 or ipv6 else None


def _begin(negotiator: Negotiator, now: float) -> list[Negotiated]:
    return negotiator.feed(AutomatonEvent.OPEN, now) + negotiator.feed(AutomatonEvent.UP, now)


def _receive(negotiator: Negotiator, packet: Packet, now: float) -> list[Negotiated]:
    first: list[Negotiated] = []
    if packet.code == Code.CONFIGURE_REQUEST:
        begun = negotiator.state is not AutomatonState.INITIAL
        first = negotiator.repeat_request() if begun else _begin(negotiator, now)
    return first + negotiator.receive(packet, now)


def _is_open(negotiator: Negotiator | None) -> bool:
    return negotiator is not None and negotiator.is_open
