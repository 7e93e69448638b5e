"""Memory that the server's processes share: a slot of numbers for each worker that can be.

A slot has one writer, and a number is eight bytes on their own boundary, which the processors that
Linux runs on write at once: no lock. Who only reads gets a descriptor that cannot be written to
(fcntl(2), F_SEAL_FUTURE_WRITE).
"""

import errno
import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from .figures import ALIVE, ANSWERED, CELLS, FIGURES

#: Workers at a time, at most: as many as there may be, and as many again while they are replaced.
SLOTS: Final = 512

#: What stands where: another release may have it otherwise.
LAYOUT: Final = hashlib.sha256(
    repr((SLOTS, CELLS, [(one.name, one.bounds, one.places) for one in FIGURES])).encode()
).hexdigest()

#: Seconds after which a worker hangs: it says once a second that it lives, and nothing that it does
#: takes a tenth of this.
HANGS_AFTER: Final = 20.0

_NUMBER: Final = 8
_SIZE: Final = SLOTS * CELLS * _NUMBER

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

if TYPE_CHECKING:
    Slot: TypeAlias = memoryview[float]
else:  # Python before 3.14 cannot say of what
    Slot = memoryview
"""Numbers of :data:`~.figures.CELLS`, as float."""


class Board:
    """Made before the workers are forked; they inherit it.

    :param descriptor: of one that the program before has made; -1: of none.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self.descriptor = descriptor
        if descriptor < 0:
            self.descriptor = os.memfd_create("sstpca-metrics", os.MFD_ALLOW_SEALING)
            os.fchmod(self.descriptor, 0o600)
            os.ftruncate(self.descriptor, _SIZE)
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        # it stays as long as this process
        self._numbers = memoryview(mmap.mmap(self.descriptor, _SIZE)).cast("d")
        #: The slots in use, and since when, by time.monotonic().
        self._taken: dict[int, float] = {}

    def shown(self) -> int:
        """Open it for who only reads it, and return the descriptor."""
        return os.open(f"/proc/self/fd/{self.descriptor}", os.O_RDONLY | os.O_CLOEXEC)

    def take(self) -> int:
        """Return the number of a slot for a new worker; what others have counted there stays.

        :raises OSError: if there are too many.
        """
        free = next((one for one in range(SLOTS) if one not in self._taken), None)
        if free is None:
            raise OSError(errno.ENOSPC, "there are too many workers to count")
        self._taken[free] = time.monotonic()
        return free

    def keep(self, number: int, layout: str) -> bool:
        """Keep the slot of a worker that the program before has started.

        :returns: whether it counts there; on a board of another layout it does not.
        """
        kept = layout == LAYOUT and 0 <= number < SLOTS
        if kept:
            self._taken[number] = time.monotonic()
        return kept

    @property
    def room(self) -> int:
        """How many slots are free."""
        return SLOTS - len(self._taken)

    def hangs(self) -> bool:
        """Whether there is a worker that has not said for :data:`HANGS_AFTER` that it lives."""
        latest = time.monotonic() - HANGS_AFTER
        return any(
            max(since, self.slot(number)[ALIVE]) < latest for number, since in self._taken.items()
        )

    def leave(self, number: int) -> None:
        """The worker has ended, however: what it had is gone, what it has counted stays.

        :param number: of its slot; -1: it has none.
        """
        if number < 0:
            return
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
