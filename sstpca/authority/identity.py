"""The server's identity: key, certificate and chain in one file, checked before they are used."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .. import settings
from ..errors import Damaged, Refused, Remedy, SstpcaError, command
from ..home import Home, read_own
from ..lint import leaf
from ..lint.checks import Presented, lint
from ..lint.findings import Finding, Severity
from ..lint.readable import read
from ..names import Hosts, parse_hosts
from ..x509.certificates import Certificate, certificate_to_der
from ..x509.keys import PrivateKey, key_from_pem
from ..x509.loading import certificates_from_pem
from .authority import client_roots

# Windows takes these names, other clients that bundles are for do not
_REFUSED: Final = frozenset({"name-cn-only", "address-as-name"})
_SOON: Final = timedelta(days=30)
_RENEW: Final[Remedy] = (command("cert renew server"),)
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


def load_server_certificate(home: Home) -> x509.Certificate:
    """Return the server's certificate as it is, unchecked: for looking at it.

    :raises SstpcaError: if the file is missing or has no certificate.
    """
    pem = read_own(home.server_identity, "the server certificate")
    return certificates_from_pem(pem, home.server_identity)[0]


def load_identity(home: Home, now: datetime | None = None) -> Identity:
    """Return the server's identity, once Windows would find nothing wrong with it.

    :param now: an aware time; by default the present.
    :raises SstpcaError: with Windows' error code where there is one: the key does not fit, the
        certificate has expired or has not begun (0x800B0101), is not for a server (0x800B0110),
        lacks a name of the settings (0x800B010F), has one that its authority may not give
        (0x800B0114), does not verify (0x800B010A), or whatever else lint calls an error.
    """
    now = datetime.now(UTC) if now is None else now
    hosts = served_hosts(home)
    pem = read_own(home.server_identity, "the server's key and certificate")
    leaf, *chain = certificates_from_pem(pem, home.server_identity)
    key = key_from_pem(pem, home.server_identity)
    if key.public_key() != leaf.public_key():
        raise Damaged(
            f"the key in {home.server_identity} does not fit its certificate",
            "put key and certificate of the same pair into it, restore it from a backup, or make "
            "another: ",
            command("cert rekey server"),
        )
    return Identity(leaf, tuple(chain), check_leaf(home, leaf, hosts, now, chain), key)


def check_leaf(
    home: Home,
    leaf: x509.Certificate,
    hosts: Hosts,
    now: datetime,
    chain: Iterable[x509.Certificate] = (),
) -> bool:
    """Check what Windows checks in a server's certificate, and return whether it is our own.

    Our own is what says that an authority of this home issued it. Another authority's root is not known here: how its chain ends is not looked at.

    :raises SstpcaError: as :func:`load_identity` does, whatever file it came from.
    """
    roots = [one for one in client_roots(home) if one.subject == leaf.issuer]
    report = lint(
        Presented(
            [certificate_to_der(one) for one in (leaf, *chain)],
            "the server certificate",
            sent=True,
        ),
        hosts=hosts,
        trusted=roots,
        now=now,
        public=lambda name: (),
    )
    for finding in report.findings:
        if finding.severity is Severity.ERROR or finding.check in _REFUSED:
            raise _refusal(finding, _RENEW if roots else _REPLACE)
    return bool(roots)


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
    leaf = Certificate.of(load_server_certificate(home))
    if not leaf.is_due(now, _SOON):
        return ""
    own = any(one.subject == leaf.issuer for one in client_roots(home))
    when = f"ends on {leaf.end:%Y-%m-%d %H:%M} UTC, in {leaf.days_left(now)} days"
    if now > leaf.end:
        when = (
            f"expired on {leaf.end:%Y-%m-%d %H:%M} UTC, and Windows does not connect (0x800B0101)"
        )
    return f"the server's certificate {when}: " + "".join(map(str, _RENEW if own else _REPLACE))


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
