"""Log lines: for people, or one JSON object a line for machines. Never a secret, never a raw byte."""

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Literal

LOGGER = logging.getLogger("sstpca")

_FIELDS = ("session", "user", "peer")


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """The log of one connection; the fields are filled in as they become known."""

    def __init__(self, peer: str) -> None:
        super().__init__(LOGGER, {"peer": peer})
        self._fields: dict[str, object] = {"peer": peer}

    def know(self, **fields: object) -> None:
        """Add ``session`` or ``user`` to every line from now on."""
        self._fields |= fields

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Attach the fields (logging.LoggerAdapter's way)."""
        kwargs["extra"] = dict(self._fields)
        return msg, kwargs


def _printable(text: str) -> str:
    """Show what came from the network without its control characters."""
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
        line |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def set_up(form: Literal["text", "json"]) -> None:
    """Write the log to standard error in that form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
