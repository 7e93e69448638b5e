"""The real ``sstpca``, run as its users run it: a home made by its commands, and its server."""

import contextlib
import dataclasses
import json
import os
import signal
import ssl
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from tests.support import eap, forked
from tests.support.client import Client
from tests.support.manner import WINDOWS, Manner
from tests.support.netns import Namespace, Network, Process
from tests.support.waiting import PATIENCE, wait_for

NAME = "vpn.example.com"
PORT = 8443
PASSWORDS = {"alice": "Wonderland-1865", "bob": "Bau-Meister 7"}
DNS = (IPv4Address("198.18.1.53"), IPv4Address("198.18.1.54"))
LOCAL = IPv4Address("10.99.0.1")
POOL = (IPv4Address("10.99.0.10"), IPv4Address("10.99.0.250"))

_IN_A_ROW = 16
#: What it says once it listens.
_LISTENS = "IP packets pass"

# -P: not the folder the tests run in, but the package as it is installed
PROGRAM = (sys.executable, "-P", "-m", "sstpca")


class Failed(Exception):
    """``sstpca`` ended with an exit code that is not 0."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"exit code {done.returncode}: {done.stderr}")
        self.code = done.returncode
        self.stderr = done.stderr


@dataclass(frozen=True, slots=True)
class Session:
    """One entry of ``sstpca session list --json``."""

    id: int
    user: str
    address: str
    prefix: str
    peer: str
    interface: str
    client: str
    started: str
    received: int
    sent: int
    worker: int
    networks: list[str]


@dataclass(frozen=True, slots=True)
class Home:
    """A home, and the commands on it."""

    path: Path

    def run(self, *arguments: str, typed: str = "") -> str:
        """Run ``sstpca`` on this home; return what it prints.

        :param typed: its standard input.
        :raises Failed: on any other exit code than 0.
        """
        done = forked.run(
            ("--home", str(self.path), *arguments),
            environment=_environment(),
            typed=typed,
            patience=PATIENCE,
        )
        if done.returncode:
            raise Failed(done)
        return done.stdout

    def add_user(self, name: str, *options: str) -> None:
        """Add a user with the password from :data:`PASSWORDS`, and make the bundle."""
        self.run("user", "add", name, "--password-stdin", *options, typed=f"{PASSWORDS[name]}\n")
        self.run("bundle", name)

    def issue(self, name: str, *options: str) -> bytes:
        """Issue a certificate for the user ``name``; return it with its key, PEM."""
        self.run("cert", "issue", "user", name, "--key-type", "ecdsa", *options)
        path = self.path.parent / f"{name}.pem"
        self.run("cert", "export", name, "--with-key", "--output", str(path))
        return path.read_bytes()

    def authority(self, user: str) -> str:
        """Return the authority's certificate as ``user`` gets it in the bundle, PEM."""
        (path,) = (self.path / "bundles" / user).rglob("*.cer")
        return ssl.DER_cert_to_PEM_cert(path.read_bytes())

    def sessions(self) -> list[Session]:
        """Return the sessions as the administrator sees them."""
        return [Session(**entry) for entry in json.loads(self.run("session", "list", "--json"))]


def _environment() -> dict[str, str]:
    """Keep what the developer's shell has set for sstpca away from it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SSTPCA_")}


def make_home(path: Path, address: IPv4Address, *, port: int = PORT, key_type: str = "rsa") -> Home:
    """Make a home with the users of :data:`PASSWORDS`, as its administrator would.

    :param key_type: of the server's certificate.
    """
    home = Home(path)
    where = ("--ip", str(address), "--port", str(port))
    home.run("init", NAME, *where, "--no-passphrase", "--key-type", key_type)
    servers = [part for server in DNS for part in ("--dns", str(server))]
    pool = f"{POOL[0]}-{POOL[1]}"
    home.run("profile", "set", "default", "--local", str(LOCAL), "--pool", pool, *servers)
    for user in PASSWORDS:
        home.add_user(user)
    return home


class Server:
    """``sstpca serve`` in a namespace. Use it as a context manager.

    :param log: where its output goes; added to on every start.
    :param options: of the command.
    """

    def __init__(
        self, home: Home, namespace: Namespace, log: Path, options: tuple[str, ...] = ()
    ) -> None:
        self.home = home
        self.namespace = namespace
        self.log = log
        self.options = options
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process(self) -> Process:
        """The main process; running or ended."""
        assert self._process is not None
        return self._process

    def launch(self) -> Process:
        """Start the process without waiting for anything."""
        command = (*PROGRAM, "--home", str(self.home.path), "serve", *self.options)
        self._process = self.namespace.start(*command, log=self.log, cwd=self.home.path)
        return self._process

    def start(self) -> None:
        """Start, and wait until it listens.

        :raises RuntimeError: with the log, if it ends instead.
        """
        before = self.said(_LISTENS)
        process = self.launch()

        def listens() -> bool:
            if process.ended() is not None:
                raise RuntimeError(f"serve ended with {process.ended()}:\n{process.output}")
            return self.said(_LISTENS) > before

        wait_for(listens, f"'{_LISTENS}' in the log")

    def said(self, text: str) -> int:
        """Return how many lines of the log have ``text``."""
        with contextlib.suppress(FileNotFoundError):
            return sum(text in line for line in self.log.read_text().splitlines())
        return 0

    def says(self, text: str, times: int = 1) -> None:
        """Wait until so many lines of the log have ``text``: a client may hear of it first.

        :raises TimeoutError: if they are more, or do not come.
        """
        wait_for(lambda: self.said(text) == times, f"{text!r} in the log, {times} times")

    def stop(self) -> int:
        """Ask it to end, wait for that, and return the exit code."""
        self.process.terminate()
        return self.process.wait()

    def kill(self) -> None:
        """End it and its workers, whatever state they are in."""
        all_of_them = self.children("")
        self.process.stop()
        for pid in all_of_them:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def children(self, kind: str = "worker") -> list[int]:
        """Return the process ids of its workers.

        :param kind: "keeper" for theirs; empty for all that it has started.
        """
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(FileNotFoundError):
            pids = [int(pid) for pid in path.read_text().split()]
            return [pid for pid in pids if not kind or _is(f"sstpca-{kind}", pid)]
        return []


def _is(name: str, pid: int) -> bool:
    with contextlib.suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/comm").read_text().strip() == name
    return False


@dataclass(frozen=True, slots=True)
class Vpn:
    """A server that runs, the network around it, and how to reach it."""

    network: Network
    home: Home
    server: Server

    def client(
        self,
        user: str = "alice",
        password: str | None = None,
        *,
        manner: Manner = WINDOWS,
        method: eap.Method | None = None,
        weak: bytes = b"",
        address: str = str(Network.server_address),
        patience: float = PATIENCE,
    ) -> Client:
        """Return a client that has done its TLS handshake, verifying name and authority."""
        return Client(
            self.network.client.connect((address, PORT), patience),
            user,
            PASSWORDS[user] if password is None else password,
            ca=self.home.authority("alice"),
            name=NAME,
            manner=manner,
            method=method,
            weak=weak,
            patience=patience,
        )

    def wait_until_shown(self, name: str = "server", *, suites: str = "") -> None:
        """Wait until every worker shows a certificate to those who offer ``suites``.

        Who takes a connection is chance: so many in a row, and all have taken one.
        """
        recorded = json.loads(self.home.run("cert", "show", name, "--json"))["sha256"]

        def shown() -> set[str]:
            return {self._shown(suites) for _ in range(_IN_A_ROW)}

        wait_for(lambda: shown() == {recorded}, f"the certificate {name} at every worker")

    def _shown(self, suites: str) -> str:
        """Return the SHA-256 of the certificate that a new connection is shown, verifying nothing."""
        plain = self.network.client.connect((str(Network.server_address), PORT))
        manner = dataclasses.replace(WINDOWS, suites=suites)
        with Client(plain, "nobody", "", ca=None, manner=manner) as client:
            return client.wire.fingerprint("sha256").hex()

    def session(self, client: Client) -> Session:
        """Return the session that has the client's address."""
        wanted = str(client.address)
        return next(session for session in self.home.sessions() if session.address == wanted)

    def everywhere(self, stack: ExitStack) -> dict[int, list[Client]]:
        """Log in until every worker has a session; return the clients by worker process."""
        found: dict[int, list[Client]] = {}
        for _ in range(30):
            client = stack.enter_context(self.client().login())
            found.setdefault(self.session(client).worker, []).append(client)
            if len(found) == len(self.server.children()):
                return found
        raise AssertionError("30 connections, and a worker got none")

    def idle(self) -> bool:
        """Whether the server has no session and no interface of one left."""
        return not self.interfaces() and not self.home.sessions()

    def interfaces(self) -> set[str]:
        """Return the interfaces in the server's namespace beside those of the network."""
        return self.network.server.links() - {"lo", "wan", "lan"}
