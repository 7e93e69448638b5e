"""Who a certificate is for: its names, checked before anything is signed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, cast

from Crypto.Util.asn1 import DerObject
from cryptography import x509
from cryptography.x509.oid import NameOID

from ..addresses import IPAddress
from ..errors import InvalidInput, Refused, option
from ..names import COMMON_NAME_MAX, Hosts, check_host_name, check_user_name, parse_hosts, quoted
from .certificates import Certificate

# Microsoft's szOID_NT_PRINCIPAL_NAME: an otherName with a UTF8String
UPN: Final = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
UPN_MAX: Final = 255
#: RFC 6761 6.4: no name ends in it, so to permit it alone is to permit none
NOBODY: Final = "invalid"

_UTF8_STRING: Final = 0x0C
# what OpenSSL takes for a host name in a common name, and holds against the name constraints
# where there is no dNSName (crypto/x509/v3_ncons.c, cn2dnsid)
_HOST_LIKE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class Subject:
    """The names in a certificate.

    :param dns: host names (A-labels, lower case), also wildcards.
    :param upns: user principal names, as Windows calls alice@example.com.
    """

    common_name: str
    dns: tuple[str, ...] = ()
    addresses: tuple[IPAddress, ...] = ()
    upns: tuple[str, ...] = ()

    @classmethod
    def of_hosts(cls, hosts: Hosts, wildcards: Iterable[str] = ()) -> "Subject":
        """Return the names of a server; IPv4 addresses also as text where there is no name.

        Whether Windows compares an address with iPAddress or with dNSName depends on its version.
        IPv6 addresses are not repeated: their text is no dNSName, and strict verifiers refuse the
        certificate for it.
        """
        return cls(hosts.first, (*dns_names(hosts), *wildcards), hosts.addresses)

    @classmethod
    def parse(cls, hosts: Sequence[str], addresses: Iterable[str]) -> "Subject":
        """Return the names of a server, as people typed them; a wildcard needs another beside it.

        :raises InvalidInput: if one of them cannot be used.
        """
        wildcards = [one for one in hosts if "*" in one]
        plain = [one for one in hosts if "*" not in one]
        if wildcards and not plain:
            raise InvalidInput(
                "there are only wildcards, and nobody can connect to one",
                "give the name that people connect to as well",
            )
        checked = dict.fromkeys(map(check_wildcard, wildcards))
        return cls.of_hosts(parse_hosts(plain, addresses), checked)

    @classmethod
    def of_user(cls, name: str, upn: str) -> "Subject":
        """Return the names of the user ``name``.

        :raises InvalidInput: if one of them cannot be used.
        """
        name, upn = check_user_name(name), check_upn(upn)
        # "john.smith" would count as a host name that the authority cannot issue for
        common_name = upn if _HOST_LIKE.fullmatch(name) else name
        if len(common_name) > COMMON_NAME_MAX:
            raise InvalidInput(
                f"the common name {quoted(common_name)} has more than {COMMON_NAME_MAX} characters",
                "give a shorter ",
                option("--upn"),
                ", or a name without a dot",
            )
        return cls(common_name, upns=(upn,))

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate) -> "Subject":
        """Return the names of a certificate that was issued here.

        :raises SstpcaError: if it has names of another kind.
        """
        one = Certificate.of(certificate)
        addresses = [name.value for name in one.names if isinstance(name, x509.IPAddress)]
        found = cls(
            one.common_name,
            tuple(name.value for name in one.names if isinstance(name, x509.DNSName)),
            tuple(cast("list[IPAddress]", addresses)),
            tuple(upn for upn in map(upn_of, one.names) if upn is not None),
        )
        known = len(one.subject) == len(one.common_names) == 1
        if not known or tuple(found.alternative_name()) != one.names:
            raise Refused(
                f"the certificate '{one.subject.rfc4514_string()}' has names of a kind that is not "
                "issued here",
                "issue a new one under another name",
            )
        return found

    def name(self) -> x509.Name:
        """Return the subject itself: the common name alone."""
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)])

    def alternative_name(self) -> x509.SubjectAlternativeName:
        """Return the extension."""
        return x509.SubjectAlternativeName(
            [
                *(x509.DNSName(name) for name in self.dns),
                *(x509.IPAddress(address) for address in self.addresses),
                *(x509.OtherName(UPN, _utf8_string(upn)) for upn in self.upns),
            ]
        )


def dns_names(hosts: Hosts) -> tuple[str, ...]:
    """Return the dNSNames of ``hosts``; see :meth:`Subject.of_hosts`."""
    if hosts.names:
        return hosts.names
    return tuple(str(address) for address in hosts.addresses if isinstance(address, IPv4Address))


def check_wildcard(text: str) -> str:
    """Return the wildcard ``text`` as certificates have it: one whole first label, ``*.name``.

    :raises InvalidInput: if it is none, or would be for a whole top-level domain.
    """
    star, _, rest = text.partition(".")
    if star != "*" or "*" in rest:
        raise InvalidInput(
            f"{quoted(text)} is no wildcard that Windows takes",
            "the star stands for the whole first part of a name: *.example.com",
        )
    name = check_host_name(rest)
    if "." not in name:
        raise InvalidInput(f"{quoted(text)} is for a whole top-level domain")
    return f"*.{name}"


def check_upn(text: str) -> str:
    """Return the user principal name ``text``.

    :raises InvalidInput: if it does not look like alice@example.com.
    """
    user, at, realm = text.partition("@")
    shape = bool(user and at and realm) and "@" not in realm and text.isprintable()
    if not shape or len(text) > UPN_MAX or text != text.strip():
        raise InvalidInput(
            f"{quoted(text)} cannot be a user principal name", "for example: alice@example.com"
        )
    return text


def upn_of(name: x509.GeneralName) -> str | None:
    """Return the user principal name in ``name``; None if it is another kind, or damaged."""
    if not isinstance(name, x509.OtherName) or name.type_id != UPN:
        return None
    try:
        return DerObject(_UTF8_STRING).decode(name.value, strict=True).payload.decode()
    except ValueError:
        return None


def _utf8_string(text: str) -> bytes:
    return DerObject(_UTF8_STRING, text.encode()).encode()
