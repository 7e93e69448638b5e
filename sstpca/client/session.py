"""One session of the client: the call and the link in it, and when IP may flow. No I/O."""

from dataclasses import dataclass

from sstpca.server.ppp.effects import SendFrame
from sstpca.server.ppp.frames import FrameError, Protocol, decode
from sstpca.server.sstp import effects as sstp
from sstpca.server.sstp.states import CallState
from sstpca.server.sstp.wire import Data, encode

from .call import ClientCall
from .link import ClientLink, Connected, Keyed, LinkOutput, LinkOver
from .sign_in import Refused


@dataclass(frozen=True, slots=True)
class Packet:
    """An IP packet of the server."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: flush what is queued, then close TCP. Said once, and last.

    :param refused: what the server said, if it was the login that failed.
    :param bound: whether the login was good, and the call bound to it.
    """

    reason: str
    refused: Refused | None = None
    bound: bool = False


ClientEffect = sstp.Send | Connected | Packet | Ended


class ClientSession:
    """Bytes go in, effects come out; call :meth:`tick` at :attr:`deadline`."""

    def __init__(self, call: ClientCall, link: ClientLink) -> None:
        self._call = call
        self._link = link
        self._reason = ""
        self._refused: Refused | None = None
        self._connected: Connected | None = None
        self._bound = False
        self.over = False
        #: Call at any time the server was heard: restarts the Hello timer.
        self.heard = call.heard

    @property
    def has_said_goodbye(self) -> bool:
        """Whether both ends have: what is left is to close the connection."""
        return self.over or self._call.state is CallState.CALL_DISCONNECT_TIMEOUT_PENDING

    @property
    def deadline(self) -> float | None:
        """When :meth:`tick` is due; None without a running timer."""
        times = [one for one in (self._call.deadline, self._link.deadline) if one is not None]
        return None if self.over else min(times, default=None)

    def begin(self, now: float) -> list[ClientEffect]:
        """The server has answered the HTTP request with 200."""
        return self._from_call(self._call.begin(now), now)

    def receive(self, packet: bytes, now: float) -> list[ClientEffect]:
        """Take one whole SSTP packet."""
        return self._from_call(self._call.receive(packet, now), now)

    def terminate(self, reason: str, now: float) -> list[ClientEffect]:
        """End the session politely: the link first, then the call."""
        self._reason = self._reason or reason
        return self._from_link(self._link.terminate(reason, now), now)

    def lost(self, reason: str) -> list[ClientEffect]:
        """The connection is gone, for this reason."""
        return self._end(reason)

    def tick(self, now: float) -> list[ClientEffect]:
        """Let the timers that are due run out."""
        effects: list[ClientEffect] = []
        if self._call.deadline is not None and self._call.deadline <= now:
            effects += self._from_call(self._call.tick(now), now)
        if self._link.deadline is not None and self._link.deadline <= now:
            effects += self._from_link(self._link.tick(now), now)
        return effects

    def _from_call(self, outputs: list[sstp.Effect], now: float) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        for one in outputs:
            match one:
                case sstp.Send():
                    effects.append(one)
                case sstp.Accepted(round_trip):
                    effects += self._from_link(self._link.start(now, round_trip), now)
                case sstp.Frame(frame):
                    effects += self._frame(frame, now)
                case sstp.Close(reason):
                    effects += self._end(reason)
                case sstp.Bound():
                    self._bound = True
                case sstp.Note():
                    pass
        return effects

    def _frame(self, frame: bytes, now: float) -> list[ClientEffect]:
        try:
            protocol, information = decode(frame)
        except FrameError:
            return []
        if self._carries(protocol) and information:
            return [Packet(information)]
        return self._from_link(self._link.receive(frame, now), now)

    def _carries(self, protocol: int) -> bool:
        if self._connected is None or not self._call.bound:
            return False
        return protocol == Protocol.IPV4 or (
            protocol == Protocol.IPV6 and self._connected.ipv6 is not None
        )

    def _from_link(self, outputs: list[LinkOutput], now: float) -> list[ClientEffect]:
        effects: list[ClientEffect] = []
        for one in outputs:
            match one:
                case SendFrame(frame):
                    if self._call.carries:
                        effects.append(sstp.Send(encode(Data(frame))))
                case Keyed(hlak):
                    effects += self._from_call(self._call.keyed(hlak, now), now)
                case Connected():
                    self._connected = one
                    effects.append(one)
                case LinkOver(reason, refused):
                    self._reason = self._reason or reason
                    self._refused = self._refused or refused
                    effects += self._from_call(self._call.disconnect(now), now)
        return effects

    def _end(self, reason: str) -> list[ClientEffect]:
        if self.over:
            return []
        self.over = True
        return [Ended(self._reason or reason, self._refused, self._bound)]
