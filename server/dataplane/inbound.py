"""From the client: TLS bytes are cut into SSTP packets, IPv4 packets go straight to the TUN."""

import os
import struct
from typing import Final

from ..sstp.wire import HEADER_SIZE, MAX_PACKET, packet_size
from .stream import PLAINTEXT, TlsStream

# An SSTP data packet with an IPv4 packet in it, to the address it comes from: version and C bit,
# length ([MS-SSTP] 2.2.1), PPP address, control and protocol (RFC 1662 3.1), IP version, IPv4 source.
_DATA: Final = struct.Struct("!HHIB11x4s")
_VERSION_DATA: Final = 0x1000
_PPP_IPV4: Final = 0xFF030021

#: Working memory for :class:`Inbound`, in bytes: the plaintext of one turn, behind what was kept.
SCRATCH: Final = PLAINTEXT + MAX_PACKET

#: What precedes the IP packet: SSTP header and PPP header, in bytes.
OVERHEAD: Final = 8


class Inbound:
    """One client's stream.

    :param scratch: the worker's working memory, shared by its connections; between two reads
        only the beginning of an unfinished packet is kept, at most 4094 bytes.
    """

    __slots__ = ("_rest", "_scratch", "_source", "_tun", "received")

    def __init__(self, scratch: bytearray) -> None:
        self._scratch = memoryview(scratch)
        self._rest = b""
        self._tun = -1
        self._source = b""
        self.received = 0

    def open(self, tun: int, source: bytes) -> None:
        """Let IPv4 packets from ``source`` (4 bytes) through to the descriptor ``tun``."""
        self._tun, self._source = tun, source

    def shut(self) -> None:
        """Let no IP packet through any more."""
        self._tun, self._source = -1, b""

    def push(self, data: bytes) -> list[bytes]:
        """Take bytes that came another way (behind the HTTP request), like :meth:`read`."""
        rest = self._rest + data
        self._rest = b""
        self._scratch[: len(rest)] = rest
        return self._cut(len(rest))

    def read(self, stream: TlsStream) -> tuple[list[bytes], bool]:
        """Read what is there, write the IPv4 packets to the TUN.

        :returns: the other packets, whole and in order; whether the stream goes on.
        :raises WireError: if the stream cannot be cut into packets any more.
        """
        filled = len(self._rest)
        self._scratch[:filled] = self._rest
        try:
            alive = stream.receive()
            while count := stream.read(self._scratch[filled:]):
                filled += count
        except OSError:
            alive, count = False, None
        return self._cut(filled), alive and count is None

    def _cut(self, end: int) -> list[bytes]:
        """Cut ``end`` bytes of the scratch memory into packets; keep the unfinished one."""
        view = self._scratch
        others: list[bytes] = []
        position = 0
        tun, source = self._tun, self._source
        while end - position >= HEADER_SIZE:
            if end - position >= 24:
                head, length, ppp, version, sender = _DATA.unpack_from(view, position)
                if (
                    head == _VERSION_DATA
                    and ppp == _PPP_IPV4
                    and tun >= 0
                    and 28 <= length <= MAX_PACKET
                ):
                    following = position + length
                    if following > end:
                        break
                    # the TUN would take IPv6 as well, where this is no source address
                    if sender == source and version >> 4 == 4:
                        self._write(tun, view[position + OVERHEAD : following])
                    position = following
                    continue
            following = position + packet_size(view, position)
            if following > end:
                break
            others.append(bytes(view[position:following]))
            position = following
        self._rest = bytes(view[position:end])
        return others

    def deliver(self, packet: bytes) -> None:
        """Write one IPv4 packet that came in an unusual frame, under the same rules."""
        ours = len(packet) >= 20 and packet[0] >> 4 == 4 and packet[12:16] == self._source
        if self._tun >= 0 and ours:
            self._write(self._tun, memoryview(packet))

    def _write(self, tun: int, packet: memoryview) -> None:
        try:
            os.write(tun, packet)
        except OSError:
            # not an IPv4 packet after all, or the interface's queue is full: IP may lose packets
            return
        self.received += len(packet)
