"""The server's certificate as TLS presents it and as the crypto binding hashes it."""

import hashlib
import math
import os
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import ServerError
from ..sstp.binding import CertificateHashes

#: Seconds until a file that is of no use is tried again.
_RETRY: Final = 60.0

#: What TLS 1.2 may use, best first; the server chooses. Forward secrecy always. CBC comes last, for
#: clients with nothing else: RouterOS offers ECDHE-RSA-AES256-SHA unless it is told better.
_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!AESCCM"

#: What OpenSSL's reasons mean for those who run the server.
_REASONS: Final = {
    "NO_SHARED_CIPHER": (
        "no cipher suite in common with the client; if it is a RouterOS router, set pfs=yes there "
        "(/interface sstp-client set NAME pfs=yes), and give this server an RSA key"
    ),
    "UNSUPPORTED_PROTOCOL": "the client knows no TLS 1.2; if it is a Windows 7, update it",
}

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A TLS context, and the hashes of the certificate that it shows ([MS-SSTP] 3.2.5.2).

    :param pem: the key, the certificate and its chain.
    """

    context: ssl.SSLContext
    hashes: CertificateHashes
    pem: bytes = field(repr=False)


def load(path: Path) -> Certificate:
    """Load a PEM file with the private key, the server's certificate and its chain.

    :raises ServerError: if it cannot be read, or the key does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(_SUITES)
    try:
        pem = path.read_bytes()
        leaf = _PEM.search(pem.decode(errors="replace"))
        if leaf is None:
            raise ServerError(f"{path} has no certificate")
        _load_chain(context, pem)
    except OSError as error:
        raise ServerError(f"{path} cannot be used as server certificate: {error}") from error
    der = ssl.PEM_cert_to_DER_cert(leaf.group())
    # SHA-1 is what the protocol offers older clients; S324 does not apply
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()
    hashes = CertificateHashes(sha1, hashlib.sha256(der).digest())
    return Certificate(context, hashes, pem)


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

    A change is taken up by a new TLS context: one that kept its tickets would resume sessions of
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
