"""Certificate profiles: what each kind of certificate contains, written once.

                       authority            server                  user
    subject            CN=VPN CA HOST xxxx  CN=first name           CN=user name
    alternative names  none                 DNS names, addresses    UPN
    basic constraints  CA, path length 0    no CA                   no CA
    key usage          keyCertSign,         digitalSignature, for   digitalSignature
                       cRLSign              RSA keyEncipherment
    extended usage     serverAuth,          serverAuth              clientAuth
                       clientAuth
    name constraints   the hosts, critical  none                    none
    valid for          10 years             at most 397 days        397 days
    key                see keys.KeyType     see keys.KeyType        see keys.KeyType

All have a random serial number of 159 bits, identifiers of their own and their issuer's key, and a
SHA-256 signature, and begin a day early for clocks that are behind. Unless somebody asks for it,
leaves have neither a CRL distribution point nor an AIA: the Windows SSTP client checks revocation
and fails hard when what is written there cannot be reached (0x80092013).

Every PC of the company trusts the authority as a root, so whoever has its key must be able to do
nothing with it but what the VPN does. Two extensions see to that; what the verifiers make of them:

Extended key usage. RFC 5280 4.2.1.12 speaks of the key of the certificate itself; as a limit for
everything below, it is taken by Windows ("supported by every certificate in the path": wincrypt.h,
CERT_USAGE_MATCH), NSS, Go, and OpenSSL for TLS and S/MIME. So nothing that the authority signs is
good for code or mail there. OpenSSL's purpose codesign, osslsigncode and GnuTLS ask the last
certificate alone: they still take a script that was signed so.

Name constraints, RFC 5280 4.2.1.10: a kind of name that is not mentioned is free.

- DNS names, addresses: the hosts, or none.
- Mail, URI: permitted at the host "invalid", which nobody has (RFC 6761 6.4). To exclude "" would
  say it more plainly, but is nothing to OpenSSL, and "." is an error to Go and GnuTLS. A URI without
  a host, which no server has, GnuTLS lets through.
- Directory names stay free. A critical constraint on them ends every chain in the cryptography
  package (since 50) and in Go ("unhandled critical extension"), and RFC 5280 wants it critical. They
  do not find a server: that is done by the kinds above, and OpenSSL, GnuTLS and NSS hold a common
  name that looks like a host against them where there is none of these.
- Principal names (UPN, an otherName): Windows knows a constraint on them; to OpenSSL and the
  cryptography package it makes every user's certificate invalid, and to Go every certificate.
  Windows logs nobody on by an authority that is not in the domain's NTAuth store, and this home's
  server by no certificate that is not in its inventory.

Windows evaluates all these kinds (learn.microsoft.com, "Name constraints", cc780153).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..names import COMMON_NAME_MAX, Hosts
from .certificates import Certificate
from .keys import PrivateKey, PublicKey
from .subjects import NOBODY, Subject, dns_names

AUTHORITY_DAYS: Final = 3653
# Apple refuses more than 398 days of a TLS certificate, whoever issued it
SERVER_DAYS: Final = 397
# clients' clocks are behind, some by a time zone
CLOCK_SKEW: Final = timedelta(days=1)

_SECOND: Final = timedelta(seconds=1)
_EVERYTHING: Final = {4: "0.0.0.0/0", 6: "::/0"}
_NO_NAME: Final = x509.DNSName(NOBODY)
#: all that a certificate of an authority can be for
PURPOSES: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def make_authority_certificate(
    key: PrivateKey, hosts: Hosts, now: datetime, generation: int = 1, *, constrained: bool = True
) -> x509.Certificate:
    """Return a self-signed certificate of an authority that can only issue for ``hosts``.

    :param now: an aware time; the certificate begins a day before it.
    :param generation: its number in its home; the second is "VPN CA G2".
    :param constrained: False leaves the name constraints out, for clients that do not know them;
        it can issue for every host then.
    """
    length = timedelta(days=AUTHORITY_DAYS)
    begin = _begin(now, length)
    name = Subject(_authority_name(hosts.first, generation)).name()
    usage = key_usage(key_cert_sign=True, crl_sign=True)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + length - _SECOND)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(PURPOSES), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if constrained:
        builder = builder.add_extension(name_constraints(hosts), critical=True)
    return builder.sign(key, hashes.SHA256())


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


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a certificate of a server or a user is to have.

    :param days: by default the profile's, and never more than it allows.
    :param cdp: where the revocation list will be; empty: nowhere.
    """

    profile: Profile
    subject: Subject
    key: PublicKey
    days: int | None = None
    cdp: str = ""


def make_leaf(
    leaf: Leaf, issuer: x509.Certificate, issuer_key: PrivateKey, now: datetime
) -> x509.Certificate:
    """Return a certificate with what ``leaf`` says, never longer than its issuer's.

    :param now: an aware time; the certificate begins a day before it, or of a short life an eighth,
        or with its issuer.
    """
    profile = leaf.profile
    length = timedelta(days=min(leaf.days or profile.days, profile.days_max))
    begin = max(_begin(now, length), issuer.not_valid_before_utc)
    end = min(begin + length - _SECOND, issuer.not_valid_after_utc)
    encipherment = profile.key_encipherment and isinstance(leaf.key, rsa.RSAPublicKey)
    usage = key_usage(digital_signature=True, key_encipherment=encipherment)
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject.name())
        .issuer_name(issuer.subject)
        .public_key(leaf.key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([profile.purpose]), critical=False)
        .add_extension(leaf.subject.alternative_name(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf.key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
    )
    if leaf.cdp:
        builder = builder.add_extension(_distribution_point(leaf.cdp), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def make_server_certificate(
    key: PublicKey, hosts: Hosts, issuer: x509.Certificate, issuer_key: PrivateKey, now: datetime
) -> x509.Certificate:
    """Return a server's certificate for ``hosts``; see :func:`make_leaf`."""
    return make_leaf(Leaf(SERVER, Subject.of_hosts(hosts), key), issuer, issuer_key, now)


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    name = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(name, None, None, None)])


def name_constraints(hosts: Hosts) -> x509.NameConstraints:
    """Permit exactly ``hosts``, and exclude the kinds of names that are not among them.

    A permitted name includes those below it, which cannot be helped. What verifiers make of each
    kind is said above.
    """
    names = [x509.DNSName(name) for name in dns_names(hosts)]
    addresses = [x509.IPAddress(ip_network(address)) for address in hosts.addresses]
    served = {address.version for address in hosts.addresses}
    excluded = [
        x509.IPAddress(ip_network(prefix))
        for version, prefix in _EVERYTHING.items()
        if version not in served
    ]
    nobody = [x509.RFC822Name(NOBODY), x509.UniformResourceIdentifier(NOBODY)]
    permitted = [*(names or [_NO_NAME]), *addresses, *nobody]
    return x509.NameConstraints(permitted, excluded or None)


def is_constrained(authority: x509.Certificate) -> bool:
    """Return whether there are names for which ``authority`` cannot issue."""
    return Certificate.of(authority).extension(x509.NameConstraints) is not None


def is_for_vpn_only(authority: x509.Certificate) -> bool:
    """Return whether nothing but servers and users can be certified by ``authority``.

    Those that earlier releases made could certify publishers of programs and senders of mail.
    """
    purposes = Certificate.of(authority).extension(x509.ExtendedKeyUsage)
    return purposes is not None and set(purposes) <= set(PURPOSES)


def _begin(now: datetime, length: timedelta) -> datetime:
    # a day early is all of one that is valid for a day
    return now.replace(microsecond=0) - min(CLOCK_SKEW, length / 8)


def _authority_name(host: str, generation: int) -> str:
    """Return a name people recognise, and no two authorities share: clients find issuers by it."""
    number = f" G{generation}" if generation > 1 else ""
    template = f"VPN CA{number} {{}} {secrets.token_hex(4)}"
    return template.format(host[: COMMON_NAME_MAX - len(template.format(""))])


def key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    """Return the extension."""
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
