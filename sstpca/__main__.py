"""The ``sstpca`` command, and ``python -m sstpca``."""

import atexit
import gc
import signal
from typing import Final

#: New objects after which Python looks for garbage: more than loading a command makes.
_GARBAGE_AFTER: Final = 200_000


def run() -> None:
    """Run the command line."""
    # What is loaded stays to the end: to look through it for garbage, while it loads and once more at
    # the end, is an eighth of what a short command takes.
    gc.set_threshold(_GARBAGE_AFTER)
    atexit.register(gc.freeze)
    # While the modules load there is nothing to undo: Ctrl-C may simply end the process, as it
    # ends other programs. What somebody had ignored (nohup) stays ignored.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main

    signal.signal(signal.SIGINT, handler)
    main()


if __name__ == "__main__":
    run()
