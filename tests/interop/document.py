"""Puts what the tests of interoperability have seen into docs/interop.md.

::

    python -m tests.interop.document

It takes what the last runs of ``tests/e2e`` and ``tests/interop`` left (:mod:`tests.support.matrix`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.matrix import results

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "interop.md"

#: What a client is, by its name in the tests: real, or scripted from sources, logs and manuals.
CLIENTS: Final = {
    "sstpc 1.0.18, pppd 2.4.9": "real, Debian 12",
    "NetworkManager, its SSTP plug-in": "real, Debian 12",
    "Windows 10": "scripted: the trace in VyOS' documentation, [MS-SSTP], [MS-DHCPE]",
    "Windows 11": "scripted: the same with TLS 1.3",
    "RouterOS, by client.rsc": "scripted: MikroTik's manual, logs in issues",
    "RouterOS, its own ciphers": "scripted: the same with ECDHE-RSA-AES256-SHA",
    "Open SSTP Client": "scripted: its sources, 1.10.2",
    "pppd as of sstpc": "scripted: its source, pppd's",
    "mac-os-sstp-client": "scripted: its sources",
    "SSTP-Client-iOS": "scripted: its sources",
    "sstp_client (Dart)": "scripted: its sources",
    "sstp-proxy (Go)": "scripted: its sources",
    "TqkLibrary (C#)": "scripted: its sources",
}
#: What is tried.
TRIED: Final = (
    "password",
    "wrong password",
    "password change",
    "EAP-MSCHAPv2",
    "EAP-TLS",
    "PAP",
    "CHAP-MD5",
    "DHCPINFORM",
    "IPv6",
    "IPv6, profile without",
    "ended by the server",
)
#: What a server of somebody else's is, by its name in the tests.
SERVERS: Final = {
    "sstp-server (Python), pppd": "real, 0.6.0 of PyPI; Debian 12's pppd 2.4.9",
    "accel-ppp": "real, built of commit 89637ee (1.14.0)",
    "SoftEther VPN": "real, built of 4.44, build 9807",
    "RRAS": "scripted: [MS-SSTP], [MS-CHAP], Windows' documentation",
    "RouterOS": "scripted: MikroTik's manual",
}
#: What is tried with them.
TRIED_WITH: Final = (
    "password",
    "1400 bytes",
    "IPv6",
    "comes back",
    "pin",
    "wrong password",
    "doctor",
)
_UNTRIED: Final = "–"  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the document.

    :param name: of the mark that it stands behind.
    :param rows: who, and how they are had.
    """

    name: str
    rows: Mapping[str, str]
    tried: tuple[str, ...]

    def made(self, seen: Mapping[str, Mapping[str, str]]) -> str:
        """Return the table in Markdown; a dash is what was not tried, or what the row cannot.

        :param seen: outcomes by row and by what was tried.
        """
        head = (self.name.removesuffix("s"), "how", *self.tried)
        lines = [head, tuple("---" for _ in head)]
        for row, how in self.rows.items():
            outcomes = seen.get(row, {})
            lines.append((row, how, *(outcomes.get(what, _UNTRIED) for what in self.tried)))
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def known(self, text: str) -> dict[str, dict[str, str]]:
        """Return what the table in a document says already: not every machine can run all of it."""
        found: dict[str, dict[str, str]] = {}
        place = self._place.search(text)
        for line in place[0].splitlines() if place else ():
            who, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
            if who in self.rows and len(cells) == 1 + len(self.tried):
                told = zip(self.tried, cells[1:], strict=True)
                found[who] = {what: cell for what, cell in told if cell != _UNTRIED}
        return found

    def put(self, text: str, made: str) -> str:
        """Return a document with the table in its place.

        :raises ValueError: if it has no place for one.
        """
        if not self._place.search(text):
            raise ValueError("there is no place for the table")
        return self._place.sub(lambda _: f"<!-- {self.name} -->\n{made}<!-- end -->", text)

    @property
    def _place(self) -> re.Pattern[str]:
        return re.compile(rf"<!-- {self.name} -->\n.*?<!-- end -->", re.DOTALL)


TABLES: Final = (Table("clients", CLIENTS, TRIED), Table("servers", SERVERS, TRIED_WITH))


def renewed(text: str, seen: Mapping[str, Mapping[str, str]]) -> str:
    """Return a document with what was seen; what was not tried this time stays."""
    for table in TABLES:
        known = table.known(text)
        both = {row: known.get(row, {}) | dict(seen.get(row, {})) for row in table.rows}
        text = table.put(text, table.made(both))
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(), results()))
