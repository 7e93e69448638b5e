"""The path to a client as the kernel has come to know it, and what follows from that for what waits.

TCP under TCP: what is lost outside comes late inside, by a round trip or two of this path, with all
that is behind it. The queue has to outlast that, or it runs dry.
"""

import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final

#: linux/tcp.h; Python's socket has the first since 3.12.
_TCP_NOTSENT_LOWAT, _TCP_CC_INFO = 25, 26
#: asm-generic/socket.h, bytes a second.
_SO_MAX_PACING_RATE: Final = 47

#: struct tcp_info: ``tcpi_min_rtt``, in microseconds; ``tcpi_bytes_sent``, ``tcpi_bytes_retrans``.
_INFO: Final = struct.Struct("=148xI48xQQ")

#: linux/inet_diag.h, struct tcp_bbr_info: bandwidth (bytes a second, low half first), round trip, gains
#: (of 256). What other congestion controls tell is shorter.
_BBR: Final = struct.Struct("=5I")

#: BBR's pacing gain until it has found the bandwidth: 2 / ln 2; after that it is 1.25 at most.
_STARTUP: Final = 2 * 256

#: Bytes that the kernel takes of a connection beyond those on their way: what waits there waits in one
#: line, whoever it is for.
_LEAST, _MOST = 16 * 1024, 256 * 1024

#: The part of a round trip, and seconds at most, for which the kernel may have something unsent with BBR.
#: It sends a millisecond's at a time, so that the socket has to outlast our own pauses; and what it
#: measures in the round trip after the socket was empty does not count: it would never come out of its
#: startup, in which it sends at almost three times the bandwidth.
_PART, _LONGEST = 0.5, 0.02

#: What BBR sends in its startup fills the path's queue, and is lost there; what is lost stops the TCP
#: inside; and then the socket is empty. Its successors end the startup when much is lost; this one is
#: slowed down for that, when it sends so much again and the bandwidth has not grown by so much.
_MUCH_LOST, _GROWN = 0.05, 1.25
_UNLIMITED: Final = 0xFFFFFFFF

#: Round trips that packets may wait (CoDel's target, RFC 8289 4.2), and the seconds that this makes at
#: least and at most. It is several times what is usual, see above; others' flows do not wait for it.
#: What is not BBR slows down with each loss anyhow, and has no use for more than the least.
_TRIPS: Final = 5
_SOONEST, _LATEST = 0.05, 0.2


@dataclass(frozen=True, slots=True)
class Path:
    """What is known of it.

    :ivar round_trip: the shortest, in seconds.
    :ivar sent: bytes, until now; and how many of them again.
    :ivar bandwidth: bytes a second, if the congestion control is BBR; or 0.
    :ivar is_starting: whether BBR is still to find the bandwidth.
    """

    round_trip: float = 0.0
    sent: int = 0
    sent_again: int = 0
    bandwidth: int = 0
    is_starting: bool = False

    @property
    def unsent(self) -> int:
        """Bytes that the kernel takes beyond those on their way (TCP_NOTSENT_LOWAT)."""
        seconds = min(_PART * self.round_trip, _LONGEST)
        return max(_LEAST, min(int(self.bandwidth * seconds), _MOST))

    @property
    def target(self) -> float:
        """Seconds that packets may wait for their turn: CoDel's target."""
        if not self.bandwidth:
            return _SOONEST
        return max(_SOONEST, min(_TRIPS * self.round_trip, _LATEST))

    def pace(self, before: "Path") -> int:
        """Return how many bytes BBR may send a second, when this was known ``before``."""
        sent, again = self.sent - before.sent, self.sent_again - before.sent_again
        overflows = again > _MUCH_LOST * sent and self.bandwidth < _GROWN * before.bandwidth
        return min(self.bandwidth, _UNLIMITED) if self.is_starting and overflows else _UNLIMITED


#: As it is before anything is known.
UNKNOWN: Final = Path()


def path_of(sock: socket.socket) -> Path:
    """Return what the kernel knows of the path of a TCP connection, which may be nothing."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        told = sock.getsockopt(socket.IPPROTO_TCP, _TCP_CC_INFO, _BBR.size)
    except OSError:
        return UNKNOWN
    if len(info) < _INFO.size:  # before Linux 4.19
        return UNKNOWN
    microseconds, sent, sent_again = _INFO.unpack(info)
    # before anything was measured it is the largest number there is
    round_trip = microseconds / 1e6 if microseconds < 0xFFFFFFFF else 0.0
    if len(told) < _BBR.size:
        return Path(round_trip, sent, sent_again)
    low, high, _, gain, _ = _BBR.unpack(told)
    return Path(round_trip, sent, sent_again, high << 32 | low, gain > _STARTUP)


def follow(sock: socket.socket, path: Path, before: Path = UNKNOWN) -> None:
    """Have the kernel take of a TCP connection, and send, what its path needs.

    :param before: what was known a moment ago.
    :raises OSError: if it is no such connection.
    """
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, path.unsent)
    if path.bandwidth:
        rate = path.pace(before).to_bytes(4, sys.byteorder)
        sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)
