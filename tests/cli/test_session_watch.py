"""sstpca session watch: on a terminal, and where there is none."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from sstpca.cli import session_watch
from sstpca.cli.session_watch import _Line, _Rates, _sorted
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, users
from sstpca.vpn.sessions import SessionView
from tests.support.waiting import PATIENCE


def view(
    number: int, user: str, *, started: float = 0.0, received: int = 0, sent: int = 0
) -> SessionView:
    return SessionView(
        id=number,
        user=user,
        address=f"10.99.{number // 250}.{number % 250}",
        prefix="",
        peer="203.0.113.9:1",
        interface=f"sstp{number}",
        client="x",
        started=started,
        received=received,
        sent=sent,
        worker=1,
    )


def test_rates() -> None:
    rates = _Rates()
    [first] = rates.lines([view(1, "alice", received=100, sent=1000)], 10.0)
    assert (first.down, first.up) == (0.0, 0.0), "what it carried before is no rate"
    old, new = rates.lines(
        [view(1, "alice", received=300, sent=1000), view(2, "bob", sent=7)], 12.0
    )
    assert (old.up, old.down, new.down) == (100.0, 0.0, 0.0)
    assert rates.lines([], 13.0) == []


@pytest.mark.parametrize(
    ("order", "numbers"),
    [("rate", [2, 1, 3]), ("bytes", [3, 1, 2]), ("user", [2, 3, 1]), ("since", [1, 3, 2])],
)
def test_orders(order: str, numbers: list[int]) -> None:
    lines = [
        _Line(view(1, "carol", started=9.0, received=5), 1.0, 1.0),
        _Line(view(2, "Alice", started=1.0), 0.0, 9.0),
        _Line(view(3, "bob", started=5.0, sent=6), 0.0, 0.0),
    ]
    assert [one.view.id for one in _sorted(lines, order)] == numbers


def test_five_thousand_sessions() -> None:
    """As many as there is room for, and how many there are beside."""
    from rich.console import Console

    lines = [_Line(view(number, f"user{number}"), float(number), 0.0) for number in range(5000)]
    console = Console(width=80, height=24, force_terminal=True, color_system=None)
    with console.capture() as shown:
        console.print(session_watch._screen(lines, "rate", 24))
    text = shown.get().splitlines()
    assert len(text) <= 24
    assert max(map(len, text)) <= 80
    assert text[0].startswith("5000 sessions, 12.5 MB/s down, 0 B/s up, by rate")
    assert text[2].split()[:3] == ["4999", "user4999", "10.99.19.249"]
    assert text[-1].startswith("and 4980 more; ")


def test_nothing_else_loads_rich() -> None:
    """It takes a tenth of a second to import."""
    modules = "sstpca.cli, sstpca.cli.session_watch, sstpca.cli.status, sstpca.cli.session_past"
    code = f"import sys, {modules}\nassert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


@pytest.fixture
def alice(home: Home) -> Iterator[Sessions]:
    store = Store.open(home.database)
    user = users.add(store, Sealer.load(home), "alice", "correct horse")
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        account = Account(user.id, user.name, True)
        lease = sessions.promise(account, peer="203.0.113.9:5000", client="x")
        assert lease is not None
        assert sessions.bind(lease.session, "sstp1") == ""
        yield sessions


def command(home: Home) -> list[str]:
    return [sys.executable, "-P", "-m", "sstpca", "--home", str(home.root), "session", "watch"]


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """Read until something was said, for a minute at most."""
    said, end = b"", time.monotonic() + PATIENCE
    while wanted not in said and time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            said += os.read(descriptor, 65_536)
        time.sleep(0.02)
    assert wanted in said, said
    return said


@pytest.mark.parametrize("way", ["q", "Ctrl-C"])
def test_a_terminal_is_as_it_was(home: Home, alice: Sessions, way: str) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(leader, False)
    before = termios.tcgetattr(follower)
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        command(home), stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    try:
        assert b"\x1b[?1049h" in read_until(leader, b"alice"), "a screen of its own"
        os.write(leader, b"u")
        read_until(leader, b"by user")
        if way == "q":
            os.write(leader, b"q")
        else:
            process.send_signal(signal.SIGINT)
        said = read_until(leader, b"\x1b[?1049l")
        assert b"\x1b[?25h" in said, "the cursor is there again"
        assert process.wait(PATIENCE) == 0
        assert termios.tcgetattr(follower) == before
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)


def test_no_terminal(home: Home, alice: Sessions) -> None:
    with subprocess.Popen(
        command(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert b"\x1b" not in line
    assert line.endswith(b"  1 session, 0 B/s down, 0 B/s up\n")
