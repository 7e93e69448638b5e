"""What a bundle says: the only values that a template sees, complete before anything is written."""

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ...access.connection_settings import ConnectionSettings, SignIn
from ...access.profiles import AccessProfile
from ...errors import Refused, command
from ...names import check_connection_name, check_user_name, parse_hosts
from ...settings import Settings
from ...store.users import User
from ...x509.certificates import common_name, sha1_fingerprint, sha256_fingerprint
from .logo import Logo
from .plain_name import plain_name

# The port that Windows takes when the address of the server names none.
HTTPS: Final = 443

_LOGINS: Final = {
    SignIn.MSCHAPV2: "MS-CHAPv2",
    SignIn.EAP_MSCHAPV2: "EAP-MSCHAPv2",
    SignIn.EAP_TLS: "EAP-TLS",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """An authority's certificate, as the bundle carries and pins it.

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

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return ssl.DER_cert_to_PEM_cert(self.der).encode()


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """A user's key and certificate as PKCS#12, and the password that goes another way.

    :param file: its name in the bundle.
    :param sha1: Windows' thumbprint of the certificate.
    :param password: opens ``content``; it is in no file of the bundle. None if nobody here knows it.
    """

    file: str
    content: bytes = field(repr=False)
    sha1: str
    password: str | None = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the file, upper-case hexadecimal: the installer takes no other."""
        return hashlib.sha256(self.content).hexdigest().upper()


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the client has to trust.

    :param authorities: what the installer adds to the PC's roots: the authority that issued the
        server's certificate and, while a next one is being handed out, that as well. None where
        the server's certificate is one that Windows trusts by itself.
    :param eap_roots: the roots that EAP pins; none if they are not known.
    :param eap_objection: what EAP alone refuses in the server's certificate, in words.
    """

    authorities: tuple[x509.Certificate, ...]
    eap_roots: tuple[x509.Certificate, ...]
    eap_objection: str | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is in a bundle only because somebody asked for it.

    :param password: the user's, for the installer to save; None: the user types it.
    :param certificate: with the sign-in EAP-TLS.
    """

    password: str | None = field(default=None, repr=False)
    certificate: UserCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What all users of an access profile are told alike: the connection.

    :param profile: the name of the access profile.
    :param connection: what it is called on the users' machines.
    :param server: what Windows calls the server address: the host, with the port unless it is 443.
    :param routes: the networks that go through the VPN when not everything does.
    :param dns_routes: the DNS servers outside those networks, which have to go there, too.
    :param ipv6: whether the VPN has IPv6 as well.
    :param routes_ipv6: what goes through it by IPv6 when not everything does, with DNS servers.
    :param client: sign-in, rules for names, proxy, triggers.
    :param authorities: see :class:`Trust`; so are ``eap_roots``, which EAP-TLS always has.
    """

    profile: str
    connection: str
    host: str
    port: int
    server: str
    split_tunnel: bool
    routes: tuple[str, ...]
    dns_routes: tuple[str, ...] = ()
    dns: tuple[str, ...]
    dns_suffix: str
    ipv6: bool = False
    routes_ipv6: tuple[str, ...] = ()
    client: ConnectionSettings
    contact: str
    revocation_check: bool
    authorities: tuple[Certificate, ...]
    eap_roots: tuple[Certificate, ...]

    @property
    def all_routes(self) -> tuple[str, ...]:
        """What a client has to send through the VPN when not everything goes there."""
        return self.routes + self.dns_routes

    @property
    def routes_of_both(self) -> tuple[str, ...]:
        """The same with what goes there by IPv6."""
        return self.all_routes + self.routes_ipv6

    @property
    def routes_at_login(self) -> bool:
        """Whether Windows has what it sends through the VPN of the server, at each login."""
        return self.split_tunnel and self.client.routes_at_login

    @property
    def windows_routes(self) -> tuple[str, ...]:
        """What Windows is told by its files of what it has to send through the VPN."""
        # DHCPINFORM is IPv4's
        return tuple(one for one in self.routes_of_both if ":" in one or not self.routes_at_login)

    @property
    def login(self) -> str:
        """What people call the sign-in."""
        return _LOGINS[self.client.sign_in]

    @property
    def by_name(self) -> bool:
        """Whether the host is a name: an address has no place in SNI (RFC 6066 3)."""
        return ":" not in self.host and not self.host.replace(".", "").isdigit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle(Deployment):
    """All that goes into one user's bundle: a deployment, and what is that user's alone.

    :param language: of the texts.
    :param elsewhere: the files that users of other systems than Windows begin with.
    """

    user: str
    language: str
    logo: Logo | None = None
    secrets: Secrets = Secrets()
    elsewhere: tuple[str, ...] = ()

    @property
    def facts(self) -> str:
        """What another device has to be told, for people, programs and a QR code.

        A line for each ``key: value``, in this order: ``type`` (always SSTP), ``server`` (a host
        name or an IP address), ``port``, ``user``, ``login`` (MS-CHAPv2, EAP-MSCHAPv2 or EAP-TLS),
        and for each authority ``ca-sha256``, its certificate's fingerprint, 64 hex digits.
        """
        lines = [f"type: SSTP\nserver: {self.host}\nport: {self.port}\nuser: {self.user}"]
        lines.append(f"login: {self.login}")
        lines += [f"ca-sha256: {one.sha256.replace(':', '')}" for one in self.authorities]
        return "\n".join(lines)


def bundle_for(
    user: User,
    deployment: Deployment,
    *,
    language: str,
    secrets: Secrets | None = None,
    logo: Logo | None = None,
) -> Bundle:
    """Put together what goes into the bundle of ``user``.

    :param deployment: of the user's access profile.
    :param language: of the texts.
    :raises InvalidInput: if Windows does not take the user's name.
    :raises SstpcaError: if the secrets are not those that the sign-in needs.
    """
    secrets = secrets or Secrets()
    _check_secrets(deployment.client.sign_in, secrets)
    return Bundle(
        **{one.name: getattr(deployment, one.name) for one in fields(Deployment)},
        user=check_user_name(user.name),
        language=language,
        logo=logo,
        secrets=secrets,
    )


def deployment_for(profile: AccessProfile, settings: Settings, trust: Trust) -> Deployment:
    """Put together what all users of ``profile`` are told alike.

    :raises InvalidInput: if the connection has a name that Windows does not take.
    :raises Refused: if something that the sign-in needs is missing.
    """
    if profile.client.sign_in is SignIn.EAP_TLS and not trust.eap_roots:
        raise Refused(
            "the sign-in eap-tls needs the root of the server's certificate, which is not known "
            "here",
            "of a private authority's, make this machine trust it: cp root.crt "
            "/usr/local/share/ca-certificates/ && update-ca-certificates (public ones: install "
            "the package ca-certificates)",
        )
    if profile.client.sign_in is SignIn.EAP_TLS and trust.eap_objection is not None:
        raise Refused(
            f"no client could use the sign-in eap-tls: {trust.eap_objection}",
            "get a certificate without that, or another sign-in: ",
            command("profile set {} --sign-in mschapv2", profile.name),
        )
    return Deployment(
        profile=profile.name,
        connection=check_connection_name(settings.connection),
        host=host_of(settings),
        port=settings.server.port,
        server=address_of(settings),
        split_tunnel=not profile.full_tunnel,
        routes=() if profile.full_tunnel else tuple(str(route) for route in profile.routes),
        dns_routes=profile.dns_routes,
        dns=tuple(map(str, profile.dns)),
        dns_suffix=profile.dns_suffix,
        ipv6=profile.ipv6.prefix is not None,
        routes_ipv6=profile.routes_ipv6,
        client=profile.client,
        contact=settings.bundle.contact.strip(),
        revocation_check=settings.bundle.revocation_check,
        authorities=certificates_of(trust.authorities),
        eap_roots=certificates_of(trust.eap_roots),
    )


def _check_secrets(sign_in: SignIn, secrets: Secrets) -> None:
    if (sign_in is SignIn.EAP_TLS) is (secrets.certificate is None):
        raise Refused(f"the sign-in {sign_in.value} and the user's certificate do not go together")
    if secrets.password is not None and not sign_in.with_password:
        raise Refused("with the sign-in eap-tls, there is no password to save")


def host_of(settings: Settings) -> str:
    """Return the host as it is in the server certificate, whatever way it is typed."""
    return parse_hosts(settings.server.names, settings.server.addresses).first


def address_of(settings: Settings) -> str:
    """Return what the clients connect to, as Windows' ServerAddress has it."""
    return server_address(host_of(settings), settings.server.port)


def server_address(host: str, port: int) -> str:
    """Return ``host`` and ``port`` as Windows' ServerAddress has them."""
    if port == HTTPS:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def certificates_of(authorities: Sequence[x509.Certificate]) -> tuple[Certificate, ...]:
    """Return the authorities' certificates as a bundle carries them, each with its own file name."""
    found: dict[str, Certificate] = {}
    for authority in authorities:
        certificate = certificate_of(authority)
        if certificate.file in found:
            stem = certificate.file.removesuffix(".cer")
            number = next(n for n in range(2, 100) if f"{stem}-{n}.cer" not in found)
            certificate = certificate_of(authority, f"{stem}-{number}.cer")
        found[certificate.file] = certificate
    return tuple(found.values())


def certificate_of(authority: x509.Certificate, file: str | None = None) -> Certificate:
    """Return an authority's certificate as a bundle carries it.

    :param file: its name there; by default one that is made of its common name.
    """
    name = common_name(authority) or "certificate authority"
    return Certificate(
        name=name,
        file=file or file_name(name),
        der=authority.public_bytes(Encoding.DER),
        sha1=sha1_fingerprint(authority),
        sha256=sha256_fingerprint(authority),
    )


def file_name(common_name: str) -> str:
    """Return a file name for a certificate that every system and every quoting takes."""
    stem = plain_name(common_name, "")
    # "ca-" keeps it from being a name of a device on Windows (CON, AUX, ...)
    return f"ca-{stem}.cer" if stem else "ca.cer"
