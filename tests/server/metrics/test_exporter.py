"""What the exporter answers, whatever it is asked."""

import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Figures
from sstpca.server.log import LOGGER
from sstpca.server.metrics.board import Board, Copy
from sstpca.server.metrics.exporter import Exporter
from sstpca.server.metrics.exporting import Exporting
from tests.support.scrape import Answer, Scrape, read
from tests.support.waiting import PATIENCE

BOARD = Board()


def answer(request: str) -> Answer:
    return read(Exporter(Copy(BOARD.descriptor)).answer_to(request.encode("latin-1")))


def test_what_there_is() -> None:
    metrics = answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert metrics.status == 200
    assert metrics.fields["content-length"] == str(len(metrics.body))
    assert Scrape(metrics.body)("sstpca_up") == 0
    health = answer("GET /health?verbose HTTP/1.0\r\n\r\n")
    assert (health.status, health.body) == (503, "no worker answers\n")
    assert answer("HEAD /ready HTTP/1.1\r\n\r\n").body == ""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET /../metrics HTTP/1.1\r\n\r\n", 404),
        ("POST /metrics HTTP/1.1\r\n\r\n", 405),
        ("GET /metrics\r\n\r\n", 400),
        ("\x16\x03\x01\r\n\r\n", 400),
        ("\r\n\r\n", 400),
    ],
)
def test_what_there_is_not(request_: str, status: int) -> None:
    assert answer(request_).status == status


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_nothing_makes_it_fail(text: str) -> None:
    assert answer(text + "\r\n\r\n").status in (200, 400, 404, 405, 503)


@pytest.fixture
def endpoint() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        _, port = probe.getsockname()
        return "127.0.0.1", int(port)


def ask(endpoint: tuple[str, int], path: str) -> Answer:
    with socket.create_connection(endpoint, PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        return read(b"".join(iter(lambda: sock.recv(65536), b"")))


def until(endpoint: tuple[str, int]) -> Iterator[Answer]:
    """Ask until it has heard of the store, for a while."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        yield ask(endpoint, "/metrics")
        time.sleep(0.1)


def exporting(endpoint: tuple[str, int], gathered: Figures | None) -> Exporting:
    def gather() -> Figures:
        if gathered is None:
            raise OSError("as if")
        return gathered

    return Exporting(endpoint, Board(), gather, version="1.2.3", workers=1)


def test_the_process(endpoint: tuple[str, int]) -> None:
    with exporting(endpoint, Figures(lockouts={"user": 5})) as running:
        text = next(one.body for one in until(endpoint) if "lockouts{" in one.body)
        assert Scrape(text)("sstpca_lockouts", locked="user") == 5
        assert 'version="1.2.3"' in text
        running.drain()
        assert any("sstpca_draining 1.0" in one.body for one in until(endpoint))
        assert ask(endpoint, "/health").body.startswith("draining")
    with pytest.raises(ConnectionRefusedError):
        ask(endpoint, "/health")


def test_a_store_that_does_not_answer(
    endpoint: tuple[str, int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    with exporting(endpoint, None):
        assert any("sstpca_workers_wanted 1.0" in one.body for one in until(endpoint))
    assert "metrics lack what the store knows: as if" in caplog.messages


def test_an_address_that_is_not_ours_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    with exporting(("192.0.2.1", 9477), Figures()) as running:
        running._next = 0.0
        running.tick()
    (line,) = caplog.messages
    assert line == (
        "no metrics at 192.0.2.1:9477: Cannot assign requested address; "
        "the VPN goes on without them"
    )
