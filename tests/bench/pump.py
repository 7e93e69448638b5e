"""The second yardstick: the simplest server that puts packets in TLS, in plain Python.

One packet a read of the TUN, one packet a TLS record, no offload, no login, one client: for
comparison alone. What it costs is what any server costs that hands the kernel single packets.
"""

import contextlib
import os
import select
import socket
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.bench.plain import connect, context
from tests.bench.processes import Part
from tests.bench.tunnel import MTU, Pump, User, leaving_on_terminate, use_tunnel
from tests.support.netns import Namespace, Network
from tests.support.tuns import open_tun

PORT: Final = 9444
_LOCAL, _PEER = IPv4Address("10.98.0.1"), IPv4Address("10.98.0.2")
_HEAD: Final = 8
_PACKET: Final = b"\x10\x00"
_FRAME: Final = b"\xff\x03\x00\x21"
_QUEUE: Final = "1000"

_NAT: Final = (
    "table ip bench { chain postrouting { type nat hook postrouting priority srcnat; "
    f"ip saddr {_PEER} masquerade; }}; }}"
)


@contextlib.contextmanager
def pump(net: Network, folder: Path) -> Iterator[tuple[Part, User]]:
    """Have the pump run, with a user of it; NAT and forwarding as with ours."""
    server = Part(net.server, _serve, context(folder))
    with server, Namespace("pumped") as inside:
        server.hear()
        net.server.ip("addr", "add", str(_LOCAL), "peer", str(_PEER), "dev", "pump")
        net.server.ip("link", "set", "pump", "mtu", str(MTU), "txqueuelen", _QUEUE, "up")
        net.server.run("nft", _NAT)
        with Part(net.client, _connect, inside) as client:
            user = User("pumped", client, inside)
            use_tunnel(inside, user.address)
            try:
                yield server, user
            finally:
                net.server.run("nft", "delete table ip bench")


def _connect(pipe: Connection, inside: Namespace) -> None:
    tls = connect((str(Network.server_address), PORT))
    with inside.entered():
        tun, offload = open_tun("tunnel", large=True)
    pipe.send((_PEER, None))  # and no IPv6
    with leaving_on_terminate():
        Pump(tls, tun, pipe, coalesce=False, offload=offload).run()


def _serve(pipe: Connection, tls: ssl.SSLContext) -> None:
    tun, _ = open_tun("pump")
    with socket.create_server(("", PORT)) as listener:
        pipe.send(None)
        plain, _ = listener.accept()
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with tls.wrap_socket(plain, server_side=True) as wire:
        _carry(wire, tun)


def _carry(wire: ssl.SSLSocket, tun: int) -> None:
    wire.settimeout(10.0)
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    poll.register(tun, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == tun:
                packet = os.read(tun, MTU)
                size = (_HEAD + len(packet)).to_bytes(2, "big")
                wire.send(_PACKET + size + _FRAME + packet)
            else:
                if not (packets := wire.recv(65536)):
                    return
                while wire.pending():
                    packets += wire.recv(65536)
                _write(tun, packets)


def _write(tun: int, packets: bytes) -> None:
    position = 0
    while position < len(packets):
        following = position + (int.from_bytes(packets[position + 2 : position + 4], "big") & 0xFFF)
        with contextlib.suppress(BlockingIOError):
            os.write(tun, packets[position + _HEAD : following])
        position = following
