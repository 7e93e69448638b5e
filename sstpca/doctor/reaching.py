"""Whether a server can be reached: its name, its port, and what else may answer there."""

import email.utils
import socket
import ssl
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import command
from ..lint.findings import Windows
from ..names import quoted
from .outcome import Check, Verdict, failed, passed, warned

#: Addresses that are tried, at most.
ADDRESSES_MAX: Final = 8
_BANNER: Final = 256
#: Seconds by which two clocks may differ.
_CLOCKS_APART: Final = 300.0
_FAMILIES: Final = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Reached:
    """An address that took a connection.

    :param seconds: how long that took.
    """

    address: str
    seconds: float


def resolve(host: str) -> list[str]:
    """Return the addresses of a host, IPv6 and IPv4, in the order that this machine tries them.

    :raises OSError: if there are none.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = (str(one[4][0]) for one in found if one[0] in _FAMILIES)
    return list(dict.fromkeys(addresses))


def check_name(host: str, addresses: Iterable[str]) -> Check:
    """Say what a name leads to."""
    known = list(addresses)
    if known == [host]:
        return passed("dns", f"{host} is an address: nothing to look up")
    families = {"IPv6" if ":" in one else "IPv4" for one in known}
    alone = f", {families.pop()} alone" if len(families) == 1 else ""
    return passed("dns", f"{quoted(host)[1:-1]} is {', '.join(known)}{alone}")


def no_name(host: str) -> Check:
    """Say that a name leads nowhere."""
    return failed(
        "dns",
        f"{quoted(host)[1:-1]} is not found in DNS",
        "correct the name, or make an A record (and AAAA, with IPv6) for it",
        windows=Windows.NO_SUCH_HOST,
    )


def reach(address: str, port: int, timeout: float) -> Reached | OSError:
    """Connect to one address, and close the connection again."""
    begun = time.monotonic()
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError as error:
        return error
    return Reached(address, time.monotonic() - begun)


def check_port(address: str, port: int, came: Reached | OSError, *, others: bool) -> Check:
    """Say whether an address takes connections.

    :param others: whether another one does: then Windows gets there as well, and later.
    """
    place = f"{address} port {port}"
    if isinstance(came, Reached):
        return passed("tcp", f"{place} answers after {1000 * came.seconds:.0f} ms")
    check = _unreached(place, came)
    if others:
        return Check(
            "tcp", Verdict.WARN, f"{check.found}; Windows waits, and tries the next address"
        )
    return check


def _unreached(place: str, error: OSError) -> Check:
    match error:
        case TimeoutError():
            return failed(
                "tcp",
                f"{place} does not answer: a firewall drops what comes, or nothing is there",
                "open TCP 443 in firewalls on the way, and forward it to the server",
                windows=Windows.TIMED_OUT,
            )
        case ConnectionRefusedError():
            found = f"{place} refuses connections: no server runs there"
            fix = ("start the server: ", command("serve"), "; or correct the port")
            return Check("tcp", Verdict.FAIL, found, fix, Windows.REFUSED)
        case _:
            return failed(
                "tcp",
                f"{place} cannot be reached: {error.strerror or error}",
                "correct the address, or the network on the way",
                windows=Windows.TIMED_OUT,
            )


def certificate_at(address: str, port: int, name: str, timeout: float) -> bytes:
    """Return the certificate that is shown there, DER, whatever it is.

    :raises OSError: if nobody answers, or not with TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address, port), timeout) as plain:
        return _shown(context.wrap_socket(plain, server_hostname=name))


def _shown(connection: ssl.SSLSocket) -> bytes:
    with connection:
        return connection.getpeercert(binary_form=True) or b""


def impostor(address: str, port: int, timeout: float = 2.0) -> str:
    """Return what speaks there in place of TLS, in words; empty if that cannot be told."""
    for said in (b"", b"GET / HTTP/1.0\r\n\r\n"):
        try:
            with socket.create_connection((address, port), timeout) as plain:
                if said:
                    plain.sendall(said)
                banner = plain.recv(_BANNER)
        except OSError:
            continue
        if banner.startswith(b"SSH-"):
            return "an SSH server"
        if banner.startswith(b"HTTP/") and b"HTTPS" not in banner:
            return "a web server without TLS"
        if banner[:4] in (b"220 ", b"220-"):
            return "a mail or file server"
    return ""


def _speaks_old_tls(address: str, port: int, timeout: float = 5.0) -> bool:
    """Whether a server takes TLS 1.0 or 1.1 (RFC 8996 has them deprecated)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        with socket.create_connection((address, port), timeout) as plain:
            context.wrap_socket(plain).close()
    except OSError:
        return False
    return True


def check_tls_at_all(address: str, port: int, finding: Check, *, silent: bool = False) -> Check:
    """Return the check that TLS failed, with what is there instead of it where that can be told.

    :param silent: whether the server says nothing: then to no other TLS either.
    """
    if not silent and _speaks_old_tls(address, port):
        return failed(
            "tls",
            "the server speaks TLS 1.0 and 1.1 alone, which Windows 11 and others refuse",
            "switch on TLS 1.2 with ECDHE and AES-GCM",
            windows=Windows.TLS,
        )
    what = impostor(address, port)
    if not what:
        return finding
    return failed(
        "tls",
        f"{address} port {port} is {what}: there is no TLS",
        "let the VPN server have this port, or correct the port forwarding",
        windows=Windows.TLS,
    )


def check_clock(date: str, now: float) -> Iterator[Check]:
    """Compare the server's clock, as HTTP's Date has it (RFC 9110 6.6.1), with ours.

    :param now: seconds since 1970.
    """
    try:
        theirs = email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return
    apart = theirs - now
    if abs(apart) < _CLOCKS_APART:
        yield passed("clock", "the server's clock and this machine's agree")
        return
    way = "ahead of" if apart > 0 else "behind"
    yield warned(
        "clock",
        f"the server's clock is {_span(abs(apart))} {way} this machine's",
        "have both set by NTP: certificates begin and end by the clock",
        windows=Windows.EXPIRED,
    )


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
