"""How long an answer may take: by what the line has shown, and by how long a person types."""

from typing import Final

#: Seconds for an answer, at most, until what was asked is repeated: two round trips of a slow line.
MOST: Final = 10.0
#: Seconds for the answer to one question of the login, however often it is asked: a person may take a
#: minute to type a code or a PIN (RFC 3748 4.3), and the line takes its own time.
ANSWER_LIMIT: Final = 90.0


class Patience:
    """What one link knows of its line.

    RFC 1661 4.6 and RFC 3748 4.3 have timers follow it: whoever repeats before the answer can be there
    makes the client say everything twice, and RFC 1661 has it begin anew for a Configure-Request that
    comes when it is done.
    """

    __slots__ = ("_longest",)

    def __init__(self) -> None:
        self._longest = 0.0

    def took(self, seconds: float) -> None:
        """Note that an answer took so long, from the first time that it was asked for."""
        self._longest = max(self._longest, seconds)

    def wait(self, least: float) -> float:
        """Return how many seconds to wait before something is repeated, ``least`` or more."""
        return max(least, min(2 * self._longest, MOST))


class Question:
    """One question of the login: when it is asked again, and when it has been asked for long enough.

    Each wait is twice the one before (RFC 1661 4.6): a person who types is asked five times, not thirty.

    :param first: seconds until it is asked again.
    :param then: the same from the second time on, at least.
    """

    __slots__ = ("_began", "_end", "_patience", "_then", "_wait")

    def __init__(self, patience: Patience, first: float, then: float) -> None:
        self._patience = patience
        self._wait = patience.wait(first)
        self._then = then
        self._began: float | None = None
        self._end = 0.0

    @property
    def asked(self) -> bool:
        """Whether it was asked at all."""
        return self._began is not None

    def ask(self, now: float) -> float:
        """It is asked, or asked again; return when to look after it."""
        if self._began is None:
            self._began, self._end = now, now + ANSWER_LIMIT
        else:
            self._wait = max(2 * self._wait, self._then)
        return min(now + self._wait, self._end)

    def over(self, now: float) -> bool:
        """Whether there is no point in asking it again."""
        return self._began is not None and now >= self._end

    def answered(self, now: float) -> None:
        """The answer is there."""
        if self._began is not None:
            self._patience.took(now - self._began)
