"""Log lines: for people, or one JSON object a line for machines. Never a secret, never a raw byte."""

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Final

LOGGER = logging.getLogger("sstpca")

FIELDS: Final = ("session", "user", "peer", "hint")


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
        self._fields: dict[str, object] = {"peer": peer}
        super().__init__(LOGGER, self._fields)
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


def printable_line(text: str) -> str:
    """Show what came from the network without its control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def line_of(record: logging.LogRecord) -> str:
    """Return a record for people, on one line: ``warning: session 7 alice 203.0.113.9:50123: text``."""
    fields = record.__dict__
    who = [f"session {fields['session']}"] if "session" in fields else []
    who += [str(fields[name]) for name in ("user", "peer") if name in fields]
    level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
    line = f"{' '.join(who)}: {record.getMessage()}" if who else record.getMessage()
    hint = f"; {fields['hint']}" if "hint" in fields else ""
    return f"{level}{printable_line(line + hint)}"


def trace_of(record: logging.LogRecord) -> str:
    """Return the traceback of a record, if it has one: lines that begin as no line of the log does."""
    if not record.exc_info:
        return ""
    lines = logging.Formatter().formatException(record.exc_info).split("\n")
    return "".join(f"\n    {printable_line(one)}" for one in lines)


class TextFormatter(logging.Formatter):
    """``2026-01-31 12:00:00 session 7 alice 203.0.113.9:50123: up, address 10.99.0.10``"""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and a traceback if there is one."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{stamp} {line_of(record)}{trace_of(record)}"


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
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


#: What syslog and the journal call these (RFC 5424 6.2.1).
_SEVERITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4))


def severity_of(record: logging.LogRecord) -> int:
    """Return how grave a record is: 2 critical, 3 error, 4 warning, 6 informational."""
    return next((number for level, number in _SEVERITIES if record.levelno >= level), 6)


class PrefixFormatter(logging.Formatter):
    """Lines for a standard error that systemd reads: ``<4>``, then the line (sd-daemon(3)).

    :param form: makes the lines.
    """

    def __init__(self, form: logging.Formatter) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines, each with its prefix."""
        prefix = f"<{severity_of(record)}>"
        return prefix + self._form.format(record).replace("\n", f"\n{prefix}")


def on_standard_error(form: logging.Formatter, *, to_journal: bool = False) -> logging.Handler:
    """Return what writes to standard error.

    :param to_journal: whether that is systemd's, which takes a priority in front of a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrefixFormatter(form) if to_journal else form)
    return handler


def set_up(handler: logging.Handler) -> None:
    """Have the log written by ``handler``."""
    # what no line has: from where in the source, and from which thread ("Optimization" in Python's
    # Logging HOWTO)
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
