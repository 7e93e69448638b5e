"""Programs of the administrator's hear of the sessions of a real server."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.netns import Network
from tests.support.server import Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def hooked(network: Network, make_copy: MakeHome, tmp_path: Path) -> Iterator[Vpn]:
    home = make_copy("home")
    program = tmp_path / "hook"
    program.write_text(
        f'#!/bin/sh\nip link show "$SSTPCA_INTERFACE" > /dev/null 2>&1; echo "$? $SSTPCA_EVENT '
        f'$SSTPCA_USER $SSTPCA_ADDRESS $SSTPCA_PROFILE $SSTPCA_REASON" >> {tmp_path}/said\n'
        "sleep 2\n"
    )
    program.chmod(0o700)
    settings = home.path / "settings.toml"
    text = settings.read_text()
    for name in ("up", "down"):
        text = text.replace(f'\n{name} = ""', f'\n{name} = "{program}"')
    settings.write_text(text)
    with Server(home, network.server, tmp_path / "log") as server:
        yield Vpn(network, home, server)


def test_up_and_down(hooked: Vpn, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with hooked.client().login() as alice:
        alice.ping(hooked.network.host)  # while the program is still running
        wait_for(said.exists, "the first program")
        assert said.read_text() == f"0 up alice {alice.address} default \n"
        alice.hang_up()
    wait_for(lambda: len(said.read_text().splitlines()) == 2, "the second program")
    code, event, *rest = said.read_text().splitlines()[1].split(" ", 5)
    assert (code, event) == ("1", "down")
    assert rest[:3] == ["alice", str(alice.address), "default"]
    assert rest[3]
    assert "Traceback" not in hooked.server.process.output


def test_the_end_of_the_server_is_the_end_of_its_sessions(hooked: Vpn, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with hooked.client().login():
        wait_for(said.exists, "the first program")
        assert hooked.server.stop() == 0
    assert [line.split()[1] for line in said.read_text().splitlines()] == ["up", "down"]


def test_the_end_of_a_worker_is_the_end_of_its_sessions(hooked: Vpn, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with hooked.client().login() as alice:
        wait_for(said.exists, "the first program")
        os.kill(hooked.session(alice).worker, signal.SIGKILL)
        wait_for(lambda: "the worker ended" in said.read_text(), "the second program")
    assert [line.split()[1] for line in said.read_text().splitlines()] == ["up", "down"]
