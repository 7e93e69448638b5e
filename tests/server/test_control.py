"""The socket for administrators: who may speak, and what becomes of nonsense."""

import json
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sstpca.server import control
from sstpca.server.control import ControlSocket, control_in, tell
from sstpca.server.errors import ServerError
from sstpca.server.log import LOGGER


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A server that answers: what it is told, an error, a mistake."""

    def echo(wanted: Mapping[str, Any], _: socket.socket) -> dict[str, Any]:
        return {"told": wanted["text"]}

    def refuse(_: Mapping[str, Any], __: socket.socket) -> dict[str, Any]:
        raise ServerError("it cannot be", "do this")

    def fail(_: Mapping[str, Any], __: socket.socket) -> dict[str, Any]:
        raise RuntimeError("oh")

    over = threading.Event()
    # its default is the end of the process, and any thread of the test's may be the one that gets it
    before = signal.signal(signal.SIGIO, lambda *_: None)
    with control_in(tmp_path) as made:

        def run() -> None:
            while not over.wait(0.02):
                made.answer({"echo": echo, "refuse": refuse, "fail": fail})

        thread = threading.Thread(target=run)
        thread.start()
        yield tmp_path
        over.set()
        thread.join()
    signal.signal(signal.SIGIO, before)


def test_it_answers(served: Path) -> None:
    assert tell(served, "echo", text="é" * 10_000) == {"told": "é" * 10_000}


def test_what_the_server_raises_is_raised_here(served: Path) -> None:
    with pytest.raises(ServerError, match="it cannot be") as caught:
        tell(served, "refuse")
    assert caught.value.hint == "do this"
    with pytest.raises(ServerError, match="a mistake in the server: oh"):
        tell(served, "fail")
    with pytest.raises(ServerError, match="knows no such request"):
        tell(served, "explode")


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null", b'{"verb": []}', b"\xff" * 70_000])
def test_nonsense_is_answered_and_ends_nothing(served: Path, text: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60.0)
        sock.connect(str(served / control.NAME))
        try:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            assert "knows no such request" in json.loads(sock.recv(65_536))["error"]
        except (BrokenPipeError, ConnectionResetError):
            assert len(text) > 65_536
    assert tell(served, "echo", text="still here") == {"told": "still here"}


def test_it_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / control.NAME
    path.write_text("left by a server that was killed")
    with control_in(tmp_path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()
    with pytest.raises(OSError, match="No such file"):
        tell(tmp_path, "echo")


def test_a_long_path_is_none_too_many(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["folder-with-a-long-name"] * 8)
    folder.mkdir(parents=True)
    assert len(str(folder)) > 108
    with control_in(folder):
        assert (folder / control.NAME).is_socket()


def test_a_server_goes_on_where_there_can_be_no_socket(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    with control_in(tmp_path / "gone") as made:
        made.answer({})
    assert "no command can speak to this server" in caplog.text
    with control_in(None) as made:
        assert isinstance(made, ControlSocket)
    assert list(tmp_path.iterdir()) == []
