"""What a bundle says: the only values that a template sees, complete before anything is written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..names import check_connection_name, check_user_name
from ..settings import Settings

# The port that Windows takes when the address of the server names none.
HTTPS: Final = 443


class User(Protocol):
    """What a bundle needs to know of a user."""

    @property
    def name(self) -> str:
        """The name to log in with."""


class Profile(Protocol):
    """What a bundle needs to know of an access profile."""

    @property
    def routes(self) -> Sequence[IPv4Network]:
        """The networks behind the VPN."""

    @property
    def dns_suffix(self) -> str:
        """The DNS suffix of the connection; empty for none."""

    @property
    def full_tunnel(self) -> bool:
        """Whether everything goes through the VPN, not only the routes."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The authority's certificate, as the bundle carries and pins it.

    :param name: its common name, for people.
    :param file: its name in the bundle: ASCII, ends in ``.cer``.
    :param der: the bytes of that file.
    :param sha1: of those bytes, 40 upper-case hex digits: Windows' thumbprint.
    :param sha256: of those bytes, 64 upper-case hex digits.
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
    user: User, profile: Profile, settings: Settings, authority: x509.Certificate
) -> Bundle:
    """Put together what goes into the bundle of ``user``.

    :raises InvalidInput: if the connection's name is one that Windows does not take.
    """
    certificate = certificate_of(authority)
    name, host, port = check_user_name(user.name), settings.host, settings.server.port
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
        facts=_facts(host, port, name, certificate.sha256),
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
        # not for security: Windows names certificates by it; SHA-256 is checked as well
        sha1=authority.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303
        sha256=authority.fingerprint(hashes.SHA256()).hex().upper(),
    )


def file_name(common_name: str) -> str:
    """Return a file name for a certificate that every system and every quoting takes."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", common_name).strip("-")[:48].rstrip("-")
    # "ca-" keeps it from being a name of a device on Windows (CON, AUX, ...)
    return f"ca-{stem}.cer" if stem else "ca.cer"


def _facts(host: str, port: int, user: str, sha256: str) -> str:
    pairs = {
        "type": "SSTP",
        "server": host,
        "port": str(port),
        "user": user,
        "login": "MS-CHAPv2",
        "ca-sha256": sha256,
    }
    return "\n".join(f"{key}: {value}" for key, value in pairs.items())
