"""The server's identity: key, certificate and chain in one file, checked before they are used.

There may be two, for clients that take only one kind of key: one RSA, one ECDSA.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .. import settings
from ..errors import Damaged, InvalidInput, Refused, Remedy, SstpcaError, command, option
from ..home import SERVER, SERVER_ECDSA, Home, read_own
from ..lint import leaf
from ..lint.checks import Presented, lint
from ..lint.findings import Finding, Severity
from ..lint.readable import read
from ..names import Hosts, parse_hosts
from ..x509.certificates import Certificate, certificate_to_der
from ..x509.keys import KeyType, PrivateKey, key_from_pem
from ..x509.loading import certificates_from_pem
from .authority import client_roots, issuer_of

# Windows takes these names, other clients that bundles are for do not
_REFUSED: Final = frozenset({"name-cn-only", "address-as-name"})
_SOON: Final = timedelta(days=30)
_REPLACE: Final[Remedy] = (
    "get a new one from whoever issued it, then ",
    command("cert import FILE..."),
)
# in a home there is more to say than the checks know
_REMEDIES: Final[dict[str, Remedy]] = {
    "name": (
        "correct names and addresses in settings.toml (for another name, write the old one there, "
        "then: ",
        command("server rename NAME"),
        "), or get a certificate for all of them",
    ),
    "forged": ("restore server.pem and ca.crt from one backup",),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server shows to clients.

    :param certificate: the leaf.
    :param chain: the intermediates after it, without the root; empty with an authority of ours.
    :param own: whether an authority of this home issued it: the present, the next or a former one.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    own: bool
    key: PrivateKey = field(repr=False)


def load_server_certificate(home: Home, name: str = SERVER) -> x509.Certificate:
    """Return the server's certificate as it is, unchecked: for looking at it.

    :param name: one of SERVERS.
    :raises SstpcaError: if the file is missing or has no certificate.
    """
    path = home.pair(name)
    return certificates_from_pem(read_own(path, called(name)), path)[0]


def load_server_certificates(home: Home) -> dict[str, x509.Certificate]:
    """Return every certificate that the server shows, unchecked, by the names of their pairs.

    :raises SstpcaError: if a file is missing or has no certificate.
    """
    return {name: load_server_certificate(home, name) for name in home.shown}


def called(name: str) -> str:
    """Return what messages call the certificate of the pair ``name``, one of SERVERS."""
    return "the server certificate" if name == SERVER else "the server's ECDSA certificate"


def load_identities(home: Home, now: datetime | None = None) -> tuple[Identity, ...]:
    """Return what the server shows: one identity, or one for each kind of key, RSA first.

    :raises SstpcaError: as :func:`load_identity` does for each, or if they do not go together.
    """
    found = tuple(load_identity(home, now, name) for name in home.shown)
    for other in found[1:]:
        check_beside(home, found[0].certificate, other.certificate)
    return found


def check_beside(home: Home, first: x509.Certificate, other: x509.Certificate) -> None:
    """Make sure that the server can show ``other`` beside its ``first`` certificate.

    :raises Refused: if they have keys of the same kind, or clients that believe one of them would not
        believe the other.
    """
    path = home.server_ecdsa_identity
    if not _is_rsa(first) or _is_rsa(other):
        raise Refused(
            f"{path.name} is for a certificate with an ECDSA key, beside one with an RSA key",
            "give the first one an RSA key ('",
            command("cert rekey server --key-type rsa"),
            "'), or take the second one away: ",
            command("cert revoke server/ecdsa"),
        )
    if (issuer_of(home, first) is None) is not (issuer_of(home, other) is None):
        raise Refused(
            f"{home.server_identity.name} and {path.name} would be of different authorities: a "
            "client that trusts one of them would not believe the other",
            "get both from the same authority; to take the second one away: ",
            command("cert revoke server/ecdsa"),
        )


def check_kind(home: Home, name: str, kind: KeyType) -> None:
    """Make sure that this home's authority can give the server's pair ``name`` a key of ``kind``.

    :param name: one of SERVERS.
    :raises InvalidInput: if there would be two of the same kind, or of different authorities.
    """
    is_rsa = kind.value.startswith("rsa")
    if name == SERVER and not is_rsa and SERVER_ECDSA in home.shown:
        raise InvalidInput(
            "there is a server certificate with an ECDSA key already, beside this one with RSA",
            "to have ECDSA alone, first: ",
            command("cert revoke server/ecdsa"),
        )
    if name == SERVER_ECDSA and is_rsa:
        raise InvalidInput(
            f"{SERVER_ECDSA} has an ECDSA key", "give ", option("--key-type"), " ecdsa"
        )
    if name == SERVER_ECDSA and not _is_rsa(load_server_certificate(home)):
        raise InvalidInput(
            "the server's certificate has an ECDSA key already",
            "for one with RSA beside one with ECDSA, first: ",
            command("cert rekey server --key-type rsa"),
        )
    for other in home.shown:
        if other != name and issuer_of(home, load_server_certificate(home, other)) is None:
            raise InvalidInput(
                f"{called(other)} is another authority's: a client that trusts one of the two "
                "would not believe the other",
                "get both from the same authority",
            )


def _is_rsa(certificate: x509.Certificate) -> bool:
    return isinstance(certificate.public_key(), rsa.RSAPublicKey)


def load_identity(home: Home, now: datetime | None = None, name: str = SERVER) -> Identity:
    """Return the server's identity, once Windows would find nothing wrong with it.

    :param now: an aware time; by default the present.
    :param name: of its pair, one of SERVERS.
    :raises SstpcaError: with Windows' error code where there is one: the key does not fit, the
        certificate has expired or has not begun (0x800B0101), is not for a server (0x800B0110),
        lacks a name of the settings (0x800B010F), has one that its authority may not give
        (0x800B0114), does not verify (0x800B010A), or whatever else lint calls an error.
    """
    now = datetime.now(UTC) if now is None else now
    hosts, path = served_hosts(home), home.pair(name)
    pem = read_own(path, "the server's key and certificate")
    leaf, *chain = certificates_from_pem(pem, path)
    key = key_from_pem(pem, path)
    if key.public_key() != leaf.public_key():
        raise Damaged(
            f"the key in {path} does not fit its certificate",
            "put key and certificate of the same pair into it, restore it from a backup, or make "
            "another: ",
            command("cert rekey {}", name),
        )
    own = check_leaf(home, leaf, hosts, now, chain, name=name)
    return Identity(leaf, tuple(chain), own, key)


def check_leaf(
    home: Home,
    leaf: x509.Certificate,
    hosts: Hosts,
    now: datetime,
    chain: Iterable[x509.Certificate] = (),
    *,
    name: str = SERVER,
) -> bool:
    """Check what Windows checks in a server's certificate, and return whether it is our own.

    Our own is what says that an authority of this home issued it. Another authority's root is not known here: how its chain ends is not looked at.

    :param name: of its pair, one of SERVERS.
    :raises SstpcaError: as :func:`load_identity` does, whatever file it came from.
    """
    roots = [one for one in client_roots(home) if one.subject == leaf.issuer]
    report = lint(
        Presented(
            [certificate_to_der(one) for one in (leaf, *chain)],
            called(name),
            sent=True,
        ),
        hosts=hosts,
        trusted=roots,
        now=now,
        public=lambda name: (),
    )
    for finding in report.findings:
        if finding.severity is Severity.ERROR or finding.check in _REFUSED:
            raise _refusal(finding, _renewal(name) if roots else _REPLACE)
    return bool(roots)


def _renewal(name: str) -> Remedy:
    return (command("cert renew {}", name),)


def _refusal(finding: Finding, renewal: Remedy = ()) -> SstpcaError:
    """Return what to say; ``renewal`` is the way to a certificate that has not expired."""
    windows = "" if finding.windows is None else f": Windows says {finding.windows.code}"
    return Refused(finding.found + windows, *_remedy(finding, renewal))


def _remedy(finding: Finding, renewal: Remedy) -> Remedy:
    if finding.check == "expired" and renewal:
        return (*renewal, "; if it is not that late, correct this machine's clock")
    return _REMEDIES.get(finding.check, finding.remedy)


def ending(home: Home, now: datetime) -> str:
    """Return a line on the server's certificate if it is due or has expired, and the way out.

    :param now: an aware time.
    :raises SstpcaError: if the file cannot be read.
    """
    lines = [_ending(home, name, one, now) for name, one in load_server_certificates(home).items()]
    return "; ".join(filter(None, lines))


def _ending(home: Home, name: str, certificate: x509.Certificate, now: datetime) -> str:
    leaf = Certificate.of(certificate)
    if not leaf.is_due(now, _SOON):
        return ""
    own = any(one.subject == leaf.issuer for one in client_roots(home))
    when = f"ends on {leaf.end:%Y-%m-%d %H:%M} UTC, in {leaf.days_left(now)} days"
    if now > leaf.end:
        when = (
            f"expired on {leaf.end:%Y-%m-%d %H:%M} UTC, and Windows does not connect (0x800B0101)"
        )
    what = "the server's certificate" if name == SERVER else called(name)
    return f"{what} {when}: " + "".join(map(str, _renewal(name) if own else _REPLACE))


def served_hosts(home: Home) -> Hosts:
    """Return the names and addresses of the settings.

    :raises SstpcaError: if the settings cannot be read, or one of them cannot be.
    """
    server = settings.load(home.settings).server
    return parse_hosts(server.names, server.addresses)


def check_validity(certificate: x509.Certificate, what: str, now: datetime) -> None:
    """Make sure that ``certificate``, which messages call ``what``, is valid at ``now``.

    :raises SstpcaError: if it has expired or has not begun (0x800B0101).
    """
    readable = read(certificate.public_bytes(Encoding.DER), what)
    if isinstance(readable, Finding):
        raise _refusal(readable)
    for finding in leaf.check_validity(readable, now):
        if finding.severity is Severity.ERROR:
            raise _refusal(finding)
