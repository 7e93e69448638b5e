"""The HTTP request that opens an SSTP connection, and our answer: [MS-SSTP] 3.2.4.1 and 4.1.

Whoever asks for something else gets the short answer of an ordinary web server.
"""

import enum
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

#: The header may have this many bytes, its blank line included. Windows sends about 250.
LIMIT: Final = 8192
#: [MS-SSTP] 3.2.4.1.
METHOD: Final = "SSTP_DUPLEX_POST"
#: [MS-SSTP] 3.2.4.1; clients differ in its case.
PATH: Final = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"

# 2**64-1, [MS-SSTP] 4.1: "without end". A client's own Content-Length has to be a number, and means
# nothing, for the same reason.
_ENDLESS: Final = "18446744073709551615"
_SERVER: Final = "Microsoft-HTTPAPI/2.0"  # [MS-SSTP] 4.1

_REQUEST: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9]\.[0-9])")
# RFC 9112 5.1: nothing between name and colon, and no folded lines.
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
# RFC 3986 3.2.2 and 3.2.3: a name or an IPv4 address, or an IPv6 one in brackets; and a port. What
# has no authority sends an empty one (RFC 9112 3.2).
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(?::[0-9]*)?"
    r"|\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\](?::[0-9]*)?"
)
# An absolute target (RFC 9112 3.2.2): host, which must not be empty (RFC 9110 4.2.1), and port; and
# what follows them.
_ABSOLUTE: Final = re.compile(r"https?://(?:[^/?#@]*@)?([^/?#]*)(.*)", re.IGNORECASE)
# [MS-DTYP] 2.3.4.3, as Windows sends it
_GUID: Final = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")


@enum.unique
class Kind(enum.Enum):
    """What a request is; the value is the HTTP status that :func:`refusal` answers it with."""

    SSTP = "503 Service Unavailable"  # a good one, and we cannot take it now
    #: HEAD or GET on the SSTP path: load balancers probe RRAS so, and expect its 401.
    PROBE = "401 Unauthorized"
    OTHER = "404 Not Found"
    GARBAGE = "400 Bad Request"
    TOO_LARGE = "431 Request Header Fields Too Large"
    VERSION = "505 HTTP Version Not Supported"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    :param headers: by name in lower case; values of a repeated header are joined by ", ".
    :param coalesce: whether the client may be sent several SSTP packets in one TLS record. Only
        one with a well-formed correlation id is: sstpc 1.0.18, which sends a malformed one,
        reads only the first packet of a record.
    :param rest: what came behind the blank line: the beginning of the SSTP stream.
    """

    kind: Kind
    method: str = ""
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    coalesce: bool = False
    rest: bytes = field(default=b"", repr=False)

    @property
    def is_sstp(self) -> bool:
        """Whether this asks for an SSTP connection, and :func:`accept_response` is the answer."""
        return self.kind is Kind.SSTP


class Preamble:
    """Collects the request of one connection. Feed it until it returns something."""

    __slots__ = ("_buffer", "_line", "_lines", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._line = 0  # where the unfinished line begins
        self._searched = 0

    def feed(self, data: bytes) -> Request | None:
        """Take bytes; return the request once it is whole or hopeless, None to get more."""
        self._buffer += data
        while (end := self._buffer.find(b"\n", self._searched, LIMIT)) >= 0:
            line = bytes(self._buffer[self._line : end]).removesuffix(b"\r")
            self._line = self._searched = end + 1
            if line:
                self._lines.append(line.decode("latin-1"))
            elif self._lines:  # blank lines before the request are skipped: RFC 9112 2.2
                return _parse(self._lines, bytes(self._buffer[end + 1 :]))
        self._searched = len(self._buffer)
        return Request(Kind.TOO_LARGE) if len(self._buffer) >= LIMIT else None


def _parse(lines: list[str], rest: bytes) -> Request:
    first = _REQUEST.fullmatch(lines[0])
    headers = _headers(lines[1:])
    if first is None or headers is None:
        return Request(Kind.GARBAGE, rest=rest)
    method, target, version = first.groups()
    kind = _kind(method, target, version)
    one_host = _names_one_host(version, headers.get("host", []), target)
    if kind is not Kind.VERSION and not (one_host and _is_framed(headers)):
        kind = Kind.GARBAGE
    return Request(
        kind=kind,
        method=method,
        target=target,
        headers={name: ", ".join(values) for name, values in headers.items()},
        coalesce=_GUID.fullmatch(", ".join(headers.get("sstpcorrelationid", []))) is not None,
        rest=rest,
    )


def _headers(lines: list[str]) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            return None
        found.setdefault(header[1].lower(), []).append(header[2].strip(" \t"))
    return found


def _names_one_host(version: str, hosts: list[str], target: str) -> bool:
    """Whether a request says for which host it is, as RFC 9112 3.2 wants it."""
    if len(hosts) != 1 and (hosts or version != "1.0"):
        return False
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return all(map(_HOST.fullmatch, hosts))
    host, _, _ = absolute[1].partition(":")
    return host != "" and all(map(_HOST.fullmatch, (*hosts, absolute[1])))


def _is_framed(headers: dict[str, list[str]]) -> bool:
    """Whether it is clear where the content of a request ends.

    RFC 9112 6.3: by one Content-Length at most, which is a number. Nothing that comes in chunks, or in
    another Transfer-Encoding (6.1), is for us.
    """
    lengths = headers.get("content-length", ["0"])
    numbers = len(lengths) == 1 and lengths[0].isascii() and lengths[0].isdigit()
    return numbers and "transfer-encoding" not in headers


def _kind(method: str, target: str, version: str) -> Kind:
    if version not in ("1.0", "1.1"):
        return Kind.VERSION
    # The query (?tenantid=) is for a proxy in front of us: [MS-SSTP] 3.2.4.1
    absolute = _ABSOLUTE.fullmatch(target)
    path, _, _ = (absolute[2] if absolute else target).partition("?")
    if unquote(path).lower() != PATH.lower():
        return Kind.OTHER
    if method == METHOD:
        return Kind.SSTP if version == "1.1" else Kind.VERSION  # [MS-SSTP] 4.1
    return Kind.PROBE if method in ("GET", "HEAD") else Kind.OTHER


def accept_response(date: str) -> bytes:
    """Return the answer after which SSTP begins: [MS-SSTP] 4.1.

    :param date: now, as RFC 9110 5.6.7 wants it ("Thu, 09 Nov 2006 00:51:09 GMT").
    """
    return _response("200 OK", f"Content-Length: {_ENDLESS}", f"Server: {_SERVER}", f"Date: {date}")


def refusal(request: Request | None, date: str) -> bytes:
    """Return the answer to any other request, after which the connection is closed.

    :param request: None if there was none in time. One that asks for SSTP is told to come later.
    :param date: as in :func:`accept_response`.
    """
    status = "408 Request Timeout" if request is None else request.kind.value
    body = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\r\n"
    head = [
        "Content-Type: text/html; charset=us-ascii",
        f"Content-Length: {len(body)}",
        f"Server: {_SERVER}",
        f"Date: {date}",
        "Connection: close",
    ]
    if request is not None and request.kind is Kind.PROBE:
        # A 401 must name a scheme (RFC 9110 15.5.2). This one makes no browser ask for a password.
        head.append("WWW-Authenticate: Bearer")
    if request is not None and request.method == "HEAD":
        body = ""
    return _response(status, *head) + body.encode("ascii")


def _response(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode("ascii")
