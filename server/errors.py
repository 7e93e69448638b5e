"""What the server raises on purpose."""


class ServerError(Exception):
    """The server cannot run here: a fact about the machine, for the operator.

    :param message: what is wrong, in one line.
    :param hint: what to do about it, in one line.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def quotation(text: object) -> str:
    """Return what a library or the kernel says, as it is, for a sentence of ours: one short line."""
    words = " ".join(str(text).split())
    return "'" + "".join(sign if sign.isprintable() else "?" for sign in words[:120]) + "'"
