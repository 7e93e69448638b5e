"""Which connections of a worker are traced, by the orders of the last beat."""

from collections.abc import Sequence
from typing import Final

from ..contracts import TraceOrder
from ..dataplane.inbound import Inbound
from ..dataplane.outbound import Outbound
from .tap import Budget, Tap, Trace

#: Traces that a worker does at a time.
_AT_ONCE: Final = 16


class Tracing:
    """The orders of one worker, and what came of them since the last beat."""

    def __init__(self) -> None:
        self.orders: tuple[TraceOrder, ...] = ()
        self._traces: dict[int, Trace] = {}
        self._budget = Budget()
        self._connections = 0

    @property
    def armed(self) -> bool:
        """Whether somebody's next login is wanted."""
        return any(order.user for order in self.orders)

    def follow(self, orders: Sequence[TraceOrder]) -> None:
        """Take the orders that there are now; what is not among them is over."""
        self.orders = tuple(orders[:_AT_ONCE])
        there = {order.id for order in self.orders}
        for number in self._traces.keys() - there:
            self._traces.pop(number).over = True

    def tap(self, peer: str) -> Tap:
        """Return a tap for a connection."""
        self._connections += 1
        return Tap(self._connections, peer, self._budget)

    def find(self, *, session: int | None, user: str) -> Trace | None:
        """Return the trace that a session, or a user's login, belongs to."""
        for order in self.orders:
            if (order.user and order.user == user) or (order.session and order.session == session):
                made = Trace(order.id, order.octets, whole=order.whole)
                trace = self._traces.setdefault(order.id, made)
                return None if trace.over else trace
        return None

    def take(self) -> list[tuple[int, bytes]]:
        """Return what came since the last time, by the orders' numbers."""
        return [
            (number, records)
            for number, trace in self._traces.items()
            for records in iter(trace.take, b"")
        ]


class Traced:
    """One connection, as far as it is traced.

    :param peer: the client's address and port.
    """

    __slots__ = ("_inbound", "_outbound", "_peer", "_tap", "_tracing", "_user")

    def __init__(self, tracing: Tracing, peer: str, inbound: Inbound, outbound: Outbound) -> None:
        self._tracing = tracing
        self._peer = peer
        self._inbound, self._outbound = inbound, outbound
        self._user = ""
        self._tap: Tap | None = None
        if tracing.armed:
            self._set(tracing.tap(peer))

    def know(self, user: str) -> None:
        """It is this user who logs in, as far as it says; nothing is proven yet."""
        self._user = user
        if self._tap is not None:
            self.look(None)

    def look(self, session: int | None) -> None:
        """Begin, or end, if the orders have it so.

        :param session: the session's number, once it has one.
        """
        tap, tracing = self._tap, self._tracing
        if tap is not None and tap.trace is not None:
            if tap.trace.over:
                self._set(None)
            return
        trace = tracing.find(session=session, user=self._user)
        if trace is not None:
            tap = tap or tracing.tap(self._peer)
            tap.begin(trace)
            self._set(tap)
        elif tap is not None and (self._user or not tracing.armed):
            tap.forget()
            self._set(None)

    def end(self) -> None:
        """The connection is over; what came of it stays for the next beat."""
        if self._tap is not None:
            self._tap.forget()
        self._set(None)

    def _set(self, tap: Tap | None) -> None:
        self._tap = self._inbound.tap = self._outbound.tap = tap
