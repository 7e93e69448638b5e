"""The Debian package on a machine with systemd: installed, its services run as they do for users, removed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import container
from tests.support.client import Client
from tests.support.debian import SHARED, Machine, root_with
from tests.support.manner import WINDOWS
from tests.support.netns import Network
from tests.support.server import DNS, LOCAL, NAME, PASSWORDS, POOL
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("systemd", "systemd-sysv", "python3", "nftables", "man-db", "bash-completion")
#: blanks and signs that systemd, a shell and cron take for something else
HOME = "/srv/my vpn 100%, $HOME \\x20 'a' \"b\""
SECOND = "/root/vpn"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of this checkout; one that is there already, if SSTPCA_DEB names it."""
    if ready := os.environ.get("SSTPCA_DEB"):
        return Path(ready)
    done = subprocess.run(
        [sys.executable, CHECKOUT / "install" / "distribution.py", "deb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return CHECKOUT / done.stdout.strip()


@pytest.fixture(scope="module")
def machine(
    package: Path, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine with systemd and the package, in the network of the server."""
    root = root_with("systemd", PACKAGES)
    folder = tmp_path_factory.mktemp("machine")
    (folder / package.name).write_bytes(package.read_bytes())
    with Machine(root, folder, network.server) as made:
        made.run("dpkg", "--install", f"{SHARED}/{package.name}")
        yield made


def sstpca(machine: Machine, home: str, *words: str, typed: str = "") -> str:
    """Run a command of the package on a home; return what it prints."""
    return machine.run("sstpca", "--home", home, *words, typed=typed).stdout


def make(machine: Machine, home: str, port: int, *options: str) -> None:
    where = ("--ip", str(Network.server_address), "--port", str(port))
    sstpca(machine, home, "init", NAME, *where, "--no-passphrase", "--key-type", "ecdsa")
    servers = [part for server in DNS for part in ("--dns", str(server))]
    pool = f"{POOL[0]}-{POOL[1]}"
    sstpca(
        machine, home, "profile", "set", "default", "--local", str(LOCAL), "--pool", pool, *servers
    )
    sstpca(
        machine, home, "user", "add", "alice", "--password-stdin", typed=f"{PASSWORDS['alice']}\n"
    )


def client(machine: Machine, network: Network, home: str, port: int) -> Client:
    return Client(
        network.client.connect((str(Network.server_address), port)),
        "alice",
        PASSWORDS["alice"],
        ca=sstpca(machine, home, "ca", "export"),
        name=NAME,
        manner=WINDOWS,
    )


def status(machine: Machine, home: str) -> dict[str, dict[str, object]]:
    done = machine.run("sstpca", "--home", home, "service", "status", "--json", check=False)
    return {part["part"]: part for part in json.loads(done.stdout)}


def unit(machine: Machine, home: str, what: str = "server") -> str:
    return str(status(machine, home)[what]["name"])


@pytest.fixture(scope="module")
def installed(machine: Machine) -> Machine:
    """The machine with a service that runs."""
    make(machine, HOME, 8443)
    said = machine.run("sstpca", "--home", HOME, "service", "install")
    assert len(said.stdout.splitlines()) == 5, said.stdout
    assert "the backups' passphrase is in" in said.stderr
    return machine


def test_what_the_package_brings(machine: Machine) -> None:
    assert re.fullmatch(r"sstpca, version \d.*\n", machine.run("sstpca", "--version").stdout)
    assert "sstpca ca backup" in machine.run("man", "sstpca-ca-backup").stdout
    script = "_SSTPCA_COMPLETE=bash_complete COMP_WORDS='sstpca serv' COMP_CWORD=1 sstpca"
    assert "plain,service" in machine.run("bash", "-c", script).stdout.splitlines()
    there = "/usr/share/bash-completion/completions/sstpca"
    machine.run("bash", "-n", there)
    engine = "from sstpca.server.dataplane import engine; print(engine.COMPILED)"
    assert machine.run("/usr/lib/sstpca/bin/python", "-c", engine).stdout == "True\n"


def test_it_serves(installed: Machine, network: Network) -> None:
    found = status(installed, HOME)
    assert [part["running"] for part in found.values()] == [True, True, True], found
    assert "Listening on" in str(found["server"]["detail"])
    with client(installed, network, HOME, 8443).login() as one:
        one.ping(network.host)
        one.hang_up()


def test_it_is_confined(installed: Machine) -> None:
    for what in ("server", "renewal", "backup"):
        name = unit(installed, HOME, what).replace(".timer", ".service")
        words = ("systemd-analyze", "security", "--no-pager", "--threshold=30", name)
        assert installed.run(*words, check=False).returncode == 0, installed.run(*words).stdout
    main = installed.run(
        "systemctl", "show", "--value", "--property=MainPID", unit(installed, HOME)
    )
    lines = installed.read(f"/proc/{main.stdout.strip()}/status").splitlines()
    said = dict(line.split(":\t", 1) for line in lines)
    assert said["NoNewPrivs"] == "1"
    assert said["Seccomp"] == "2"
    assert int(said["CapBnd"], 16) == sum(1 << bit for bit in (5, 6, 7, 8, 10, 12))


def test_it_changes_and_no_session_ends(installed: Machine, network: Network) -> None:
    before = main_process(installed, HOME)
    with client(installed, network, HOME, 8443).login() as one:
        installed.run("systemctl", "reload", unit(installed, HOME))
        assert "has taken over" in sstpca(installed, HOME, "restart")
        one.ping(network.host)
        one.hang_up()
    found = status(installed, HOME)["server"]
    assert (found["running"], found["state"]) == (True, "active")
    assert main_process(installed, HOME) == before
    assert json.loads(sstpca(installed, HOME, "status", "--json"))["server"]["pid"] == int(before)


def test_a_connection_is_a_service(installed: Machine, network: Network) -> None:
    """The machine dials its own server: what counts is what the connection may do where it is confined."""
    where = (f"{Network.server_address}:8443", "--name", NAME, "--user", "alice")
    more = ("--password-stdin", "--route", "203.0.113.0/24", "--no-dns", "--install", "office")
    words = ("connect", *where, *more)
    said = installed.run("sstpca", "--home", HOME, *words, typed=f"{PASSWORDS['alice']}\n")
    assert PASSWORDS["alice"] not in said.stdout + said.stderr
    name = "sstpca-connect@office.service"

    def shown(what: str) -> str:
        asked = ("systemctl", "show", "--value", f"--property={what}", name)
        return installed.run(*asked).stdout.strip()

    wait_for(lambda: shown("ActiveState") == "active", "the connection")
    assert shown("StatusText").startswith("connected as ")
    lines = installed.read(f"/proc/{shown('MainPID')}/status").splitlines()
    status_of = dict(line.split(":\t", 1) for line in lines)
    assert int(status_of["CapBnd"], 16) == sum(1 << bit for bit in (10, 12))
    assert "203.0.113.0/24 dev vpn0" in network.server.ip("route", "show")
    installed.run("sstpca", "connect", "--uninstall", "office")
    assert "vpn0" not in network.server.ip("route", "show")
    assert installed.run("sh", "-c", "ls /etc/sstpca/connections").stdout == ""


def test_installing_it_again_changes_nothing(installed: Machine) -> None:
    before = main_process(installed, HOME)
    said = installed.run("sstpca", "--home", HOME, "service", "install")
    assert said.stdout == ""
    assert "nothing to write" in said.stderr
    assert main_process(installed, HOME) == before


def test_timers_renew_and_back_up_and_the_backup_can_be_restored(installed: Machine) -> None:
    for what in ("renewal", "backup"):
        service = unit(installed, HOME, what).replace(".timer", ".service")
        installed.run("systemctl", "start", service)
        assert "last run" in str(status(installed, HOME)[what]["detail"])
    [made] = installed.run("sh", "-c", "ls /var/backups/sstpca/*/*.backup").stdout.splitlines()
    given = ("--passphrase-file", f"{HOME}/backup.passphrase")
    sstpca(installed, "/srv/again", "ca", "restore", made, *given)
    assert sstpca(installed, "/srv/again", "user", "list") == sstpca(
        installed, HOME, "user", "list"
    )


def main_process(machine: Machine, home: str) -> str:
    words = ("systemctl", "show", "--value", "--property=MainPID", unit(machine, home))
    return machine.run(*words).stdout.strip()


def test_a_server_that_is_killed_comes_back(installed: Machine, network: Network) -> None:
    before = main_process(installed, HOME)
    installed.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit(installed, HOME))

    def back() -> bool:
        # in this order: what is said afterwards is said of the new one
        if main_process(installed, HOME) in ("0", before):
            return False
        return "Listening" in str(status(installed, HOME)["server"]["detail"])

    wait_for(back, "its return")
    with client(installed, network, HOME, 8443).login() as one:
        one.ping(network.host)


def test_two_homes_of_one_machine_and_sockets_of_systemd(
    installed: Machine, network: Network
) -> None:
    make(installed, SECOND, 8444)
    text = installed.read(f"{SECOND}/settings.toml")
    changed = text.replace('interface = "sstp"', 'interface = "vpn"')
    installed.run("tee", f"{SECOND}/settings.toml", typed=changed)
    sstpca(
        installed,
        SECOND,
        "profile",
        "set",
        "default",
        "--local",
        "10.98.0.1",
        "--pool",
        "10.98.0.10-10.98.0.99",
    )
    said = sstpca(installed, SECOND, "service", "install", "--socket")
    assert len(said.splitlines()) == 6, said
    for home, port in ((HOME, 8443), (SECOND, 8444)):
        assert all(part["running"] for part in status(installed, home).values())
        with client(installed, network, home, port).login() as one:
            one.ping(network.host)
    # the sockets stay systemd's where another program takes over
    sstpca(installed, SECOND, "restart")
    with client(installed, network, SECOND, 8444).login() as one:
        one.ping(network.host)
    log = installed.run("journalctl", "--unit", unit(installed, SECOND)).stdout
    assert "the service manager listens" in log
    # the port is nobody's now: the server went back to its own
    sstpca(installed, SECOND, "service", "uninstall")
    assert not any(part["installed"] for part in status(installed, SECOND).values())
    assert all(part["running"] for part in status(installed, HOME).values())
    found = installed.run("sh", "-c", "ls /etc/systemd/system /etc/systemd/system/*.wants").stdout
    assert "root-vpn" not in found
    assert installed.run("test", "-f", f"{SECOND}/ca.key").returncode == 0


def test_the_package_is_removed_and_the_home_stays(installed: Machine) -> None:
    name = unit(installed, HOME)
    before = sorted(installed.run("ls", "-A", HOME).stdout.splitlines())
    installed.run("dpkg", "--remove", "sstpca")
    assert installed.run("systemctl", "is-active", name, check=False).stdout.strip() == "inactive"
    installed.run("dpkg", "--purge", "sstpca")
    assert installed.run("sh", "-c", "ls /usr/lib/sstpca", check=False).returncode != 0
    after = sorted(installed.run("ls", "-A", HOME).stdout.splitlines())
    with_it = {"sstpca.db-shm", "sstpca.db-wal", "control.sock"}
    assert set(before) - with_it <= set(after)


@pytest.fixture
def plain(package: Path, network: Network, tmp_path: Path) -> Iterator[Machine]:
    """A machine without systemd, with the package."""
    (tmp_path / package.name).write_bytes(package.read_bytes())
    root = root_with("systemd", PACKAGES)
    with Machine(root, tmp_path, network.server, init=("sleep", "infinity")) as made:
        made.run("dpkg", "--install", f"{SHARED}/{package.name}")
        yield made


def test_an_init_script_where_there_is_no_systemd(plain: Machine, network: Network) -> None:
    make(plain, HOME, 8445)
    assert not any(part["running"] for part in status(plain, HOME).values())
    script, cron, _ = sstpca(plain, HOME, "service", "install").splitlines()
    assert all(part["running"] for part in status(plain, HOME).values())
    links = plain.run("sh", "-c", "ls /etc/rc2.d /etc/rc0.d").stdout
    assert links.count(Path(script).name) == 2

    def serves() -> bool:
        try:
            with client(plain, network, HOME, 8445).login() as one:
                one.ping(network.host)
        except OSError:
            return False
        return True

    wait_for(serves, "that it serves")
    assert "nothing to write" in plain.run("sstpca", "--home", HOME, "service", "install").stderr
    # cron's three jobs, as it runs them
    jobs = [line.split("root", 1)[1] for line in plain.read(cron).splitlines() if "root" in line]
    pid = plain.run("sh", "-c", "cat /run/sstpca-*.pid").stdout.strip()
    # its workers see at their next beat that it is gone, and hold its lock until then; cron comes each minute
    plain.run("sh", "-c", f"kill -KILL {pid}; sleep 3")
    for job in jobs:
        plain.run("sh", "-c", job)
    assert plain.run("sh", "-c", "cat /run/sstpca-*.pid").stdout.strip() != pid
    wait_for(serves, "that it serves again")
    [made] = plain.run("sh", "-c", "ls /var/backups/sstpca/*/*.backup").stdout.splitlines()
    given = ("--passphrase-file", f"{HOME}/backup.passphrase")
    sstpca(plain, "/srv/again", "ca", "restore", made, *given)
    # what was stopped stays so
    plain.run(script, "stop")
    for job in jobs:
        plain.run("sh", "-c", job)
    assert not status(plain, HOME)["server"]["running"]
    plain.run(script, "start")
    assert status(plain, HOME)["server"]["running"]
    assert script in sstpca(plain, HOME, "service", "uninstall").splitlines()
    assert not any(part["installed"] for part in status(plain, HOME).values())
    assert plain.run("sh", "-c", "ls /etc/rc2.d").stdout.count("sstpca") == 0


def test_the_steps_of_the_containerfile(package: Path, tmp_path: Path) -> None:
    """No engine is needed to see that they work: what COPY and RUN do, in a root as FROM has it."""
    steps = container.steps((CHECKOUT / "Containerfile").read_text())
    assert steps[0] == ("FROM", "debian:12-slim")
    shutil.copy(package, tmp_path)
    for name in ("sources.list", "sources.list.d", "apt.conf.d", "preferences.d"):
        there = Path("/etc/apt", name)
        if there.is_dir():
            shutil.copytree(there, tmp_path / "apt" / name)
        elif there.exists():
            (tmp_path / "apt").mkdir(exist_ok=True)
            shutil.copy(there, tmp_path / "apt")
    shutil.copy("/etc/resolv.conf", tmp_path)
    root = root_with("systemd", PACKAGES)
    with Machine(root, tmp_path, None, init=("sleep", "infinity")) as machine:
        machine.run(
            "sh",
            "-c",
            f"cp -r {SHARED}/apt/. /etc/apt; cat {SHARED}/resolv.conf > /etc/resolv.conf",
        )
        variables, called = [], ["false"]
        for what, text in steps[1:]:
            match what:
                case "COPY":
                    pattern, target = text.split()
                    assert package.match(pattern)
                    machine.run("cp", f"{SHARED}/{package.name}", target)
                case "RUN":
                    machine.run("sh", "-c", text)
                case "ENV":
                    variables.append(text)
                case "ENTRYPOINT":
                    called = json.loads(text)
                case "CMD":
                    called += json.loads(text)
        said = machine.run("env", *variables, *called, "--check", check=False)
        assert (said.returncode, said.stderr.splitlines()[0]) == (
            1,
            "error: there is no sstpca home in /var/lib/sstpca",
        )
        machine.run("env", *variables, *called[:1], "init", NAME, "--no-passphrase")
        said = machine.run("env", *variables, *called, "--check", check=False)
        assert "clients will believe it" in said.stdout
        assert machine.run("sh", "-c", "ls /tmp").stdout == ""
