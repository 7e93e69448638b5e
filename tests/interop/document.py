"""Puts what the tests of interoperability have seen into docs/interop.md.

::

    python -m tests.interop.document

It takes what the last runs of ``tests/e2e`` and ``tests/interop`` left (:mod:`tests.support.matrix`).
"""

import re
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
_PLACE: Final = re.compile(r"<!-- clients -->\n.*?<!-- end -->", re.DOTALL)


def table(seen: dict[str, dict[str, str]]) -> str:
    """Return the table in Markdown; a dash is what was not tried, or what the client cannot.

    :param seen: outcomes by client and by what was tried.
    """
    head = ("client", "how", *TRIED)
    rows = [head, tuple("---" for _ in head)]
    for client, how in CLIENTS.items():
        outcomes = seen.get(client, {})
        rows.append((client, how, *(outcomes.get(what, "–") for what in TRIED)))  # noqa: RUF001
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_table(text: str, made: str) -> str:
    """Return a document with the table in its place.

    :raises ValueError: if it has no place for one.
    """
    found = _PLACE.sub(lambda _: f"<!-- clients -->\n{made}<!-- end -->", text)
    if not _PLACE.search(text):
        raise ValueError("there is no place for the table")
    return found


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), table(results())))
