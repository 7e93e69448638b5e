"""Whether a server would start here, found out without changing anything; also while it runs."""

import enum
import errno
import ipaddress
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sstpca.server.firewalls.commands import outer_interface
from sstpca.server.firewalls.findings import Vpn
from sstpca.server.firewalls.opening import look
from sstpca.server.net.presence import is_present

from ..authority.identity import ending, load_identities
from ..errors import Remedy, SstpcaError, command
from ..home import Home
from ..names import on_one_line
from ..secrets import Sealer
from ..settings import Settings, load
from ..store import Store
from .holders import holder_of
from .server import table_of

_TUN: Final = Path("/dev/net/tun")
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
_SWITCHES: Final = Path("/proc/sys/net/ipv4/conf/all/forwarding")
_CAP_NET_ADMIN: Final = 12
_AS_ROOT: Final = "run the same command as root (sudo), or with the capability CAP_NET_ADMIN"
# a table that is not there; nft takes the script apart and asks the kernel, and commits nothing
_TRIAL: Final = (
    "table inet sstpca_check { chain c { type nat hook postrouting priority 100; masquerade; }; }\n"
)


@enum.unique
class State(enum.Enum):
    """What comes of a check: only what is WRONG keeps the server from starting."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    :param name: of what: "settings", "port 443".
    :param found: in one line.
    :param remedy: what to do, if it is not good.
    """

    name: str
    state: State
    found: str
    remedy: Remedy = ()


def checks(home: Home, *, listens: bool = True) -> Iterator[Check]:
    """Yield every check of a server of ``home``, in the order in which it starts.

    :param listens: whether it opens its port; a service manager may do so.
    """
    settings: list[Settings] = []
    yield _tried(
        "settings", lambda: settings.append(load(home.settings)), "settings.toml can be read"
    )
    yield _tried("certificate", lambda: load_identities(home), "clients will believe it")
    yield _ending(home)
    yield _tried("database", lambda: Store.check(home.database), "it can be read")
    yield _tried("database key", lambda: Sealer.load(home), "it opens the passwords")
    running = is_present(table_of(home))
    yield _rights()
    yield _tun()
    yield _nft()
    yield _forwarding()
    for one in settings if listens else ():
        yield from _ports(one, running=running)
        yield from _firewalls(home, one)
    said = "one runs for this home" if running else "none runs for this home"
    yield Check("server", State.GOOD, said)


def _tried(name: str, call: Callable[[], object], good: str) -> Check:
    try:
        call()
    except SstpcaError as error:
        return Check(name, State.WRONG, str(error), error.remedy)
    return Check(name, State.GOOD, good)


def _ending(home: Home) -> Check:
    name = "certificate's end"
    try:
        said = ending(home, datetime.now(UTC))
    except SstpcaError:  # said already
        return Check(name, State.DOUBTFUL, "unknown")
    return Check(name, State.DOUBTFUL if said else State.GOOD, said or "not within 30 days")


def _rights() -> Check:
    """Whether this process may make interfaces; a root in a container may not be one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    if effective >> _CAP_NET_ADMIN & 1:
        return Check("rights", State.GOOD, "it may make interfaces and rules")
    return Check("rights", State.WRONG, "it may not make interfaces or rules", (_AS_ROOT,))


def _tun() -> Check:
    try:
        os.close(os.open(_TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        remedy = (
            "run it as root, where there is a TUN device (modprobe tun; a container is given it)",
        )
        return Check("TUN", State.WRONG, f"{_TUN} cannot be opened: {error.strerror}", remedy)
    return Check("TUN", State.GOOD, f"{_TUN} can be opened")


def _nft() -> Check:
    program = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        return Check("nft", State.WRONG, "there is no program nft", ("apt install nftables",))
    done = subprocess.run(
        [program, "--check", "--file", "-"],
        input=_TRIAL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
        remedy = ("run it as root, on a kernel with nftables",)
        return Check("nft", State.WRONG, f"it refuses rules as the server's: {reason}", remedy)
    return Check("nft", State.GOOD, "it takes rules as the server's")


def _forwarding() -> Check:
    if _FORWARDING.read_text().strip() == "1":
        return Check("forwarding", State.GOOD, "IPv4 forwarding is on already")
    if os.access(_SWITCHES, os.W_OK):
        return Check("forwarding", State.GOOD, "off; the server turns it on for clients alone")
    return Check(
        "forwarding",
        State.WRONG,
        "IPv4 forwarding is off, and cannot be turned on from here",
        ("turn it on for this machine or container: sysctl net.ipv4.ip_forward=1",),
    )


def _firewalls(home: Home, settings: Settings) -> Iterator[Check]:
    """Whether those of others let the VPN through; they keep no server from starting."""
    name, server = "other firewalls", settings.server
    vpn = Vpn(
        server.port,
        server.interface,
        outer_interface(server.interface),
        table_of(home),
        frozenset("ip6" if ":" in address else "ip" for address in server.listen),
    )
    found = look(vpn)
    if not found:
        yield Check(name, State.GOOD, "none that can be seen blocks the VPN")
    for one in found:
        steps = "; ".join(map(shlex.join, one.commands))
        remedy: Remedy = (f"{steps}; or '", command("serve --open-firewall"), "'")
        yield Check(name, State.DOUBTFUL, f"{one.blocker} blocks {one.what}", remedy)


def _ports(settings: Settings, *, running: bool) -> Iterator[Check]:
    server = settings.server
    for address in server.listen:
        name = f"{address} port {server.port}"
        try:
            _bind(address, server.port)
        except OSError as error:
            if running:
                yield Check(name, State.GOOD, "this home's own server listens there")
                continue
            yield Check(name, State.WRONG, *_taken(server.port, error))
        else:
            yield Check(name, State.GOOD, "it is free")


def _taken(port: int, error: OSError) -> tuple[str, Remedy]:
    """Return why nobody can listen at a port, and what to do."""
    holder = holder_of(port) if error.errno == errno.EADDRINUSE else ""
    if holder:
        return (
            f"{on_one_line(holder)} listens there",
            ("stop that program, or let one of the two have another port ([server] port)",),
        )
    if error.errno == errno.EADDRINUSE:
        return "another program listens there", (f"see which: ss -ltnp 'sport = :{port}'",)
    if error.errno == errno.EACCES:
        return "this account may not listen there", (_AS_ROOT,)
    return (
        f"nobody can listen there: {error.strerror}",
        ("see whether this machine has that address: ip address; and [server] listen",),
    )


def _bind(address: str, port: int) -> None:
    """Have a socket there for a moment, which does not listen.

    :raises OSError: if it cannot be had.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if address == "::":  # no IPv6: the server leaves it out
            return
        raise
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
