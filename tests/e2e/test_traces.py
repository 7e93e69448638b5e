"""A trace of a real session is what Wireshark decodes, and has no secret in it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import eap
from tests.support.faults import LoginRefused
from tests.support.netns import Process
from tests.support.requirements import require
from tests.support.server import PROGRAM, Failed, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

#: Seconds until a worker has given what it has.
HEARD = 2.5


@contextmanager
def tracing(vpn: Vpn, path: Path, *options: str) -> Iterator[Process]:
    """Run the command beside the block, and end it as Ctrl-C does."""
    command = (*PROGRAM, "--home", str(vpn.home.path), "session", "trace", "--write", str(path))
    process = Process((*command, *options), path.with_suffix(".said"))
    try:
        wait_for(lambda: "writing" in process.output, "a trace that is written")
        yield process
        time.sleep(HEARD)
        if process.ended() is None:
            os.kill(process.pid, signal.SIGINT)
        process.wait()
    finally:
        process.stop()


def decoded(path: Path, *fields: str, only: str = "frame") -> list[list[str]]:
    """Return what tshark says of the packets that a display filter lets through."""
    options = [part for field in fields for part in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-Y", only, "-T", "fields", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def whole(path: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "json"], capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_next_login_from_its_first_packet_on(vpn: Vpn, tmp_path: Path) -> None:
    require("tshark")
    path = tmp_path / "alice.pcapng"
    with (
        tracing(vpn, path, "--user", "ALICE", "--seconds", "60") as process,
        vpn.client("bob").login() as bob,
        vpn.client().login() as alice,
    ):
        alice.ping(vpn.network.host, size=333)
        bob.ping(vpn.network.host)
        address = str(alice.address)
        assert not path.exists()
        alice.hang_up()
    assert process.ended() == 0, process.output
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"packets\n{path}" in process.output
    kinds = [kind for (kind,) in decoded(path, "sstp.messagetype", only="sstp.messagetype")]
    assert [int(kind, 16) for kind in kinds[:3]] == [1, 2, 4]
    assert decoded(path, "frame.packet_flags_direction")[0] == ["0x00000001"]
    protocols = {one for (line,) in decoded(path, "frame.protocols") for one in line.split(":")}
    assert {"sstp", "ppp", "lcp", "chap", "ipcp", "ip", "icmp"} <= protocols
    assert {name for (name,) in decoded(path, "chap.name", only="chap.code == 2")} == {"alice"}
    (pinged, *_) = decoded(path, "ip.src", "frame.len", "frame.cap_len", only="icmp.type == 8")
    assert pinged[0].split(",")[-1] == address  # behind that of the peer
    assert int(pinged[1]) - int(pinged[2]) == 333
    assert decoded(path, "frame", only="_ws.malformed") == []
    # neither proofs nor the MAC
    values = [value for (value,) in decoded(path, "chap.value", only="chap.code == 2")]
    assert values
    assert all(set(value) <= set("0:") for value in values)
    ((mac, size),) = decoded(path, "sstp.compoundmac", "sstp.length", only="sstp.messagetype == 4")
    assert set(mac) <= set("0:")
    assert int(size) == 112
    messages = [text for (text,) in decoded(path, "chap.message", only="chap.code == 3")]
    assert messages == ["S=" + "0" * 40 + " M=Welcome"]


def test_a_login_that_fails_by_eap(vpn: Vpn, tmp_path: Path) -> None:
    require("tshark")
    path = tmp_path / "alice.pcapng"
    with tracing(vpn, path, "--user", "alice"):
        client = vpn.client(password="wrong", method=eap.Password("alice", "wrong"))
        with client, pytest.raises(LoginRefused):
            client.login()
    assert decoded(path, "eap.ms_chap_v2.nt_response") or decoded(path, "eap.type")
    assert b"wrong" not in path.read_bytes()
    assert decoded(path, "frame", only="_ws.malformed") == []


def test_a_session_that_is_there(vpn: Vpn, tmp_path: Path) -> None:
    require("tshark")
    path = tmp_path / "one.pcapng"
    with vpn.client().login() as alice, vpn.client("bob").login() as bob:
        number = vpn.session(alice).id
        with tracing(vpn, path, "--session", str(number), "--seconds", "30", "--payload"):
            alice.ping(vpn.network.host, size=777)
            bob.ping(vpn.network.host)
    lengths = decoded(path, "frame.len", "frame.cap_len", "ip.src", only="icmp.type == 8")
    assert len(lengths) == 1
    assert lengths[0][0] == lengths[0][1]
    assert lengths[0][2].endswith(f",{alice.address}")


def test_it_ends_with_the_session_and_with_its_size(vpn: Vpn, tmp_path: Path) -> None:
    path = tmp_path / "one.pcapng"
    with vpn.client().login() as alice:
        number = vpn.session(alice).id
        with tracing(vpn, path, "--session", str(number), "--bytes", "2000") as process:
            for count in range(50):
                alice.ping(vpn.network.host, number=count)
            assert process.wait() == 0, process.output
        assert 1000 < path.stat().st_size < 3000
        other = tmp_path / "other.pcapng"
        with tracing(vpn, other, "--session", str(number), "--seconds", "60") as process:
            alice.ping(vpn.network.host)
            alice.hang_up()
            assert process.wait() == 0, process.output


def test_what_is_not_there_is_one_line(vpn: Vpn, tmp_path: Path) -> None:
    path = tmp_path / "none.pcapng"
    for options, line in (
        (("--user", "nobody"), "there is no user 'nobody'"),
        (("--session", "4711"), "there is no session of number 4711"),
        ((), "say whose packets"),
        (("--user", "alice", "--session", "1"), "say whose packets"),
        (("--user", "alice", "--seconds", "1"), "nothing was seen of the user 'alice'"),
    ):
        with pytest.raises(Failed) as failed:
            vpn.home.run("session", "trace", *options, "--write", str(path))
        assert line in failed.value.stderr
        assert "Traceback" not in failed.value.stderr
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(Failed):
        vpn.home.run("session", "trace", "--user", "alice", "--write", str(path))
    assert path.read_text() == "mine"
