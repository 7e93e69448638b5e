"""Processes that get only so much of a processor, by control groups (Linux, sched-bwc.rst, cgroup-v2.rst)."""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
#: Microseconds in which a process gets its share once.
_PERIOD: Final = 10_000


@contextlib.contextmanager
def limited(processes: Iterable[int], share: float) -> Iterator[None]:
    """Let each of these have ``share`` of a processor at most, for a while.

    :raises OSError: if this machine cannot limit processes.
    """
    with ExitStack() as stack:
        for process in processes:
            stack.enter_context(_limited(process, int(share * _PERIOD)))
        yield


@contextlib.contextmanager
def _limited(process: int, quota: int) -> Iterator[None]:
    first = (_ROOT / "cpu").is_dir()
    root = _ROOT / "cpu" if first else _ROOT
    if not first:
        (root / "cgroup.subtree_control").write_text("+cpu")
    group = root / f"sstpca-bench-{process}"
    group.mkdir()
    try:
        if first:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD}")
        (group / "cgroup.procs").write_text(str(process))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            (root / "cgroup.procs").write_text(str(process))
        group.rmdir()
