"""The server's identity: key, certificate and chain in one file, checked before they are used."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from .. import settings
from ..errors import SstpcaError
from ..home import Home, read_file
from ..names import Hosts, parse_hosts
from .authority import load_ca_certificate
from .certificates import certificate_to_pem, certificates_from_pem
from .keys import PrivateKey, key_from_pem, key_to_pem


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server shows to clients.

    :param certificate: the leaf.
    :param chain: the intermediates after it, without the root; empty with an authority of ours.
    :param own: whether the home's own authority issued it.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    own: bool
    key: PrivateKey = field(repr=False)


def identity_to_pem(key: PrivateKey, certificates: tuple[x509.Certificate, ...]) -> bytes:
    """Return the content of server.pem: the key, then the leaf and its chain."""
    return key_to_pem(key) + b"".join(map(certificate_to_pem, certificates))


def load_server_certificate(home: Home) -> x509.Certificate:
    """Return the server's certificate as it is, unchecked: for looking at it.

    :raises SstpcaError: if the file is missing or has no certificate.
    """
    pem = read_file(home.server_identity, "the server certificate")
    return certificates_from_pem(pem, home.server_identity)[0]


def load_identity(home: Home, now: datetime | None = None) -> Identity:
    """Return the server's identity, once Windows would find nothing wrong with it.

    :param now: an aware time; by default the present.
    :raises SstpcaError: with Windows' error code where there is one: the key does not fit, the
        certificate has expired or has not begun (0x800B0101), is not for a server (0x800B0110),
        lacks a name of the settings (0x800B010F), or does not verify (0x800B010A).
    """
    now = datetime.now(UTC) if now is None else now
    hosts = _served_hosts(home)
    pem = read_file(home.server_identity, "the server's key and certificate")
    leaf, *chain = certificates_from_pem(pem, home.server_identity)
    key = key_from_pem(pem, home.server_identity)
    if key.public_key() != leaf.public_key():
        raise SstpcaError(
            f"the key in {home.server_identity} does not fit its certificate",
            "put key and certificate of the same pair into it, or restore it from a backup",
        )
    _check_validity(leaf, "the server certificate", now)
    _check_usage(leaf)
    _check_names(leaf, hosts)
    return Identity(leaf, tuple(chain), _check_issuer(home, leaf, hosts, now), key)


def _served_hosts(home: Home) -> Hosts:
    server = settings.load(home.settings).server
    try:
        return parse_hosts(server.names, server.addresses)
    except SstpcaError as error:
        raise SstpcaError(f"{home.settings}: {error}", error.hint) from None


def _check_validity(certificate: x509.Certificate, what: str, now: datetime) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise SstpcaError(
            f"{what} expired on {end:%Y-%m-%d}: Windows says 0x800B0101",
            "put a new one in its place; if it is not that late, correct this machine's clock",
        )
    if now < begin:
        raise SstpcaError(
            f"{what} begins only on {begin:%Y-%m-%d %H:%M} UTC: Windows says 0x800B0101",
            "correct this machine's clock",
        )


def _check_usage(leaf: x509.Certificate) -> None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    wanted = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if wanted.isdisjoint(usage):
        raise SstpcaError(
            "the server certificate is not for server authentication: Windows says 0x800B0110",
            "put one with the extended key usage serverAuth in its place",
        )


def _check_names(leaf: x509.Certificate, hosts: Hosts) -> None:
    missing = [str(host) for host in (*hosts.names, *hosts.addresses) if not _covers(leaf, host)]
    if missing:
        raise SstpcaError(
            f"the server certificate is not for {', '.join(missing)}: Windows says 0x800B010F",
            "correct names and addresses in settings.toml, or get a certificate for all of them",
        )


def _covers(leaf: x509.Certificate, host: object) -> bool:
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if not isinstance(host, str):
        return host in san.get_values_for_type(x509.IPAddress)
    names = {name.lower() for name in san.get_values_for_type(x509.DNSName)}
    # RFC 6125 6.4.3: a wildcard stands for the whole first label
    return host in names or "*." + host.partition(".")[2] in names


def _check_issuer(home: Home, leaf: x509.Certificate, hosts: Hosts, now: datetime) -> bool:
    """Return whether the home's authority issued ``leaf``; if so, it has to verify."""
    authority = load_ca_certificate(home)
    if not _claims(leaf, authority):
        return False
    _check_validity(authority, "the authority's certificate", now)
    try:
        leaf.verify_directly_issued_by(authority)
        policy = verification.PolicyBuilder().time(now).store(verification.Store([authority]))
        policy.build_server_verifier(_subject(hosts)).verify(leaf, [])
    except (InvalidSignature, ValueError, TypeError, verification.VerificationError):
        raise SstpcaError(
            "the server certificate does not verify with the authority's: Windows says 0x800B010A",
            f"restore {home.server_identity.name} and {home.ca_certificate.name} from one backup",
        ) from None
    return True


def _claims(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    return leaf.issuer == authority.subject


def _subject(hosts: Hosts) -> x509.DNSName | x509.IPAddress:
    return x509.DNSName(hosts.first) if hosts.names else x509.IPAddress(ip_address(hosts.first))
