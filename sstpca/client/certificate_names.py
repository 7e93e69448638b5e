"""Whether a certificate is for a name or an address, as OpenSSL compares them (RFC 9525 6)."""

from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID


def is_for(certificate: x509.Certificate, name: str) -> bool:
    """Whether ``certificate`` is for a host of this name or address.

    A wildcard stands for the whole of the first label; the CN counts where the SAN has no names.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
        addresses = names.get_values_for_type(x509.IPAddress)
    except (x509.ExtensionNotFound, ValueError):
        dns, addresses = [], []
    try:
        return ip_address(name) in addresses
    except ValueError:
        pass
    if not dns:
        dns = [
            str(one.value)
            for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        ]
    asked = _ascii(name)
    return bool(asked) and any(_fits(one.lower().rstrip("."), asked) for one in dns)


def _fits(name: str, asked: str) -> bool:
    first, _, rest = name.partition(".")
    if first != "*":
        return name == asked
    return "." in rest and "*" not in rest and asked.partition(".")[2] == rest


def _ascii(name: str) -> str:
    """Return a host name in lower case, other alphabets spelled as DNS has them (RFC 5891)."""
    try:
        return name.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return ""
