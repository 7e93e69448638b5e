"""The TLS and the HTTP request of other people's clients, at the real door."""

import ssl
import threading

import pytest

from sstpca.home import Home
from sstpca.server.sstp.preamble import Preamble
from tests.support.door import Door, enter
from tests.support.greetings import CLIENTS, TOO_OLD, Greeting


class Client:
    """A client in a thread of its own."""

    def __init__(self, door: Door, home: Home, greeting: Greeting) -> None:
        self.answer = b""
        self.protocol: str | None = None
        self.version: str | None = None
        self.failed: OSError | None = None
        self._door, self._greeting = door, greeting
        self._context = greeting.context(str(home.ca_certificate))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._context.wrap_socket(
                self._door.far, server_hostname=self._greeting.sni or None
            ) as tls:
                self.protocol, self.version = tls.selected_alpn_protocol(), tls.version()
                tls.sendall(self._greeting.request)
                self.answer = tls.recv(4096)
        except OSError as error:
            self.failed = error


@pytest.mark.parametrize("name", CLIENTS)
def test_who_is_let_in(usual_home: Home, name: str) -> None:
    greeting = CLIENTS[name]

    async def story(door: Door) -> None:
        client = Client(door, usual_home, greeting)
        await door.until(lambda: door.accepted or door.gone)
        client.join()
        assert (client.failed, door.gone) == (None, [""])
        (request,) = door.accepted
        assert request.is_sstp
        assert request.rest == greeting.behind
        assert client.answer.startswith(b"HTTP/1.1 200 ")
        # nothing of the server's is in what the client reads as the header's end
        assert client.answer.endswith(b"\r\n\r\n")
        # h2 would be spoken to next
        assert client.protocol is None
        wanted = "TLSv1.3" if greeting.newest is ssl.TLSVersion.TLSv1_3 else "TLSv1.2"
        assert client.version == wanted

    enter(usual_home, story)


@pytest.mark.parametrize("name", CLIENTS)
def test_packets_share_a_record_only_where_the_client_can_read_that(name: str) -> None:
    """sstpc and its children read the first packet of a record alone; they send an odd GUID."""
    request = Preamble().feed(CLIENTS[name].request)
    assert request is not None
    odd = any("62DFA5C0" in line for line in CLIENTS[name].lines)
    assert request.coalesce is not odd


@pytest.mark.parametrize("name", TOO_OLD)
def test_who_is_too_old_is_told_so(usual_home: Home, name: str) -> None:
    async def story(door: Door) -> None:
        client = Client(door, usual_home, TOO_OLD[name])
        await door.until(lambda: door.gone)
        client.join()
        assert "PROTOCOL_VERSION" in str(client.failed) or "protocol version" in str(client.failed)
        (why,) = door.gone
        offered = "the client offers TLS 1.1 at most, not TLS 1.2"
        assert why == f"TLS: {offered}; if it is a Windows 7, update it"

    enter(usual_home, story)
