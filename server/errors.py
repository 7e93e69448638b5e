"""What the server raises on purpose."""


class ServerError(Exception):
    """The server cannot run here: a fact about the machine, for the operator.

    :param message: what is wrong, in one line.
    :param hint: what to do about it, in one line.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
