"""What other people's clients say first: their TLS, as far as the standard library can say the same,
and their HTTP request, by their sources.

Requests have the lines in each client's own order. sstpc and its children print the parts of a GUID
without their width, so that it is malformed. That of RouterOS is not published.
"""

import ssl
import warnings
from dataclasses import dataclass

NAME = "vpn.example.com"
ELSEWHERE = "www.example.org"

_FIRST = "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1"
_LENGTH = "Content-Length: 18446744073709551615"
_GUID = "SSTPCORRELATIONID: {5B5C8A52-6E07-4B5E-9E5C-3A2C4DDFB8A1}"
_ODD_GUID = "SSTPCORRELATIONID: {62DFA5C0-E2E0-FD50-D286B00}"
_HOST = f"Host: {NAME}"

# docs: "TLS Cipher Suites in Windows 10 v1903", "... Windows 7"; RouterOS manual, SSTP
_WINDOWS_10 = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA384"
    ":ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:AES256-GCM-SHA384:AES256-SHA"
)
_WINDOWS_7 = (
    "AES128-SHA256:AES128-SHA:AES256-SHA256:AES256-SHA:ECDHE-RSA-AES128-SHA256"
    ":ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA"
)
_ROUTEROS = "ECDHE-RSA-AES256-SHA:DHE-RSA-AES256-SHA"
_ROUTEROS_TOLD = f"{_ROUTEROS}:ECDHE-RSA-AES256-GCM-SHA384"

_TLS_1_1, _TLS_1_2, _TLS_1_3 = (
    ssl.TLSVersion.TLSv1_1,
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What one client says before SSTP.

    :param lines: of its HTTP request.
    :param newest: the TLS version that it knows best.
    :param suites: of TLS 1.2, as OpenSSL calls them; empty: those of its library.
    :param sni: the name that it asks for; empty: none.
    :param alpn: protocols that it offers.
    :param verifies: whether it looks at the certificate at all.
    :param behind: what it writes together with the request.
    """

    lines: tuple[str, ...]
    newest: ssl.TLSVersion = _TLS_1_3
    suites: str = ""
    sni: str = NAME
    alpn: tuple[str, ...] = ()
    verifies: bool = True
    behind: bytes = b""

    @property
    def request(self) -> bytes:
        """What it writes once TLS is there."""
        return "".join(f"{line}\r\n" for line in (*self.lines, "")).encode() + self.behind

    def context(self, authority: str) -> ssl.SSLContext:
        """Return its TLS; ``authority`` is the file with the certificate that it believes."""
        context = ssl.create_default_context(cafile=authority)
        if not self.sni or not self.verifies or self.sni != NAME:
            # of the name or of the chain; it may look at either by itself
            context.check_hostname = False
        if not self.verifies:
            context.verify_mode = ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1
            context.minimum_version = min(self.newest, _TLS_1_2)
            context.maximum_version = self.newest
        if self.newest is _TLS_1_1:
            context.set_ciphers("ALL:@SECLEVEL=0")
        elif self.suites:
            context.set_ciphers(self.suites)
        if self.alpn:
            context.set_alpn_protocols(list(self.alpn))
        return context


_USUAL = (_FIRST, _HOST, _LENGTH, _GUID)
_WINDOWS = (_FIRST, _GUID, _LENGTH, _HOST)
_SSTPC = (_FIRST, _HOST, _ODD_GUID, _LENGTH)
# of edgetunnel: Connect-Request and LCP's first request, with a bit set that is reserved
_AT_ONCE = bytes.fromhex("1001800e 0001 0001 0001 0006 0001") + bytes.fromhex(
    "1000800c ff03c021 01010008 010405dc"
)

CLIENTS = {
    "Windows 11": Greeting(_WINDOWS),
    "Windows 10": Greeting(_WINDOWS, _TLS_1_2, _WINDOWS_10),
    "Windows 10, to a tenant": Greeting(
        (_FIRST.replace("/ HTTP", "/?tenantid=contoso HTTP"), *_WINDOWS[1:]), _TLS_1_2, _WINDOWS_10
    ),
    "Windows 7": Greeting(_WINDOWS, _TLS_1_2, _WINDOWS_7),
    "Windows, to an address": Greeting((*_WINDOWS[:3], "Host: 203.0.113.5"), sni=""),
    "RouterOS, as it is": Greeting(_USUAL, _TLS_1_2, _ROUTEROS, sni=""),
    "RouterOS, by client.rsc": Greeting(_USUAL, _TLS_1_2, _ROUTEROS_TOLD, sni=""),
    "RouterOS 7.15, add-sni": Greeting(_USUAL, _TLS_1_2, _ROUTEROS, sni=NAME),
    "Open SSTP Client": Greeting((_FIRST, _LENGTH, _HOST, _GUID)),
    "Open SSTP Client, custom SNI": Greeting(
        (_FIRST, _LENGTH, _HOST, _GUID.lower()), sni=ELSEWHERE
    ),
    "sstp_client (Dart)": Greeting(_USUAL, verifies=False),
    "mac-os-sstp-client": Greeting((_FIRST, f"{_HOST}:8443", _LENGTH, _GUID.lower())),
    "SSTP-Client-iOS": Greeting(_SSTPC, _TLS_1_2),
    "sstp-proxy (Go), as Chrome": Greeting(_USUAL, alpn=("h2", "http/1.1")),
    "sstp-proxy (Go), foreign SNI": Greeting(_USUAL, alpn=("h2",), sni=ELSEWHERE),
    "sstp-proxy (Go), no SNI": Greeting(_USUAL, alpn=("h2", "http/1.1"), sni=""),
    "TqkLibrary (C#)": Greeting((_FIRST, f"{_HOST}:8443", _LENGTH, _GUID)),
    "sstp-smartcard-macos": Greeting(_USUAL, _TLS_1_2),
    "edgetunnel": Greeting(
        (_FIRST, "Host: [2001:db8::1]:8443", _LENGTH, _GUID.lower()), behind=_AT_ONCE
    ),
    "sstpc 1.0.9 and 1.0.12 (Keenetic)": Greeting(_SSTPC, _TLS_1_2, sni=""),
    "sstpc 1.0.18": Greeting(
        (_FIRST, _HOST, _LENGTH, _ODD_GUID.translate({123: "", 125: ""})), sni=""
    ),
    "sctg sstp-client 1.1.0": Greeting(_SSTPC),
    "SSToPer, on a newer GnuTLS": Greeting(
        (*_SSTPC, "Cookie: ClientHTTPCookie=True; ClientBypassHLAuth: True"), sni=""
    ),
    "on an ESP32": Greeting(_WINDOWS, _TLS_1_2, "ECDHE-RSA-AES128-GCM-SHA256", verifies=False),
}
#: who knows no TLS 1.2
TOO_OLD = {
    "SSToPer": Greeting(_SSTPC, _TLS_1_1, sni=""),
    "sstp-rust": Greeting(_USUAL, _TLS_1_1, verifies=False),
}
