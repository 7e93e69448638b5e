"""One client's session: the SSTP call and the PPP link in it, and when IP may flow. No I/O."""

from .contracts import Account, Lease, LoginMethod
from .effects import Bind, Deliver, Down, Effect, Up
from .ppp import effects as ppp
from .ppp.frames import FrameError, Protocol, decode
from .ppp.judging import Changed, Judgement
from .ppp.link import Link
from .sstp import effects as sstp
from .sstp.call import Call
from .sstp.wire import Data, encode


class Session:
    """Bytes and answers go in, effects come out; call :meth:`tick` at :attr:`deadline`.

    IP flows only while the crypto binding holds and IPCP, or IPV6CP, is open ([MS-SSTP] 3.3.5.2.3).
    What of that comes first is up to the client; until the binding holds its address is only promised.
    """

    __slots__ = (
        "_call",
        "_closed",
        "_given",
        "_link",
        "_network",
        "_promised",
        "_reason",
        "_said",
        "up",
    )

    def __init__(self, call: Call, link: Link) -> None:
        self._call = call
        self._link = link
        self._promised = False  # the client has a lease that waits for its binding
        self._given = False  # the driver has done what Bind asks for
        self._network: ppp.NetworkUp | None = None
        self._said: Up | None = None  # the last Up; None after Down
        self._reason = ""  # why the session ends: what came first
        self._closed = False
        self.up = False

    def heard(self, now: float) -> None:
        """The client was heard, whatever it said: the Hello timer starts again."""
        self._call.heard(now)

    def explain(self, last: str, now: float) -> str:
        """Return why the session ended.

        :param last: what happened last, for instance that TCP was closed. If it began to end
            before that, the reason is what it began with.
        """
        return self._reason or self._with_difficulty(last, now)

    @property
    def deadline(self) -> float | None:
        """When :meth:`tick` is due; None without a running timer."""
        if self._closed:
            return None
        call, link = self._call.deadline, self._link.deadline
        return link if call is None else call if link is None else min(call, link)

    @property
    def user(self) -> str:
        """Who logs in, as far as that is known, proven or not; fit for a log."""
        return self._link.user

    @property
    def method(self) -> LoginMethod:
        """How it logs in, or tries to."""
        return self._link.method

    def begin(self, now: float) -> list[Effect]:
        """The HTTP request has been accepted."""
        return self._from_call(self._call.begin(now), now)

    def receive(self, packet: bytes, now: float) -> list[Effect]:
        """Take one whole SSTP packet."""
        return self._from_call(self._call.receive(packet, now), now)

    def judged(self, judgement: Judgement, now: float) -> list[Effect]:
        """The answer to :class:`LookUp`."""
        return self._from_link(self._link.judged(judgement, now), now)

    def changed(self, account: Account, changed: Changed, now: float) -> list[Effect]:
        """The answer to :class:`ChangePassword`."""
        return self._from_link(self._link.changed(account, changed, now), now)

    def handshaken(self, answer: ppp.Handshaken, now: float) -> list[Effect]:
        """The answer to :class:`Handshake`."""
        return self._from_link(self._link.handshaken(answer, now), now)

    def leased(self, lease: Lease | None, now: float) -> list[Effect]:
        """The answer to :class:`Admit`."""
        self._promised = lease is not None
        return self._from_link(self._link.leased(lease, now), now)

    def bound(self) -> list[Effect]:
        """The answer to :class:`Bind`: interface and address are there."""
        self._given = True
        return self._raise()

    def terminate(self, reason: str, now: float) -> list[Effect]:
        """End the session politely: the link first, then the call."""
        self._reason = self._reason or reason
        return self._from_link(self._link.terminate(reason, now), now)

    def tick(self, now: float) -> list[Effect]:
        """Let the timers that are due run out."""
        effects: list[Effect] = []
        if self._call.deadline is not None and self._call.deadline <= now:
            effects += self._from_call(self._call.tick(now), now)
        if self._link.deadline is not None and self._link.deadline <= now:
            effects += self._from_link(self._link.tick(now), now)
        return effects

    def _from_call(self, effects: list[sstp.Effect], now: float) -> list[Effect]:
        self._keep_reason(now)
        result: list[Effect] = []
        for effect in effects:
            if self._closed:
                break
            match effect:
                case sstp.Accepted(round_trip):
                    result += self._from_link(self._link.start(now, round_trip), now)
                case sstp.Frame(frame):
                    result += self._frame(frame, now)
                case sstp.Bound():
                    result += [Bind()] if self._promised else []
                case sstp.Close(reason):
                    result += self._lower()
                    self._closed = True
                    result.append(sstp.Close(self.explain(reason, now)))
                case _:
                    result.append(effect)
        # a call that ends, whoever ends it, carries nothing more: [MS-SSTP] 3.1.1
        return result if self._call.carries else [*self._lower(), *result]

    def _frame(self, frame: bytes, now: float) -> list[Effect]:
        try:
            protocol, information = decode(frame)
        except FrameError:
            return []
        if self._said is not None and information[:1]:
            said, version = self._said, information[0] >> 4
            if protocol == Protocol.IPV4 and said.ipv4 and version == 4:
                return [Deliver(information)]
            if protocol == Protocol.IPV6 and said.ipv6 and version == 6:
                return [Deliver(information)]
        return self._from_link(self._link.receive(frame, now), now)

    def _from_link(self, effects: list[ppp.Effect], now: float) -> list[Effect]:
        self._keep_reason(now)
        if self._link.login_until is not None:
            self._call.allow(self._link.login_until)
        result: list[Effect] = []
        for effect in effects:
            if self._closed:
                break
            match effect:
                case ppp.SendFrame(frame):
                    if self._call.carries:
                        result.append(sstp.Send(encode(Data(frame))))
                case ppp.Authenticated(hlaks):
                    self._reason = ""  # that of a try before this one
                    result += self._from_call(self._call.keyed(hlaks, now), now)
                case ppp.NetworkUp():
                    self._network = effect
                    result += self._raise()
                case ppp.NetworkDown():
                    self._network = None
                    result += self._lower()
                case ppp.LinkDown(reason):
                    self._reason = self._reason or reason
                    result += self._lower()
                    result += self._from_call(self._call.disconnect(now), now)
                case ppp.Note(text, warning, guess, failed, cause):
                    result.append(sstp.Note(text, warning, guess, failed, cause))
                case _:
                    result.append(effect)
        return result

    def _keep_reason(self, now: float) -> None:
        """Note why the session ends, if it has begun to."""
        if not self._reason:
            why = self._call.reason
            if self._call.left:
                why = self._with_difficulty(why, now)
            self._reason = self._link.ending or why

    def _with_difficulty(self, reason: str, now: float) -> str:
        """Add to what the client did what may have brought it to that."""
        difficulty = self._link.difficulty(now)
        return f"{reason} ({difficulty})" if difficulty else reason

    def _raise(self) -> list[Effect]:
        network = self._network
        if network is None or not self._given or not self._call.carries:
            return []
        up = Up(network.mtu, network.ipv4, network.ipv6.own if network.ipv6 else b"")
        if up == self._said:
            return []
        self._said, self.up = up, True
        return [up]

    def _lower(self) -> list[Effect]:
        if not self.up:
            return []
        self._said, self.up = None, False
        return [Down()]
