"""What Windows' EAP refuses in a server's certificate, where [MS-SSTP] alone would not.

Microsoft's pages: "Certificate requirements when you use EAP-TLS or PEAP with EAP-TLS" (KB 814394)
and "Configure Certificate Templates for PEAP and EAP requirements" (Network Policy Server). That no
wildcard may be in the subject is from Cisco's (ISE, CSCuh22029), who tried.
"""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from .findings import Finding, note
from .readable import Readable

#: the findings of all checks that keep a client with the sign-in eap-tls from connecting
OBJECTIONS: Final = frozenset(
    {
        "eap-subject",
        "eap-wildcard",
        "eap-eku",
        "eku-missing",
        "name-cn-only",
        "address-as-name",
        "address-only",
    }
)


def check_eap(leaf: Readable) -> Iterator[Finding]:
    """Look at subject and purposes as the EAP methods of Windows that check a certificate do."""
    if not any(leaf.subject.rdns):
        yield note(
            "eap-subject",
            f"{leaf.what} has an empty subject: Windows refuses it for the sign-in eap-tls",
            "nothing without eap-tls; else get one with the server's name as common name (CN)",
        )
    elif any("*" in one for one in leaf.common_names):
        yield note(
            "eap-wildcard",
            f"{leaf.what} has a wildcard as CN: Windows refuses it for the sign-in eap-tls",
            "nothing without eap-tls; else get one with the server's name as common name (CN)",
        )
    purposes = leaf.extension(x509.ExtendedKeyUsage)
    anything = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
    if purposes and anything in purposes and ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        yield note(
            "eap-eku",
            f"{leaf.what} does not name serverAuth: Windows refuses it for the sign-in eap-tls",
            "nothing without eap-tls; else get one with the extended key usage serverAuth",
        )
