"""Where strangers come from, and what they may cost: token buckets (RFC 2697's idea), per source.

A source is an IPv4 address or an IPv6 /64: one machine has all addresses of that. What it may cost
grows with time and ends at a limit, the burst. The numbers are for one worker process.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

#: Handshakes that one source may begin a second, and at once. An office of 300 people behind one
#: address comes back in one moment when its line does, perhaps all of them to one worker.
HANDSHAKES: Final = (50.0, 600.0)
#: Seconds of processor time that one source may cost a second, and at once. A handshake costs 2 to
#: 10 ms, a login about as much again.
COST: Final = (0.1, 4.0)
#: The same for all strangers of a worker together: what they have is never all of a processor.
COST_OF_ALL: Final = (0.5, 6.0)

#: Sources that are remembered. Whoever has more than these (an IPv6 /48 has 65,536) is held by
#: what all may cost together.
_REMEMBERED: Final = 4096

#: Seconds for which a login speaks for its source.
_FAMILIAR: Final = 86400.0


def name_of(address: IPv4Address | IPv6Address) -> str:
    """Return what the source is called that ``address`` is of: that itself, or its /64."""
    if address.version == 4:
        return str(address)
    return str(ip_network((int(address) >> 64 << 64, 64)))


class TokenBucket:
    """Tokens that come at a rate, up to a limit; full at first.

    Takers may overdraw it: what a handshake costs is known only after it.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, now

    def level(self, now: float) -> float:
        """Return the tokens that are there; negative if it is overdrawn."""
        level = self._level + (now - self._at) * self._rate
        return level if level < self._burst else self._burst

    def take(self, tokens: float, now: float) -> None:
        """Take tokens, also those that are not there yet."""
        self._level, self._at = self.level(now) - tokens, now

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token to take, or a part of one; 0 if there is."""
        level = self.level(now)
        return 0.0 if level > 0 else -level / self._rate + 0.001


class Source:
    """One source.

    :param name: the IPv4 address, or the IPv6 prefix of 64 bits.
    :ivar strangers: how many of it have not logged in.
    """

    __slots__ = ("_cost", "_familiar_until", "_handshakes", "_logins", "name", "strangers")

    def __init__(self, now: float, name: str = "") -> None:
        self.name = name
        self.strangers = 0
        self._handshakes = TokenBucket(*HANDSHAKES, now)
        self._cost = TokenBucket(*COST, now)
        self._logins = 0
        self._familiar_until = now

    def begin(self, now: float) -> None:
        """Count a handshake."""
        self._handshakes.take(1.0, now)

    def charge(self, seconds: float, now: float) -> None:
        """Count processor time."""
        self._cost.take(seconds, now)

    def wait(self, now: float) -> float:
        """Return the seconds until it may cost something again; 0 if it may."""
        return max(self._handshakes.wait(now), self._cost.wait(now))

    def ready(self, now: float) -> bool:
        """Return whether it may cost something now."""
        return self._handshakes.level(now) > 0 and self._cost.level(now) > 0

    def logged_in(self, now: float) -> None:
        """Count a login, which speaks for whoever else comes from there."""
        self._logins = self._logins + 1 if self.familiar(now) else 1
        self._familiar_until = now + _FAMILIAR

    def familiar(self, now: float) -> bool:
        """Whether somebody has logged in from there of late."""
        return now < self._familiar_until

    def rank(self, now: float) -> tuple[bool, float]:
        """Return what to compare sources by: whose turn it is, that one has the most."""
        return self.familiar(now), self._cost.level(now)

    def crowd(self, now: float) -> float:
        """Return how many strangers of it there are for each that may be expected."""
        return self.strangers / (1 + (self._logins if self.familiar(now) else 0))


class Sources:
    """The sources of one worker, as many as are remembered, and what all may cost together.

    :param clock: the time in seconds, of a clock that does not go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[bytes, Source] = {}
        self.all = TokenBucket(*COST_OF_ALL, clock())

    def find(self, host: str) -> Source:
        """Return the source that ``host``, an address as text, is of."""
        address = ip_address(host.partition("%")[0])
        key = address.packed[:8]
        source = self._known.pop(key, None)
        if source is None:
            self._forget()
            source = Source(self._clock(), name_of(address))
        self._known[key] = source  # the last one is the one that came last
        return source

    def charge(self, source: Source, seconds: float) -> None:
        """Count processor time that was spent for strangers of ``source``."""
        now = self._clock()
        source.charge(seconds, now)
        self.all.take(seconds, now)

    def _forget(self) -> None:
        """Make room, if there is none: who is here stays, who has logged in goes last."""
        if len(self._known) < _REMEMBERED:
            return
        now = self._clock()
        idle = [key for key, source in self._known.items() if not source.strangers]
        idle.sort(key=lambda key: self._known[key].familiar(now))  # stable: the oldest first
        for key in idle[: _REMEMBERED // 4]:
            del self._known[key]
