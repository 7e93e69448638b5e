"""What the toolkit raises on purpose: each is one clear line for the operator."""


class SstpcaError(Exception):
    """A failure the operator can act on.

    The command line prints ``error: <message>`` and, when there is one, the hint, without a
    traceback, and exits with :attr:`exit_code`.

    :param message: what is wrong, in one line.
    :param hint: what to do about it, in one line.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InvalidInput(SstpcaError):
    """A value given by the operator cannot be used as it is."""

    exit_code = 2
