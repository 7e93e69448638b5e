"""From the client: TLS bytes are cut into SSTP packets, IP packets go straight to the TUN."""

from typing import Final

from ..sstp.wire import HEADER_SIZE, MAX_PACKET, packet_size
from ..trace.tap import Tap
from .diversion import MOST
from .engine import forward
from .segments import HEAD, OVERHEAD, PPP_IPV4, PPP_IPV6, VERSION_DATA, Offload
from .stream import PLAINTEXT, TlsStream

#: Working memory for :class:`Inbound`, in bytes: the plaintext of one turn, behind what was kept.
SCRATCH: Final = PLAINTEXT + MAX_PACKET


class Inbound:
    """One client's stream.

    :ivar tap: takes copies, if somebody wants to see what comes.
    :param scratch: the worker's working memory, shared by its connections; between two reads
        only the beginning of an unfinished packet is kept, at most 4094 bytes.
    """

    __slots__ = (
        "_diverted",
        "_multicast",
        "_networks",
        "_offload",
        "_rest",
        "_scratch",
        "_server",
        "_source",
        "_tun",
        "received",
        "tap",
    )

    def __init__(self, scratch: memoryview) -> None:
        self._scratch = scratch
        self._rest = b""
        self._tun = -1
        self._source: bytes | None = b""
        self._server: bytes | None = b""
        self._multicast = False
        self._networks = b"", b""
        self._offload = Offload.NONE
        self._diverted: list[bytes] = []
        self.tap: Tap | None = None
        self.received = 0

    def open(
        self,
        tun: int,
        source: bytes | None,
        offload: Offload,
        *,
        server: bytes | None,
        multicast: bool,
        networks: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        """Let packets from ``source`` through to the descriptor ``tun``.

        :param source: 4 bytes, the address; and, if there is IPv6, 8 more, the prefix. None: IPv4
            packets may come from anywhere, as they do to a client.
        :param offload: of what it takes many segments in one packet.
        :param server: our address in the tunnel, 4 bytes: what asks us is diverted. None: nothing is.
        :param multicast: whether multicast and broadcast pass.
        :param networks: from which they may come as well, of IPv4 and of IPv6: see :func:`.merging.forward`.
        """
        self._tun, self._source, self._offload = tun, source, offload
        self._server, self._multicast, self._networks = server, multicast, networks

    def diverted(self) -> list[bytes]:
        """Return the IP packets that were diverted since the last call: see :mod:`.diversion`."""
        packets = self._diverted
        if packets:
            self._diverted = []
        return packets

    def shut(self) -> None:
        """Let no IP packet through any more."""
        self._tun, self._source = -1, b""
        self._diverted = []

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
            alive = stream.receive(large=self._tun >= 0)
        except OSError:
            return self._cut(filled), False
        filled, more = stream.read_all(self._scratch, filled)
        return self._cut(filled), alive and more

    def _cut(self, end: int) -> list[bytes]:
        """Cut ``end`` bytes of the scratch memory into packets; keep the unfinished one."""
        view = self._scratch
        if self.tap is not None:
            self.tap.read(view, end)
        others: list[bytes] = []
        position = 0
        while end - position >= HEADER_SIZE:
            if self._tun >= 0:
                position = self._forward(view, position, end)
                if end - position < HEADER_SIZE:
                    break
            following = position + packet_size(view, position)
            if following > end:
                break
            others.append(bytes(view[position:following]))
            position = following
        self._rest = bytes(view[position:end])
        return others

    def deliver(self, packet: bytes) -> None:
        """Write one IP packet that came in an unusual frame, under the same rules."""
        if self._tun >= 0 and len(packet) >= 20:
            ppp = PPP_IPV6 if packet[0] >> 4 == 6 else PPP_IPV4
            data = memoryview(HEAD.pack(VERSION_DATA, OVERHEAD + len(packet), ppp) + packet)
            self._forward(data, 0, len(data))

    def _forward(self, view: memoryview, position: int, end: int) -> int:
        position, size, diverted = forward(
            view,
            position,
            end,
            self._source,
            self._tun,
            self._offload,
            self._server,
            self._multicast,
            *self._networks,
        )
        self.received += size
        if diverted:
            self._diverted = (self._diverted + diverted)[:MOST]
        return position
