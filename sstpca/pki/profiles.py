"""Certificate profiles: what each kind of certificate contains, written once.

                       authority            server                  user
    subject            CN=VPN CA HOST xxxx  CN=first name           CN=user name
    alternative names  none                 DNS names, addresses    UPN
    basic constraints  CA, path length 0    no CA                   no CA
    key usage          keyCertSign,         digitalSignature, for   digitalSignature
                       cRLSign              RSA keyEncipherment
    extended usage     none                 serverAuth              clientAuth
    name constraints   the hosts, critical  none                    none
    valid for          10 years             at most 397 days        397 days
    key                see keys.KeyType     see keys.KeyType        see keys.KeyType

All have a random serial number of 159 bits, identifiers of their own and their issuer's key, and a
SHA-256 signature, and begin a day early for clocks that are behind. Unless somebody asks for it,
leaves have neither a CRL distribution point nor an AIA: the Windows SSTP client checks revocation
and fails hard when what is written there cannot be reached (0x80092013).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..names import COMMON_NAME_MAX, Hosts
from .keys import PrivateKey, PublicKey
from .subjects import Subject, dns_names

AUTHORITY_DAYS: Final = 3653
# Apple refuses more than 398 days of a TLS certificate, whoever issued it
SERVER_DAYS: Final = 397
# clients' clocks are behind, some by a time zone
CLOCK_SKEW: Final = timedelta(days=1)

_SECOND: Final = timedelta(seconds=1)
_EVERYTHING: Final = {4: "0.0.0.0/0", 6: "::/0"}
# RFC 6761 6.4: no name ends in it, so to permit it alone is to permit none
_NO_NAME: Final = x509.DNSName("invalid")


def make_authority_certificate(
    key: PrivateKey, hosts: Hosts, now: datetime, generation: int = 1
) -> x509.Certificate:
    """Return a self-signed certificate of an authority that can only issue for ``hosts``.

    :param now: an aware time; the certificate begins a day before it.
    :param generation: its number in its home; the second is "VPN CA G2".
    """
    begin = _begin(now)
    name = _common_name(_authority_name(hosts.first, generation))
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


@dataclass(frozen=True, slots=True)
class Profile:
    """What tells one kind of leaf from the others.

    :param days: how long they are valid when nobody says otherwise.
    :param days_max: how long at most.
    :param key_encipherment: whether RSA keys may also be used for the RSA key exchange of TLS 1.2.
    """

    name: str
    purpose: x509.ObjectIdentifier
    days: int
    days_max: int
    key_encipherment: bool


SERVER: Final = Profile(
    "server",
    ExtendedKeyUsageOID.SERVER_AUTH,
    days=SERVER_DAYS,
    days_max=SERVER_DAYS,
    key_encipherment=True,
)
USER: Final = Profile(
    "user",
    ExtendedKeyUsageOID.CLIENT_AUTH,
    days=SERVER_DAYS,
    days_max=AUTHORITY_DAYS,
    key_encipherment=False,
)
PROFILES: Final = {profile.name: profile for profile in (SERVER, USER)}


def make_leaf(
    profile: Profile,
    subject: Subject,
    key: PublicKey,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    now: datetime,
    *,
    days: int | None = None,
    cdp: str = "",
) -> x509.Certificate:
    """Return a certificate for ``subject``, never longer than its issuer's.

    :param now: an aware time; the certificate begins a day before it, or with its issuer.
    :param days: by default the profile's, and never more than it allows.
    :param cdp: where the revocation list will be; empty: nowhere.
    """
    begin = max(_begin(now), issuer.not_valid_before_utc)
    length = timedelta(days=min(days or profile.days, profile.days_max))
    end = min(begin + length - _SECOND, issuer.not_valid_after_utc)
    encipherment = profile.key_encipherment and isinstance(key, rsa.RSAPublicKey)
    usage = _key_usage(digital_signature=True, key_encipherment=encipherment)
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject.common_name))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([profile.purpose]), critical=False)
        .add_extension(subject.alternative_name(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
    )
    if cdp:
        builder = builder.add_extension(_distribution_point(cdp), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def make_server_certificate(
    key: PublicKey, hosts: Hosts, issuer: x509.Certificate, issuer_key: PrivateKey, now: datetime
) -> x509.Certificate:
    """Return a server's certificate for ``hosts``; see :func:`make_leaf`."""
    return make_leaf(SERVER, Subject.of_hosts(hosts), key, issuer, issuer_key, now)


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    name = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(name, None, None, None)])


def distribution_url(certificate: x509.Certificate) -> str:
    """Return where ``certificate`` says that the revocation list is; empty: nowhere."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return ""
    names = [name for point in points for name in point.full_name or ()]
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return urls[0] if urls else ""


def subject_alternative_name(hosts: Hosts) -> x509.SubjectAlternativeName:
    """Return all names and addresses of a server; see :meth:`Subject.of_hosts`."""
    return Subject.of_hosts(hosts).alternative_name()


def name_constraints(hosts: Hosts) -> x509.NameConstraints:
    """Permit exactly ``hosts``, and exclude the kinds of names that are not among them.

    RFC 5280 4.2.1.10: a permitted name includes those below it, which cannot be helped; a kind
    that is not mentioned would be free.
    """
    names = [x509.DNSName(name) for name in dns_names(hosts)]
    addresses = [x509.IPAddress(ip_network(address)) for address in hosts.addresses]
    served = {address.version for address in hosts.addresses}
    excluded = [
        x509.IPAddress(ip_network(prefix))
        for version, prefix in _EVERYTHING.items()
        if version not in served
    ]
    return x509.NameConstraints([*(names or [_NO_NAME]), *addresses], excluded or None)


def _begin(now: datetime) -> datetime:
    return now.replace(microsecond=0) - CLOCK_SKEW


def _authority_name(host: str, generation: int) -> str:
    """Return a name people recognise, and no two authorities share: clients find issuers by it."""
    number = f" G{generation}" if generation > 1 else ""
    template = f"VPN CA{number} {{}} {secrets.token_hex(4)}"
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
