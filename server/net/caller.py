"""Who is at the other end of a connection, as far as that is known, and what is told of it."""

from logging import INFO, WARNING
from typing import Final

from ..contracts import LoginMethod
from ..effects import Note
from ..log import SessionLog
from .shared import Shared
from .sources import Source

#: Characters kept of what a client calls itself.
_CLIENT: Final = 128


class Caller:
    """One client, a stranger at first.

    :param peer: address and port, as the log has them.
    :param source: where it comes from, which pays for what it costs before its login.
    :ivar client: what its program calls itself.
    """

    __slots__ = ("_claimed", "_failed", "_failures", "_tally", "client", "log", "peer", "source")

    def __init__(self, shared: Shared, peer: str, source: Source) -> None:
        self._failures = shared.failures
        self._tally = shared.tally
        self._claimed = ""
        self._failed = False
        self.log = SessionLog(peer, shared.log_limit)
        self.peer = peer
        self.source = source
        self.client = ""

    def identify(self, text: str) -> None:
        """It says what it is."""
        self.client = f"{self.client} {text}".strip()[:_CLIENT]
        self.log.info("the client calls itself '%s'", text)

    def claim(self, user: str) -> None:
        """It says who logs in, which nothing proves yet; fit for a log, and empty if it has not."""
        if user:
            self._claimed = user
            self.log.know(claimed=user)

    def log_in(self, user: str) -> None:
        """It has proven to be ``user``."""
        self._failed = False
        self.log.know(user=user)

    def note(self, note: Note, method: LoginMethod) -> None:
        """Tell what the session would have noted, while the client logs in by ``method``."""
        self.log.log(WARNING if note.warning else INFO, "%s", note.text, guess=note.guess)
        if note.failed:
            self.fail(note.failed)
        if note.cause is not None:
            self._tally.failed(method, note.cause)

    def waste(self, why: str) -> None:
        """Its login was good, and has come to nothing all the same."""
        if not self._failed:
            self.fail(why)

    def fail(self, why: str) -> None:
        """A login has failed: all of them are told here."""
        self._failed = True
        self._failures.add(
            self.source.name,
            user=self._claimed,
            peer=self.peer,
            client=self.client,
            reason=why,
        )
