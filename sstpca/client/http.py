"""The HTTP that a client opens an SSTP connection with: [MS-SSTP] 3.2.4.1 and 4.1."""

import uuid
from dataclasses import dataclass, field
from typing import Final

from sstpca.server.sstp.preamble import METHOD, PATH

#: Where the head of an answer ends, and bytes that it may have.
END: Final = b"\r\n\r\n"
HEAD_MAX: Final = 16 * 1024

#: The length of an SSTP connection, as both ends say it.
ENDLESS: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an HTTP answer.

    :param status: of three digits; 0 where it is no HTTP.
    :param line: the first line, as it came.
    :param headers: by name in lower case.
    """

    status: int
    line: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_sstp(self) -> bool:
        """Whether SSTP begins behind it."""
        return self.status == 200 and self.line.startswith("HTTP/1.1 ")


def request(host: str, port: int) -> bytes:
    """Return the request for an SSTP connection.

    :param host: the name or address that is dialled.
    """
    shown = f"[{host}]" if ":" in host else host
    lines = (
        f"{METHOD} {PATH} HTTP/1.1",
        f"SSTPCORRELATIONID: {{{str(uuid.uuid4()).upper()}}}",
        f"Content-Length: {ENDLESS}",
        f"Host: {shown if port == 443 else f'{shown}:{port}'}",
    )
    return "\r\n".join(lines).encode("ascii") + END


def read_answer(head: bytes) -> Answer:
    """Return what a server has answered.

    :param head: up to the empty line, without it.
    """
    first, *others = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    digits = rest[:3]
    status = int(digits) if version.startswith("HTTP/") and digits.isdecimal() else 0
    pairs = (line.partition(":") for line in others)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(status, first[:200], headers)
