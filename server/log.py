"""Log lines: for people, or one JSON object a line for machines. Never a secret, never a raw byte."""

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Literal

LOGGER = logging.getLogger("sstpca")

_FIELDS = ("session", "user", "peer", "hint")


class _Room:
    """The lines of one kind that fit into one beat."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines = 0

    def take(self) -> bool:
        """Count a line; return whether there is room for it."""
        self._lines += 1
        return self._lines <= self._most

    def clear(self) -> int:
        """Begin anew; return for how many there was no room."""
        left, self._lines = max(0, self._lines - self._most), 0
        return left


class LogLimit:
    """Counts the lines about strangers of one worker and one beat: who knocks must not fill the disk.

    Warnings get through when there is no room for the rest any more; and guesses at passwords, which
    whoever reads the log to ban somebody counts, when there is none for other warnings. A guess takes
    a handshake and more: a worker has no time for as many as there is room for.
    """

    def __init__(self) -> None:
        self._lines, self._warnings, self._guesses = _Room(50), _Room(50), _Room(200)

    def allow(self, level: int, *, guess: bool = False) -> bool:
        """Whether there is room for a line of that level, which is counted; for errors there is."""
        if level >= logging.ERROR:
            return True
        if guess:
            return self._guesses.take()
        return (self._warnings if level > logging.INFO else self._lines).take()

    def sum_up(self) -> None:
        """Say how much was passed over in silence, and begin anew."""
        lines, warnings = self._lines.clear(), self._warnings.clear() + self._guesses.clear()
        if lines or warnings:
            what = "%d more lines about strangers, %d of them warnings, were left out"
            LOGGER.warning(what, lines + warnings, warnings)


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """The log of one connection; the fields are filled in as they become known.

    :param limit: decide whether there is a line about it, until it is trusted; None: there is.
    """

    def __init__(self, peer: str, limit: LogLimit | None = None) -> None:
        super().__init__(LOGGER, {"peer": peer})
        self._fields: dict[str, object] = {"peer": peer}
        self._limit = limit

    def trust(self) -> None:
        """It is no stranger's any more."""
        self._limit = None

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a line, if there is room for it (logging.LoggerAdapter's way).

        :param guess: whether it is about a guess at a password.
        """
        guess = kwargs.pop("guess", False)
        if self._limit is None or self._limit.allow(level, guess=guess):
            super().log(level, msg, *args, **kwargs)

    def know(self, **fields: object) -> None:
        """Add ``session``, ``user`` or ``claimed`` to every line from now on.

        ``claimed`` is the name of a user who has not proven it. For people it stays in the sentences:
        the words of anybody are not to stand before the peer's address.
        """
        self._fields |= fields

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Attach the fields (logging.LoggerAdapter's way)."""
        kwargs["extra"] = dict(self._fields)
        return msg, kwargs


def _printable(text: str) -> str:
    """Show what came from the network without its control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class TextFormatter(logging.Formatter):
    """``2026-01-31 12:00:00 session 7 alice 203.0.113.9:50123: up, address 10.99.0.10``"""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields = record.__dict__
        who = [f"session {fields['session']}"] if "session" in fields else []
        who += [str(fields[name]) for name in ("user", "peer") if name in fields]
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{' '.join(who)}: {record.getMessage()}" if who else record.getMessage()
        return f"{stamp} {level}{_printable(line)}{self._trace(record)}"

    def _trace(self, record: logging.LogRecord) -> str:
        return "\n" + self.formatException(record.exc_info) if record.exc_info else ""


class JsonFormatter(logging.Formatter):
    """``{"time": 1769860800.0, "level": "info", "message": "up", "session": 7, ...}``"""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "worker": record.process,
            "message": record.getMessage(),
        }
        if "claimed" in record.__dict__:
            line["user"] = record.__dict__["claimed"]
        line |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(form: Literal["text", "json"]) -> None:
    """Write the log to standard error in that form."""
    # what no line has: from where in the source, and from which thread ("Optimization" in Python's
    # Logging HOWTO)
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
