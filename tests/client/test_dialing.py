"""From a name to a stream on which SSTP begins, and what is said when there is none."""

import asyncio
import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.client.dialing import DialError, Endpoint, Proxy, context_for, dial, resolve
from tests.support.shown import NAME, ROOT, leaf, loaded
from tests.support.sstp_server import Behaviour, SstpServer
from tests.support.waiting import PATIENCE

CERTIFICATE = leaf()
DER = CERTIFICATE.public_bytes(Encoding.DER)
AUTHORITY = ROOT.certificate.public_bytes(Encoding.PEM)


@contextlib.contextmanager
def serving(behaviour: Behaviour | None = None) -> Iterator[SstpServer]:
    with SstpServer(loaded(CERTIFICATE), DER, behaviour) as server:
        yield server


def reach(endpoint: Endpoint) -> bytes:
    """Dial, and return the certificate that the server has shown."""

    async def go() -> bytes:
        where = endpoint.proxy or endpoint
        addresses = await resolve(where.host, where.port)
        dialled = await dial(endpoint, dict.fromkeys(addresses, ""), context_for(endpoint))
        seen = dialled.certificate
        dialled.stream.close()
        return seen

    return asyncio.run(go())


def endpoint(port: int, name: str = NAME, **more: object) -> Endpoint:
    return Endpoint("127.0.0.1", port, name, **({"authorities": AUTHORITY} | more))  # type: ignore[arg-type]


def test_a_good_server() -> None:
    with serving() as server:
        assert reach(endpoint(server.port)) == DER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "other.example.com"}, "Hostname mismatch"),
        ({"authorities": b""}, "self-signed|unable to get local issuer"),
    ],
    ids=["name", "authority"],
)
def test_a_server_that_is_not_believed(change: dict[str, object], words: str) -> None:
    with serving() as server, pytest.raises(DialError, match=words) as raised:
        reach(endpoint(server.port, **change))  # type: ignore[arg-type]
    assert raised.value.final


def test_pins() -> None:
    digest = hashlib.sha256(DER).digest()
    with serving() as server:
        assert (
            reach(endpoint(server.port, name="other.example.com", authorities=b"", pin=digest))
            == DER
        )
        with pytest.raises(DialError, match="another certificate than the pinned one") as raised:
            reach(endpoint(server.port, pin=bytes(32)))
    assert raised.value.final


def test_an_authority_that_is_none() -> None:
    with pytest.raises(DialError, match="cannot be read") as raised:
        context_for(endpoint(1, authorities=b"no certificate"))
    assert raised.value.final


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DialError, match="Connection refused") as raised:
        reach(endpoint(port))
    assert not raised.value.final
    with pytest.raises(DialError, match="not found in DNS"):
        reach(Endpoint("nowhere.invalid", 443, "nowhere.invalid"))


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"\0\1\2\r\n\r\n"])
def test_another_web_site(answer: bytes) -> None:
    with serving(Behaviour(answer=answer)) as server, pytest.raises(DialError, match="answers"):
        reach(endpoint(server.port))


class OneProxy:
    """An HTTP proxy that connects once, and keeps what it was asked."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked = b""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> "OneProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            with client:
                client.settimeout(PATIENCE)
                while not self.asked.endswith(b"\r\n\r\n"):
                    self.asked += client.recv(4096)
                client.sendall(self._answer)
                if b" 200 " in self._answer:
                    host, _, port = self.asked.split()[1].decode().rpartition(":")
                    self._join(client, socket.create_connection((host, int(port))))

    def _join(self, one: socket.socket, other: socket.socket) -> None:
        def copy(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=copy, args=(other, one))
        back.start()
        copy(one, other)
        back.join()
        other.close()


def test_through_a_proxy() -> None:
    with serving() as server, OneProxy() as proxy:
        through = Proxy("127.0.0.1", proxy.port, "me", "päss")
        assert reach(endpoint(server.port, proxy=through)) == DER
    assert proxy.asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    token = base64.b64encode("me:päss".encode())
    assert b"Proxy-Authorization: Basic " + token in proxy.asked
    assert "päss" not in repr(through)


def test_a_proxy_that_refuses() -> None:
    with OneProxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        with pytest.raises(DialError, match="407") as raised:
            reach(endpoint(443, proxy=Proxy("127.0.0.1", proxy.port)))
        assert raised.value.final
