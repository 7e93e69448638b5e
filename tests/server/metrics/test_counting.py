"""What workers count, the memory it stands in, and what is made of it for Prometheus."""

import mmap
import os
import subprocess

import pytest

from sstpca.server.contracts import Cause, Figures, LoginMethod, Pool
from sstpca.server.metrics import figures
from sstpca.server.metrics.board import LAYOUT, SLOTS, Board, Copy
from sstpca.server.metrics.exposition import render
from sstpca.server.metrics.figures import CELLS, FIGURES, Refusal
from sstpca.server.metrics.gathered import PROFILES, Gathered, decode
from sstpca.server.metrics.health import complaint
from sstpca.server.metrics.tally import Tally
from tests.support.requirements import require
from tests.support.scrape import Scrape

TOLD = Gathered(
    begun=1000.0,
    workers=2,
    lost=1,
    versions={"version": "0.1.0", "python": "3.13.1", "openssl": "3.5.0"},
    figures=Figures(
        {"default": Pool(241, 3), 'the "other" one': Pool(10, 10)},
        {"user": 2, "source": 1},
        {"server": 2_000_000_000.0, "authority": 2_100_000_000.0},
    ),
)


def scraped(board: Board, told: Gathered = TOLD, monotonic: float = 1e9) -> Scrape:
    slots = Copy(board.descriptor).read()
    text, _ = render(slots, told, accept="", monotonic=monotonic, now=1e9)
    return Scrape(text.decode())


def work(board: Board) -> Tally:
    """Return what a worker has counted in its day."""
    tally = Tally(board.slot(board.take()))
    tally.connected()
    tally.shaken(0.02)
    tally.shaken(99.0)
    tally.failed(LoginMethod.EAP_TLS, Cause.CERTIFICATE)
    tally.refused(Refusal.SLOW)
    tally.logged_in(LoginMethod.PAP)
    tally.up(0.3)
    tally.carried("one", (1000, 2000))
    tally.carried("one", (1500, 2000))
    return tally


def test_all_workers_are_one_sum() -> None:
    board = Board()
    work(board)
    second = work(board)
    second.ended("one", (1600, 2100))
    now = scraped(board)
    assert now("sstpca_receive_bytes_total") == 1500 + 1600
    assert now("sstpca_transmit_bytes_total") == 2000 + 2100
    assert now("sstpca_sessions") == 1
    assert now("sstpca_sessions_started_total") == 2
    assert now("sstpca_sessions_ended_total") == 1
    assert now("sstpca_logins_total", method="eap-tls", result="certificate") == 2
    assert now("sstpca_logins_total", method="pap", result="success") == 2
    assert now("sstpca_refusals_total", reason="slow") == 2
    assert now("sstpca_handshake_duration_seconds_bucket", le="0.01") == 0
    assert now("sstpca_handshake_duration_seconds_bucket", le="0.025") == 2
    assert now("sstpca_handshake_duration_seconds_bucket", le="10.0") == 2
    assert now("sstpca_handshake_duration_seconds_bucket", le="+Inf") == 4
    assert now("sstpca_handshake_duration_seconds_sum") == pytest.approx(198.04)


def test_what_a_dead_worker_has_counted_stays_and_what_it_had_is_gone() -> None:
    board = Board()
    number = board.take()
    tally = Tally(board.slot(number))
    tally.logged_in(LoginMethod.PAP)
    tally.turned(strangers=7, dropped=3)
    board.leave(number)
    now = scraped(board)
    assert now("sstpca_sessions") == now("sstpca_strangers") == 0
    assert now("sstpca_sessions_started_total") == 1
    assert board.take() == number
    Tally(board.slot(number)).turned(strangers=1, dropped=2)
    now = scraped(board)
    assert now("sstpca_strangers") == 1
    assert now("sstpca_queue_dropped_packets_total") == 5


def test_others_cannot_write() -> None:
    board = Board()
    shown = board.shown()
    with pytest.raises(PermissionError):
        mmap.mmap(shown, CELLS * 8)
    with pytest.raises(TypeError):
        Copy(shown)._memory[0] = 1
    assert os.fstat(board.descriptor).st_mode & 0o777 == 0o600
    os.close(shown)


def test_there_is_no_end_of_workers_but_one_of_slots() -> None:
    board = Board()
    numbers = [board.take() for _ in range(512)]
    with pytest.raises(OSError, match="too many workers"):
        board.take()
    board.leave(numbers[0])
    assert board.take() == numbers[0]


def test_no_two_numbers_share_a_place() -> None:
    places = [
        at + cell
        for figure in FIGURES
        for at in figure.places.values()
        for cell in range(figure.cells)
    ]
    assert sorted([figures.ALIVE, figures.ANSWERED, *places]) == list(range(CELLS))


def test_what_is_told_arrives() -> None:
    assert decode(TOLD.encode()) == TOLD
    assert decode(Gathered().encode()) == Gathered()
    many = Figures({f"profile {number}": Pool(1, number % 7) for number in range(2000)})
    pools = decode(Gathered(figures=many).encode()).figures
    assert pools is not None
    assert len(pools.pools) == PROFILES
    assert all(pool.used == 6 or pool.used == 5 for pool in pools.pools.values())


def test_what_is_told_is_shown() -> None:
    now = scraped(Board())
    assert now("sstpca_pool_used_addresses", profile='the "other" one') == 10
    assert now("sstpca_lockouts", locked="user") == 2
    assert now("sstpca_certificate_end_timestamp_seconds", certificate="server") == 2e9
    assert now("sstpca_build_info", version="0.1.0", python="3.13.1", openssl="3.5.0") == 1
    assert now("sstpca_workers_lost_total") == 1


def test_open_metrics_is_given_to_who_asks_for_it() -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    text, kind = render([], TOLD, accept=accept, monotonic=1.0, now=1.0)
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_labels_are_bounded_and_no_ones_names() -> None:
    for figure in FIGURES:
        assert set(figure.labels) <= {"reason", "method", "result"}
        assert len(figure.places) <= 100


def test_prometheus_own_tool_is_content() -> None:
    require("promtool", root=False)
    board = Board()
    work(board)
    text, _ = render(Copy(board.descriptor).read(), TOLD, accept="", monotonic=1.0, now=1.0)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def slots(*, alive: float, answered: float) -> list[list[float]]:
    slot = [0.0] * CELLS
    slot[figures.ALIVE], slot[figures.ANSWERED] = alive, answered
    return [slot]


@pytest.mark.parametrize(
    ("workers", "told", "why"),
    [
        (slots(alive=99, answered=99), TOLD, ""),
        (slots(alive=99, answered=99), Gathered(), ""),
        ([], TOLD, "no worker answers"),
        (slots(alive=90, answered=99), TOLD, "no worker answers"),
        (slots(alive=99, answered=80), TOLD, "the store does not answer"),
        (slots(alive=99, answered=0), TOLD, "the server is starting"),
        (slots(alive=99, answered=80), TOLD, "the store does not answer"),
        (slots(alive=90, answered=99) + slots(alive=99, answered=99), TOLD, ""),
        (slots(alive=99, answered=80) + slots(alive=99, answered=99), TOLD, ""),
        (
            slots(alive=99, answered=99),
            Gathered(draining=True),
            "draining: the server takes no new sessions",
        ),
        (
            slots(alive=99, answered=99),
            Gathered(figures=Figures(certificates={"server": 1e9 - 1})),
            "the server's certificate has ended",
        ),
    ],
)
def test_health(workers: list[list[float]], told: Gathered, why: str) -> None:
    assert complaint(workers, told, monotonic=100.0, now=1e9) == why


def test_another_program_goes_on_with_the_board() -> None:
    before = Board()
    number, other = before.take(), before.take()
    Tally(before.slot(other)).connected()
    after = Board(before.descriptor)
    assert after.keep(other, LAYOUT)
    assert not after.keep(number, "of another release")
    assert not after.keep(-1, LAYOUT)
    assert after.take() == number
    Tally(after.slot(number)).connected()
    assert scraped(after)("sstpca_connections_total") == 2
    assert after.room == SLOTS - 2
    after.leave(-1)
    assert after.room == SLOTS - 2
