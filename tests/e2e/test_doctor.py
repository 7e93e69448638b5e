"""``sstpca doctor`` looks at the real server, and logs in."""

import json
import subprocess
from typing import Any

import pytest

from tests.support.server import LOCAL, PASSWORDS, PORT, PROGRAM, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


def look(vpn: Vpn, *options: str, password: str = "") -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and the checks by name."""
    server = f"{vpn.network.server_address}:{PORT}"
    where = ("ip", "netns", "exec", vpn.network.client.name)
    command = (*where, *PROGRAM, "--home", str(vpn.home.path), "doctor", server, "--json", *options)
    done = subprocess.run(
        command, input=password, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["checks"]}


def test_the_whole_way(vpn: Vpn) -> None:
    status, checks = look(vpn, "--user", "alice", "--password-stdin", password=PASSWORDS["alice"])
    bad = [one for one in checks.values() if one["verdict"] != "pass"]
    # the DNS servers of these tests are nobody
    assert [one["check"] for one in bad] == ["names"]
    assert status == 1
    assert checks["mtu"]["found"] == "packets of 1400 bytes pass both ways"
    assert checks["echo"]["found"].startswith(f"{LOCAL} answers after")
    assert "DHCPINFORM is answered" in checks["dhcp"]["found"]
    wait_for(vpn.idle, "the end of the session")


def test_the_wrong_password(vpn: Vpn) -> None:
    status, checks = look(vpn, "--user", "bob", "--password-stdin", password="not it")
    assert (status, checks["login"]["code"]) == (2, "691")
