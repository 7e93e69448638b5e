"""Which of the two that do the same runs: the compiled one where it was built, else Python's.

It was built if there was a C compiler with Python's headers when the program was installed.
"""

from typing import Final

#: Of the functions' parameters: a module that was compiled for others stays where the program was
#: updated and nothing compiles any more.
_REVISION: Final = 4

try:
    from ._segments import REVISION, cut, forward, pull

    if REVISION != _REVISION:
        raise ImportError(f"revision {REVISION}, not {_REVISION}")
except ImportError:
    from .cutting import cut, pull
    from .merging import forward

#: Whether it is the compiled one.
COMPILED: Final = cut.__module__.endswith("._segments")

#: What runs, as a line of the log has it behind "IP packets pass".
DESCRIPTION: Final = (
    "in large segments, by compiled code"
    if COMPILED
    else "one by one, in Python; where there are gcc and python3-dev, a new installation is faster"
)

__all__ = ["COMPILED", "DESCRIPTION", "cut", "forward", "pull"]
