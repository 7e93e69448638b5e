"""What the real server keeps of sessions and logins, under one number everywhere."""

import json
import os
import signal
from typing import Any

import pytest

from tests.support.client import Spoil
from tests.support.faults import Aborted, LoginRefused
from tests.support.server import Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


def asked(vpn: Vpn, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(vpn.home.run(*arguments, "--json"))
    return found


def failures(vpn: Vpn) -> list[tuple[str, str]]:
    return [(one["user"], one["reason"]) for one in asked(vpn, "session", "failures")]


def test_a_session_has_one_number_everywhere(fresh: Vpn) -> None:
    with fresh.client().login() as client:
        client.ping(fresh.network.host)
        live, address = fresh.session(client), str(client.address)
        [running] = asked(fresh, "session", "history")
        assert (running["id"], running["ended"], running["address"]) == (live.id, None, address)
        assert live.interface == f"sstp{live.id}"
        state = json.loads(fresh.home.run("status", "--json"))
        assert (state["sessions"], state["begun"]) == (1, 1)
        assert state["server"]["pid"] == fresh.server.process.pid
        assert state["server"]["alive"] == state["server"]["workers"]
        client.hang_up()
    wait_for(fresh.idle, "the end of the session")
    [ended] = asked(fresh, "session", "history", "--address", address, "--since", "1m")
    assert ended["received"] > 0
    assert ended["reason"]
    log = fresh.home.run("log", "--file", str(fresh.server.log), "--session", str(live.id))
    lines = log.splitlines()
    assert "logged in by" in lines[0]
    assert f"ended: {ended['reason']} " in lines[-1]
    assert all(f" session {live.id} alice " in line for line in lines)


def test_logins_that_fail_are_kept(fresh: Vpn) -> None:
    with fresh.client("bob", password="wrong") as client:
        client.open()
        with pytest.raises(LoginRefused):
            client.authenticate()
    # a good login that is passed on to another connection: the binding does not hold
    with fresh.client() as client:
        client.open()
        client.authenticate()
        client.bind(spoil=Spoil.MAC)
        with pytest.raises(Aborted):
            client.configure()
    wait_for(lambda: len(failures(fresh)) >= 2, "two failed logins")
    assert sorted(user for user, _ in failures(fresh)) == ["alice", "bob"]
    assert ("bob", "the password is wrong") in failures(fresh)
    [(_, why)] = [one for one in failures(fresh) if one[0] == "alice"]
    assert why.startswith("crypto binding refused")
    assert asked(fresh, "session", "history") == [], "nobody of them had a session"


def test_a_server_that_is_killed_leaves_an_end(fresh: Vpn) -> None:
    with fresh.client().login() as client:
        client.ping(fresh.network.host)
        wait_for(lambda: fresh.session(client).received > 0, "the counters")
        # as a machine dies: nobody is left who could tidy up
        for pid in (fresh.server.process.pid, *fresh.server.children()):
            os.kill(pid, signal.SIGKILL)
        fresh.server.process.wait()
    fresh.server.start()
    [ended] = asked(fresh, "session", "history")
    assert ended["reason"] == "the server ended unexpectedly"
    assert ended["received"] > 0
    assert ended["started"] <= ended["ended"]
    assert fresh.server.stop() == 0
