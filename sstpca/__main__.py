"""The ``sstpca`` command, and ``python -m sstpca``."""

import signal


def run() -> None:
    """Run the command line."""
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
