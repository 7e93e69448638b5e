"""What the event loop watches for one connection: the client, its TUN, the time."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol

from ..dataplane.stream import TlsStream
from .interface import Interface
from .lifecycle import Watched

#: Bytes of unsent control packets at which a client is no longer read: it asks faster than it reads.
_CROWDED: Final = 256 * 1024

#: Seconds from which on a deadline is far, and by which it may then come later: those of thousands who do
#: nothing come together, a few at a time, which costs half of one by one.
_FAR: Final = 10.0
_SLACK: Final = 0.1

#: Seconds that somebody who sends a lot is not read: what has come together by then is read for less.
#: The loop's selector counts whole milliseconds.
REST: Final = 0.002


class Steps(Protocol):
    """What is called; it must not raise."""

    def read(self) -> None:
        """The client has sent something."""

    def flush(self) -> None:
        """The client's socket takes more of what waits."""

    def pump(self) -> None:
        """There are IP packets for the client."""

    def tick(self) -> None:
        """The deadline is there, once."""


class Readable:
    """A descriptor that is watched for something to read.

    While it brings a lot, it is looked at from time to time instead: that asks less of the kernel.
    """

    __slots__ = ("_again", "_looking", "_loop", "_resting", "_step", "_wanted", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop, step: Callable[[], None]) -> None:
        self._loop = loop
        self._step = step
        self._wanted = self._watched = -1
        self._resting = self._looking = False
        self._again = 0.0

    @property
    def wanted(self) -> bool:
        """Whether it is watched, or would be if it did not rest."""
        return self._wanted >= 0

    def want(self, descriptor: int) -> None:
        """Watch this one, -1 for none: asking the loop costs more than what most packets ask for."""
        if descriptor != self._wanted:
            self._wanted = descriptor
            self._watch(-1 if self._resting else descriptor)

    def rest(self, now: float) -> None:
        """A lot has been read: if that was so a moment ago as well, look again in a moment."""
        if self._looking or now < self._again:
            self._looking = False
            if not self._resting:
                self._resting = True
                self._watch(-1)
            self._loop.call_later(REST, self._look)
        self._again = now + REST

    def _look(self) -> None:
        """Have it read, if that is still wanted; unless there was a lot, it is watched again."""
        self._looking = True
        if self.wanted:
            self._step()
        if self._looking:
            self._looking = self._resting = False
            self._watch(self._wanted)

    def _watch(self, descriptor: int) -> None:
        if self._watched >= 0:
            self._loop.remove_reader(self._watched)
        if descriptor >= 0:
            self._loop.add_reader(descriptor, self._step)
        self._watched = descriptor


class Watch:
    """Has the event loop call the steps of one connection.

    :param tun: the session's; its descriptor may come and go.
    :ivar client: what it sends.
    :ivar interface: the packets for it.
    """

    __slots__ = (
        "_deadline",
        "_loop",
        "_steps",
        "_stream",
        "_timer",
        "_tun",
        "_writing",
        "client",
        "interface",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stream: TlsStream, tun: Interface, steps: Steps
    ) -> None:
        self._loop = loop
        self._stream = stream
        self._tun = tun
        self._steps = steps
        self._timer: asyncio.TimerHandle | None = None
        self.client = Readable(loop, steps.read)
        self.interface = Readable(loop, steps.pump)
        self._writing = False
        self._deadline: float | None = None

    def set(self, watched: Watched, *, busy: bool, queued: bool, deadline: float | None) -> None:
        """Watch what a state wants.

        :param busy: whether packets of the client wait to be worked on: until they are, one that is
            not read (:meth:`pause`) stays so.
        :param queued: whether IP packets wait to be sent to it.
        """
        self.pass_on(watched, busy=busy, queued=queued)
        self.interface.want(self._tun.descriptor if watched.ip else -1)
        if not watched.timer:
            deadline = None
        if deadline != self._deadline:
            self._set_timer(deadline)

    def pass_on(self, watched: Watched, *, busy: bool, queued: bool) -> None:
        """Read the client only as fast as it reads, where nothing else may have changed."""
        waiting = self._stream.waiting
        reading = watched.socket and waiting <= _CROWDED and (self.client.wanted or not busy)
        self.client.want(self._stream.fileno() if reading else -1)
        writing = watched.socket and (queued or waiting > 0)
        if writing != self._writing:
            self._set_writing(writing)

    def pause(self) -> None:
        """Do not read the client, which has sent more before what it sent was worked on."""
        self.client.want(-1)

    def close(self) -> None:
        """Let go of whom it calls, when nothing is watched any more: the two would keep each other."""
        del self._steps, self.client, self.interface

    def _set_writing(self, writing: bool) -> None:
        self._writing = writing
        if writing:
            self._loop.add_writer(self._stream.fileno(), self._steps.flush)
        else:
            self._loop.remove_writer(self._stream.fileno())

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = deadline
        self._timer = None
        if deadline is not None:
            if deadline > self._loop.time() + _FAR:
                deadline = math.ceil(deadline / _SLACK) * _SLACK
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = self._deadline = None
        self._steps.tick()
