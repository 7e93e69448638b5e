"""The server's certificate as TLS presents it and as the crypto binding hashes it."""

import contextlib
import functools
import hashlib
import math
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import ServerError
from ..sstp.binding import CertificateHashes
from .hello import ClientHello, Group, HelloError, read_hello

#: Seconds until a file that is of no use is tried again.
_RETRY: Final = 60.0

#: What TLS 1.2 may use, best first; the server chooses. Forward secrecy always. CBC comes last, for
#: clients with nothing else: RouterOS offers ECDHE-RSA-AES256-SHA unless it is told better.
SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!AESCCM"

#: What OpenSSL's reasons mean for those who run the server.
_REASONS: Final = {
    "NO_SHARED_CIPHER": (
        "no cipher suite in common with the client; if it is a RouterOS router, set pfs=yes there "
        "(/interface sstp-client set NAME pfs=yes), and give this server an RSA key"
    ),
    "UNSUPPORTED_PROTOCOL": "the client knows no TLS 1.2; if it is a Windows 7, update it",
}

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

# OpenSSL's names. This one it has from 3.5 on, and under no name that can be set from Python.
_CURVES: Final[Mapping[Group, str]] = {
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

    contexts: Mapping[Group, ssl.SSLContext]
    hashes: CertificateHashes
    pem: bytes = field(repr=False)

    def context(self, hello: ClientHello) -> ssl.SSLContext:
        """Return the context that is to answer a client.

        :raises HelloError: if there is no group in which to exchange keys with it.
        """
        return self.contexts[hello.choose(self.contexts)]


def load(path: Path) -> Certificate:
    """Load a PEM file with the private key, the server's certificate and its chain.

    :raises ServerError: if it cannot be read, or the key does not fit.
    """
    try:
        pem = path.read_bytes()
        leaf = _PEM.search(pem.decode(errors="replace"))
        if leaf is None:
            raise ServerError(f"{path} has no certificate")
        ours = [group for group in Group if _CURVES[group] or _prefers_hybrid()]
        contexts = {group: _make_context(group, pem) for group in ours}
    except OSError as error:
        raise ServerError(f"{path} cannot be used as server certificate: {error}") from error
    der = ssl.PEM_cert_to_DER_cert(leaf.group())
    # SHA-1 is what the protocol offers older clients; S324 does not apply
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
    hashes = CertificateHashes(sha1, hashlib.sha256(der).digest())
    return Certificate(contexts, hashes, pem)


def _make_context(group: Group, pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # no tickets: their key would open what was recorded for as long as it is in use
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_ciphers(SUITES)
    if curve := _CURVES[group]:
        context.set_ecdh_curve(curve)
    else:
        # it knows all groups, and takes the one it prefers from a client that has sent its key
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    _load_chain(context, pem)
    return context


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
    """Return why TLS failed, and where there is something to do about it, what."""
    reason = str(getattr(error, "reason", None) or "")
    return _REASONS.get(reason, reason) or error.strerror or str(error)


def _load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """Load what was read already: the path may lead to another certificate by now."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")


class CertificateFile:
    """The file with the server's key and certificate, followed while the server runs.

    A change is taken up by new TLS contexts: those that kept their sessions would resume some of
    clients that know another certificate, and their crypto binding would fail. What is of no use
    changes nothing. Worker processes are forked with the copy of the supervisor, so that one that
    replaces another is as well off, whatever has become of the file.

    :param path: what :func:`load` takes.
    :param check: raises ServerError unless clients would believe what the file has.
    :raises ServerError: if the file is of no use now.
    """

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        self._path = path
        self._check = check
        self._seen = _state(path)
        self._again = math.inf
        self.certificate = load(path)

    def look(self) -> bool:
        """Take up what the file has become; return whether it was.

        What is of no use is tried again now and then: it may be the clock that was wrong, or the
        settings.

        :raises ServerError: once for each change, if it is of no use; the one before stays.
        """
        state, now = _state(self._path), time.monotonic()
        changed = state != self._seen
        if not changed and now < self._again:
            return False
        self._seen, self._again = state, now + _RETRY
        try:
            self._check()
            self.certificate = load(self._path)
        except ServerError:
            if changed:
                raise
            return False
        self._again = math.inf
        return True


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of ``path`` from the next; None if nobody can look."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
