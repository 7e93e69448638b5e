"""Which inputs are kept: the shortest ones that together go every way that all of them go.

A way is a step from one line to the next in the code under test. A corpus is text, an input in
hexadecimal on each line, the shortest first: small, and a change to it can be read.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tests.fuzz.targets import CORPUS, TARGETS, kept

#: The file of one target, in characters.
FILE_MOST: Final = 64 * 1024

_TESTED: Final = tuple(
    str(Path(__file__).parents[2] / folder) + "/" for folder in ("server", "sstpca")
)
Way = tuple[str, int, int]


def ways(target: str, data: bytes) -> set[Way]:
    """Return the ways that one input goes."""
    found: set[Way] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(_TESTED):
            return None
        found.add((name, last.get(id(frame), 0), frame.f_lineno))
        if event == "return":
            last.pop(id(frame), None)
        else:
            last[id(frame)] = frame.f_lineno
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        TARGETS[target][0](data)
    finally:
        sys.settrace(before)
    return found


def keep(target: str, more: Iterable[bytes]) -> int:
    """Choose among the inputs that are kept and ``more``; return how many are kept now."""
    seen: set[Way] = set()
    chosen: list[str] = []
    room = FILE_MOST
    for data in sorted({*kept(target), *more}, key=lambda one: (len(one), one)):
        line = f"{data.hex()}\n"
        if len(line) > room:
            break
        found = ways(target, data)
        if found - seen:
            seen |= found
            chosen.append(line)
            room -= len(line)
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{target}.txt").write_text("".join(chosen))
    return len(chosen)
