"""The supervisor where the end-to-end tests would have to wait for the database's time-outs."""

import logging
from pathlib import Path
from typing import cast

import pytest

from sstpca.server.config import Config
from sstpca.server.interfaces import Backend
from sstpca.server.log import LOGGER
from sstpca.server.net.tls import CertificateFile
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


def test_the_leases_of_a_dead_worker_come_free_when_the_store_answers_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    monkeypatch.setattr(_Supervisor, "_start", lambda _: None)
    ended = [(4_000_001, 9)]
    monkeypatch.setattr(_Supervisor, "_reap", lambda _: [ended.pop()] if ended else [])
    store = Failing()
    config = Config("vpn", (), Path("none"), lambda: None, 1, "sstp", "t", 1400, True)
    supervisor = _Supervisor(
        config, cast("CertificateFile", None), [], cast("Backend", store), frozenset()
    )
    supervisor._workers[4_000_001] = 0.0
    with caplog.at_level(logging.ERROR, "sstpca"):
        supervisor._replace()
    assert any("stay taken for now: as if" in line for line in caplog.messages)
    store.fails = False
    for _ in range(2):
        supervisor._replace()
        supervisor._forget()
    assert store.forgotten == [4_000_001]
