"""To the client: IPv4 packets from the TUN, many in one TLS record, and the control packets.

Back-pressure, not buffers: while the socket has not taken everything, the TUN is not read, and the
kernel drops from its own queue as it does on any slow link. Control packets always wait in line.
"""

import itertools
import os
import struct
from typing import Final

from .inbound import OVERHEAD
from .stream import TlsStream

#: IP packets read from the TUN at most before the client gets them.
BATCH: Final = 48

_HEAD: Final = struct.Struct("!HHI")
_VERSION_DATA: Final = 0x1000
_PPP_IPV4: Final = 0xFF030021


class Outbound:
    """One client's stream.

    :param scratch: the worker's working memory, at least ``BATCH`` packets long.
    :param coalesce: whether the client takes several SSTP packets in one TLS record.
    """

    __slots__ = ("_coalesce", "_scratch", "_stream", "sent")

    def __init__(self, stream: TlsStream, scratch: bytearray, *, coalesce: bool) -> None:
        self._stream = stream
        self._scratch = memoryview(scratch)
        self._coalesce = coalesce
        self.sent = 0

    def send(self, packet: bytes) -> None:
        """Send ``packet`` in a record of its own.

        :raises OSError: if the connection is gone.
        """
        self._stream.write(packet)
        self._stream.flush()

    def pump(self, tun: int, mtu: int) -> None:
        """Send what the TUN has, one batch at most. Only when nothing waits.

        :param mtu: the interface's, in bytes: no packet is larger.
        :raises OSError: if the connection or the interface is gone.
        """
        ends = self._read(tun, mtu)
        if not ends:
            return
        if self._coalesce:
            self._stream.write(self._scratch[: ends[-1]])
        else:
            for start, end in itertools.pairwise([0, *ends]):
                self._stream.write(self._scratch[start:end])
        self._stream.flush()

    def _read(self, tun: int, mtu: int) -> list[int]:
        """Fill the scratch memory with SSTP data packets; return where each one ends."""
        view = self._scratch
        ends: list[int] = []
        end = 0
        for _ in range(BATCH):
            body = end + OVERHEAD
            try:
                count = os.readv(tun, [view[body : body + mtu]])
            except BlockingIOError:
                break
            if view[body] >> 4 != 4:
                continue
            _HEAD.pack_into(view, end, _VERSION_DATA, OVERHEAD + count, _PPP_IPV4)
            end = body + count
            ends.append(end)
            self.sent += count
        return ends
