"""The supervisor where the end-to-end tests would have to wait for the database's time-outs."""

import dataclasses
import gc
import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from sstpca.server.config import Config
from sstpca.server.contracts import Backend, Figures
from sstpca.server.control import ControlSocket
from sstpca.server.crew import Crew, Pair
from sstpca.server.listening import Listeners
from sstpca.server.log import LOGGER
from sstpca.server.metrics.board import Board
from sstpca.server.metrics.exporting import Exporting
from sstpca.server.net.rules import Rules
from sstpca.server.net.tls import CertificateFiles
from sstpca.server.notify import Notifier
from sstpca.server.parts import Parts
from sstpca.server.service import _Supervisor


class Failing:
    """A store that fails until it is told not to."""

    def __init__(self) -> None:
        self.fails = True
        self.forgotten: list[int] = []

    def forget(self, pid: int) -> None:
        if self.fails:
            raise OSError("as if")
        self.forgotten.append(pid)


def supervisor_of(config: Config, store: Failing | None = None) -> _Supervisor:
    backend, identity = cast("Backend", store or Failing()), cast("CertificateFiles", None)
    exporting = Exporting(None, Board(), Figures, version="", workers=1)
    listeners = Listeners([], activated=False)
    parts = Parts(
        config,
        identity,
        backend,
        listeners,
        cast("Rules", None),
        exporting,
        Crew(config, identity, listeners, backend, exporting.board),
        ControlSocket(None),
        Notifier({}),
    )
    return _Supervisor(parts, frozenset())


def test_a_certificate_that_ends_soon_is_said_once_a_day(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    clock = [1000.0]
    monkeypatch.setattr("sstpca.server.service.time.monotonic", lambda: clock[0])
    said = ["it ends in 19 days: sstpca cert renew server"]
    config = Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True)
    supervisor = supervisor_of(dataclasses.replace(config, due=lambda: said[0]))
    with caplog.at_level(logging.WARNING, "sstpca"):
        for _ in range(3):
            supervisor._warn_of_expiry()
        assert caplog.messages == said
        clock[0] += 86_399
        supervisor._warn_of_expiry()
        assert len(caplog.messages) == 1
        clock[0] += 2
        supervisor._warn_of_expiry()
        assert caplog.messages == said * 2
        said[0], clock[0] = "", clock[0] + 86_401
        supervisor._warn_of_expiry()
        assert len(caplog.messages) == 2


def test_a_certificate_that_cannot_be_looked_at_does_not_end_the_server(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)

    def gone() -> str:
        raise OSError("as if")

    config = Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True, gone)
    with caplog.at_level(logging.ERROR, "sstpca"):
        supervisor_of(config)._warn_of_expiry()
    assert caplog.messages == ["as if"]


def test_the_leases_of_a_dead_worker_come_free_when_the_store_answers_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    monkeypatch.setattr(Crew, "start", lambda _: None)
    ended = [(Pair(4_000_001, 4_000_002, 0, 0.0), "its worker, 9")]
    monkeypatch.setattr(Crew, "ended", lambda _: [ended.pop()] if ended else [])
    store = Failing()
    config = Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True)
    supervisor = supervisor_of(config, store)
    with caplog.at_level(logging.ERROR, "sstpca"):
        supervisor._replace()
    assert any("stay taken for now: as if" in line for line in caplog.messages)
    store.fails = False
    for _ in range(2):
        supervisor._replace()
        supervisor._forget()
    assert store.forgotten == [4_000_001]


def test_a_worker_does_not_look_for_garbage_among_the_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That takes more than 100 ms, in which no packet passes."""
    reader, writer = os.pipe()

    async def work(*_: object) -> None:
        os.write(writer, str(len(gc.get_objects())).encode())

    monkeypatch.setattr("sstpca.server.crew.work", work)
    monkeypatch.setattr(Crew, "_be_keeper", lambda *_: None)
    monkeypatch.setattr("sstpca.server.confinement.confine", lambda *_: [])
    files = SimpleNamespace(presented=lambda: None)
    crew = Crew(
        Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True),
        cast("CertificateFiles", files),
        Listeners([], activated=False),
        cast("Backend", Failing()),
        Board(),
    )
    crew.start()
    [pair] = crew.pairs
    assert os.waitpid(pair.worker, 0)[1] == 0
    os.waitpid(pair.keeper, 0)
    with os.fdopen(reader) as told:
        os.close(writer)
        assert int(told.read()) < len(gc.get_objects()) / 10
