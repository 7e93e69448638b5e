"""What a client sends to the server itself, or to everybody: it does not go to the TUN.

Multicast and broadcast end here: a tunnel is no link that has others on it, and nothing of them is
forwarded. The few of them that ask the server of the link are diverted, whole, to those who answer
(:mod:`sstpca.server.responders`):

- DHCP to 255.255.255.255 or to our address (RFC 2131 4.1): UDP, port 67, and no fragment;
- Router and Neighbor Solicitations (RFC 4861 4.1, 4.3), and DHCPv6 (RFC 8415 7.2): UDP, port 547; to
  ff02::/16 or fe80::/10, and not behind an extension header.
"""

from typing import Final

from .segments import UDP

#: The first that is no unicast, as the beginning of an address: IPv4 has multicast from here on, and
#: broadcast (RFC 1112 4, RFC 919 7); IPv6 what does not leave the link, and multicast (RFC 4291 2.4).
MULTICAST_V4: Final = b"\xe0"
LINK_V6: Final = 0xFE

#: Packets that are diverted in one turn, at most; more are lost, and asked again.
MOST: Final = 8

_RESERVED: Final = b"\xf0"
_BROADCAST: Final = b"\xff\xff\xff\xff"
_ALL_ON_LINK: Final = b"\xff\x02"
_ICMPV6: Final = 58
_ROUTER_SOLICITATION, _NEIGHBOR_SOLICITATION = 133, 135
_DHCP_SERVER, _DHCPV6_SERVER = 67, 547


class Diversion:
    """What was diverted in one turn, of what is not unicast or goes to ``server``.

    :ivar packets: IP packets.
    """

    def __init__(self, server: bytes | None, *, multicast: bool) -> None:
        self._server = server
        self._multicast = multicast
        self.packets: list[bytes] = []

    def passes_v4(self, packet: memoryview) -> bool:
        """Return whether an IPv4 packet goes on to the TUN; it is diverted if somebody answers it."""
        target = bytes(packet[16:20])
        if target in (_BROADCAST, self._server) and _is_dhcp(packet):
            return self._divert(packet)
        return self._multicast or (target != _BROADCAST and not MULTICAST_V4 <= target < _RESERVED)

    def passes_v6(self, packet: memoryview) -> bool:
        """Do the same with an IPv6 packet."""
        if _asks_on_link(packet):
            return self._divert(packet)
        return self._multicast or packet[24] == LINK_V6

    def _divert(self, packet: memoryview) -> bool:
        if len(self.packets) < MOST:
            self.packets.append(bytes(packet))
        return False


def _is_dhcp(packet: memoryview) -> bool:
    """Whether an IPv4 packet is for a DHCP server."""
    start = (packet[0] & 0x0F) * 4
    whole = not (packet[6] & 0x3F or packet[7])
    return (
        packet[9] == UDP
        and whole
        and 20 <= start <= len(packet) - 8
        and int.from_bytes(packet[start + 2 : start + 4]) == _DHCP_SERVER
    )


def _asks_on_link(packet: memoryview) -> bool:
    """Whether an IPv6 packet asks the router, or a DHCPv6 server, of the link."""
    target = bytes(packet[24:26])
    on_link = target == _ALL_ON_LINK or (target[0] == LINK_V6 and target[1] >> 6 == 2)
    if not on_link or len(packet) < 48:
        return False
    if packet[6] == _ICMPV6:
        return packet[40] in (_ROUTER_SOLICITATION, _NEIGHBOR_SOLICITATION)
    return packet[6] == UDP and int.from_bytes(packet[42:44]) == _DHCPV6_SERVER
