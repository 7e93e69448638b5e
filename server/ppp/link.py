"""One PPP link, from the first frame to the last: the phases of RFC 1661 3.

LCP, then the login (CHAP or EAP), then IPCP and IPV6CP; each is a machine of its own, and the link
hands frames, answers and time to the one they are for.
"""

import enum
from collections.abc import Iterable
from typing import Final

from ..contracts import (
    NO_WEAK_SIGN_IN,
    Account,
    Cause,
    Lease,
    LoginMethod,
    WeakSignIn,
)
from . import frames, lcp, login, network
from .automaton import AutomatonState
from .chap import Chap
from .chap_md5 import Md5Exchange
from .eap import Eap
from .effects import (
    Effect,
    Handshaken,
    Identified,
    LinkDown,
    NetworkDown,
    NetworkUp,
    Note,
    SendFrame,
)
from .frames import Code, FrameError, Packet, Protocol
from .judging import Changed, Judgement
from .login import Login
from .negotiation import GiveUp, LayerDown, LayerFinished, LayerUp, Output
from .network import Network
from .pap import Pap
from .password import Exchange
from .patience import Patience

REJECTED_FOR: Final = 5.0  # seconds after a Protocol-Reject in which it may be why the client ends
LINK_LIMIT: Final = 60.0  # seconds from the start until LCP is open
# Seconds from there to the answer to the login: people type, maybe again, and of EAP-TLS twenty round
# trips of five seconds are as much as a minute and a half.
LOGIN_LIMIT: Final = 240.0
NETWORK_LIMIT: Final = 60.0  # seconds without IPCP after the login
NO_ADDRESS_LIMIT: Final = 3.0  # seconds for Windows to see that there is no IP, and to show 720


# Windows says what it is, MSRASV5.20 and the like (RFC 1570 2.1)
_WINDOWS: Final = "MSRAS"
# Protocols that clients ask for, beside IPCP (IANA, PPP DLL Protocol Numbers)
_NAMES: Final = {
    0x002D: "compressed headers (RFC 1144)",
    0x002F: "compressed headers (RFC 1144)",
    0x003D: "multilink (RFC 1990)",
    0x00FD: "compressed packets (RFC 1962)",
    0x8057: "IPv6 (IPV6CP)",
    0x80FD: "compression (CCP)",
}


@enum.unique
class Phase(enum.Enum):
    """RFC 1661 3.2."""

    DEAD = "not started"
    ESTABLISH = "LCP"
    AUTHENTICATE = "login"
    NETWORK = "IPCP and IPV6CP, then IP"
    TERMINATE = "ending"
    OVER = "over"


class Link:
    """The server's end of one PPP link.

    Feed it what happens and perform the effects that come back, in their order; call :meth:`tick`
    at :attr:`deadline`. Times are seconds of any one clock that does not go back. After
    :class:`LinkDown` nothing comes any more, and an answer that is late is ignored: who leased an
    address for it must free it.

    :param challenge: 16 random bytes.
    :param magic: 32 random bits, not zero.
    :param server_name: what the server calls itself towards the client.
    :param mtu: the largest IP packet to send to the client, in bytes.
    :param weak: the ways to log in that a client may wish for, beside MS-CHAPv2 and EAP.
    """

    __slots__ = (
        "_challenge",
        "_ending",
        "_exchange",
        "_lcp",
        "_limit",
        "_login",
        "_login_until",
        "_logins",
        "_mtu",
        "_network",
        "_patience",
        "_phase",
        "_rejected",
        "_server_name",
    )

    def __init__(
        self,
        *,
        challenge: bytes,
        magic: int,
        server_name: str,
        mtu: int = 1400,
        weak: WeakSignIn = NO_WEAK_SIGN_IN,
    ) -> None:
        self._mtu = mtu
        self._phase = Phase.DEAD
        self._patience = Patience()
        self._lcp = lcp.Lcp(lcp.LcpPolicy(magic, weak), self._patience)
        self._exchange = Exchange(challenge, server_name)
        self._challenge, self._server_name = challenge, server_name
        self._logins: dict[bytes, Login] = {}  # those that LCP has agreed on, so far
        self._login = self._agreed_login()
        self._network: Network | None = None
        self._limit: tuple[float, str] | None = None  # when the link ends, and why
        self._login_until: float | None = None  # when it has to be over
        self._ending = ""  # why it does, once we have begun to end it
        self._rejected: tuple[float, str] | None = None  # the last unknown protocol, and when

    @property
    def deadline(self) -> float | None:
        """The time of the next :meth:`tick`; None if no timer runs."""
        if self._phase is Phase.OVER:
            return None
        soonest = self._limit[0] if self._limit else None
        for layer in (self._lcp, self._login, self._network):
            due = layer.deadline if layer is not None else None
            if due is not None and (soonest is None or due < soonest):
                soonest = due
        return soonest

    @property
    def login_until(self) -> float | None:
        """When the login is over, or the link; None until LCP has been open."""
        return self._login_until

    @property
    def user(self) -> str:
        """Who logs in, as far as that is known, proven or not; fit for a log."""
        return self._login.user

    @property
    def method(self) -> LoginMethod:
        """How the client logs in, or tries to."""
        return self._login.method

    @property
    def ending(self) -> str:
        """Why the link ends, once we have begun to end it, or refused the login."""
        return self._ending or self._login.failure

    def difficulty(self, now: float) -> str:
        """Return what may be the reason if it is the client that ends the link now; maybe empty."""
        if self._phase is Phase.ESTABLISH:
            return self._lcp.difficulty
        if self._rejected is not None and now - self._rejected[0] <= REJECTED_FOR:
            return f"it asks for {self._rejected[1]}, which there is not"
        return ""

    def start(self, now: float, round_trip: float = 0.0) -> list[Effect]:
        """Begin: the SSTP call is accepted, its CALL_CONNECT_ACK sent.

        :param round_trip: seconds to the client and back; what is repeated waits for longer.
        """
        if self._phase is not Phase.DEAD:
            return []
        self._phase = Phase.ESTABLISH
        self._patience.took(round_trip)
        self._allow(LINK_LIMIT, "the client did not agree on LCP in time", now)
        return self._from_lcp(self._lcp.start(now), now)

    def receive(self, frame: bytes, now: float) -> list[Effect]:
        """Take one frame of the client, as one SSTP data packet carries it, FF 03 or not.

        Whatever does not belong here is dropped: RFC 1661 3.4 and 3.5 want it so, and a
        Protocol-Reject out of turn would kill that protocol on the client for good.
        """
        if self._phase in (Phase.DEAD, Phase.OVER):
            return []
        try:
            protocol, information = frames.decode(frame)
            match protocol:
                case Protocol.LCP:
                    return self._receive_lcp(frames.decode_packet(information), now)
                case Protocol.CHAP | Protocol.EAP | self._login.protocol:
                    packet = frames.decode_packet(information)
                    return self._receive_login(Protocol(protocol), packet, now)
                case _ if self._phase is Phase.NETWORK:
                    return self._receive_network(protocol, information, now)
        except FrameError:
            pass
        return []

    def judged(self, judgement: Judgement, now: float) -> list[Effect]:
        """Take the answer to :class:`LookUp`: what has come of the login."""
        return self._from_login(self._login.judged(judgement, now), now)

    def changed(self, account: Account, changed: Changed, now: float) -> list[Effect]:
        """Take the answer to :class:`ChangePassword`: what has come of that."""
        return self._from_login(self._login.changed(account, changed, now), now)

    def handshaken(self, answer: Handshaken, now: float) -> list[Effect]:
        """Take the answer to :class:`Handshake`."""
        return self._from_login(self._login.handshaken(answer, now), now)

    def leased(self, lease: Lease | None, now: float) -> list[Effect]:
        """Take the answer to :class:`Admit`: the lease, or None if no address is free.

        The client is told Success in either case, as it is who it says. Without an address
        it then sees that there is no IPCP; Windows shows error 720.
        """
        if not self._login.admitted:
            return []
        self._phase = Phase.NETWORK
        self._logins = {}  # LCP cannot come anew any more
        effects = self._from_login(self._login.succeed(), now)
        if lease is None:
            self._ending = "no address is free"
            self._allow(NO_ADDRESS_LIMIT, self._ending, now)
            text, why = f"no address is free for '{self._login.user}'", self._ending
            return [*effects, Note(text, warning=True, failed=why, cause=Cause.ADDRESS)]
        self._allow(NETWORK_LIMIT, "the client did not open IPCP in time", now)
        self._network = Network(
            lease,
            mtu=min(self._mtu, self._lcp.peer_mru),
            mru=self._lcp.control_mru,
            patience=self._patience,
        )
        return effects + self._from_network(self._network.open(now), now)

    def terminate(self, reason: str, now: float) -> list[Effect]:
        """End the link politely: Terminate-Request, then :class:`LinkDown` within 2 seconds."""
        return self._close(reason, now)

    def tick(self, now: float) -> list[Effect]:
        """Take the time."""
        if self._phase is Phase.OVER:
            return []
        effects = self._from_lcp(self._lcp.tick(now), now)
        effects += self._from_login(self._login.tick(now), now)
        if self._network is not None:
            effects += self._from_network(self._network.tick(now), now)
        if self._limit is not None and now >= self._limit[0]:
            effects += self._close(self._limit[1], now)
        return effects

    def _receive_lcp(self, packet: Packet, now: float) -> list[Effect]:
        if packet.code == Code.PROTOCOL_REJECT and self._network is not None:
            rejected = int.from_bytes(packet.data[:2])
            if (outputs := self._network.does_without(rejected)) is not None:
                return self._from_network(outputs, now)
        negotiated = self._lcp.receive(packet, now)
        if packet.code != Code.TERMINATE_REQUEST:
            return self._from_lcp(negotiated, now)
        # RFC 1661 3.7 would have us wait a Restart time; the SSTP call below waits for the client
        sent = [output for output in negotiated if isinstance(output, SendFrame)]
        difficulty = self.difficulty(now)
        gone = lcp.farewell(packet) + (f" ({difficulty})" if difficulty else "")
        why = self._ending or self._login.failure or gone
        return [*sent, *self._over(why)]

    def _agreed_login(self) -> Login:
        """Return the login that LCP has agreed on; what it did before LCP came anew, it still knows."""
        agreed = self._lcp.login
        if agreed not in self._logins:
            self._logins[agreed] = self._new_login(agreed)
        return self._logins[agreed]

    def _new_login(self, agreed: bytes) -> Login:
        match agreed:
            case lcp.EAP:
                return Eap(self._exchange)
            case lcp.PAP:
                return Pap()
            case lcp.CHAP_MD5:
                return Chap(Md5Exchange(self._challenge, self._server_name))
            case _:
                return Chap(self._exchange)

    def _receive_login(self, by: Protocol, packet: Packet, now: float) -> list[Effect]:
        if self._phase not in (Phase.AUTHENTICATE, Phase.NETWORK) or by != self._login.protocol:
            return []
        return self._from_login(self._login.receive(packet, now), now)

    def _receive_network(self, protocol: int, information: bytes, now: float) -> list[Effect]:
        if protocol == Protocol.IPV4 or (self._network and self._network.carries(protocol)):
            return []  # IP packets go past the link, this one is late or early
        if self._network is not None and self._network.speaks(protocol):
            return self._from_network(self._network.receive(protocol, information, now), now)
        self._rejected = now, _NAMES.get(protocol, f"the protocol {protocol:04x}")
        return self._from_lcp(self._lcp.protocol_reject(protocol, information), now)

    def _from_lcp(self, outputs: Iterable[Output], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for output in outputs:
            match output:
                case LayerUp():
                    effects += self._lcp_up(now)
                case LayerDown():
                    effects += self._lcp_down(now)
                case LayerFinished(reason):
                    effects += self._over(self._ending or reason)
                case GiveUp(reason):
                    effects += self._close(reason, now)
                case Identified(text):
                    self._exchange.prompts |= text.startswith(_WINDOWS)
                    effects.append(output)
                case _:
                    effects.append(output)
        return effects

    def _from_login(self, outputs: Iterable[login.Output], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for output in outputs:
            if isinstance(output, GiveUp):
                effects += self._close(output.reason, now)
            else:
                effects.append(output)
        return effects

    def _from_network(self, outputs: Iterable[network.Output], now: float) -> list[Effect]:
        effects: list[Effect] = []
        for output in outputs:
            match output:
                case GiveUp(reason):
                    effects += self._close(reason, now)
                    continue
                case NetworkUp():
                    self._limit = None
                case NetworkDown():
                    self._allow(NETWORK_LIMIT, "the client did not open IPCP again", now)
                case _:
                    pass
            effects.append(output)
        return effects

    def _lcp_up(self, now: float) -> list[Effect]:
        """Begin the login; however often LCP opens, all of it has to be done in time."""
        if self._login_until is None:
            self._login_until = now + LOGIN_LIMIT
            self._allow(LOGIN_LIMIT, "the client did not log in in time", now)
        self._phase = Phase.AUTHENTICATE
        self._login = self._agreed_login()
        asked = self._login.begin(self._lcp.control_mru, self._patience, now)
        return self._from_login(asked, now)

    def _lcp_down(self, now: float) -> list[Effect]:
        """LCP has left Opened, by us or by the client.

        A client may negotiate LCP again until it has answered what the login asks first (RFC 1661
        4.3). Later, its login and its address would hang in the air.
        """
        if self._lcp.state in (AutomatonState.CLOSING, AutomatonState.STOPPING):
            return self._leave(Phase.TERMINATE)
        if not self._login.untouched:
            return self._close("the client negotiated LCP anew after its login", now)
        self._login.stop()
        self._phase = Phase.ESTABLISH
        return []

    def _allow(self, seconds: float, reason: str, now: float) -> None:
        """Give the client so long for its next step, or the link ends for this reason."""
        self._limit = now + seconds, reason

    def _close(self, reason: str, now: float) -> list[Effect]:
        """End the link by LCP (RFC 1661 3.7): there is no need to end IPCP first."""
        if self._phase in (Phase.TERMINATE, Phase.OVER):
            return []
        # who may try again has until then to do so, and is gone for what came before
        self._ending = self._ending or self._login.failure or reason
        effects = self._leave(Phase.TERMINATE) + self._from_lcp(self._lcp.close(now), now)
        if self._lcp.state is not AutomatonState.CLOSING:
            effects += self._over(self._ending)  # LCP had not begun
        return effects

    def _over(self, reason: str) -> list[Effect]:
        return [] if self._phase is Phase.OVER else [*self._leave(Phase.OVER), LinkDown(reason)]

    def _leave(self, phase: Phase) -> list[Effect]:
        """Go to a phase in which there is nothing above LCP."""
        was_up = self._network is not None and self._network.up
        self._phase, self._limit, self._network = phase, None, None
        self._login.stop()
        return [NetworkDown()] if was_up else []
