"""Waiting for what has to happen.

How long a test waits is patience and no assertion: a machine with other work to do is no failure,
and who waits for what comes at once loses nothing by much patience. What must not happen for a
while, or must happen in time, is asserted by the test itself, with its own seconds.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 60.0
"""Seconds; longer by far than any timer of the server that a test waits for."""

SOON: Final = 0.5
"""Seconds in which what must not come is looked for."""


def how_long(expected: bool) -> float:
    """Return how long to look for something: what is expected is waited for."""
    return PATIENCE if expected else SOON


def wait_for(condition: Callable[[], object], what: str, *, patience: float = PATIENCE) -> None:
    """Wait until ``condition()`` is true.

    :raises TimeoutError: if it is not after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {patience} s")
        time.sleep(0.05)


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop go on until ``condition()`` is true.

    :raises TimeoutError: if it is not after :data:`PATIENCE`.
    """
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
