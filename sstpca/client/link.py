"""The client's PPP, from the first frame to the last: LCP, the login, IPCP and IPV6CP (RFC 1661 3)."""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from sstpca.server.ppp import frames, lcp
from sstpca.server.ppp.automaton import AutomatonEvent, AutomatonState
from sstpca.server.ppp.eap import room_for_tls
from sstpca.server.ppp.effects import Identified, Identifiers, SendFrame
from sstpca.server.ppp.frames import Code, FrameError, Packet, Protocol
from sstpca.server.ppp.ipv6cp import Ipv6cpPolicy
from sstpca.server.ppp.lcp import EAP, MS_CHAP_V2, Lcp
from sstpca.server.ppp.negotiation import (
    GiveUp,
    LayerDown,
    LayerFinished,
    LayerUp,
    Negotiator,
)
from sstpca.server.ppp.negotiation import Output as Negotiated
from sstpca.server.ppp.patience import Patience

from . import sign_in
from .eap import EapMsChapV2, EapSignIn
from .eap_tls import ByCertificate, EapTls
from .policies import ClientIpcpPolicy, ClientLcpPolicy
from .sign_in import ChapSignIn, Credentials, MsChapV2, PapSignIn, Refused, SignedIn, SignIn

#: How the client logs in unless it is told otherwise: all in which the server proves itself.
STRONG: Final = (MS_CHAP_V2, EAP)

#: Seconds for LCP, for the login, and for IPCP.
LINK_LIMIT: Final = 60.0
LOGIN_LIMIT: Final = 120.0
NETWORK_LIMIT: Final = 60.0

_SERVER: Final = "server"
_IPV6CP: Final = Protocol.IPV6CP.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Keyed:
    """The login is over, and made this key: bind the call to it, before anything else is sent."""

    hlak: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """IP may flow, in packets of at most ``mtu`` bytes towards the server.

    Said again when IPV6CP opens, or closes.

    :param server: the server's address in the tunnel; None where it does not say.
    :param ipv6: the interface identifiers; None without IPv6.
    """

    address: IPv4Address
    server: IPv4Address | None
    dns: tuple[IPv4Address, ...]
    mtu: int
    ipv6: Identifiers | None = None


@dataclass(frozen=True, slots=True)
class LinkOver:
    """PPP is over. Said once, and last.

    :param refused: what the server said, if it was the login that failed.
    """

    reason: str
    refused: Refused | None = None


LinkOutput = SendFrame | Keyed | Connected | LinkOver


@enum.unique
class ClientPhase(enum.Enum):
    """RFC 1661 3.2."""

    DEAD = "not started"
    ESTABLISH = "LCP"
    AUTHENTICATE = "login"
    NETWORK = "IPCP and IPV6CP, then IP"
    TERMINATE = "ending"
    OVER = "over"


class ClientLink:
    """The client's end of one PPP link; as the server's :class:`~sstpca.server.ppp.link.Link`.

    :param credentials: None only to see how the server would have us log in.
    :param random: returns so many random bytes.
    :param logins: how it may log in, the values of LCP's option, the best first.
    :param ipv6: whether it asks for IPv6.
    """

    def __init__(
        self,
        credentials: Credentials | ByCertificate | None,
        *,
        random: Callable[[int], bytes],
        logins: Sequence[bytes] = STRONG,
        ipv6: bool = True,
        mtu: int = 1400,
    ) -> None:
        self._credentials = credentials
        self._random = random
        self._mtu = mtu
        self._patience = Patience()
        self._policy = ClientLcpPolicy(int.from_bytes(random(4), "big") | 1, logins)
        self._lcp = Lcp(self._policy, self._patience, peer=_SERVER, first_wait=0.0)
        self._sign_in: SignIn | None = None
        self._ipcp_policy = ClientIpcpPolicy()
        self._ipv6cp_policy = Ipv6cpPolicy(_identifier(random))
        self._ipcp = Negotiator(self._ipcp_policy, patience=self._patience, peer=_SERVER)
        self._ipv6cp: Negotiator | None = None
        if ipv6:
            self._ipv6cp = Negotiator(self._ipv6cp_policy, patience=self._patience, peer=_SERVER)
        self._phase = ClientPhase.DEAD
        self._limit: tuple[float, str] | None = None
        self._refused: Refused | None = None
        self._ending = ""
        self._said: Connected | None = None

    @property
    def phase(self) -> ClientPhase:
        """How far it is."""
        return self._phase

    @property
    def agreed(self) -> bytes:
        """How we are to log in, as LCP has agreed; empty before."""
        begun = self._phase not in (ClientPhase.DEAD, ClientPhase.ESTABLISH)
        return self._policy.authentication if begun else b""

    @property
    def asked(self) -> Sequence[bytes]:
        """How the server would have us log in: the values of LCP's option, in its order."""
        return self._policy.asked

    @property
    def deadline(self) -> float | None:
        """The time of the next :meth:`tick`; None if no timer runs."""
        if self._phase is ClientPhase.OVER:
            return None
        layers = (self._lcp, self._sign_in, self._ipcp, self._ipv6cp)
        times = [one.deadline for one in layers if one is not None]
        times.append(self._limit[0] if self._limit else None)
        return min((one for one in times if one is not None), default=None)

    def start(self, now: float, round_trip: float = 0.0) -> list[LinkOutput]:
        """Begin: the call is there."""
        self._phase = ClientPhase.ESTABLISH
        self._patience.took(round_trip)
        self._allow(LINK_LIMIT, "the server did not agree on LCP in time", now)
        return self._from_lcp(self._lcp.start(now), now)

    def receive(self, frame: bytes, now: float) -> list[LinkOutput]:
        """Take one frame of the server; whatever does not belong here is dropped."""
        if self._phase in (ClientPhase.DEAD, ClientPhase.OVER):
            return []
        try:
            protocol, information = frames.decode(frame)
            return self._receive(protocol, information, now)
        except FrameError:
            return []

    def terminate(self, reason: str, now: float) -> list[LinkOutput]:
        """End the link politely: Terminate-Request, then :class:`LinkOver` within 2 seconds."""
        if self._phase in (ClientPhase.DEAD, ClientPhase.OVER):
            return self._over(reason)
        self._ending = self._ending or reason
        self._limit = None
        self._phase = ClientPhase.TERMINATE
        return self._from_lcp(self._lcp.close(now), now)

    def tick(self, now: float) -> list[LinkOutput]:
        """Take the time."""
        if self._phase is ClientPhase.OVER:
            return []
        outputs = self._from_lcp(self._lcp.tick(now), now)
        if self._sign_in is not None:
            outputs += self._from_sign_in(self._sign_in.tick(now), now)
        outputs += self._from_network(self._ipcp.tick(now), now)
        if self._ipv6cp is not None:
            outputs += self._from_ipv6cp(self._ipv6cp.tick(now))
        if self._limit is not None and now >= self._limit[0]:
            outputs += self.terminate(self._limit[1], now)
        return outputs

    def _receive(self, protocol: int, information: bytes, now: float) -> list[LinkOutput]:
        match protocol:
            case Protocol.LCP:
                return self._receive_lcp(frames.decode_packet(information), now)
            case Protocol.CHAP | Protocol.EAP | Protocol.PAP:
                if self._sign_in is None or self._sign_in.protocol != protocol:
                    return []
                packet = frames.decode_packet(information)
                return self._from_sign_in(self._sign_in.receive(packet, now), now)
            case _ if self._phase is not ClientPhase.NETWORK:
                return []
            case Protocol.IPCP:
                packet = frames.decode_packet(information)
                return self._from_network(self._ipcp.receive(packet, now), now)
            case Protocol.IPV6CP if self._ipv6cp is not None:
                return self._from_ipv6cp(
                    self._ipv6cp.receive(frames.decode_packet(information), now)
                )
            case Protocol.IPV4 | Protocol.IPV6:
                return []  # early or late
            case _:
                return self._from_lcp(self._lcp.protocol_reject(protocol, information), now)

    def _receive_lcp(self, packet: Packet, now: float) -> list[LinkOutput]:
        no_ipv6 = packet.code == Code.PROTOCOL_REJECT and packet.data[:2] == _IPV6CP
        if no_ipv6 and self._ipv6cp is not None:
            self._ipv6cp = None  # RFC 1661 5.7: the server has none
            return self._say()
        outputs = self._from_lcp(self._lcp.receive(packet, now), now)
        if packet.code == Code.TERMINATE_REQUEST and self._phase is not ClientPhase.OVER:
            outputs += self._over(self._ending or "the server ended the connection")
        return outputs

    def _from_lcp(self, negotiated: Iterable[Negotiated], now: float) -> list[LinkOutput]:
        outputs: list[LinkOutput] = []
        for one in negotiated:
            match one:
                case LayerUp():
                    outputs += self._begin_login(now)
                case LayerDown():
                    # RFC 1661 3.7: at a Terminate-Request of either end; otherwise it begins anew
                    if self._lcp.state not in (AutomatonState.CLOSING, AutomatonState.STOPPING):
                        outputs += self.terminate("the server negotiated LCP anew", now)
                case LayerFinished(reason):
                    outputs += self._over(self._ending or reason)
                case GiveUp(reason):
                    outputs += self.terminate(self._policy.difficulty or reason, now)
                case Identified():
                    pass
                case _:
                    outputs.append(one)
        return outputs

    def _begin_login(self, now: float) -> list[LinkOutput]:
        self._phase = ClientPhase.AUTHENTICATE
        self._allow(LOGIN_LIMIT, "the server did not answer the login in time", now)
        if self._credentials is None:
            return []
        self._sign_in = self._way_in(self._credentials)
        if self._sign_in is None:
            # whoever asks for no login proves nothing, and has no key to bind to
            return self.terminate("the server asks for no login", now)
        return self._from_sign_in(self._sign_in.begin(now), now)

    def _way_in(self, who: Credentials | ByCertificate) -> SignIn | None:
        """Return the login that LCP has agreed on; None if it is none of ours."""
        agreed = self._policy.authentication
        if isinstance(who, ByCertificate):
            method = EapTls(who, room_for_tls(self._policy.peer_mru))
            return EapSignIn(method) if agreed == EAP else None
        match agreed:
            case lcp.MS_CHAP_V2:
                return ChapSignIn(MsChapV2(who, self._random))
            case lcp.EAP:
                return EapSignIn(EapMsChapV2(MsChapV2(who, self._random)))
            case lcp.PAP:
                return PapSignIn(who)
            case _:
                return None

    def _from_sign_in(self, said: Iterable[sign_in.Output], now: float) -> list[LinkOutput]:
        outputs: list[LinkOutput] = []
        for one in said:
            match one:
                case SignedIn(hlak) if self._phase is ClientPhase.AUTHENTICATE:
                    outputs += [Keyed(hlak), *self._begin_network(now)]
                case SignedIn():
                    pass
                case Refused():
                    self._refused = one
                    outputs += self.terminate(one.reason, now)
                case GiveUp(reason):
                    outputs += self.terminate(reason, now)
                case _:
                    outputs.append(one)
        return outputs

    def _begin_network(self, now: float) -> list[LinkOutput]:
        self._phase = ClientPhase.NETWORK
        self._allow(NETWORK_LIMIT, "the server gave no address in time", now)
        outputs = self._from_network(_opened(self._ipcp, now), now)
        if self._ipv6cp is not None:
            outputs += self._from_ipv6cp(_opened(self._ipv6cp, now))
        return outputs

    def _from_network(self, negotiated: Iterable[Negotiated], now: float) -> list[LinkOutput]:
        outputs: list[LinkOutput] = []
        for one in negotiated:
            match one:
                case LayerUp():
                    self._limit = None
                    outputs += self._say()
                case LayerDown():
                    self._allow(NETWORK_LIMIT, "the server did not open IPCP again", now)
                case LayerFinished(reason) | GiveUp(reason):
                    outputs += self.terminate(reason, now)
                case Identified():
                    pass
                case _:
                    outputs.append(one)
        return outputs

    def _from_ipv6cp(self, negotiated: Iterable[Negotiated]) -> list[LinkOutput]:
        """IPv4 goes on whatever becomes of IPv6."""
        outputs: list[LinkOutput] = []
        for one in negotiated:
            match one:
                case LayerUp() | LayerDown():
                    outputs += self._say()
                case LayerFinished() | GiveUp():
                    self._ipv6cp = None
                    outputs += self._say()
                case Identified():
                    pass
                case _:
                    outputs.append(one)
        return outputs

    def _say(self) -> list[LinkOutput]:
        """Say what we have, once there is something, if that is other than before."""
        if not self._ipcp.is_open:
            return []
        ipv6 = None
        if self._ipv6cp is not None and self._ipv6cp.is_open and self._ipv6cp_policy.peer:
            ipv6 = Identifiers(self._ipv6cp_policy.own, self._ipv6cp_policy.peer)
        policy, mtu = self._ipcp_policy, min(self._mtu, self._policy.peer_mru)
        now = Connected(policy.address, policy.server, policy.dns, mtu, ipv6)
        if now == self._said:
            return []
        self._said = now
        return [now]

    def _over(self, reason: str) -> list[LinkOutput]:
        if self._phase is ClientPhase.OVER:
            return []
        self._phase, self._limit = ClientPhase.OVER, None
        return [LinkOver(reason, self._refused)]

    def _allow(self, seconds: float, reason: str, now: float) -> None:
        self._limit = now + seconds, reason


def _opened(negotiator: Negotiator, now: float) -> list[Negotiated]:
    opened = negotiator.feed(AutomatonEvent.OPEN, now)
    return opened + negotiator.feed(AutomatonEvent.UP, now)


def _identifier(random: Callable[[int], bytes]) -> bytes:
    """Return an interface identifier that is made by chance: the u bit is zero (RFC 5072 4.1)."""
    drawn = random(8)
    return bytes((drawn[0] & ~2,)) + drawn[1:7] + bytes((drawn[7] | 1,))
