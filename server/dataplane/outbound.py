"""To the client: IPv4 packets from the TUN, many in one TLS write, and the control packets.

Back-pressure, not buffers: while TLS has not taken everything, the TUN is not read, and the
kernel drops from its own queue as it does on any slow link. Control packets always wait in line.
"""

import itertools
import os
import ssl
import struct
from collections import deque
from typing import Final

from .inbound import OVERHEAD

#: IP packets read from the TUN at most before TLS gets them.
BATCH: Final = 48

_HEAD: Final = struct.Struct("!HHI")
_VERSION_DATA: Final = 0x1000
_PPP_IPV4: Final = 0xFF030021


class Outbound:
    """One client's stream.

    :param scratch: the worker's working memory, at least ``BATCH`` packets long.
    :param coalesce: whether the client takes several SSTP packets in one TLS record.
    """

    __slots__ = ("_coalesce", "_pending", "_scratch", "_sock", "sent", "waiting")

    def __init__(self, sock: ssl.SSLSocket, scratch: bytearray, *, coalesce: bool) -> None:
        self._sock = sock
        self._scratch = memoryview(scratch)
        self._coalesce = coalesce
        self._pending: deque[bytes | memoryview] = deque()
        self.sent = 0
        #: Bytes that TLS has not taken yet.
        self.waiting = 0

    def send(self, packet: bytes) -> None:
        """Send ``packet`` in a record of its own, after what waits already.

        :raises OSError: if the connection is gone.
        """
        self._wait(packet)
        self.flush()

    def flush(self) -> bool:
        """Give TLS what waits; return whether it took all.

        :raises OSError: if the connection is gone.
        """
        pending = self._pending
        while pending:
            chunk = pending[0]
            try:
                count = self._sock.send(chunk)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            self.waiting -= count
            if count == len(chunk):
                pending.popleft()
            else:
                pending[0] = chunk[count:]
        return True

    def pump(self, tun: int, mtu: int) -> None:
        """Send what the TUN has, one batch at most. Only when nothing waits.

        :param mtu: the interface's, in bytes: no packet is larger.
        :raises OSError: if the connection or the interface is gone.
        """
        ends = self._read(tun, mtu)
        if not ends:
            return
        if self._coalesce:
            self._wait(self._scratch[: ends[-1]])
        else:
            for start, end in itertools.pairwise([0, *ends]):
                self._wait(self._scratch[start:end])
        if not self.flush():
            # the scratch memory is everybody's: what waits must be ours
            self._pending = deque(bytes(chunk) for chunk in self._pending)

    def _wait(self, chunk: bytes | memoryview) -> None:
        self._pending.append(chunk)
        self.waiting += len(chunk)

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
