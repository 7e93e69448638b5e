"""Memory that the server's processes share: a slot of numbers for each worker that can be.

A slot has one writer, and a number is eight bytes on their own boundary, which the processors that
Linux runs on write at once: no lock. Who only reads gets a descriptor that cannot be written to
(fcntl(2), F_SEAL_FUTURE_WRITE).
"""

import contextlib
import errno
import fcntl
import mmap
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from .figures import ALIVE, ANSWERED, CELLS, FIGURES

#: Workers at a time, at most: as many as there may be, and as many again while they are replaced.
SLOTS: Final = 512

#: Seconds after which a worker hangs: it says once a second that it lives, and nothing that it does
#: takes a tenth of this.
HANGS_AFTER: Final = 20.0

_NUMBER: Final = 8
_SIZE: Final = SLOTS * CELLS * _NUMBER

# linux/fcntl.h; Python has it since 3.15
_F_SEAL_FUTURE_WRITE: Final = 0x0010
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL

if TYPE_CHECKING:
    Slot: TypeAlias = memoryview[float]
else:  # Python before 3.14 cannot say of what
    Slot = memoryview
"""Numbers of :data:`~.figures.CELLS`, as float."""


class Board:
    """Made before the workers are forked; they inherit it."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("sstpca-metrics", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.descriptor, _SIZE)
        # it stays as long as this process
        self._numbers = memoryview(mmap.mmap(self.descriptor, _SIZE)).cast("d")
        with contextlib.suppress(OSError):  # Linux before 5.1 knows no such seal
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        #: The slots in use, and since when, by time.monotonic().
        self._taken: dict[int, float] = {}

    def take(self) -> int:
        """Return the number of a slot for a new worker; what others have counted there stays.

        :raises OSError: if there are too many.
        """
        free = next((one for one in range(SLOTS) if one not in self._taken), None)
        if free is None:
            raise OSError(errno.ENOSPC, "there are too many workers to count")
        self._taken[free] = time.monotonic()
        return free

    def hangs(self) -> bool:
        """Whether there is a worker that has not said for :data:`HANGS_AFTER` that it lives."""
        latest = time.monotonic() - HANGS_AFTER
        return any(
            max(since, self.slot(number)[ALIVE]) < latest for number, since in self._taken.items()
        )

    def leave(self, number: int) -> None:
        """The worker has ended, however: what it had is gone, what it has counted stays."""
        self._taken.pop(number, None)
        slot = self.slot(number)
        slot[ALIVE] = slot[ANSWERED] = 0.0
        for figure in FIGURES:
            if not figure.grows:
                for at in figure.places.values():
                    slot[at] = 0.0

    def slot(self, number: int) -> Slot:
        """Return the numbers of a slot, to be written by one process at a time."""
        return self._numbers[number * CELLS : (number + 1) * CELLS]


class Copy:
    """The board as another process reads it.

    :param descriptor: the board's.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, _SIZE, prot=mmap.PROT_READ)

    def read(self) -> list[Sequence[float]]:
        """Return the slots that were ever used."""
        numbers = memoryview(self._memory[:]).cast("d")
        slots = [numbers[at : at + CELLS] for at in range(0, SLOTS * CELLS, CELLS)]
        return [slot.tolist() for slot in slots if any(slot)]
