"""Network namespaces for tests: made with iproute2, named after this process, and torn down.

A process ends with its namespace, so a test cannot leave one behind.
"""

import contextlib
import ctypes
import itertools
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar, Self

from tests.support.waiting import PATIENCE, wait_for

PREFIX = "sstpca-test"

_CLONE_NEWNET = 0x40000000
_GRACE = 10.0
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_counter = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A process in the background; its output goes to a file.

    :param log: where standard output and error go.
    """

    def __init__(self, command: Sequence[str], log: Path, *, cwd: Path | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    def ended(self) -> int | None:
        """Return its exit code (minus the signal that ended it), None while it runs."""
        return self._popen.poll()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; return the exit code.

        :raises TimeoutError: if it still runs then.
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still runs after {seconds} s; log:\n{self.output}") from None

    def terminate(self) -> None:
        """Ask it to end."""
        self._popen.terminate()

    def stop(self) -> None:
        """End it: asked first, then killed."""
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_GRACE)
        self._popen.kill()
        self._popen.wait()


class Namespace:
    """A network namespace, with its loopback up.

    :param role: what it stands for; part of its name.
    """

    def __init__(self, role: str) -> None:
        self.name = f"{PREFIX}-{os.getpid()}-{next(_counter)}-{role}"
        self._processes: list[Process] = []
        _run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        # a new namespace has the switches of the one that is first; a new machine has them off
        for switch in ("ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"):
            self.set_switch(switch, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what runs inside, and remove the namespace with all its interfaces."""
        for process in self._processes:
            process.stop()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _run("ip", "netns", "del", self.name)

    def pids(self) -> list[int]:
        """Return the processes inside."""
        return [int(pid) for pid in _run("ip", "netns", "pids", self.name).split()]

    def ip(self, *arguments: str) -> str:
        """Run ``ip`` on this namespace; return what it prints."""
        return _run("ip", "-n", self.name, *arguments)

    def run(self, *command: str) -> str:
        """Run a command inside to its end; return what it prints.

        :raises RuntimeError: if it fails, with what it said.
        """
        return _run("ip", "netns", "exec", self.name, *command)

    def start(self, *command: str, log: Path, cwd: Path | None = None) -> Process:
        """Start a command inside; it ends with the namespace at the latest."""
        process = Process(("ip", "netns", "exec", self.name, *command), log, cwd=cwd)
        self._processes.append(process)
        return process

    def links(self) -> set[str]:
        """Return the names of the network interfaces inside."""
        lines = self.ip("-o", "link", "show").splitlines()
        return {line.split()[1].rstrip(":").partition("@")[0] for line in lines}

    def tables(self) -> list[str]:
        """Return the nftables tables inside."""
        return self.run("nft", "list", "tables").splitlines()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread in the namespace for a while: sockets made then stay in it."""
        own = Path(f"/proc/self/task/{threading.get_native_id()}/ns/net")
        with own.open("rb") as before, Path(f"/run/netns/{self.name}").open("rb") as inside:
            _enter(inside.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def connect(self, address: tuple[str, int], seconds: float = PATIENCE) -> socket.socket:
        """Return a TCP connection made from inside."""
        with self.entered():
            return socket.create_connection(address, seconds)

    def udp(self, address: IPv4Address, port: int) -> socket.socket:
        """Return a UDP socket inside, bound."""
        with self.entered():
            bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.settimeout(PATIENCE)
        bound.bind((str(address), port))
        return bound

    def send_raw(self, packet: bytes) -> None:
        """Send an IPv4 packet as it is, with whatever source it has."""
        with self.entered():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        with raw:
            raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))

    @contextlib.contextmanager
    def route(self, prefix: str, gateway: IPv4Address) -> Iterator[None]:
        """Send what is for ``prefix`` to ``gateway``, for a while."""
        self.ip("route", "add", prefix, "via", str(gateway))
        try:
            yield
        finally:
            self.ip("route", "del", prefix, "via", str(gateway))

    def switch(self, name: str) -> str:
        """Return a setting below /proc/sys/net/ipv4."""
        return self.run("cat", f"/proc/sys/net/ipv4/{name}").strip()

    def set_switch(self, name: str, value: int | str) -> None:
        """Change a setting below /proc/sys/net/ipv4."""
        self.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{name}")

    @contextlib.contextmanager
    def congestion(self, control: str) -> Iterator[None]:
        """Have TCP connections made inside use another congestion control, for a while."""
        before = self.switch("tcp_congestion_control")
        # it says for all namespaces what they may have
        allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
        all_before = allowed.read_text()
        allowed.write_text(f"{all_before.strip()} {control}")
        try:
            self.set_switch("tcp_congestion_control", control)
            yield
        finally:
            self.set_switch("tcp_congestion_control", before)
            allowed.write_text(all_before)

    def listen(self, address: IPv4Address, port: int) -> socket.socket:
        """Return a listening TCP socket inside."""
        with self.entered():
            return socket.create_server((str(address), port))

    @contextlib.contextmanager
    def sniffer(self, interface: str, *, ipv6: bool = False) -> Iterator["Sniffer"]:
        """Record the IPv4 packets, or those of IPv6, that come in through ``interface``."""
        with self.entered():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            raw.bind((interface, _ETH_P_IPV6 if ipv6 else _ETH_P_IP))
        with raw:
            yield Sniffer(raw)


class Sniffer:
    """What came in through one interface since it was made."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._found: list[bytes] = []

    def packets(self, quiet: float = 0.3) -> list[bytes]:
        """Return all packets that came in so far, once none has come for ``quiet`` seconds."""
        self._raw.settimeout(quiet)
        while True:
            try:
                content, (_, _, kind, *_) = self._raw.recvfrom(65535)
            except TimeoutError:
                return [*self._found]
            if kind != socket.PACKET_OUTGOING:
                self._found.append(content)


@dataclass(frozen=True, slots=True)
class Network:
    """Clients, the server, and a host behind it that knows no way back to the clients' pool.

    ::

        client -- 198.18.0.0/24 -- server -- 198.18.1.0/24 -- lan
    """

    client: Namespace
    server: Namespace
    lan: Namespace

    # RFC 2544's networks; the gateway is the server as the host behind it sees it
    client_address: ClassVar = IPv4Address("198.18.0.2")
    server_address: ClassVar = IPv4Address("198.18.0.1")
    server_address_v6: ClassVar = "2001:db8::1"
    gateway: ClassVar = IPv4Address("198.18.1.1")
    host: ClassVar = IPv4Address("198.18.1.2")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make a :class:`Network`, and remove it."""
    sweep()
    with Namespace("client") as client, Namespace("server") as server, Namespace("lan") as lan:
        made = Network(client, server, lan)
        connect(
            (client, "wan", (f"{made.client_address}/24", "2001:db8::2/64")),
            (server, "wan", (f"{made.server_address}/24", f"{made.server_address_v6}/64")),
        )
        connect((server, "lan", (f"{made.gateway}/24",)), (lan, "lan", (f"{made.host}/24",)))
        yield made


End = tuple[Namespace, str, tuple[str, ...]]


def connect(one: End, other: End) -> None:
    """Put a wire between two namespaces: for each end, the interface's name and addresses."""
    peer = ("peer", "name", other[1], "netns", other[0].name)
    one[0].ip("link", "add", one[1], "type", "veth", *peer)
    for namespace, interface, addresses in (one, other):
        for address in addresses:
            namespace.ip("addr", "add", address, "dev", interface, *_at_once(address))
        namespace.ip("link", "set", interface, "up")


def _at_once(address: str) -> tuple[str, ...]:
    """IPv6 addresses would otherwise wait a second for a duplicate."""
    return ("nodad",) if ":" in address else ()


def wait_for_port(namespace: Namespace, address: IPv4Address, port: int) -> None:
    """Wait until something inside ``namespace`` accepts connections at a TCP port."""

    def answers() -> bool:
        try:
            namespace.connect((str(address), port), 1.0).close()
        except OSError:
            return False
        return True

    wait_for(answers, f"listening on {address} port {port}")


def sweep() -> None:
    """Remove the namespaces of test runs that were killed before they could."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if not name.startswith(f"{PREFIX}-"):
            continue
        owner = int(name.removeprefix(f"{PREFIX}-").split("-")[0])
        if not Path(f"/proc/{owner}").exists():
            abandoned = Namespace.__new__(Namespace)
            abandoned.name, abandoned._processes = name, []
            with contextlib.suppress(RuntimeError):  # another run may sweep, too
                abandoned.close()


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
