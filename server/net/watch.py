"""What the event loop watches for one connection: the client, its TUN, the time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..dataplane.stream import TlsStream
from .interface import Interface
from .lifecycle import Watched

#: Bytes of unsent control packets at which a client is no longer read: it asks faster than it reads.
_CROWDED: Final = 256 * 1024


#: Seconds that a client who sends a lot is not read: what has come together by then is read for less.
#: The loop's selector counts whole milliseconds.
REST: Final = 0.001


@dataclass(frozen=True, slots=True)
class Steps:
    """What is called; it must not raise.

    :param read: when the client has sent something.
    :param flush: when the client's socket takes more of what waits.
    :param pump: when there are IP packets for the client.
    :param tick: at the deadline, once.
    """

    read: Callable[[], None]
    flush: Callable[[], None]
    pump: Callable[[], None]
    tick: Callable[[], None]


class Watch:
    """Has the event loop call the steps of one connection.

    :param tun: the session's; its descriptor may come and go.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stream: TlsStream, tun: Interface, steps: Steps
    ) -> None:
        self._loop = loop
        self._stream = stream
        self._tun = tun
        self._steps = steps
        self._timer: asyncio.TimerHandle | None = None
        # what is watched now: asking the loop costs more than what most packets ask for
        self._reading = self._writing = False
        self._pumping = -1
        self._to_read = self._resting = False
        self._deadline: float | None = None

    def set(self, watched: Watched, *, busy: bool, queued: bool, deadline: float | None) -> None:
        """Watch what a state wants; read the client only as fast as it reads.

        :param busy: whether packets of the client wait to be worked on: until they are, one that is
            not read (:meth:`pause`) stays so.
        :param queued: whether IP packets wait to be sent to it.
        """
        waiting = self._stream.waiting
        self._to_read = watched.socket and waiting <= _CROWDED and (self._reading or not busy)
        reading = self._to_read and not self._resting
        if reading != self._reading:
            self._set_reading(reading)
        writing = watched.socket and (queued or waiting > 0)
        if writing != self._writing:
            self._set_writing(writing)
        pumping = self._tun.descriptor if watched.ip else -1
        if pumping != self._pumping:
            self._set_pumping(pumping)
        if not watched.timer:
            deadline = None
        if deadline != self._deadline:
            self._set_timer(deadline)

    def pause(self) -> None:
        """Do not read the client, which has sent more before what it sent was worked on."""
        if self._reading:
            self._to_read = False
            self._set_reading(False)

    def rest(self) -> None:
        """Do not read the client for a moment."""
        if self._reading:
            self._resting = True
            self._set_reading(False)
            self._loop.call_later(REST, self._rested)

    def _rested(self) -> None:
        self._resting = False
        if self._to_read:
            self._set_reading(True)

    def _set_reading(self, reading: bool) -> None:
        self._reading = reading
        if reading:
            self._loop.add_reader(self._stream.fileno(), self._steps.read)
        else:
            self._loop.remove_reader(self._stream.fileno())

    def _set_writing(self, writing: bool) -> None:
        self._writing = writing
        if writing:
            self._loop.add_writer(self._stream.fileno(), self._steps.flush)
        else:
            self._loop.remove_writer(self._stream.fileno())

    def _set_pumping(self, descriptor: int) -> None:
        if self._pumping >= 0:
            self._loop.remove_reader(self._pumping)
        if descriptor >= 0:
            self._loop.add_reader(descriptor, self._steps.pump)
        self._pumping = descriptor

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = self._deadline = None
        self._steps.tick()
