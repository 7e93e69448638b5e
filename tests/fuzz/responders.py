"""What a client asks the server inside the tunnel: whatever it sends, answers go to it alone."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from sstpca.server.contracts import Ipv6Lease, Lease
from sstpca.server.responders import dhcpv6, routers
from sstpca.server.responders.dhcp import respond
from sstpca.server.responders.known import Known
from tests.support import dhcp, ipv6, packets
from tests.support.flows import OURS, SERVER

_ROUTES = (IPv4Network("10.1.0.0/16"), IPv4Network("10.2.3.0/25"))
_ROUTER = IPv6Address("fe80::1")
_IPV6 = Ipv6Lease(
    IPv6Network("2001:db8:98:7::/64"),
    IPv6Address("2001:db8:98::1"),
    (IPv6Address("2001:db8:1::53"),),
    (IPv6Network("2001:db8:5::/48"),),
)
# of ICMPv6, and of DHCPv6
_PLACES = (ipv6.ALL_ROUTERS, ipv6.ALL_DHCP, _ROUTER, ipv6.ALL_NODES)
_SENDERS = (IPv6Address("fe80::211:22ff:fe33:4455"), ipv6.ANY, IPv6Address("2001:db8:98:7::9"))


def inform(data: bytes) -> None:
    """What asks for DHCP: as a packet, and as the message in a good one. Only DHCPINFORM is answered,
    and only to the session itself.
    """
    address, server = IPv4Address(OURS), IPv4Address(SERVER)
    lease = Lease(1, address, server, dns=(server,), routes=_ROUTES, dns_suffix="corp.example.com")
    for whole in (data, dhcp.packet(data[:4000], address).encode()):
        for found in respond(whole, Known(lease, 1400)):
            read = packets.parse(found)
            assert (read.source, read.destination) == (server, address)
            assert len(found) <= 1400
            answer = dhcp.answer(read)
            assert answer is not None
            assert (answer.op, answer.ciaddr, answer.yiaddr) == (2, address, dhcp.NOBODY)
            assert answer.value(53) == bytes((dhcp.ACK,))
            # whole routes, in their order
            assert [one for one, _ in answer.routes(121)] in ([], list(_ROUTES))
            assert b"\x35\x01\x08" in data


def on_link(data: bytes) -> None:
    """What asks the router of the link, or its DHCPv6: as a packet, and as a message in a good one."""
    lease = Lease(1, IPv4Address(OURS), IPv4Address(SERVER), dns_suffix="corp.example", ipv6=_IPV6)
    known = Known(lease, 1400, _ROUTER.packed[8:])
    kinds, content = data[:1] or b"\0", data[1:1200]
    sender, place = _SENDERS[kinds[0] % 3], _PLACES[kinds[0] // 3 % 4]
    message = ipv6.icmp(sender, place, 133 + kinds[0] // 12 % 4, content)
    datagram = ipv6.udp((sender, 546), (place, 547), content)
    for whole in (data, message.encode(), datagram.encode()):
        for one in (*routers.respond(whole, known), *dhcpv6.respond(whole, known)):
            answer = ipv6.parse(one)
            assert len(one) <= 1400
            assert answer.source == _ROUTER
            assert answer.destination == ipv6.ALL_NODES or answer.destination == IPv6Address(
                whole[8:24]
            )
            told = ipv6.advertised(answer)
            assert told is None or (told.prefix, told.mtu) == (_IPV6.prefix, 1400)
