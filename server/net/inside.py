"""The inside of one client's tunnel: where its IP packets go, and what it asks us there."""

import contextlib
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from ..contracts import Access, Lease
from ..dataplane.inbound import Inbound
from ..dataplane.outbound import Outbound
from ..dataplane.segments import ONLY_IPV4, ONLY_IPV6
from ..effects import Up
from ..responders.answers import RESPONDERS, Answers
from ..responders.known import Known, Responder
from ..responders.routers import Advertiser
from .interface import Interface

#: No packet comes from there: a source that lets none of IPv4 through.
_NOBODY: Final = b"\xff\xff\xff\xff"
#: Bytes of a session's prefix, a /64.
_PREFIX: Final = 8


class Inside:
    """Lets IP packets pass, once it is open.

    :param responders: who answers what the client asks us.
    """

    __slots__ = ("_advertiser", "_answers", "_inbound", "_outbound")

    def __init__(
        self,
        inbound: Inbound,
        outbound: Outbound,
        responders: tuple[Responder, ...] = RESPONDERS,
    ) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._answers = Answers(responders)
        self._advertiser: Advertiser | None = None

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`tick`; None if nothing is due."""
        return self._advertiser.deadline if self._advertiser else None

    def open(self, tun: Interface, lease: Lease, up: Up, now: float) -> None:
        """Let the packets of ``lease`` through to its interface, as far as they are up."""
        known = Known(lease, up.mtu, up.ipv6)
        self._answers.know(known)
        source = lease.address.packed if up.ipv4 else _NOBODY
        networks = _packed(lease.networks) if up.ipv4 else b""
        networks_v6 = b""
        self._advertiser = None
        if lease.ipv6 is not None and up.ipv6:
            source += lease.ipv6.prefix.network_address.packed[:_PREFIX]
            networks_v6 = _packed(lease.ipv6.networks)
            self._advertiser = Advertiser(known, now)
        self._outbound.versions = ONLY_IPV4 * up.ipv4 | ONLY_IPV6 * bool(up.ipv6)
        self._inbound.open(
            tun.descriptor,
            source,
            tun.offload,
            server=lease.local_address.packed,
            multicast=Access.MULTICAST in lease.access,
            networks=(networks, networks_v6),
        )

    def tick(self, now: float) -> None:
        """Say what is due that nobody asked for."""
        self._say(self._advertiser.tick(now) if self._advertiser else [])

    def shut(self) -> None:
        """Let none through any more."""
        self._advertiser = None
        self._inbound.shut()
        self._outbound.shut()

    def deliver(self, packet: bytes, now: float) -> None:
        """Let one IP packet through that came in an unusual frame, and answer it."""
        self._inbound.deliver(packet)
        self.answer(now)

    def answer(self, now: float) -> None:
        """Answer what the client has asked us."""
        diverted = self._inbound.diverted()
        if not diverted:
            return
        self._say(self._answers.to(diverted, now))

    def _say(self, packets: list[bytes]) -> None:
        # if the connection is gone, whoever reads it hears that
        with contextlib.suppress(OSError):
            for packet in packets:
                self._outbound.answer(packet)


def _packed(networks: Iterable[IPv4Network | IPv6Network]) -> bytes:
    """Return the networks behind the client as :func:`..dataplane.merging.forward` takes them."""
    return b"".join(one.network_address.packed + one.netmask.packed for one in networks)


def earliest(*deadlines: float | None) -> float | None:
    """Return the first of what is due; None if nothing is."""
    return min((one for one in deadlines if one is not None), default=None)
