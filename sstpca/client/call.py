"""The client's end of a call, from the HTTP answer to the end: [MS-SSTP] 3.1 and 3.2."""

from dataclasses import dataclass
from typing import Final

from sstpca.server.sstp import effects
from sstpca.server.sstp.binding import CertificateHashes, Hash, connected
from sstpca.server.sstp.common import COMMON, HELLO, Arrival, Machine, send
from sstpca.server.sstp.states import CallEvent, CallState, read_table
from sstpca.server.sstp.wire import (
    PROTOCOL_PPP,
    Attribute,
    AttributeId,
    MessageType,
    Status,
    status_in_words,
)

#: Seconds for the answer to our Call-Connect-Request: [MS-SSTP] 3.2.2.1.
NEGOTIATION: Final = 60.0

# three bytes that are reserved, the mask of hash protocols, the nonce: [MS-SSTP] 2.2.6
_BINDING_REQUEST_SIZE: Final = 36

# As the server's in sstp/states.py. The messages are [MS-SSTP] 3.2.5.3; data 3.2.7; malformed and
# stream-broken 3.1.5.1; begin 3.2.4.1; keyed 3.2.7.1; hang-up 3.2.4.2; timer 3.2.6 and 3.1.6. The
# server may ask for an echo early, as ours answers one.
_TABLE: Final = """
                      c-idle   c-sent   c-acked  c-up     abort   abort-t  disc   disc-t  closed
Call-Connect-Request  -        refuse   refuse   refuse   -       -        -      -       -
Call-Connect-Ack      -        accept   refuse   refuse   -       -        -      -       -
Call-Connect-Nak      -        nak      refuse   refuse   -       -        -      -       -
Call-Connected        -        refuse   refuse   refuse   -       -        -      -       -
Call-Abort            -        aborted  aborted  aborted  linger  -        aborted -      -
Call-Disconnect       -        ack      ack      ack      -       -        ack    -       -
Call-Disconnect-Ack   -        refuse   refuse   refuse   -       -        close  -       -
Echo-Request          -        refuse   echo     echo     -       -        -      -       -
Echo-Response         -        refuse   -        -        -       -        -      -       -
data                  -        -        deliver  deliver  -       -        -      -       -
malformed             -        reject   reject   reject   -       -        -      -       -
stream-broken         -        cut      cut      cut      cut     cut      cut    cut     -
begin                 ask      -        -        -        -       -        -      -       -
keyed                 -        -        bind     -        -       -        -      -       -
hang-up               close    leave    leave    leave    -       -        -      -       -
timer                 -        expire   -        hello    close   close    close  close   -
"""
TRANSITIONS: Final = read_table(_TABLE)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a Call-Connect-Ack asks the binding to be made of.

    :param mask: bits of :class:`Hash`.
    :param nonce: 32 bytes.
    """

    mask: int
    nonce: bytes


class ClientCall(Machine):
    """The client's SSTP of one connection; see the server's :class:`~sstpca.server.sstp.call.Call`.

    :param certificate: that the server showed in TLS.
    :ivar offer: what the server has offered; None before.
    """

    own, peer = "client", "server"
    table = TRANSITIONS

    __slots__ = ("_began", "_certificate", "_hlak", "offer")

    def __init__(self, certificate: CertificateHashes) -> None:
        super().__init__(CallState.CLIENT_CALL_DISCONNECTED)
        self._certificate = certificate
        self._hlak = b""
        self._began = 0.0
        self.offer: Offer | None = None

    @property
    def carries(self) -> bool:
        """Whether PPP frames may be sent: from Call-Connect-Ack until the call begins to end."""
        return self.state in (
            CallState.CLIENT_CONNECT_ACK_RECEIVED,
            CallState.CLIENT_CALL_CONNECTED,
        )

    @property
    def bound(self) -> bool:
        """Whether Call-Connected is sent: only then the server lets IP pass."""
        return self.state is CallState.CLIENT_CALL_CONNECTED

    def begin(self, now: float) -> list[effects.Effect]:
        """The server has answered the HTTP request with 200: ask for a call."""
        return self._happen(Arrival(CallEvent.BEGIN), now)

    def keyed(self, hlak: bytes, now: float) -> list[effects.Effect]:
        """The login is over and made this key, 32 bytes: bind the call to it."""
        self._hlak = hlak
        return self._happen(Arrival(CallEvent.KEYED), now)

    def _ask(self, _: Arrival, now: float) -> list[effects.Effect]:
        self._began = now
        self._enter(CallState.CLIENT_CONNECT_REQUEST_SENT, now + NEGOTIATION)
        protocol = Attribute(AttributeId.ENCAPSULATED_PROTOCOL_ID, PROTOCOL_PPP)
        return [send(MessageType.CALL_CONNECT_REQUEST, protocol)]

    def _accept(self, arrival: Arrival, now: float) -> list[effects.Effect]:
        """[MS-SSTP] 3.2.5.3.2: PPP begins; its limits are its own."""
        self.offer = _offer_in(arrival.attributes)
        if self.offer is None:
            why = "the Call-Connect-Ack asks for no crypto binding"
            return self._abort(Status.REQUIRED_ATTRIBUTE_MISSING, why, now)
        if not self.offer.mask & (Hash.SHA1 | Hash.SHA256):
            why = f"the server offers hash protocols that are not known: {self.offer.mask:#04x}"
            return self._abort(
                Status.VALUE_NOT_SUPPORTED, why, now, about=AttributeId.CRYPTO_BINDING_REQ
            )
        self._enter(CallState.CLIENT_CONNECT_ACK_RECEIVED, None)
        return [effects.Accepted(now - self._began)]

    def _nak(self, arrival: Arrival, now: float) -> list[effects.Effect]:
        """[MS-SSTP] 3.2.5.3.3: there is nothing else to ask for."""
        why = f"the server refuses the call: {status_in_words(arrival.attributes)}"
        return self._abort(Status.RETRY_COUNT_EXCEEDED, why, now)

    def _bind(self, _: Arrival, now: float) -> list[effects.Effect]:
        """[MS-SSTP] 3.2.5.2: SHA-256 where both are offered."""
        assert self.offer is not None
        hash_ = Hash.SHA256 if self.offer.mask & Hash.SHA256 else Hash.SHA1
        packet = connected(self._hlak, self.offer.nonce, self._certificate, hash_)
        self._forget()
        self._heard, self._asked = None, False
        self._enter(CallState.CLIENT_CALL_CONNECTED, now + HELLO)
        return [effects.Send(packet), effects.Bound()]

    def _expire(self, _: Arrival, now: float) -> list[effects.Effect]:
        why = f"the server does not answer the Call-Connect-Request in {NEGOTIATION:.0f} seconds"
        return self._abort(Status.NEGOTIATION_TIMEOUT, why, now)

    def _forget(self) -> None:
        self._hlak = b""


ClientCall.actions = COMMON | {
    "accept": ClientCall._accept,
    "ask": ClientCall._ask,
    "bind": ClientCall._bind,
    "deliver": ClientCall._deliver,
    "expire": ClientCall._expire,
    "nak": ClientCall._nak,
}


def _offer_in(attributes: tuple[Attribute, ...]) -> Offer | None:
    values = [one.value for one in attributes if one.id == AttributeId.CRYPTO_BINDING_REQ]
    if len(values) != 1 or len(values[0]) != _BINDING_REQUEST_SIZE:
        return None
    return Offer(values[0][3], values[0][4:])
