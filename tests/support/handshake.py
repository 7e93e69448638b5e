"""TLS handshakes in memory, between the server's contexts and a client of the standard library."""

import contextlib
import ssl
from pathlib import Path

from sstpca.server.config import DEFAULT_TLS, TlsSettings
from sstpca.server.dataplane.openssl import Context, TlsEnd
from sstpca.server.net.hello import HelloReader
from sstpca.server.net.tls import Certificate, Certificates, load


def client_hello(context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> bytes:
    """Return what a client with this context says first."""
    near = Near(context, session)
    return near.said()


class Near:
    """The client's end."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = "vpn.example.com"
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name, session=session)
        self._step()

    def _step(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()

    def said(self) -> bytes:
        """Return what it has said since this was asked last."""
        return self._out.read()

    def hears(self, data: bytes) -> None:
        """Let it hear what the server says."""
        self._in.write(data)
        if data:
            self._step()


def certificate_of(path: Path) -> Certificate:
    """Return what a file of our own writing holds."""
    return certificates_of(path).each[0]


def certificates_of(*paths: Path, settings: TlsSettings = DEFAULT_TLS) -> Certificates:
    """Return what a server with these files can show."""
    return load([path.read_bytes() for path in paths], paths[0], settings)


def choose(certificates: Certificates | Path, hello: bytes) -> Context:
    """Return the context that answers this ClientHello, as the server chooses it."""
    if isinstance(certificates, Path):
        certificates = certificates_of(certificates)
    read = HelloReader().feed(hello)
    assert read is not None
    return certificates.choose(read)[1]


def shake(
    certificates: Certificates | Path,
    client: ssl.SSLContext,
    session: ssl.SSLSession | None = None,
) -> tuple[TlsEnd, Near]:
    """Shake hands; return the server's end and the client's.

    :raises HelloError: if the server does not let OpenSSL see the client's first word.
    :raises ssl.SSLError: of either end.
    """
    near = Near(client, session)
    hello = near.said()
    server = choose(certificates, hello).begin()
    server.feed(hello)
    for _ in range(3):
        server.handshake()
        near.hears(server.output())
        server.feed(near.said())
    server.write(b"x")  # TLS 1.3 brings what it has to say of sessions behind the handshake
    near.hears(server.output())
    assert near.tls.read(1) == b"x"
    return server, near
