"""What LCP and every NCP have in common: packets to events, actions to packets (RFC 1661 4, 5).

A :class:`Negotiator` drives one automaton; what to ask for and how to answer is its
:class:`Policy`.
"""

import functools
import typing
from dataclasses import dataclass
from typing import Final

from . import frames
from .automaton import Action, Actions, Automaton, AutomatonEvent, AutomatonState
from .effects import Identified, SendFrame
from .frames import Code, Packet
from .options import OptionError, Options, decode_options, encode_options
from .patience import MOST, Patience

MAX_FAILURE: Final = 5  # Configure-Naks without an Ack before giving in; RFC 1661 4.6

#: Configure-Requests of the peer, and answers to ours, within :data:`CALM` seconds. With every option
#: naked or rejected for itself it takes twenty; who needs more asks for the same again and again.
MAX_ROUNDS: Final = 40
CALM: Final = 60.0

# what the peer sends to get on: each takes us a round further, or nowhere
_ROUND: Final = (
    Code.CONFIGURE_REQUEST,
    Code.CONFIGURE_ACK,
    Code.CONFIGURE_NAK,
    Code.CONFIGURE_REJECT,
)
# there is no negotiation that could lead anywhere: only answers as of the table
_OVER: Final = (AutomatonState.CLOSED, AutomatonState.CLOSING, AutomatonState.STOPPING)
_EMPTY: Final = Packet(0, 0)


@dataclass(frozen=True, slots=True)
class LayerUp:
    """The protocol has reached Opened."""


@dataclass(frozen=True, slots=True)
class LayerDown:
    """The protocol has left Opened."""


@dataclass(frozen=True, slots=True)
class LayerFinished:
    """The protocol is over, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """There is no point in going on, and why: end the link politely."""

    reason: str


Signal = LayerUp | LayerDown | LayerFinished | GiveUp
Output = SendFrame | Identified | Signal


@dataclass(frozen=True, slots=True)
class Reply:
    """How to answer a Configure-Request: Ack, Nak or Reject, with these options."""

    code: Code
    options: Options


class Policy(typing.Protocol):
    """What one control protocol asks for, and how it answers the peer."""

    name: str
    protocol: int

    def request(self) -> Options:
        """Return the options of our next Configure-Request."""

    def judge(self, asked: Options) -> Reply:
        """Answer the options the peer asks for."""

    def granted(self, asked: Options) -> None:
        """Note that we have acknowledged these options of the peer."""

    def naked(self, wanted: Options, rounds: int) -> str:
        """Note what the peer would have instead of our options.

        :param rounds: how many Naks in a row this is, the first being 1.
        :returns: why there is no point in asking again; empty if there is.
        """

    def rejected(self, refused: Options) -> str:
        """Note which of our options the peer will not talk about; returns as :meth:`naked`."""


class Negotiator:
    """One control protocol of the link. The methods return frames to send, then signals.

    :param mru: the most that the peer can receive in a control packet.
    :param patience: how long an answer may take until our Configure-Request is repeated.
    :param peer: what reasons call the other end.
    """

    __slots__ = (
        "_answered",
        "_automaton",
        "_counted_from",
        "_id",
        "_judged",
        "_naks_received",
        "_naks_sent",
        "_patience",
        "_peer",
        "_policy",
        "_request",
        "_requested",
        "_rounds",
        "_unheard",
        "_why",
        "mru",
    )

    def __init__(
        self,
        policy: Policy,
        mru: int = frames.DEFAULT_MRU,
        patience: Patience | None = None,
        *,
        peer: str = "client",
    ) -> None:
        self.mru = mru
        self._peer = peer
        self._policy = policy
        self._patience = patience or Patience()
        self._automaton = Automaton(self._patience)
        self._id = 0
        self._request = _EMPTY  # our last Configure-Request
        self._requested = 0.0  # when it was sent first
        self._answered = True  # nothing is asked yet
        self._unheard = True  # nothing had come from the peer when it was sent last
        # the peer's last, and how it was answered, and when: in bytes, which are kept for long
        self._judged: tuple[Packet, Code, bytes, float] | None = None
        self._naks_sent = 0
        self._naks_received = 0
        self._rounds = 0
        self._counted_from = 0.0
        self._why = ""

    @property
    def state(self) -> AutomatonState:
        """The state of the automaton."""
        return self._automaton.state

    @property
    def is_open(self) -> bool:
        """Whether both ends agree."""
        return self._automaton.state is AutomatonState.OPENED

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`tick`."""
        return self._automaton.deadline

    def feed(self, event: AutomatonEvent, now: float) -> list[Output]:
        """Take an event that is no packet: Up, Down, Open or Close."""
        return self._run(self._automaton.feed(event, now), now)

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        return self._run(self._automaton.tick(now), now, repeat=not self._answered)

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet with one of the seven common codes, or an unknown one (RFC 1661 5)."""
        if self.state in (AutomatonState.INITIAL, AutomatonState.STARTING):
            return []
        if packet.code in _ROUND and self.state not in _OVER and self._goes_round(now):
            return [GiveUp(f"the negotiation of {self._policy.name} leads nowhere")]
        match packet.code:
            case Code.CONFIGURE_REQUEST:
                return self._asked(packet, now)
            case Code.CONFIGURE_ACK:
                return self._acknowledged(packet, now)
            case Code.CONFIGURE_NAK | Code.CONFIGURE_REJECT:
                return self._refused(packet, now)
            case Code.TERMINATE_REQUEST:
                self._why = f"the {self._peer} closed {self._policy.name}"
                return self._run(
                    self._automaton.feed(AutomatonEvent.TERMINATE_REQUEST, now), now, packet
                )
            case Code.TERMINATE_ACK:
                return self.feed(AutomatonEvent.TERMINATE_ACK, now)
            case Code.CODE_REJECT:
                return self._code_rejected(packet, now)
            case _:
                return self._run(
                    self._automaton.feed(AutomatonEvent.UNKNOWN_CODE, now), now, packet
                )

    def rejected(self, now: float) -> list[Output]:
        """Take a rejection of what the protocol cannot do without (RFC 1661 4.3, RXJ-)."""
        self._why = f"the {self._peer} rejects {self._policy.name}"
        return self.feed(AutomatonEvent.REJECT_CATASTROPHIC, now)

    def echo_replies(self, now: float) -> bool:
        """Take an Echo or Discard packet; True if an Echo-Reply is due (RFC 1661 4.3, RXR)."""
        return Action.SEND_ECHO_REPLY in self._automaton.feed(AutomatonEvent.ECHO_OR_DISCARD, now)

    def repeat_request(self) -> list[Output]:
        """Send our Configure-Request once more, out of turn, if it is not answered yet.

        To be called when the peer's first comes: ours may have come before the peer listened to
        this protocol, but now it does. One that has answered ours has done so before, in order, so
        that this never reaches a peer for which the protocol is open already.
        """
        waiting = (
            self.state in (AutomatonState.REQ_SENT, AutomatonState.ACK_SENT) and not self._answered
        )
        if not waiting or not self._unheard:
            return []
        self._unheard = False
        return [self._frame(self._request)]

    def originate(self, code: Code, data: bytes) -> SendFrame:
        """Return a packet of ours under a new identifier, cut to what the peer can receive."""
        room = self.mru - frames.PACKET_HEADER_SIZE
        return self._frame(Packet(code, self._next_id(), data[:room]))

    def respond(self, packet: Packet, code: Code, data: bytes) -> SendFrame:
        """Return an answer to ``packet``, under its identifier."""
        return self._frame(Packet(code, packet.id, data))

    def _goes_round(self, now: float) -> bool:
        """Count a packet of the negotiation; return whether there have been too many of late."""
        if now - self._counted_from >= CALM:
            self._rounds, self._counted_from = 0, now
        self._rounds += 1
        return self._rounds > MAX_ROUNDS

    def _asked(self, packet: Packet, now: float) -> list[Output]:
        """Answer a Configure-Request.

        One that comes again is no other: its identifier would be (RFC 1661 5.1), as the peer has had
        its answer. It is not counted again, and what is open stays open: the peer will be, too, once
        our answer is there. Much later, a peer may have forgotten which identifiers it had.
        """
        self._unheard = False
        if self._judged is not None and self._judged[0] == packet and now < self._judged[3] + MOST:
            reply, again = Reply(self._judged[1], decode_options(self._judged[2])), True
        else:
            try:
                asked = decode_options(packet.data)
            except OptionError:
                return []
            reply, again = self._judge(asked), False
            acked = reply.code is Code.CONFIGURE_ACK
            options = packet.data if acked else encode_options(reply.options)
            self._judged = packet, reply.code, options, now
        good = reply.code is Code.CONFIGURE_ACK
        if again and good and self.state is AutomatonState.OPENED:
            return [self._answer(packet, reply)]
        event = AutomatonEvent.REQUEST_GOOD if good else AutomatonEvent.REQUEST_BAD
        return self._run(self._automaton.feed(event, now), now, packet, reply)

    def _judge(self, asked: Options) -> Reply:
        reply = self._policy.judge(asked)
        if reply.code is Code.CONFIGURE_NAK:
            if self._naks_sent >= MAX_FAILURE:
                return _insist(asked, reply)
            self._naks_sent += 1
        return reply

    def _acknowledged(self, packet: Packet, now: float) -> list[Output]:
        if not self._answers(packet) or packet.data != self._request.data:
            return []
        self._heard_of(now)
        self._naks_received = 0
        return self.feed(AutomatonEvent.ACK, now)

    def _refused(self, packet: Packet, now: float) -> list[Output]:
        try:
            options = decode_options(packet.data)
        except OptionError:
            return []
        if not self._answers(packet):
            return []
        if packet.code == Code.CONFIGURE_NAK:
            self._naks_received += 1
            reason = self._policy.naked(options, self._naks_received)
        elif options and set(options) <= set(decode_options(self._request.data)):
            reason = self._policy.rejected(options)
        else:
            return []  # RFC 1661 5.4: only what we asked for can be rejected
        self._heard_of(now)
        return [GiveUp(reason)] if reason else self.feed(AutomatonEvent.NAK_OR_REJECT, now)

    def _code_rejected(self, packet: Packet, now: float) -> list[Output]:
        if not packet.data:
            return []
        if Code.CONFIGURE_REQUEST <= packet.data[0] <= Code.CODE_REJECT:
            return self.rejected(now)
        return self.feed(AutomatonEvent.REJECT_PERMITTED, now)

    def _answers(self, packet: Packet) -> bool:
        """Whether ``packet`` answers our last request, and is the first to do so (RFC 1661 5.2)."""
        return not self._answered and packet.id == self._request.id

    def _heard_of(self, now: float) -> None:
        """Our request is answered."""
        self._answered, self._unheard = True, False
        self._patience.took(now - self._requested)

    def _run(
        self,
        actions: Actions,
        now: float,
        packet: Packet = _EMPTY,
        reply: Reply | None = None,
        *,
        repeat: bool = False,
    ) -> list[Output]:
        """Obey the actions: frames first, as RFC 1661 4.1 leaves their order to us.

        :param packet: what the peer sent.
        :param reply: how to answer it, if it is a Configure-Request.
        :param repeat: our last Configure-Request is to be repeated, not renewed.
        """
        sent: list[Output] = []
        signals: list[Output] = []
        for action in actions:
            match action:
                case Action.THIS_LAYER_UP:
                    signals.append(LayerUp())
                    self._rounds = 0  # it has led somewhere
                case Action.THIS_LAYER_DOWN:
                    signals.append(LayerDown())
                case Action.THIS_LAYER_FINISHED:
                    signals.append(LayerFinished(self._why))
                case Action.SEND_CONFIGURE_REQUEST:
                    sent.append(self._ask(now, repeat=repeat))
                case Action.SEND_CONFIGURE_ACK | Action.SEND_CONFIGURE_NAK if reply:
                    sent.append(self._answer(packet, reply))
                case Action.SEND_TERMINATE_REQUEST:
                    sent.append(self.originate(Code.TERMINATE_REQUEST, b""))
                case Action.SEND_TERMINATE_ACK:
                    sent.append(self.respond(packet, Code.TERMINATE_ACK, b""))
                case Action.SEND_CODE_REJECT:
                    sent.append(self.originate(Code.CODE_REJECT, frames.encode_packet(packet)))
                case _:
                    pass  # the counters and timers are the automaton's own
        return sent + signals

    def _ask(self, now: float, *, repeat: bool) -> SendFrame:
        """Send our Configure-Request: the last one again, or another under an identifier of its own.

        RFC 1661 5.1: the identifier changes when the options do, and once there was an answer.
        """
        if not repeat:
            data = encode_options(self._policy.request())
            self._request = Packet(Code.CONFIGURE_REQUEST, self._next_id(), data)
            self._answered, self._requested = False, now
        self._why = _silence(self._peer, self._policy.name)
        return self._frame(self._request)

    def _answer(self, packet: Packet, reply: Reply) -> SendFrame:
        if reply.code is Code.CONFIGURE_ACK:
            self._naks_sent = 0
            self._policy.granted(reply.options)
        return self.respond(packet, reply.code, encode_options(reply.options))

    def _next_id(self) -> int:
        self._id = (self._id + 1) % 256
        return self._id

    def _frame(self, packet: Packet) -> SendFrame:
        return SendFrame(frames.encode(self._policy.protocol, frames.encode_packet(packet)))


@functools.cache
def _silence(peer: str, name: str) -> str:
    """Return why a protocol ends that is not answered: one text for all links."""
    return f"the {peer} does not answer {name}"


def verdict(asked: Options, refused: Options, naked: Options) -> Reply:
    """Answer a Configure-Request: what cannot be talked about first, then what must change.

    RFC 1661 5.3, 5.4: the two are never mixed, and all that is left is acknowledged as it came.
    """
    if refused:
        return Reply(Code.CONFIGURE_REJECT, refused)
    if naked:
        return Reply(Code.CONFIGURE_NAK, naked)
    return Reply(Code.CONFIGURE_ACK, asked)


def _insist(asked: Options, nak: Reply) -> Reply:
    """Turn the Nak that comes after too many into a Reject of what was asked (RFC 1661 4.6)."""
    unwanted = {option.type for option in nak.options}
    refused = tuple(option for option in asked if option.type in unwanted)
    return verdict(asked, refused, ())
