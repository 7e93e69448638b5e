"""What the test client raises: what the server did instead of what was waited for."""


class ClientError(Exception):
    """Base of all that this client raises on purpose."""


class TimedOut(ClientError):
    """The server did not do what was waited for."""


class HttpRefused(ClientError):
    """The server answered the HTTP request with another status than 200.

    :param status: that status; 0 if the answer was no HTTP.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class CallRefused(ClientError):
    """The server answered with Call-Connect-NAK."""


class LoginRefused(ClientError):
    """The server sent a CHAP Failure.

    :param code: the number after ``E=``, as Windows shows it; 691 is a wrong name or password.
    :param retry: whether ``R=1`` invites another try.
    :param challenge: what that is to answer, 16 bytes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        words = dict(word.partition("=")[::2] for word in text.split())
        self.code = int(words["E"])
        self.retry = words["R"] == "1"
        self.challenge = bytes.fromhex(words.get("C", ""))


class WeaklyRefused(ClientError):
    """The server refused in PAP, or in CHAP with MD5; the message is all that it said."""


class WrongProof(ClientError):
    """The server's ``S=`` is wrong: it does not know the password."""


class Ended(ClientError):
    """The server ends the session, in one of the ways below."""


class Terminated(Ended):
    """An LCP Terminate-Request came (and was acknowledged)."""


class Disconnected(Ended):
    """A Call-Disconnect came (and was acknowledged)."""


class Aborted(Ended):
    """A Call-Abort came.

    :param attribute: what it complains about; 2 Status Info, 3 Crypto Binding.
    :param status: [MS-SSTP] 2.2.8; 4 value not supported, 5 wrong state, 8 time-out.
    """

    def __init__(self, attribute: int, status: int) -> None:
        super().__init__(f"attribute {attribute}, status {status}")
        self.attribute = attribute
        self.status = status


class Closed(Ended):
    """The connection is closed."""
