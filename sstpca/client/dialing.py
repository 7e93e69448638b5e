"""From a name to a stream on which SSTP begins: TCP, perhaps through a proxy, TLS, HTTP.

The server is verified always: by an authority, or by the SHA-256 of the very certificate it shows.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sstpca.server.dataplane.openssl import PythonTls
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.net.tls import explained

from .http import END, HEAD_MAX, read_answer, request

#: Seconds for each step: a connection, TLS, an answer.
STEP: Final = 20.0
_READ: Final = 16 * 1024


class DialError(Exception):
    """A server that cannot be reached, or is not to be believed.

    The message is one line, for people.

    :param final: whether trying again is of no use.
    """

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that takes CONNECT (RFC 9110 9.3.6).

    :param user: for Basic authentication; empty for none.
    """

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server.

    :param host: where it is: a name or an address.
    :param name: what its certificate is for, and what it is asked as; mostly the same.
    :param authorities: PEM, that it is to be certified by; empty: those of this machine.
    :param pin: SHA-256 of its certificate in place of that, 32 bytes; empty: none.
    """

    host: str
    port: int
    name: str
    authorities: bytes = b""
    pin: bytes = b""
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class Dialled:
    """A stream on which SSTP begins.

    :param certificate: the server's, DER.
    :param rest: what came behind the HTTP answer.
    """

    stream: TlsStream
    certificate: bytes
    rest: bytes


def context_for(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS that believes this server, and no other.

    :raises DialError: if the authorities cannot be read.
    """
    if endpoint.pin:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin says more
    elif endpoint.authorities:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cadata=endpoint.authorities.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise DialError(
                f"the authority's certificate cannot be read: {error}", final=True
            ) from None
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order in which they are to be tried.

    :raises DialError: if there are none.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STEP):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        raise DialError(f"{host} is not found in DNS") from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def dial(endpoint: Endpoint, ways: Mapping[str, str], context: ssl.SSLContext) -> Dialled:
    """Connect to the first of the addresses that answers, of the server or of its proxy.

    :param ways: the interface to go out by to each address; empty: any.
    :raises DialError: if none does, or it is not to be believed.
    """
    port = endpoint.proxy.port if endpoint.proxy else endpoint.port
    # as when the cable is pulled
    why = DialError(f"there is no route to {(endpoint.proxy or endpoint).host}")
    for address, device in ways.items():
        try:
            sock = await _connect(address, port, device)
        except DialError as error:
            why = error
            continue
        try:
            if endpoint.proxy is not None:
                await _through(sock, endpoint, endpoint.proxy)
            tls = PythonTls(context, endpoint.name)
            stream = TlsStream(sock, tls)
            await _handshake(stream)
            certificate = tls.peer_certificate
            _check_pin(certificate, endpoint.pin)
            return Dialled(stream, certificate, await _ask(stream, endpoint))
        except BaseException:
            sock.close()
            raise
    raise why


async def _connect(address: str, port: int, device: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(STEP):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except (OSError, TimeoutError) as error:
        sock.close()
        late = "it does not answer"
        # asyncio has words of its own
        why = late if isinstance(error, TimeoutError) else os.strerror(error.errno or 0)
        raise DialError(f"{address} port {port} cannot be reached: {why}") from None
    except BaseException:
        sock.close()
        raise
    return sock


async def _through(sock: socket.socket, endpoint: Endpoint, proxy: Proxy) -> None:
    """Have the proxy connect us."""
    shown = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    lines = [f"CONNECT {shown}:{endpoint.port} HTTP/1.1", f"Host: {shown}:{endpoint.port}"]
    if proxy.user:
        token = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    loop, answer = asyncio.get_running_loop(), b""
    try:
        async with asyncio.timeout(STEP):
            await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
            # one byte at a time: what comes behind the head is TLS, and not ours to take
            while not answer.endswith(END) and len(answer) < HEAD_MAX:
                byte = await loop.sock_recv(sock, 1)
                if not byte:
                    break
                answer += byte
    except (OSError, TimeoutError):
        raise DialError(f"the proxy {proxy.host} does not answer") from None
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        said = answer.partition(b"\r\n")[0].decode("latin-1")[:80]
        final = status == [b"407"]
        raise DialError(f"the proxy {proxy.host} does not connect us: {said!r}", final=final)


async def _handshake(stream: TlsStream) -> None:
    try:
        async with asyncio.timeout(STEP):
            while not stream.handshake():
                await _flushed(stream)
                await _readable(stream)
                if not stream.receive():
                    raise DialError("the server closes the connection in the TLS handshake")
            await _flushed(stream)
    except ssl.SSLCertVerificationError as error:
        why = f"the server's certificate is not to be believed: {error.verify_message}"
        raise DialError(why, final=True) from None
    except TimeoutError:
        raise DialError("the server does not answer in TLS") from None
    except OSError as error:
        raise DialError(f"TLS with the server fails: {explained(error)}") from None


def _check_pin(certificate: bytes, pin: bytes) -> None:
    seen = hashlib.sha256(certificate).digest()
    if pin and not hmac.compare_digest(seen, pin):
        why = f"the server shows another certificate than the pinned one: {seen.hex(':').upper()}"
        raise DialError(why, final=True)


async def _ask(stream: TlsStream, endpoint: Endpoint) -> bytes:
    """Ask for SSTP ([MS-SSTP] 3.2.4.1); return what comes behind the answer."""
    stream.write(request(endpoint.name, endpoint.port))
    head, buffer = bytearray(), bytearray(_READ)
    try:
        async with asyncio.timeout(STEP):
            await _flushed(stream)
            while END not in head and len(head) < HEAD_MAX:
                count = stream.read(memoryview(buffer))
                if count is None:
                    await _readable(stream)
                    if not stream.receive():
                        break
                elif count == 0:
                    break
                else:
                    head += buffer[:count]
    except (OSError, TimeoutError):
        raise DialError("asked for SSTP, the server does not answer") from None
    came, _, rest = bytes(head).partition(END)
    answer = read_answer(came)
    if not answer.is_sstp:
        raise DialError(f"asked for SSTP, the server answers {answer.line[:80]!r}")
    return rest


async def _readable(stream: TlsStream) -> None:
    """Wait until there is something to read."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(stream.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(stream.fileno())


async def _flushed(stream: TlsStream) -> None:
    """Wait until all is sent."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    while not stream.flush():
        ready.clear()
        loop.add_writer(stream.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(stream.fileno())
