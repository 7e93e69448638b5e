"""What a server's own machine may have against it: names, networks, the clock."""

import ctypes
import shlex
import socket
import ssl
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute

from ..errors import command
from ..names import quoted
from .outcome import Check, passed, warned
from .reaching import ADDRESSES_MAX, certificate_at, resolve

# what routers that people buy give to their homes
HOMES: Final = tuple(
    map(
        IPv4Network,
        (
            "192.168.0.0/24",
            "192.168.1.0/24",
            "192.168.2.0/24",
            "192.168.178.0/24",
            "10.0.0.0/24",
        ),
    )
)
# struct timex is no larger on any machine that Linux runs on; linux/timex.h
_TIMEX_SIZE: Final = 512
_TIME_ERROR: Final = 5
_TIMEOUT: Final = 4.0


@dataclass(frozen=True, slots=True)
class Own:
    """What the names should lead to.

    :param port: of the server, for which ``certificates`` are shown (DER).
    :param running: whether it runs, so that it can be asked.
    """

    port: int
    certificates: frozenset[bytes]
    running: bool


def check_names(names: Iterable[str], own: Own) -> Iterator[Check]:
    """Say where the names lead that users dial, and whether that is here."""
    here = set(own_addresses())
    for name in names:
        try:
            found = resolve(name)[:ADDRESSES_MAX]
        except (OSError, UnicodeError):
            yield warned(
                "dns",
                f"{quoted(name)[1:-1]} is not found in DNS, as this machine asks",
                "make an A record (and AAAA, with IPv6) for it; users' machines have to find it",
            )
            continue
        strange = [one for one in found if one not in here]
        if set(found) & here:
            yield passed("dns", f"{quoted(name)[1:-1]} is {', '.join(found)}: this machine")
            strange = []
        for address in strange:
            yield _elsewhere(name, address, own)


def _elsewhere(name: str, address: str, own: Own) -> Check:
    """Say what is at an address that is not this machine's: a router that leads here, or not."""
    place = f"{quoted(name)[1:-1]} is {address}"
    if not own.running:
        fix = "right if a router there forwards the port to this machine: look again once the server runs"
        return warned("dns", f"{place}, which is not this machine", fix)
    try:
        shown = certificate_at(address, own.port, name, _TIMEOUT)
    except ssl.SSLError:
        shown = b""
    except OSError as error:
        why = error.strerror or str(error)
        return warned(
            "nat-loop",
            f"{place}, a router's: this machine cannot get through it to its own port {own.port} ({why}). "
            "Either it forwards nothing, or it leads nobody of its own network back in (no NAT loopback, "
            "hairpin): then users outside get in, and users in the office do not",
            "look from outside: ",
            command("doctor {}", name),
            "; for the office, have its DNS give this machine's own address for the name, or turn on "
            "NAT loopback (hairpin NAT) at the router",
        )
    if shown in own.certificates:
        return passed("dns", f"{place}, a router that leads to this machine")
    return warned(
        "dns",
        f"{place}, and what answers there at port {own.port} is another server",
        "correct the record; or have the router there forward the port to this machine",
    )


def own_addresses() -> list[str]:
    """Return the addresses of this machine, without those of loopback."""
    with IPRoute() as route:
        found = (
            one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS") for one in route.get_addr()
        )
        return [str(one) for one in found if one and not ip_address(one).is_loopback]


def own_networks() -> list[tuple[IPv4Network, str]]:
    """Return the IPv4 networks that this machine has routes to, and by which interface."""
    with IPRoute() as route:
        names = {one["index"]: str(one.get_attr("IFLA_IFNAME")) for one in route.get_links()}
        routes = route.get_routes(family=socket.AF_INET, table=254)
        return [
            (
                IPv4Network(f"{one.get_attr('RTA_DST')}/{one['dst_len']}"),
                names.get(one.get_attr("RTA_OIF"), ""),
            )
            for one in routes
            if one["dst_len"] and one.get_attr("RTA_DST")
        ]


def check_pool(
    profile: str,
    first: IPv4Address,
    last: IPv4Address,
    networks: Iterable[tuple[IPv4Network, str]],
) -> Iterator[Check]:
    """Say whether a pool is somewhere else already: here, or at users' homes.

    :param networks: of this machine, but those of its sessions.
    """
    place = f"the pool {first}-{last} of '{profile}'"
    taken = [(one, name) for one, name in networks if first <= one[-1] and one[0] <= last]
    for network, interface in taken:
        yield warned(
            "pool",
            f"{place} overlaps {network}, which this machine has by {interface}",
            "give the access profile another --pool",
        )
    homes = [one for one in HOMES if first <= one[-1] and one[0] <= last]
    for network in homes:
        yield warned(
            "pool",
            f"{place} is in {network}, as many users' own networks at home are",
            "give the access profile another --pool, such as one of 10.99.0.0/16",
        )
    if not (taken or homes):
        yield passed("pool", f"{place} overlaps no network of this machine, and no usual home's")


def check_routes(
    profile: str, routes: Iterable[IPv4Network], servers: Iterable[str]
) -> Iterator[Check]:
    """Say what of a split tunnel leads users astray.

    :param servers: addresses that users dial.
    """
    for network in routes:
        loops = [one for one in servers if _is_in(one, network)]
        if loops:
            yield warned(
                "routes",
                f"the route {network} of '{profile}' leads to {loops[0]}, which users dial, through the "
                "tunnel itself",
                "leave the server's own address out of the routes",
            )
        home = next(
            (one for one in HOMES if network.overlaps(one) and one.prefixlen <= network.prefixlen),
            None,
        )
        if home is not None:
            yield warned(
                "routes",
                f"the route {network} of '{profile}' is in {home}, as many users' own networks are: those "
                "do not get there",
                "renumber the office's network, or tell its users",
            )


def _is_in(address: str, network: IPv4Network) -> bool:
    found = ip_address(address)
    return found.version == 4 and found in network


def clock_state() -> int:
    """Return what the kernel says of its clock (adjtimex(2)); below 0 if it does not."""
    buffer = ctypes.create_string_buffer(_TIMEX_SIZE)
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(buffer))


def check_time(state: int) -> Check:
    """Say whether something keeps this machine's clock right.

    :param state: as :func:`clock_state` has it.
    """
    if state < 0:
        return passed("clock", "whether NTP keeps the clock cannot be seen here")
    if state == _TIME_ERROR:
        return warned(
            "clock",
            "nothing keeps this machine's clock right",
            "have it set by NTP (systemd-timesyncd, chrony): certificates and hours go by it",
        )
    return passed("clock", "NTP keeps this machine's clock")


def check_permissions(secrets: Iterable[Path], folders: Iterable[Path]) -> Iterator[Check]:
    """Say who else may read what is secret, or exchange it.

    :param secrets: files that their owner alone should read.
    :param folders: those that lead there.
    """
    bad = False
    for path in secrets:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            bad = True
            yield warned(
                "permissions",
                f"{path} is open to other users (mode {mode:o})",
                f"chmod 600 {shlex.quote(str(path))}",
            )
    for folder in folders:
        mode = folder.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
            bad = True
            yield warned(
                "permissions",
                f"other users can write into {folder} (mode {stat.S_IMODE(mode):o}), and exchange the home",
                f"chmod go-w {shlex.quote(str(folder))}",
            )
    if not bad:
        yield passed("permissions", "what is secret is its owner's alone")
