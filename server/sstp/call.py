"""The call: one client's SSTP, from the HTTP answer to the end; [MS-SSTP] 3.1 and 3.3.

What happens when is the table of :mod:`.states`; here is what its words mean.
"""

from typing import Final

from ..contracts import Cause
from .binding import NONCE_SIZE, CertificateHashes, Fault, crypto_binding_request, verify
from .common import COMMON, HELLO, Arrival, Machine, send
from .connect_request import refused_attributes
from .effects import Accepted, Bound, Effect, Note
from .states import TRANSITIONS, CallEvent, CallState
from .wire import AttributeId, MessageType, Status

#: Seconds for a good Call-Connect-Request, and again for Call-Connected, unless the login below says
#: that it takes longer: [MS-SSTP] 3.3.2.1 lets the two differ.
NEGOTIATION: Final = 60.0
#: Seconds that the end of PPP takes: it has narrower limits of its own, and says so first.
_BY_PPP: Final = 5.0
#: Seconds for Call-Connected once the client is told that it is in: of silence, and at most. Windows
#: sends it at once; clients that open IPCP first need three round trips more. An address is kept for
#: that long, so that it is less than what 3.3.2.1 allows.
BINDING: Final = 10.0
BINDING_MOST: Final = 30.0
#: How many Call-Connect-Nak are sent before the call is aborted: 3.3.5.2.2, note <16>.
NAKS: Final = 3

_CARRYING: Final = (CallState.SERVER_CALL_CONNECTED_PENDING, CallState.SERVER_CALL_CONNECTED)


class Call(Machine):
    """The server's SSTP of one connection, from the HTTP answer to the close of TCP.

    :param nonce: 32 random bytes, for this call alone.
    :param certificates: those that the client may have seen in TLS.
    :raises ValueError: if the nonce has another size.
    """

    own, peer = "server", "client"
    table = TRANSITIONS

    __slots__ = ("_began", "_binding", "_certificates", "_held", "_hlaks", "_naks", "_nonce")

    def __init__(self, *, nonce: bytes, certificates: tuple[CertificateHashes, ...]) -> None:
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce of {len(nonce)} bytes")
        super().__init__(CallState.SERVER_CALL_DISCONNECTED)
        self._nonce = nonce
        self._certificates = certificates
        self._naks = 0
        self._held: bytes | None = None  # a Call-Connected that waits for the key
        self._hlaks: tuple[bytes, ...] = ()
        self._began = 0.0
        self._binding: float | None = None  # until when Call-Connected is waited for, at most

    @property
    def carries(self) -> bool:
        """Whether PPP frames may be sent: from Call-Connect-Ack until the call begins to end."""
        return self.state in _CARRYING

    def begin(self, now: float) -> list[Effect]:
        """The HTTP request is answered with 200: wait for SSTP."""
        return self._happen(Arrival(CallEvent.BEGIN), now)

    def allow(self, until: float) -> None:
        """The login has begun, and is over by then: people type, and lines are slow."""
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING and self._binding is None:
            self.deadline = until + _BY_PPP

    def keyed(self, hlaks: tuple[bytes, ...], now: float) -> list[Effect]:
        """The login is over and made this key; without a key of its own, 32 zero bytes.

        :param hlaks: it, and what else this kind of client may make of it.
        """
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING and self.deadline is not None:
            self._hlaks = hlaks
            self._binding = min(now + BINDING_MOST, self.deadline)
            self._await_binding(now)
        return self._happen(Arrival(CallEvent.KEYED), now)

    # Establishing

    def _begin(self, _: Arrival, now: float) -> list[Effect]:
        self._began = now
        self._enter(CallState.SERVER_CONNECT_REQUEST_PENDING, now + NEGOTIATION)
        return []

    def _answer(self, arrival: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.2."""
        refused = refused_attributes(arrival.attributes)
        if not refused:
            self._enter(CallState.SERVER_CALL_CONNECTED_PENDING, now + NEGOTIATION)
            request = crypto_binding_request(self._nonce)
            accepted = Accepted(now - self._began)
            return [send(MessageType.CALL_CONNECT_ACK, request), accepted]
        if self._naks == NAKS:
            why = f"{NAKS + 1} unacceptable Call-Connect-Requests"
            return self._abort(Status.RETRY_COUNT_EXCEEDED, why, now)
        self._naks += 1
        return [
            Note("the Call-Connect-Request is not acceptable", warning=True),
            send(MessageType.CALL_CONNECT_NAK, *refused),
        ]

    def _hold(self, arrival: Arrival, now: float) -> list[Effect]:
        if self._held is not None:
            return self._refuse(arrival, now)
        self._held = arrival.packet
        return self._judge(arrival, now)

    def _judge(self, _: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.3, once both Call-Connected and the key are there."""
        if self._held is None or not self._hlaks:
            return []
        fault = verify(
            self._held,
            hlaks=self._hlaks,
            nonce=self._nonce,
            certificates=self._certificates,
        )
        if fault is not None:
            return self._unbound(fault, now)
        self._forget()
        self._heard, self._asked = None, False
        self._enter(CallState.SERVER_CALL_CONNECTED, now + HELLO)
        return [Bound()]

    def _await_binding(self, now: float) -> None:
        """Give the client time for Call-Connected: it is in, and may open IPCP before."""
        if self._binding is not None:
            self.deadline = min(now + BINDING, self._binding)

    def _unbound(self, fault: Fault, now: float) -> list[Effect]:
        why = f"crypto binding refused: {fault.value}"
        if fault is Fault.FORM:
            form = Status.ATTRIB_NOT_SUPPORTED_IN_MSG
            return self._abort(form, why, now, cause=Cause.BINDING)
        about = AttributeId.CRYPTO_BINDING
        return self._abort(Status.VALUE_NOT_SUPPORTED, why, now, about, cause=Cause.BINDING)

    def _expire(self, _: Arrival, now: float) -> list[Effect]:
        early = self.state is CallState.SERVER_CONNECT_REQUEST_PENDING
        awaited = CallEvent.CALL_CONNECT_REQUEST if early else CallEvent.CALL_CONNECTED
        late = f"in {NEGOTIATION:.0f} seconds" if self._binding is None else "after the login"
        why = f"no {awaited.value} {late}"
        return self._abort(Status.NEGOTIATION_TIMEOUT, why, now)

    def _deliver(self, arrival: Arrival, now: float) -> list[Effect]:
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING:
            self._await_binding(now)
        return super()._deliver(arrival, now)

    def _forget(self) -> None:
        """Drop the key as soon as it is of no use any more."""
        self._held, self._hlaks = None, ()


#: The words of the table in :mod:`.states`.
ACTIONS: Final = COMMON | {
    "answer": Call._answer,
    "begin": Call._begin,
    "deliver": Call._deliver,
    "expire": Call._expire,
    "hold": Call._hold,
    "judge": Call._judge,
}

Call.actions = ACTIONS
