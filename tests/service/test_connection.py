"""A connection as a service: what systemd, a shell and root's folder are told of it."""

import socket
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from sstpca.client.dialing import Endpoint
from sstpca.client.keeping import State
from sstpca.client.sign_in import Certificate, Credentials
from sstpca.errors import InvalidInput, NotFound
from sstpca.server.notify import Notifier
from sstpca.service import connection
from sstpca.service.connection import Connection, SysvInit, unit_of
from sstpca.vpn import connecting, kept
from sstpca.vpn.connecting import EVERYWHERE, Destination, Wishes
from tests.support.requirements import require

PEM = b"-----BEGIN CERTIFICATE-----\n"
SERVER = Endpoint("vpn.example.com", 443, "vpn.example.com", PEM)
FOLDER = "/etc/sstpca/connections/office"
PASSWORD = "s3cret %h $HOME pass"
MADE = Connection("office", "vpn.example.com", ("vpn.example.com:443", "--interface", "vpn%d"))


def planned(
    destination: Destination | None = None,
    who: Credentials | Certificate | None = None,
    wishes: Wishes | None = None,
    **more: str,
) -> dict[str, str]:
    """Return the files of a service ``office``, by path."""
    to = destination or Destination(SERVER)
    made = kept.plan(
        "office",
        to,
        who or Credentials("alice", PASSWORD),
        wishes or Wishes(),
        **more,  # type: ignore[arg-type]
    )
    for one in made.written:
        inside = str(one.path).startswith(FOLDER)
        assert one.mode & 0o077 == 0 if inside else one.mode & 0o022 == 0
        assert (kept.shown(one) == "(for root alone)\n") is inside
    return {str(one.path): one.content.decode() for one in made.written}


def commands(files: dict[str, str]) -> str:
    """Return what is in reach of everybody."""
    return "".join(text for path, text in files.items() if not path.startswith(FOLDER))


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    require("systemd-analyze", root=False)
    unit = tmp_path / "sstpca-connect@office.service"
    unit.write_text(unit_of(MADE).replace("Documentation=man:sstpca(1)\n", ""))
    words = ("systemd-analyze", "verify", unit)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "sstpca" in line] == []
    # 3.0 at most of 10, by systemd's own measure
    words = ("systemd-analyze", "security", "--offline=true", "--threshold=30", unit)  # type: ignore[assignment]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_may_do_what_it_needs_and_nothing_else() -> None:
    lines = unit_of(MADE).splitlines()
    [named] = [line for line in lines if line.startswith("CapabilityBoundingSet=")]
    allowed = {"CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_DAC_READ_SEARCH"}
    assert set(named.partition("=")[2].split()) <= allowed
    # the start of the machine does not wait for a server that is down
    assert {"DefaultDependencies=no", "TimeoutStartSec=infinity", "Type=notify"} <= set(lines)
    assert '"--interface" "vpn%%d" "--keep-trying"' in unit_of(MADE)


def test_a_password_is_in_roots_folder_alone() -> None:
    files = planned(proxy="http://me:hidden@proxy.example.com:3128")
    assert files[f"{FOLDER}/password"] == f"{PASSWORD}\n"
    assert files[f"{FOLDER}/environment"] == (
        "SSTPCA_PROXY='http://me:hidden@proxy.example.com:3128'\n"
    )
    assert files[f"{FOLDER}/ca.pem"] == PEM.decode()
    assert "s3cret" not in commands(files) and "hidden" not in commands(files)
    assert f"{FOLDER}/password" in commands(files)


def test_a_bundle_and_a_certificate() -> None:
    to = Destination(SERVER, "alice", files={"peer": b"name alice\n", "ca.pem": PEM})
    files = planned(to, Certificate("alice", b"the key"))
    assert files[f"{FOLDER}/bundle/peer"] == "name alice\n"
    assert files[f"{FOLDER}/certificate.pem"] == "the key"
    assert f"{FOLDER}/password" not in files
    assert "the key" not in commands(files)


@pytest.mark.parametrize(
    ("to", "wishes", "words"),
    [
        (SERVER, Wishes(routes=EVERYWHERE), ["--full-tunnel"]),
        (SERVER, Wishes(routes=(IPv4Network("10.0.0.0/8"),)), ["--route", "10.0.0.0/8"]),
        (SERVER, Wishes(dns=False, ipv6=False), ["--no-dns", "--no-ipv6"]),
        (SERVER, Wishes(kill_switch=True, up="/bin/up"), ["--kill-switch", "--up", "/bin/up"]),
        (Endpoint("192.0.2.1", 443, "vpn"), Wishes(), ["--name", "vpn", "--system-trust"]),
        (Endpoint("2001:db8::1", 44, "2001:db8::1"), Wishes(), ["[2001:db8::1]:44"]),
        (Endpoint("vpn", 443, "vpn", pin=bytes(32)), Wishes(), ["--pin", 64 * "0"]),
    ],
)
def test_what_was_wished_is_on_the_command_line(
    to: Endpoint, wishes: Wishes, words: list[str]
) -> None:
    said = commands(planned(Destination(to), wishes=wishes))
    quoted = " ".join(f'"{word}"' for word in words)
    assert quoted in said or " ".join(words) in said


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "..", "x" * 32, "é"])
def test_names(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name for a service"):
        kept.plan(name, Destination(SERVER), Credentials("a", "b"), Wishes())


def test_a_proxy_that_would_be_a_command() -> None:
    with pytest.raises(InvalidInput, match="no blanks or quotes"):
        planned(proxy="http://me:x'; reboot; '@proxy")


def test_a_shell_understands_the_script(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    environment.write_text("SSTPCA_PROXY='http://proxy'\n")
    script, cron, rotation = SysvInit(tmp_path).files(MADE)
    path = tmp_path / "script"
    text = script.content.decode().replace(f"{FOLDER}/environment", str(environment))
    path.write_text(text.replace("case", 'printf "%s\\n" "$SSTPCA_PROXY"; case', 1))
    done = subprocess.run(["sh", path, "dance"], capture_output=True, text=True, check=False)
    assert done.stdout == "http://proxy\n"
    assert done.stderr.startswith("usage:")
    assert "connect vpn.example.com:443 --interface vpn%d --keep-trying" in text
    assert "/etc/init.d/sstpca-connect-office revive" in cron.content.decode()
    names = {one.path.name for one in (script, cron, rotation)}
    assert names == {"sstpca-connect-office"}


def test_the_service_manager_hears_of_it(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    shown: list[State] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        told = connecting._telling_manager(shown.append, Notifier({"NOTIFY_SOCKET": path}))
        states = [
            State("connecting to vpn", connected=False),
            State("connected as 10.0.0.2", connected=True),
            State("", connected=True),
            State("it is gone; trying again in 1 s", connected=False),
        ]
        for one in states:
            told(one)
        manager.setblocking(False)
        heard = [manager.recv(1000).decode() for _ in range(3)]
    assert shown == states
    assert heard == [
        "STATUS=connecting to vpn",
        "READY=1\nSTATUS=connected as 10.0.0.2",
        "STATUS=it is gone; trying again in 1 s",
    ]


def test_it_comes_and_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed, changed and removed, with a manager that only writes down what it is told."""
    require(root=True)
    said: list[str] = []

    class Manager(SysvInit):
        def start(self, name: str, changed: object) -> str:
            said.append(f"start {name}")
            return "it dials"

        def stop(self, name: str) -> None:
            said.append(f"stop {name}")

        def forget(self, name: str) -> None:
            said.append(f"forget {name}")

    monkeypatch.setattr(kept, "_manager", lambda: Manager(tmp_path))
    monkeypatch.setattr(connection, "_FOLDER", tmp_path / "connections")
    own = tmp_path / "connections" / "office"
    made = kept.install("office", Destination(SERVER), Credentials("alice", PASSWORD), Wishes())
    assert made.state == "it dials"
    assert {one.name for one in own.iterdir()} == {"password", "ca.pem"}
    assert {one.stat().st_mode & 0o777 for one in (own, *own.iterdir())} == {0o700, 0o600}
    kept.install("office", Destination(SERVER), Certificate("alice", b"key"), Wishes())
    assert {one.name for one in own.iterdir()} == {"certificate.pem", "ca.pem"}
    gone = kept.uninstall("office")
    assert own in gone and not any(path.exists() for path in gone)
    assert said == ["start office", "start office", "stop office", "forget office"]
    with pytest.raises(NotFound):
        kept.uninstall("office")
