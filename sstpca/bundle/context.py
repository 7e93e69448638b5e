"""What a bundle says: the only values that a template sees, complete before anything is written."""

import re
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..names import check_connection_name, check_user_name, parse_hosts
from ..pki.certificates import sha1_fingerprint, sha256_fingerprint
from ..profiles import AccessProfile
from ..settings import Settings
from ..users import User

# The port that Windows takes when the address of the server names none.
HTTPS: Final = 443


@dataclass(frozen=True, slots=True)
class Certificate:
    """The authority's certificate, as the bundle carries and pins it.

    :param name: its common name, for people.
    :param file: its name in the bundle: ASCII, ends in ``.cer``.
    :param der: the bytes of that file.
    :param sha1: of those bytes, ``ABCD...``: Windows' thumbprint.
    :param sha256: of those bytes, ``AB:CD:...``.
    """

    name: str
    file: str
    der: bytes
    sha1: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All that goes into one user's bundle.

    :param server: what Windows calls the server address: the host, with the port unless it is 443.
    :param routes: the networks that go through the VPN when not everything does.
    :param facts: the same for a person or a QR code, one ``key: value`` a line.
    """

    user: str
    connection: str
    host: str
    port: int
    server: str
    split_tunnel: bool
    routes: tuple[str, ...]
    dns_suffix: str
    contact: str
    certificate: Certificate
    facts: str


def bundle_for(
    user: User, profile: AccessProfile, settings: Settings, authority: x509.Certificate
) -> Bundle:
    """Put together what goes into the bundle of ``user``.

    :raises InvalidInput: if a name is one that Windows does not take.
    """
    certificate = certificate_of(authority)
    server = settings.server
    name, port = check_user_name(user.name), server.port
    # as it is in the server certificate, whatever way it is typed in the settings
    host = parse_hosts(server.names, server.addresses).first
    return Bundle(
        user=name,
        connection=check_connection_name(settings.connection),
        host=host,
        port=port,
        server=server_address(host, port),
        split_tunnel=not profile.full_tunnel,
        routes=() if profile.full_tunnel else tuple(str(route) for route in profile.routes),
        dns_suffix=profile.dns_suffix,
        contact=settings.bundle.contact.strip(),
        certificate=certificate,
        facts=facts(host, port, name, certificate.sha256),
    )


def server_address(host: str, port: int) -> str:
    """Return ``host`` and ``port`` as Windows' ServerAddress has them."""
    if port == HTTPS:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def certificate_of(authority: x509.Certificate) -> Certificate:
    """Return the authority's certificate as a bundle carries it."""
    names = authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else "certificate authority"
    return Certificate(
        name=name,
        file=file_name(name),
        der=authority.public_bytes(Encoding.DER),
        sha1=sha1_fingerprint(authority),
        sha256=sha256_fingerprint(authority),
    )


def file_name(common_name: str) -> str:
    """Return a file name for a certificate that every system and every quoting takes."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", common_name).strip("-")[:48].rstrip("-")
    # "ca-" keeps it from being a name of a device on Windows (CON, AUX, ...)
    return f"ca-{stem}.cer" if stem else "ca.cer"


def facts(host: str, port: int, user: str, sha256: str) -> str:
    """Return what another device has to be told, for people and programs.

    UTF-8 text, a line for each ``key: value``, in this order: ``type`` (always SSTP), ``server``
    (a host name or an IP address), ``port``, ``user``, ``login`` (always MS-CHAPv2), and
    ``ca-sha256``, the fingerprint of the authority's certificate, 64 hex digits.
    """
    return (
        f"type: SSTP\nserver: {host}\nport: {port}\nuser: {user}\nlogin: MS-CHAPv2\n"
        f"ca-sha256: {sha256.replace(':', '')}"
    )
