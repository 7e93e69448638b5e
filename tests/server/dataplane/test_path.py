"""What follows from what the kernel knows of a path, and that it can be asked."""

import socket
import threading
from collections.abc import Iterator

import pytest

from sstpca.server.dataplane import path
from sstpca.server.dataplane.path import UNKNOWN, Path, follow, path_of
from tests.support.waiting import PATIENCE

FAR, NEAR = 0.04, 0.0001
#: 100 Mbit/s.
WIDE = 12_500_000
UNLIMITED = 0xFFFFFFFF


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as far,
    ):
        near, _ = listener.accept()
        with near:
            far.settimeout(PATIENCE)
            near.settimeout(PATIENCE)
            yield near, far


def carry(near: socket.socket, far: socket.socket, size: int = 4 << 20) -> None:
    """Have so much go from the one to the other."""
    sender = threading.Thread(target=near.sendall, args=(bytes(size),))
    sender.start()
    while size:
        size -= len(far.recv(1 << 20))
    sender.join()


def unsent(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, 25)  # TCP_NOTSENT_LOWAT


def pace(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, 47) & UNLIMITED  # SO_MAX_PACING_RATE


def test_little_is_unsent_where_nothing_is_known_or_the_congestion_control_does_not_pace() -> None:
    assert UNKNOWN.unsent == Path(FAR).unsent == 16 * 1024


def test_what_is_unsent_is_part_of_a_round_trip() -> None:
    assert Path(FAR / 2, bandwidth=WIDE).unsent == WIDE // 100
    assert Path(FAR, bandwidth=WIDE).unsent == Path(1.0, bandwidth=WIDE).unsent == WIDE // 50
    # on a fast path that is much memory; on a short one others would wait behind it for no use
    assert Path(FAR, bandwidth=100 * WIDE).unsent == 256 * 1024
    assert Path(FAR / 4, bandwidth=WIDE // 5).unsent == 16 * 1024
    assert Path(NEAR, bandwidth=5 * WIDE).unsent == 16 * 1024


def test_packets_may_wait_for_several_round_trips() -> None:
    assert UNKNOWN.target == Path(FAR).target == 0.05
    assert Path(NEAR, bandwidth=1).target == Path(0.01, bandwidth=1).target == 0.05
    assert Path(0.03, bandwidth=1).target == pytest.approx(0.15)
    assert Path(FAR, bandwidth=1).target == Path(10.0, bandwidth=1).target == 0.2


def test_a_startup_that_loses_much_and_finds_no_more_is_slowed_down() -> None:
    before = Path(FAR, 1_000_000, 0, WIDE, is_starting=True)
    stuck = Path(FAR, 7_000_000, 600_000, WIDE, is_starting=True)
    assert stuck.pace(before) == WIDE
    for other in (
        Path(FAR, 7_000_000, 600_000, WIDE, is_starting=False),
        Path(FAR, 7_000_000, 600_000, 2 * WIDE, is_starting=True),  # it still finds more
        Path(FAR, 7_000_000, 60_000, WIDE, is_starting=True),  # what is lost is the path's
        Path(FAR, 1_000_000, 0, WIDE, is_starting=True),  # nothing was sent
    ):
        assert other.pace(before) == UNLIMITED
    assert stuck.pace(UNKNOWN) == UNLIMITED


def test_the_kernel_is_asked(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    carry(near, far)
    found = path_of(near)
    assert 0.0 < found.round_trip < PATIENCE
    assert found.sent >= 4 << 20
    assert found.sent_again <= found.sent
    assert found.bandwidth == 0
    assert not found.is_starting


def test_and_what_bbr_has_found(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    try:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"bbr")
    except OSError as error:
        pytest.skip(f"the kernel has no BBR: {error.strerror}")
    carry(near, far)
    found = path_of(near)
    assert found.bandwidth > 0
    assert found.round_trip > 0.0


def test_the_kernel_follows(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    follow(near, UNKNOWN)
    assert unsent(near) == 16 * 1024
    before = Path(FAR, 1_000_000, 0, WIDE, is_starting=True)
    stuck = Path(FAR, 7_000_000, 600_000, WIDE, is_starting=True)
    follow(near, stuck, before)
    assert unsent(near) == stuck.unsent
    assert pace(near) == WIDE
    follow(near, Path(FAR, 8_000_000, 600_000, WIDE), stuck)
    assert pace(near) == UNLIMITED


def test_a_kernel_that_tells_nothing_is_no_trouble(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    monkeypatch.setattr(path, "_TCP_CC_INFO", 9999)
    assert path_of(near) == UNKNOWN
    one, other = socket.socketpair()
    with one, other:
        assert path_of(one) == UNKNOWN
