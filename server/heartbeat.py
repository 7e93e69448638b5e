"""Whether the workers live: each writes the time into memory that it shares with the supervisor.

No descriptor, no message: a worker that hangs writes nothing, and whoever took one over can say no
more by it than that it is alive.
"""

import mmap
import struct
import time
from typing import Final

_MOMENT: Final = struct.Struct("=d")
_SLOTS: Final = 512

#: Seconds after which a worker that did not beat hangs: it beats once a second, and nothing that it
#: does takes a tenth of this.
HANGS_AFTER: Final = 20.0


class Heartbeats:
    """The beats of all workers, by their slots; made before they are forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _MOMENT.size)
        self._free = list(range(_SLOTS - 1, -1, -1))

    def begin(self) -> int:
        """Return a slot for a worker that starts now.

        :raises IndexError: if there are more workers than there ever are.
        """
        slot = self._free.pop()
        self.beat(slot)
        return slot

    def beat(self, slot: int) -> None:
        """Say that the worker of this slot lives."""
        _MOMENT.pack_into(self._memory, slot * _MOMENT.size, time.monotonic())

    def end(self, slot: int) -> None:
        """Give a slot back, whose worker is gone."""
        self._free.append(slot)

    def hangs(self, slot: int) -> bool:
        """Whether the worker of this slot has not beaten for too long."""
        beaten: float = _MOMENT.unpack_from(self._memory, slot * _MOMENT.size)[0]
        return time.monotonic() - beaten > HANGS_AFTER
