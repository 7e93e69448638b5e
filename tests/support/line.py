"""A scripted client (:mod:`.script`) on a real connection, and what it does once its tunnel is up."""

import os
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, Self

from tests.support import eap, packets, ppp, sstp
from tests.support.faults import Closed, TimedOut
from tests.support.manner import ADDRESS, DNS1, DNS2, NOWHERE
from tests.support.script import Habits, Script, Stage
from tests.support.waiting import PATIENCE
from tests.support.wire import Wire


class Traveller(Script):
    """A client of whom IP packets are expected, too.

    :param identifications: what it calls itself once LCP is open (RFC 1570 2.1).
    :param ipv6: whether it asks for IPv6 beside IPv4.
    :ivar arrived: IPv4 packets, in their order.
    """

    def __init__(
        self,
        habits: Habits,
        *,
        identifications: tuple[bytes, ...] = (),
        ipv6: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(habits, **more)
        self.arrived: list[bytes] = []
        interface = {1: os.urandom(8)} if ipv6 else {}
        self.ipv6cp = ppp.Negotiation(ppp.IPV6CP, interface, lambda _, value: value)
        self._identifications = identifications

    def say(self, protocol: int, payload: bytes) -> list[bytes]:
        """Return what it writes to send one more frame."""
        self._send_frame(ppp.frame(protocol, payload))
        return self._done()

    def message(self, kind: sstp.Kind) -> list[bytes]:
        """Return what it writes to send one more message, without attributes."""
        self._send(sstp.Control(kind))
        return self._done()

    def _enter(self, stage: Stage, now: float) -> None:
        super()._enter(stage, now)
        if stage is Stage.LOGIN:
            for number, text in enumerate(self._identifications, 2):
                packet = ppp.packet(ppp.Code.IDENTIFICATION, number, bytes(4) + text)
                self._send_frame(ppp.frame(ppp.LCP, packet))

    def _begin_ipcp(self, now: float) -> None:
        super()._begin_ipcp(now)
        if self.ipv6cp.options:
            self._send_frame(self.ipv6cp.request())

    def _take(self, packet: sstp.Control | sstp.Data, now: float) -> None:
        protocol, payload = ppp.unframe(packet.frame) if isinstance(packet, sstp.Data) else (0, b"")
        match protocol:
            case ppp.IPV4 if self.stage is Stage.UP:
                self.arrived.append(payload)
            case ppp.IPV6CP if self.ipv6cp.options:
                for frame in self.ipv6cp.receive(*ppp.unpack(payload)):
                    self._send_frame(frame)
            case _:
                super()._take(packet, now)


class Line:
    """A client on the wire. Use it as a context manager; each step blocks until it is done."""

    def __init__(self, client: Traveller, wire: Wire, *, patience: float = PATIENCE) -> None:
        self.client = client
        self.wire = wire
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    @property
    def address(self) -> IPv4Address:
        """The address that the client was given."""
        return IPv4Address(self.client.ipcp.options[ADDRESS])

    @property
    def dns(self) -> list[IPv4Address]:
        """The DNS servers that it was given."""
        given = (self.client.ipcp.options.get(kind, NOWHERE) for kind in (DNS1, DNS2))
        return [IPv4Address(value) for value in given if value != NOWHERE]

    def connect(self) -> Self:
        """Log in, until packets can flow as far as the client knows, or it gives up."""
        self._write(self.client.start(time.monotonic()))
        head = self.wire.head(time.monotonic() + self._patience)
        if head is None:
            raise TimedOut("HTTP answer")
        self._write(self.client.receive(head.encode("latin-1"), time.monotonic()))
        return self.until(lambda: self.client.up is not None or self.client.closed, "the login")

    def until(self, done: Callable[[], bool], what: str) -> Self:
        """Go on until ``done``, with the client's own timers.

        :raises TimedOut: if it takes too long.
        """
        end = time.monotonic() + self._patience
        while not done():
            if time.monotonic() >= end:
                raise TimedOut(f"{what}: {self.client.stage.value}")
            self._step(end)
        return self

    def listen(self, seconds: float) -> Self:
        """Go on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.client.closed:
            self._step(end)
        return self

    def ping(self, destination: IPv4Address, size: int = 56) -> None:
        """Ping through the tunnel until there is a reply; what was lost is sent again."""
        content = os.urandom(size)
        asked = packets.echo(self.address, destination, 1, content).encode()
        for _ in range(30):
            self._write(self.client.say(ppp.IPV4, asked))
            self.listen(0.3)
            if any(
                packets.echo_reply(packets.parse(one)) == (1, content) for one in self.arrived()
            ):
                return
        raise TimedOut("a reply to the ping")

    def hang_up(self) -> None:
        """End as most do: LCP Terminate-Request, then wait for the server to close."""
        self._write(self.client.say(ppp.LCP, ppp.packet(ppp.Code.TERMINATE, 99)))
        try:
            self.until(lambda: self.client.closed, "the end")
            self.wire.rest(time.monotonic() + self._patience)
        except Closed:
            pass

    def send(self, packet: bytes) -> None:
        """Send an IPv4 packet."""
        self._write(self.client.say(ppp.IPV4, packet))

    def arrived(self) -> list[bytes]:
        """Return the IPv4 packets that have come since the last time."""
        found, self.client.arrived = self.client.arrived, []
        return found

    def _step(self, end: float) -> None:
        due = self.client.deadline
        packet = self.wire.packet(min(end, due) if due is not None else end)
        now = time.monotonic()
        if packet is not None:
            self._write(self.client.receive(packet, now))
        elif due is not None and now >= due:
            self._write(self.client.tick(now))

    def _write(self, writes: list[bytes]) -> None:
        for data in writes:
            self.wire.send(data)


def method_of(habits: Habits, user: str, password: str) -> eap.Method | None:
    """Return the method of a client that logs in by EAP."""
    return eap.Password(user, password) if habits.login == b"\xc2\x27" else None
