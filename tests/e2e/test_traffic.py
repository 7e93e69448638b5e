"""IP packets through the real server: what passes, what does not, and under which address."""

import os
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sstpca.server.dataplane.queue import LIMIT
from tests.support import packets, ppp, sstp
from tests.support.client import Client
from tests.support.faults import Closed, Ended
from tests.support.manner import SSTPC, WINDOWS, Manner
from tests.support.netns import Network
from tests.support.packets import Packet, datagram, udp
from tests.support.server import LOCAL, Vpn

pytestmark = pytest.mark.root

HOST = Network.host
PORT = 4500
FULL = 1372  # bytes of a datagram that fills an IP packet of 1400


def packet(client: Client, content: bytes, source: IPv4Address | None = None) -> Packet:
    return udp((source or client.address, 5000), (HOST, PORT), content)


def carries(content: bytes) -> Callable[[Packet], bool]:
    def wanted(packet: Packet) -> bool:
        found = datagram(packet)
        return packet.source == HOST and found is not None and found.content == content

    return wanted


def seen(captured: list[bytes]) -> list[bytes]:
    """Return the content of the datagrams for the host's port."""
    found = map(datagram, map(packets.parse, captured))
    return [one.content for one in found if one is not None and one.destination == PORT]


@pytest.mark.parametrize("size", [0, 1, FULL])
def test_udp_both_ways(vpn: Vpn, size: int) -> None:
    content = os.urandom(size)
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        client.send_packet(packet(client, content))
        received, sender = host.recvfrom(65535)
        assert received == content
        assert sender[0] == str(vpn.network.gateway)
        host.sendto(b"re: " + content[4:], sender)
        answer = client.receive_packet(carries(b"re: " + content[4:]))
        assert answer.destination == client.address


def test_the_first_packet_after_login_arrives(vpn: Vpn) -> None:
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.send_packet(packet(client, b"first"))
        assert host.recv(100) == b"first"


def test_two_users_at_once(vpn: Vpn) -> None:
    with (
        vpn.network.lan.udp(HOST, PORT) as host,
        vpn.client("alice").login() as alice,
        vpn.client("bob").login() as bob,
    ):
        assert alice.address != bob.address
        for client in (alice, bob, alice, bob):
            client.ping(HOST)
        for client in (alice, bob):
            client.send_packet(packet(client, client.user))
        senders = dict(host.recvfrom(100) for _ in range(2))
        assert senders[b"alice"] != senders[b"bob"]
        for user, sender in senders.items():
            host.sendto(b"hello " + user, sender)
        for client in (bob, alice):
            client.receive_packet(carries(b"hello " + client.user))
        assert len(vpn.interfaces()) == 2


def test_nothing_passes_before_the_binding(vpn: Vpn) -> None:
    with vpn.network.lan.sniffer("lan") as sniffer, vpn.client() as client:
        client.open()
        client.authenticate()
        client.configure()
        for _ in range(5):
            client.send_packet(packet(client, b"too early"))
            client.listen(0.02)
        assert seen(sniffer.packets()) == []
        client.bind()
        client.ping(HOST)
        client.send_packet(packet(client, b"now"))
        assert seen(sniffer.packets()) == [b"now"]


@pytest.mark.parametrize("kind", [sstp.Kind.DISCONNECT, sstp.Kind.ABORT])
def test_nothing_passes_after_the_end_of_the_call(vpn: Vpn, kind: sstp.Kind) -> None:
    with (
        vpn.network.lan.udp(HOST, PORT) as host,
        vpn.network.lan.sniffer("lan") as sniffer,
        vpn.client().login() as client,
    ):
        client.ping(HOST)
        client.send_packet(packet(client, b"give"))
        _, sender = host.recvfrom(100)
        client.send(sstp.Control(kind, sstp.status(sstp.Attribute.STATUS, 0)))
        with suppress(Ended):
            client.listen(0.1)
        client.heard.arrived.clear()
        host.sendto(b"too late", sender)
        with suppress(Closed):
            client.send_packet(packet(client, b"too late"))
        assert seen(sniffer.packets()) == [b"give"]
        with suppress(Ended):
            client.listen(0.1)
        assert not client.heard.arrived


def test_nothing_passes_after_the_goodbye(vpn: Vpn) -> None:
    with vpn.network.lan.sniffer("lan") as sniffer, vpn.client().login() as client:
        client.ping(HOST)
        client.send_frame(ppp.frame(ppp.LCP, ppp.packet(ppp.Code.TERMINATE, 1)))
        with suppress(Ended):
            client.listen(0.2)
        assert client.heard.terminate_acknowledged
        with suppress(Closed):
            client.send_packet(packet(client, b"too late"))
        assert seen(sniffer.packets()) == []


def test_other_source_addresses_are_dropped(vpn: Vpn) -> None:
    with (
        vpn.network.lan.sniffer("lan") as sniffer,
        vpn.client("bob").login() as bob,
        vpn.client("alice").login() as alice,
    ):
        bob.ping(HOST)
        alice.ping(HOST)
        for source in (bob.address, LOCAL, HOST, vpn.network.gateway, IPv4Address("9.9.9.9")):
            alice.send_packet(packet(alice, b"spoofed", source))
            spoofed = packet(alice, b"spoofed", source).encode()
            # the same in the short frame, which takes another way through the server
            alice.send_frame(b"\x21" + spoofed)
        alice.send_packet(packet(alice, b"own"))
        assert seen(sniffer.packets()) == [b"own"]


@pytest.mark.parametrize("head", ["ff030021", "0021", "21", "ff0321"])
def test_shorter_frames_are_taken(vpn: Vpn, head: str) -> None:
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        client.send_frame(bytes.fromhex(head) + packet(client, b"framed").encode())
        assert host.recv(100) == b"framed"


def test_segments_are_made_to_fit(vpn: Vpn) -> None:
    with (
        vpn.network.lan.listen(HOST, PORT),
        vpn.network.lan.sniffer("lan") as sniffer,
        vpn.client().login() as client,
    ):
        client.ping(HOST)
        client.send_packet(packets.syn((client.address, 5000), (HOST, PORT), 1460))
        answer = client.receive_packet(lambda packet: packet.protocol == packets.TCP)
        offered = map(packets.mss_of, map(packets.parse, sniffer.packets()))
        assert [mss for mss in offered if mss is not None] == [1360]
        assert packets.mss_of(answer) == 1360


def test_what_does_not_fit_comes_in_pieces(vpn: Vpn) -> None:
    content = os.urandom(4000)
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        client.send_packet(packet(client, b"give"))
        _, sender = host.recvfrom(100)
        host.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: never "don't fragment"
        host.sendto(content, sender)
        pieces: dict[int, bytes] = {}
        while sum(map(len, pieces.values())) < 8 + len(content):
            piece = client.receive_packet(lambda packet: packet.protocol == packets.UDP)
            assert len(piece.encode()) <= 1400
            pieces[piece.offset] = piece.payload
        assert b"".join(pieces[offset] for offset in sorted(pieces))[8:] == content


def test_pieces_large_and_empty_packets_of_the_client(vpn: Vpn) -> None:
    """Pieces in any order (RFC 791); a packet beyond our MRU, which nobody has to drop (RFC 1661 6.1)."""
    content = os.urandom(3000)
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        whole = packet(client, content)
        starts = (2752, 0, 1376)
        for at in starts:
            part, more = whole.payload[at : at + 1376], at != max(starts)
            client.send_packet(replace(whole, payload=part, more=more, offset=at))
        assert host.recv(5000) == content
        client.send_packet(packet(client, content))
        assert host.recv(5000) == content
        for nothing in ("", "ff03", "21", "ff030021", "ff03c021", "ff138021", "ff03ff45"):
            client.send_frame(bytes.fromhex(nothing))
        client.ping(HOST)


def test_any_cut_of_the_stream(vpn: Vpn) -> None:
    chance = random.Random(1)
    contents = [chance.randbytes(chance.randrange(FULL)) for _ in range(40)]
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        stream = b"".join(
            sstp.Data(ppp.frame(ppp.IPV4, packet(client, content).encode())).encode()
            for content in contents
        )
        while stream:
            length = chance.choice((1, 3, 4, 23, 24, 25, 1000, 16000))
            client.wire.send(stream[:length])
            stream = stream[length:]
        assert [host.recv(2000) for _ in contents] == contents


def test_bulk_arrives_whole_and_in_order(vpn: Vpn) -> None:
    contents = [number.to_bytes(4, "big") * (FULL // 4) for number in range(2000)]
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client().login() as client:
        client.ping(HOST)
        for start in range(0, len(contents), 32):
            some = contents[start : start + 32]
            frames = (ppp.frame(ppp.IPV4, packet(client, one).encode()) for one in some)
            client.wire.send(b"".join(sstp.Data(frame).encode() for frame in frames))
            came = [host.recvfrom(2000) for _ in some]
            assert [content for content, _ in came] == some
            for content, sender in came:
                host.sendto(content, sender)
            for content in some:
                client.receive_packet(carries(content))


@pytest.mark.parametrize("manner", [WINDOWS, SSTPC], ids=["windows", "sstpc"])
def test_a_burst_fills_tls_records_only_for_clients_that_take_it(vpn: Vpn, manner: Manner) -> None:
    contents = [number.to_bytes(4, "big") for number in range(200)]
    with vpn.network.lan.udp(HOST, PORT) as host, vpn.client(manner=manner).login() as client:
        client.ping(HOST)
        client.send_packet(packet(client, b"give"))
        _, sender = host.recvfrom(100)
        for content in contents:
            host.sendto(content, sender)
        for content in contents:
            client.receive_packet(carries(content))
        assert (client.wire.most_in_a_record == 1) == (manner is SSTPC)


def memory(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_does_not_read(vpn: Vpn) -> None:
    with (
        vpn.network.lan.udp(HOST, PORT) as host,
        vpn.client("alice").login() as lazy,
        vpn.client("bob").login() as witness,
    ):
        lazy.ping(HOST)
        witness.ping(HOST)
        lazy.send_packet(packet(lazy, b"give"))
        _, sender = host.recvfrom(100)
        worker = vpn.session(lazy).worker
        before = memory(worker)
        for _ in range(30000):
            host.sendto(bytes(FULL), sender)
        assert memory(worker) - before < LIMIT * 5 // 4
        witness.ping(HOST)
        lazy.echo()
