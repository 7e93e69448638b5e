"""What sessions cost that carry nothing: memory, the beat, a list of them, one's end among others."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.crowd import PROCESSES, Crowd, members
from tests.bench.logins import SOURCES, Cpu
from tests.support.server import Server, Vpn

#: Logins that each process of clients has under way at a time.
_AT_ONCE: Final = 32
#: Sessions of each process of clients that end, whose end is measured.
_ENDING: Final = 50
# the beat, once a second, has written all by then
_BEAT: Final = 1.5
# lines of /proc/meminfo that are the kernel's own (proc(5))
_KERNEL: Final = frozenset({"Slab", "KernelStack", "PageTables", "Percpu", "VmallocUsed"})


@dataclass(frozen=True, slots=True)
class Held:
    """What so many sessions cost.

    :ivar pss: KB of the workers' memory for each, shared pages by their share.
    :ivar kernel: KB that the kernel of the whole machine has more for each, the clients' end with it.
    :ivar beat: percent of one processor that the workers use while nothing happens.
    :ivar listing: seconds that ``session list`` takes.
    :ivar end: milliseconds of the workers for one session's end among the others.
    """

    sessions: int
    pss: float
    kernel: float
    beat: float
    listing: float
    end: float


def many(vpn: Vpn, counts: Sequence[int], watched: float) -> Iterator[Held]:
    """Have more and more sessions; yield what they cost at each of ``counts``.

    :param watched: seconds in which nothing happens.
    """
    empty, kernel = pss(vpn.server), kernel_memory()
    people = members(counts[-1] + len(counts) * _ENDING * PROCESSES, SOURCES)
    with ExitStack() as stack:
        up = 0
        for count in counts:
            some = list(itertools.islice(people, count - up))
            crowd = stack.enter_context(Crowd(vpn, some, at_once=_AT_ONCE))
            arrival = crowd.log_in()
            if arrival.failures:
                raise RuntimeError(f"not all logged in: {arrival.failures.most_common(3)}")
            time.sleep(_BEAT)
            ours, theirs = pss(vpn.server) - empty, kernel_memory() - kernel
            beat = _used(vpn.server, partial(time.sleep, watched)) / watched
            began = time.monotonic()
            vpn.home.run("session", "list")
            listing = time.monotonic() - began
            end = _used(vpn.server, partial(_leave, crowd)) / (_ENDING * PROCESSES)
            yield Held(count, ours / count, theirs / count, 100 * beat, listing, 1000 * end)
            up = count - _ENDING * PROCESSES


def _used(server: Server, work: Callable[[], object]) -> float:
    """Return the processor time of the workers while something is done, in seconds."""
    before = Cpu.of(server)
    work()
    return (Cpu.of(server) - before).all


def _leave(crowd: Crowd) -> None:
    crowd.leave(_ENDING)
    time.sleep(_BEAT)


def pss(server: Server) -> float:
    """Return the memory of the workers in KB, each shared page by the worker's share of it."""
    total = 0
    for pid in server.children():
        with contextlib.suppress(FileNotFoundError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:")
    return float(total)


def kernel_memory() -> float:
    """Return what the kernel has for itself, in KB."""
    lines = (line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return float(sum(int(value.split()[0]) for name, value in lines if name in _KERNEL))
