"""A login, and what works inside the tunnel. No interface is made: the packets are made here."""

import secrets
import ssl
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from sstpca.server.responders.dhcp import DhcpOption
from sstpca.server.sstp.binding import CertificateHashes

from ..client import dhcp
from ..client.call import ClientCall
from ..client.line import Conversation, Line
from ..client.link import ClientLink, Connected
from ..client.session import ClientSession, Ended
from ..client.sign_in import Credentials
from ..lint.findings import Windows
from . import packets
from .dialogue import Target, broken, open_line
from .outcome import Check, failed, passed, warned

_LOGIN: Final = 90.0
_ECHOES: Final = 10
#: Echoes that are waited for until nobody answers any.
_FIRST: Final = 3
_SMALL: Final = 84
_WAIT: Final = 1.5
_SMALLEST: Final = 576  # RFC 1122 3.3.2
_SECONDS: Final = 3.0
_IN_FLIGHT: Final = 128
_ADDRESS_SIZE: Final = 4

_REFUSALS: Final = {
    int(one.code): one
    for one in (
        Windows.HOURS,
        Windows.DISABLED,
        Windows.PASSWORD_EXPIRED,
        Windows.NO_PERMISSION,
        Windows.PASSWORD,
        Windows.ACCOUNT_EXPIRED,
    )
}
_FIXES: Final = {
    Windows.HOURS: "log in at another hour, or change the hours of the user",
    Windows.DISABLED: "enable the account on the server",
    Windows.PASSWORD_EXPIRED: "log in from Windows, which asks for a new password; or set one",
    Windows.NO_PERMISSION: "allow the user to dial in, on the server",
    Windows.PASSWORD: "type both again; see the server's log, which says what is wrong",
    Windows.ACCOUNT_EXPIRED: "give the account another end, on the server",
}
_PROOF: Final = "the server does not prove that it knows the password"


def check_tunnel(
    target: Target, context: ssl.SSLContext, credentials: Credentials
) -> Iterator[Check]:
    """Log in, and say what works.

    :param context: verifies the server: nobody else is told who logs in.
    :raises ssl.SSLCertVerificationError: if it is not believed.
    """
    try:
        with open_line(target, context) as line:
            if not (answer := line.ask(target.name, target.port)).is_sstp:
                yield failed("login", f"the server answers {answer.line!r} this time", "try again")
                return
            conversation = _session(line, credentials)
            conversation.begin()
            begun = time.monotonic()
            conversation.run(lambda: conversation.connected is not None, _LOGIN)
            took = time.monotonic() - begun
            yield from _check_login(conversation, took)
            if conversation.connected is not None and conversation.ended is None:
                yield from _Inside(conversation, conversation.connected, target.name).checks()
            conversation.end("the look is over")
    except ssl.SSLCertVerificationError:
        raise
    except OSError as error:
        yield broken("login", "the server", error, target.timeout)


def _session(line: Line, credentials: Credentials) -> Conversation:
    call = ClientCall(CertificateHashes.of(line.certificate))
    link = ClientLink(credentials, random=secrets.token_bytes)
    return Conversation(line, ClientSession(call, link))


def _check_login(conversation: Conversation, took: float) -> Iterator[Check]:
    if conversation.connected is None:
        yield _no_login(conversation.ended)
        return
    # a binding that does not hold ends the call at once
    conversation.run(lambda: False, _WAIT)
    if conversation.ended is not None:
        yield _unbound(conversation.ended)
        return
    yield passed("login", f"the user is in after {took:.1f} s, and the server has proved itself")
    yield passed(
        "binding", "the server takes the binding of the call to its certificate and the login"
    )


def _unbound(ended: Ended) -> Check:
    return failed(
        "binding",
        f"the login is good, and the call ends right behind it: {ended.reason}",
        "see the server's log: something in between that decrypts TLS, or a front end whose "
        "certificate the server does not know, breaks the crypto binding",
        windows=Windows.ENDED,
    )


def _no_login(ended: Ended | None) -> Check:
    if ended is None:
        return failed(
            "login",
            f"nothing comes of the login within {_LOGIN:.0f} s",
            "see the server's log",
            windows=Windows.NO_PPP_ANSWER,
        )
    if ended.reason == _PROOF:
        fix = "do not use this server: it may be another one than it says"
        return failed("login", ended.reason, fix, windows=Windows.NO_PROOF)
    if ended.refused is not None:
        windows = _REFUSALS.get(ended.refused.error, Windows.PASSWORD)
        said = f": {ended.refused.text}" if ended.refused.text else ""
        return failed("login", f"{ended.reason}{said}", _FIXES[windows], windows=windows)
    if "IPv4" in ended.reason or "address" in ended.reason:
        fix = "see the server's log: no address of the pool may be free"
        return failed(
            "address", f"the login is good, but {ended.reason}", fix, windows=Windows.NO_ADDRESS
        )
    if ended.bound:
        return _unbound(ended)
    return failed("login", ended.reason, "see the server's log", windows=Windows.ENDED)


class _Inside:
    """What is tried through the tunnel."""

    def __init__(self, conversation: Conversation, connected: Connected, name: str) -> None:
        self._conversation = conversation
        self._connected = connected
        self._name = name
        self._dhcp_server: IPv4Address | None = None
        self._number = secrets.randbits(16)
        self._sequence = 0

    def checks(self) -> Iterator[Check]:
        """Try one thing after the other."""
        yield self._addresses()
        yield self._dhcp()
        # SoftEther VPN says an address that is not its own, and is itself the DHCP server
        known = dict.fromkeys((self._connected.server, self._dhcp_server))
        asked = [one for one in known if one is not None]
        for server in asked:
            if (echo := self._echo(server)) is not None:
                yield echo
                yield self._mtu(server)
                yield self._throughput(server)
                break
        else:
            yield _nobody(asked)
        yield from map(self._dns, self._connected.dns)

    def _addresses(self) -> Check:
        one = self._connected
        told = f"address {one.address}, MTU {one.mtu}"
        if one.ipv6 is not None:
            told += ", IPv6"
        if not one.dns:
            return warned(
                "address",
                f"{told}, and no DNS server: names inside are asked for outside",
                "give the users' access profile DNS servers, if they are to use names",
            )
        return passed("address", f"{told}, DNS {', '.join(map(str, one.dns))}")

    def _dhcp(self) -> Check:
        number = secrets.randbits(32)
        for _ in range(2):
            self._conversation.send(packets.inform(self._connected.address, number))
            if (options := self._told(number)) is not None:
                if len(address := options.get(DhcpOption.SERVER, b"")) == _ADDRESS_SIZE:
                    self._dhcp_server = IPv4Address(address)
                found = options.get(DhcpOption.ROUTES) or options.get(DhcpOption.MICROSOFT_ROUTES)
                return passed("dhcp", _shown_routes(dhcp.routes(found or b"")))
        return passed(
            "dhcp", "the server does not answer DHCPINFORM: routes are the client's matter"
        )

    def _told(self, number: int) -> dict[int, bytes] | None:
        found: list[dict[int, bytes]] = []

        def look() -> bool:
            while self._conversation.packets and not found:
                options = packets.told(self._conversation.packets.popleft(), number)
                found.extend([] if options is None else [options])
            return bool(found)

        self._conversation.run(look, _WAIT)
        return found[0] if found else None

    def _ping(self, server: IPv4Address, size: int, seconds: float = _WAIT) -> float | None:
        """Return how long an echo of so many bytes takes, in seconds; None if it does not come."""
        self._sequence = (self._sequence + 1) % 65536
        wanted, begun = self._sequence, time.monotonic()
        self._conversation.send(
            packets.echo(self._connected.address, server, self._number, wanted, size)
        )

        def look() -> bool:
            while self._conversation.packets:
                if packets.echoed(self._conversation.packets.popleft(), self._number) == wanted:
                    return True
            return False

        if not self._conversation.run(look, seconds):
            return None
        return time.monotonic() - begun

    def _echo(self, server: IPv4Address) -> Check | None:
        first = (self._ping(server, _SMALL) for _ in range(_FIRST))
        if all(one is None for one in first):
            return None
        times = [self._ping(server, _SMALL) for _ in range(_ECHOES)]
        came = sorted(one for one in times if one is not None)
        if not came:
            return None
        lost = _ECHOES - len(came)
        found = f"{server} answers after {1000 * came[len(came) // 2]:.0f} ms"
        if lost:
            return warned(
                "echo", f"{found}, {lost} of {_ECHOES} times not", "look for losses on the way"
            )
        return passed("echo", found)

    def _mtu(self, server: IPv4Address) -> Check:
        largest = self._connected.mtu
        if self._passes(server, largest):
            return passed("mtu", f"packets of {largest} bytes pass both ways")
        least, most = _SMALLEST, largest
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if self._passes(server, middle) else (least, middle)
        return failed(
            "mtu",
            f"packets of more than {least} bytes vanish, though the tunnel says {largest}",
            f"set the server's mtu to {least}, or let ICMP 'fragmentation needed' through on the way",
        )

    def _passes(self, server: IPv4Address, size: int) -> bool:
        return self._ping(server, size) is not None or self._ping(server, size) is not None

    def _throughput(self, server: IPv4Address) -> Check:
        """Keep some echoes on their way for a while: as much goes up as comes down."""
        size = self._connected.mtu
        begun = time.monotonic()
        sent = received = 0

        def look() -> bool:
            nonlocal received
            while self._conversation.packets:
                packet = self._conversation.packets.popleft()
                received += packets.echoed(packet, self._number) is not None
            return sent - received < _IN_FLIGHT

        while time.monotonic() - begun < _SECONDS and self._conversation.ended is None:
            self._sequence = (self._sequence + 1) % 65536
            self._conversation.send(
                packets.echo(self._connected.address, server, self._number, self._sequence, size)
            )
            sent += 1
            if not self._conversation.run(look, 0.5):
                sent = received  # those are lost
        rate = 8e-6 * received * size / (time.monotonic() - begun)
        return passed(
            "throughput", f"about {rate:.3g} Mbit/s each way, by echoes for {_SECONDS:.0f} s"
        )

    def _dns(self, server: IPv4Address) -> Check:
        number = secrets.randbits(16)
        for _ in range(2):
            self._conversation.send(
                packets.query(self._connected.address, server, number, self._name)
            )

            def look() -> bool:
                waiting = self._conversation.packets
                while waiting:
                    if packets.answered(waiting.popleft(), server, number):
                        return True
                return False

            if self._conversation.run(look, _WAIT):
                return passed("names", f"the DNS server {server} answers through the tunnel")
        return warned(
            "names",
            f"the DNS server {server} does not answer through the tunnel",
            "see that the server's machine reaches it, and that it answers these addresses",
        )


def _nobody(asked: list[IPv4Address]) -> Check:
    if not asked:
        return passed("echo", "the server does not say its address: there is nobody to ask")
    shown, verb = " and ".join(map(str, asked)), "answers" if len(asked) == 1 else "answer"
    return passed("echo", f"{shown} {verb} no echo: MTU and throughput were not tried")


def _shown_routes(found: list[IPv4Network]) -> str:
    if not found:
        return "DHCPINFORM is answered, without routes: a full tunnel, or none are pushed"
    shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
    return f"DHCPINFORM is answered, with routes to {shown}"
