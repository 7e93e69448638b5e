"""The server's certificates as TLS presents them and as the crypto binding hashes them."""

import contextlib
import functools
import math
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..config import DEFAULT_TLS, Compat, TlsSettings
from ..dataplane.engine import TlsContext
from ..dataplane.openssl import Context
from ..errors import ServerError, quotation
from ..sstp.binding import CertificateHashes
from .hello import ClientHello, Group, HelloError, read_hello
from .offer import VERSIONS, KeyKind, ServerKey, choose, cipher_list

#: Seconds until a file that is of no use is tried again.
_RETRY: Final = 60.0

#: What OpenSSL's reasons (SSL_R_..., of a handshake or a pair) mean for those who run the server.
_REASONS: Final = {
    "NO_SHARED_CIPHER": "no cipher suite in common with the client",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "the client takes no signature that this server makes",
    "HTTP_REQUEST": "the client speaks HTTP without TLS",
    "WRONG_VERSION_NUMBER": "what the client sends is not TLS",
    "UNEXPECTED_EOF_WHILE_READING": "the client closed the connection",
    "BAD_RECORD_TYPE": "what the client sends is not TLS",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "a record of the client is damaged",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not know the server certificate's authority",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not believe the server certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not believe the server certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the server certificate has expired by the client's clock",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the client takes none of the server's cipher suites or keys",
    "KEY_VALUES_MISMATCH": "its key does not fit its certificate",
    "EE_KEY_TOO_SMALL": "its key is shorter than this machine's TLS allows",
    "CA_KEY_TOO_SMALL": "an authority's key is shorter than this machine's TLS allows",
    "CA_MD_TOO_WEAK": "a signature in its chain is weaker than this machine's TLS allows",
    "EE_MD_TOO_WEAK": "its signature is weaker than this machine's TLS allows",
}

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

# OpenSSL's names. This one it has from 3.5 on, and under no name that can be set from Python.
_CURVES: Final[dict[Group, str]] = {
    Group.X25519_MLKEM768: "",
    Group.X25519: "X25519",
    Group.P256: "prime256v1",
    Group.P384: "secp384r1",
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """TLS contexts, and the hashes of the certificate that they show ([MS-SSTP] 3.2.5.2).

    :param contexts: one for each group to exchange keys in, the preferred one first.
    :param pem: the key, the certificate and its chain.
    """

    contexts: Mapping[Group, Context]
    hashes: CertificateHashes
    key: ServerKey
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the server can show: one certificate, or one for each kind of key.

    :param each: the preferred one first.
    """

    each: tuple[Certificate, ...]
    settings: TlsSettings

    def choose(self, hello: ClientHello) -> tuple[Certificate, Context]:
        """Return what a client is shown, and the context that is to answer it, which knows no other.

        :raises HelloError: if there is nothing that it takes.
        """
        groups = list(self.each[0].contexts)
        certificate, group = choose(hello, self.each, groups, self.settings)
        return certificate, certificate.contexts[group]

    @property
    def description(self) -> str:
        """How the log names them."""
        digests = [one.hashes.sha256.hex(":").upper() for one in self.each]
        if len(digests) == 1:
            return f"certificate with SHA-256 {digests[0]}"
        kinds = [one.key.kind.value for one in self.each]
        each = [f"{digest} ({kind})" for digest, kind in zip(digests, kinds, strict=True)]
        return f"certificates with SHA-256 {' and '.join(each)}"


def load(pems: Sequence[bytes], path: Path, settings: TlsSettings = DEFAULT_TLS) -> Certificates:
    """Load private keys, the server's certificates and their chains.

    :param path: where the first comes from, for messages.
    :raises ServerError: if OpenSSL cannot read them, a key does not fit, or clients could not be
        shown each of them.
    """
    each = [_load(pem, path, settings) for pem in pems]
    kinds = {one.key.kind for one in each}
    if len(kinds) < len(each):
        raise ServerError(f"{path} and the certificate beside it have keys of the same kind")
    if settings.compat is Compat.ROUTEROS_NO_PFS and KeyKind.RSA not in kinds:
        raise ServerError(
            f'compat = "{settings.compat.value}" needs a certificate with an RSA key',
            "give the server one, or take compat out of settings.toml",
        )
    # in TLS 1.3, which has nothing else to go by: its signature costs a tenth
    each.sort(key=lambda one: one.key.kind is not KeyKind.ECDSA)
    return Certificates(tuple(each), settings)


def _load(pem: bytes, path: Path, settings: TlsSettings) -> Certificate:
    leaf = _PEM.search(pem.decode(errors="replace"))
    if leaf is None:
        raise ServerError(f"{path} has no certificate")
    try:
        ours = [group for group in Group if _is_known(_CURVES[group])]
        with _readable(pem) as file:
            contexts = {group: _make_context(group, file, settings) for group in ours}
    except OSError as error:
        why = explained(error)
        raise ServerError(f"{path} cannot be used as server certificate: {why}") from error
    der = ssl.PEM_cert_to_DER_cert(leaf.group())
    return Certificate(contexts, CertificateHashes.of(der), ServerKey.of(der), pem)


def _make_context(group: Group, path: str, settings: TlsSettings) -> Context:
    version = VERSIONS[settings.minimum_version]
    if not (curve := _CURVES[group]):
        # it knows all groups, and takes the one it prefers from a client that has sent its key
        version = ssl.TLSVersion.TLSv1_3
    return TlsContext(path, cipher_list(settings), curve, version)


@functools.cache
def _is_known(curve: str) -> bool:
    """Whether this Python can have a context for one group.

    That of Debian 12, 3.11.2, sets no X25519: its clients exchange keys in P-256.
    """
    if not curve:
        return _prefers_hybrid()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(curve)
    except (ssl.SSLError, ValueError):
        return False
    return True


@functools.cache
def _prefers_hybrid() -> bool:
    """Whether OpenSSL, as it is configured here, would rather have the hybrid than all others.

    As a client, it sends the key of the group that it prefers first.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    output = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), output).do_handshake()
    try:
        shares = read_hello(output.read()).shares
    except HelloError:
        return False
    return next(iter(shares), None) == Group.X25519_MLKEM768.value


def explained(error: OSError) -> str:
    """Return why TLS, or the socket or file below it, failed, and perhaps what to do about it.

    ``reason`` is OpenSSL's own constant; which there are depends on its version.
    """
    if isinstance(error, ssl.SSLError):
        # one that Python raises itself has none
        reason = getattr(error, "reason", None) or ""
        return _REASONS.get(reason) or f"OpenSSL says {quotation(reason or error)}"
    return error.strerror or quotation(error)


def load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """Load what was read already: the path may lead to another certificate by now.

    :param pem: the key, the certificate and its chain.
    :raises ssl.SSLError: if OpenSSL, as this machine has it, does not take them.
    """
    with _readable(pem) as path:
        # without the password, OpenSSL would ask a terminal for that of an encrypted key
        context.load_cert_chain(path, password="")


@contextlib.contextmanager
def _readable(pem: bytes) -> Iterator[str]:
    """Have a file with this content in memory; its path is for this process."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


class Presented:
    """The certificates that one worker shows now. It opens no file: the keeper gives it new ones.

    :param version: as :class:`CertificateFiles` counts.
    """

    def __init__(self, certificates: Certificates, version: int, source: Path) -> None:
        self.certificates = certificates
        self.version = version
        self._source = source

    def take(self, version: int, pems: Sequence[bytes]) -> None:
        """Show others from now on.

        :raises ServerError: if they are of no use; the ones before stay.
        """
        self.version = version
        self.certificates = load(pems, self._source, self.certificates.settings)


class CertificateFiles:
    """The files with the server's keys and certificates, followed while the server runs.

    A change is taken up by new TLS contexts: those that kept their sessions would resume some of
    clients that know another certificate, and their crypto binding would fail. What is of no use
    changes nothing. Workers and keepers are forked with the copy of the supervisor, so that one that
    replaces another is as well off, whatever has become of the files.

    :ivar version: counts the changes that were taken up.
    :ivar pems: what :func:`load` was given last.

    :param paths: whose changes are looked for.
    :param read: returns what :func:`load` takes; raises ServerError unless clients would believe it.
    :raises ServerError: if one of the files is of no use now.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], Sequence[bytes]],
        settings: TlsSettings = DEFAULT_TLS,
    ) -> None:
        self._paths = paths
        self._read = read
        self._settings = settings
        self._seen = self._look()
        self._again = math.inf
        self.version = 0
        self.pems: tuple[bytes, ...] = ()
        self.certificates = self._load()

    def presented(self) -> Presented:
        """Return what a worker that is forked now begins with."""
        return Presented(self.certificates, self.version, self._paths[0])

    def reload(self) -> bool:
        """Take up what the files have become; return whether it was.

        What is of no use is tried again now and then: it may be the clock that was wrong, or the
        settings.

        :raises ServerError: once for each change, if it is of no use; the ones before stay.
        """
        state, now = self._look(), time.monotonic()
        changed = state != self._seen
        if not changed and now < self._again:
            return False
        self._seen, self._again = state, now + _RETRY
        try:
            self.certificates = self._load()
        except ServerError:
            if changed:
                raise
            return False
        self._again = math.inf
        self.version += 1
        return True

    def _load(self) -> Certificates:
        pems = tuple(self._read())
        certificates = load(pems, self._paths[0], self._settings)
        self.pems = pems
        return certificates

    def _look(self) -> list[tuple[int, ...] | None]:
        return [_state(path) for path in self._paths]


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of ``path`` from the next; None if nobody can look."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
