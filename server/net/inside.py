"""The inside of one client's tunnel: where its IP packets go, and what it asks us there."""

import contextlib

from ..contracts import Access, Lease
from ..dataplane.inbound import Inbound
from ..dataplane.outbound import Outbound
from ..responders.answers import RESPONDERS, Answers
from ..responders.known import Known, Responder
from .interface import Interface


class Inside:
    """Lets IP packets pass, once it is open.

    :param responders: who answers what the client asks us.
    """

    __slots__ = ("_answers", "_inbound", "_outbound")

    def __init__(
        self,
        inbound: Inbound,
        outbound: Outbound,
        responders: tuple[Responder, ...] = RESPONDERS,
    ) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._answers = Answers(responders)

    def open(self, tun: Interface, lease: Lease, mtu: int) -> None:
        """Let the packets of ``lease`` through to its interface.

        :param mtu: the largest IP packet that the client takes, in bytes.
        """
        self._answers.know(Known(lease, mtu))
        self._inbound.open(
            tun.descriptor,
            lease.address.packed,
            tun.offload,
            server=lease.local_address.packed,
            multicast=Access.MULTICAST in lease.access,
        )

    def shut(self) -> None:
        """Let none through any more."""
        self._inbound.shut()
        self._outbound.shut()

    def deliver(self, packet: bytes, now: float) -> None:
        """Let one IPv4 packet through that came in an unusual frame, and answer it."""
        self._inbound.deliver(packet)
        self.answer(now)

    def answer(self, now: float) -> None:
        """Answer what the client has asked us."""
        diverted = self._inbound.diverted()
        if not diverted:
            return
        # if the connection is gone, whoever reads it hears that
        with contextlib.suppress(OSError):
            for packet in self._answers.to(diverted, now):
                self._outbound.answer(packet)
