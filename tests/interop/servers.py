"""SSTP servers that nobody here wrote, each on a machine of its own or beside the client.

sorz' sstp-server comes from PyPI. Of SoftEther VPN and accel-ppp there has to be a build: Debian has no
accel-ppp, and its SoftEther VPN never answers. Their tests say so where there is none.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.interop.guest import INSIDE, OUTSIDE, Guest, Result, wire
from tests.support.debian import cache, locked
from tests.support.netns import Namespace, Process
from tests.support.waiting import wait_for

#: What is served, and who may log in; each server is set up so.
LOCAL = IPv4Address("10.97.0.1")
DNS = IPv4Address("198.18.2.53")
PASSWORD = "s3cret pass"

#: As docs/interop.md has them.
SORZ = "sstp-server (Python), pppd"
ACCEL = "accel-ppp"
SOFTETHER = "SoftEther VPN"

_BEGIN = "-----BEGIN CERTIFICATE-----"
_HERE = Path(__file__).parent
#: The newest for each Python; what there is for older ones misses a macro that they want.
_SORZ = (
    "sstp-server==0.6.0; python_version < '3.12'",
    "sstp-server==0.7.2; python_version >= '3.12'",
)
_SORZ_FLAGS = {"CFLAGS": "-DPY_SSIZE_T_CLEAN"}


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs.

    :param space: where a client reaches it.
    :param share: a folder of both, with its logs.
    :param user: as whom to log in.
    """

    space: Namespace
    share: Path
    address: IPv4Address
    user: str = "alice"

    def restart(self) -> None:
        """Have it end, with all sessions, and start again."""
        (self.share / "restart").touch()
        wait_for(lambda: not (self.share / "restart").exists(), "the server's end")


@contextlib.contextmanager
def started(name: str, guest: Callable[[], Guest], pem: str, folder: Path) -> Iterator[Server]:
    """Run the server of that name; skips where it cannot be had.

    :param guest: gives the guest, if it is needed.
    :param pem: its key and certificate.
    """
    share = folder / "share"
    share.mkdir()
    if name == ACCEL:
        build = _built("sbin/accel-pppd", "SSTPCA_ACCEL_PPP", "Debian has no package")
        words: tuple[str, ...] = (_libraries(), str(build), PASSWORD, str(LOCAL), str(DNS))
        running = _in_guest(guest(), "accel.sh", pem, share, words)
    elif name == SOFTETHER:
        build = _built("vpnserver", "SSTPCA_SOFTETHER", "Debian's package answers no SSTP")
        running = _softether(build, pem, share)
    else:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        python = f"/host{sys.base_prefix}/bin/{version}"
        words = (python, _libraries(), str(_sorz()), PASSWORD, str(LOCAL), str(DNS))
        running = _in_guest(guest(), "sorz.sh", pem, share, words)
    with running as server:
        yield server


def _sorz() -> Path:
    """Return the folder that has sstp-server as of PyPI, for this Python; skips without one."""
    wanted = hashlib.sha256(repr((_SORZ, _SORZ_FLAGS, sys.version)).encode()).hexdigest()[:16]
    folder = cache("sstpca-sstp-server", "SSTPCA_SSTP_SERVER")
    with locked(folder / "lock"):
        if not (made := folder / wanted).exists():
            new = folder / f"{wanted}.new"
            options = ("--quiet", "--no-cache-dir", "--upgrade", "--target", str(new))
            done = subprocess.run(
                (sys.executable, "-m", "pip", "install", *options, *_SORZ),
                env=os.environ | _SORZ_FLAGS,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                pytest.skip(f"pip cannot install sstp-server: {done.stderr.strip()[-200:]}")
            new.rename(made)
    return made


def _built(program: str, variable: str, why: str) -> Path:
    """Return the folder that the environment's ``variable`` names, if ``program`` is in it."""
    folder = Path(os.environ.get(variable, "/nonexistent"))
    if not (folder / program).is_file():
        pytest.skip(f"needs a build: {variable} is to name the folder that has {program}; {why}")
    return folder


def _libraries() -> str:
    """Return where this machine has Python's libraries and others, as the guest sees them."""
    of_all = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"
    return ":".join(f"/host{place}" for place in (sysconfig.get_config_var("LIBDIR"), of_all))


@contextlib.contextmanager
def _in_guest(
    guest: Guest, script: str, pem: str, share: Path, words: Sequence[str]
) -> Iterator[Server]:
    """Run a server in the guest, whose kernel has PPP; all of this machine is in /host there."""
    with Namespace("peer") as space, ThreadPoolExecutor(1) as pool:
        wire(space, f"{OUTSIDE}/24")
        running: Future[Result] = pool.submit(
            guest.run,
            space,
            (_HERE / script).read_text(),
            *words,
            folder=share,
            address=INSIDE,
            files={"server.pem": pem},
            seconds=600.0,
        )
        try:
            wait_for(lambda: (share / "ready").exists() or running.done(), script)
            assert not running.done(), running.result()
            yield Server(space, share, IPv4Address(INSIDE.partition("/")[0]))
        finally:
            (share / "stop").touch()
        result = running.result()
        assert result.code == 0, result


@contextlib.contextmanager
def _softether(build: Path, pem: str, share: Path) -> Iterator[Server]:
    """Run SoftEther VPN, which needs nothing of the kernel: its hub and its NAT are its own."""
    address = IPv4Address("198.18.2.3")
    key, mark, certificate = pem.partition(_BEGIN)
    (share / "server.key").write_text(key)
    (share / "server.crt").write_text(mark + certificate)
    command = ("bash", str(_HERE / "softether.sh"), str(build), str(share), PASSWORD, str(LOCAL))
    with Namespace("peer") as space:
        space.ip("addr", "add", f"{address}/24", "dev", "lo")
        running: Process = space.start(*command, log=share / "softether.log")
        try:
            ready = share / "ready"
            wait_for(lambda: ready.exists() or running.ended() is not None, "SoftEther VPN")
            assert running.ended() is None, running.output
            # a hub that is not its default one is named behind the user
            yield Server(space, share, address, user="alice@VPN")
        finally:
            (share / "stop").touch()
            running.wait()
