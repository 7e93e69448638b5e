"""A worker and its keeper live and die together."""

import contextlib
import os
import signal

import pytest

from tests.e2e.conftest import check_clean
from tests.support.server import Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.mark.parametrize("kind", ["worker", "keeper"])
def test_who_ends_takes_the_other_along(fresh: Vpn, kind: str) -> None:
    workers, keepers = fresh.server.children(), fresh.server.children("keeper")
    with contextlib.suppress(OSError, EOFError), fresh.client().login():
        [session] = fresh.home.sessions()
        place = workers.index(session.worker)
        victim = (workers if kind == "worker" else keepers)[place]
        os.kill(victim, signal.SIGKILL)
        gone = {workers[place], keepers[place]}

        def replaced() -> bool:
            left = {*fresh.server.children(), *fresh.server.children("keeper")}
            return not gone & left and len(left) == len(workers) + len(keepers)

        wait_for(replaced, "the pair replaced")
    assert fresh.interfaces() == set()
    assert fresh.home.sessions() == []
    with fresh.client().login() as client:
        client.ping(fresh.network.host)
    assert fresh.server.stop() == 0
    check_clean(fresh)
