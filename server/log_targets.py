"""Where the log goes beside standard error: systemd's journal, and syslog.

Both take one datagram a line. Nobody waits long for them: what they do not take in time is counted,
and said when they do. What a stranger has said can end neither a line nor a field.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from .errors import ServerError
from .log import LOGGER, TextFormatter, line_of, printable_line, severity_of, trace_of

#: systemd's native protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
JOURNAL: Final = "/run/systemd/journal/socket"
SYSLOG: Final = "/dev/log"
SYSLOG_PORT: Final = 514  # RFC 5426 3.3

_IDENTIFIER: Final = "sstpca"
_DAEMON: Final = 3  # RFC 5424 6.2.1: system daemons

# bytes of what a line may have, of a field, and of a datagram: through the network, every receiver
# of RFC 5424 should take 2048 (6.1)
_LINE: Final = 32 * 1024
_FIELD: Final = 1024
_LOCAL: Final = 8192
_REMOTE: Final = 2048

# the fields of a record, as the journal and syslog have them
_NAMES: Final = {"session": "SESSION", "user": "USER", "claimed": "CLAIMED", "peer": "PEER"}

#: Seconds that one line is waited for, and for how long none is then.
_PATIENCE: Final = 0.05
_IMPATIENT: Final = 5.0


class Datagrams(logging.Handler):
    """Sends each record as one datagram; where that cannot be, it goes to standard error.

    :param address: a path, or host and port.
    :param form: makes a datagram of a record.
    :raises OSError: if nobody takes datagrams there.
    """

    def __init__(
        self, address: str | tuple[str, int], form: Callable[[logging.LogRecord], bytes]
    ) -> None:
        super().__init__()
        self._address = _resolved(address)
        self._form = form
        self._text = TextFormatter()
        self._lost = 0
        self._impatient_until = 0.0
        self._socket = _connected(*self._address)

    def emit(self, record: logging.LogRecord) -> None:
        """Send it."""
        try:
            self._send(self._form(record))
        except BlockingIOError:
            self._lost += 1
        except OSError:
            sys.stderr.write(f"{self._text.format(record)}\n")
        except Exception:
            self.handleError(record)
        else:
            self._own_up()

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Send nothing any more."""
        self._socket.close()
        super().close()

    def _own_up(self) -> None:
        """Say what was not taken."""
        lost, self._lost = self._lost, 0
        if lost:
            LOGGER.warning("%d lines were lost: the log did not take them in time", lost)

    def _send(self, datagram: bytes) -> None:
        """Send it.

        :raises BlockingIOError: if there is no room for it.
        :raises OSError: if there is nobody.
        """
        now = time.monotonic()
        try:
            self._socket.settimeout(_PATIENCE if now >= self._impatient_until else 0.0)
            self._socket.send(datagram)
        except (BlockingIOError, TimeoutError):
            self._impatient_until = now + _IMPATIENT
            raise BlockingIOError from None
        except OSError:
            # whoever reads it was started anew, and has another socket
            self._socket.close()
            self._socket = _connected(*self._address)
            self._socket.send(datagram)


def _resolved(address: str | tuple[str, int]) -> tuple[int, Any]:
    """Return family and address of a socket; a name is looked for once, and not while others wait."""
    if isinstance(address, str):
        return socket.AF_UNIX, address
    family, *_, found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    return family, found


def _connected(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.settimeout(_PATIENCE)
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def journal(home: str, address: str = JOURNAL) -> logging.Handler:
    """Return what writes to systemd's journal.

    :param home: which VPN the lines are about, the field SSTPCA_HOME.
    :raises OSError: if there is no journal.
    """
    return Datagrams(address, lambda record: b"".join(_entry(record, home)))


def _entry(record: logging.LogRecord, home: str) -> Iterator[bytes]:
    yield _field("MESSAGE", line_of(record) + trace_of(record), _LINE)
    yield _field("PRIORITY", str(severity_of(record)))
    yield _field("SYSLOG_IDENTIFIER", _IDENTIFIER)
    yield _field("SYSLOG_FACILITY", str(_DAEMON))
    yield _field("SSTPCA_HOME", home)
    for name, text in _known(record).items():
        yield _field(f"SSTPCA_{name}", text)


def _known(record: logging.LogRecord) -> dict[str, str]:
    """Return what is known of the session; a stranger's words on one line."""
    return {
        field: printable_line(str(record.__dict__[name]))
        for name, field in _NAMES.items()
        if name in record.__dict__
    }


def _field(name: str, text: str, most: int = _FIELD) -> bytes:
    """Return a field of the journal's protocol: with its length, if a line would not hold it."""
    value = _cut(text, most)
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def syslog(address: str | tuple[str, int] = SYSLOG) -> logging.Handler:
    """Return what writes to syslog (RFC 5424), by UDP (RFC 5426) or to a socket of this machine.

    :raises OSError: if there is none.
    """
    most = _LOCAL if isinstance(address, str) else _REMOTE
    host = socket.gethostname()
    # RFC 5424 6.2.4: PRINTUSASCII, 255 at most
    known = host if host.isascii() and host.isprintable() and 0 < len(host) < 256 else "-"
    return Datagrams(address, lambda record: _cut(_message(record, known), most))


def _cut(text: str, most: int) -> bytes:
    """Return ``text`` in UTF-8, at most so many bytes, and none of a letter that is cut."""
    return text.encode(errors="backslashreplace")[:most].decode(errors="ignore").encode()


def _message(record: logging.LogRecord, host: str) -> str:
    priority = 8 * _DAEMON + severity_of(record)
    when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
    head = f"<{priority}>1 {when} {host} {_IDENTIFIER} {record.process or '-'} -"
    text = printable_line(line_of(record) + trace_of(record))
    return f"{head} {_structured(_known(record))} {text}"


def _structured(fields: Mapping[str, str]) -> str:
    """Return fields as RFC 5424 6.3 has them, under the enterprise number for examples (RFC 5612)."""
    if not fields:
        return "-"
    known = (f'{name.lower()}="{_quoted(text[:_FIELD])}"' for name, text in fields.items())
    return f"[sstpca@32473 {' '.join(known)}]"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def syslog_address(text: str) -> str | tuple[str, int]:
    """Return where ``text`` says that syslog is: a path, or host and port.

    :raises ServerError: if it says neither.
    """
    if text.startswith("/"):
        return text
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, str(SYSLOG_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ServerError(
            f"'{printable_line(text)[:80]}' is no address of syslog",
            "give a path such as /dev/log, or a host, or host:port",
        )
    return host, int(port)


def is_journals(descriptor: int = 2) -> bool:
    """Whether systemd's journal reads what is written to ``descriptor`` (systemd.exec(5))."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"
