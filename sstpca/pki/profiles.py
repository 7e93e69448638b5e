"""Certificate profiles: what an authority's and a server's certificate contain, written once.

Leaves have neither a CRL distribution point nor an AIA: the Windows SSTP client checks revocation
and fails hard when what is written there cannot be reached (0x80092013).
"""

import secrets
from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..names import COMMON_NAME_MAX, Hosts
from .keys import PrivateKey, PublicKey

AUTHORITY_DAYS: Final = 3653
# Apple refuses more than 398 days of a TLS certificate, whoever issued it
SERVER_DAYS: Final = 397
# clients' clocks are behind, some by a time zone
CLOCK_SKEW: Final = timedelta(days=1)

_SECOND: Final = timedelta(seconds=1)
_EVERYTHING: Final = {4: "0.0.0.0/0", 6: "::/0"}
# RFC 6761 6.4: no name ends in it, so to permit it alone is to permit none
_NO_NAME: Final = x509.DNSName("invalid")


def make_authority_certificate(key: PrivateKey, hosts: Hosts, now: datetime) -> x509.Certificate:
    """Return a self-signed certificate of an authority that can only issue for ``hosts``.

    :param now: an aware time; the certificate begins a day before it.
    """
    begin = _begin(now)
    name = _common_name(_authority_name(hosts.first))
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=AUTHORITY_DAYS) - _SECOND)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(name_constraints(hosts), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def make_server_certificate(
    key: PublicKey, hosts: Hosts, issuer: x509.Certificate, issuer_key: PrivateKey, now: datetime
) -> x509.Certificate:
    """Return a server's certificate for ``hosts``, at most 397 days long and within its issuer's.

    :param now: an aware time; the certificate begins a day before it, or with its issuer.
    """
    begin = max(_begin(now), issuer.not_valid_before_utc)
    end = min(begin + timedelta(days=SERVER_DAYS) - _SECOND, issuer.not_valid_after_utc)
    usage = _key_usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey))
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(hosts.first))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(subject_alternative_name(hosts), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def subject_alternative_name(hosts: Hosts) -> x509.SubjectAlternativeName:
    """Return all names and addresses; IPv4 addresses also as text where there is no name.

    Whether Windows compares an address with iPAddress or with dNSName depends on its version.
    IPv6 addresses are not repeated: their text is no dNSName, and strict verifiers refuse the
    certificate for it.
    """
    return x509.SubjectAlternativeName(
        [
            *(x509.DNSName(name) for name in _dns_names(hosts)),
            *(x509.IPAddress(address) for address in hosts.addresses),
        ]
    )


def name_constraints(hosts: Hosts) -> x509.NameConstraints:
    """Permit exactly ``hosts``, and exclude the kinds of names that are not among them.

    RFC 5280 4.2.1.10: a permitted name includes those below it, which cannot be helped; a kind
    that is not mentioned would be free.
    """
    names = [x509.DNSName(name) for name in _dns_names(hosts)]
    addresses = [x509.IPAddress(ip_network(address)) for address in hosts.addresses]
    served = {address.version for address in hosts.addresses}
    excluded = [
        x509.IPAddress(ip_network(prefix))
        for version, prefix in _EVERYTHING.items()
        if version not in served
    ]
    return x509.NameConstraints([*(names or [_NO_NAME]), *addresses], excluded or None)


def _dns_names(hosts: Hosts) -> tuple[str, ...]:
    if hosts.names:
        return hosts.names
    return tuple(str(address) for address in hosts.addresses if isinstance(address, IPv4Address))


def _begin(now: datetime) -> datetime:
    return now.replace(microsecond=0) - CLOCK_SKEW


def _authority_name(host: str) -> str:
    """Return a name people recognise, and no two authorities share: clients find issuers by it."""
    template = f"VPN CA {{}} {secrets.token_hex(4)}"
    return template.format(host[: COMMON_NAME_MAX - len(template.format(""))])


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
