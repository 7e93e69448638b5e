"""A guest with a real SSTP client, on machines whose own kernel may have no PPP.

Debian's user-mode-linux boots in a few seconds from a folder that debootstrap filled. Its wire is
a tap in a network namespace of the caller's. The folder is made once per machine.
"""

import contextlib
import hashlib
import itertools
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.debian import DebianFailed, cache, debootstrap, locked
from tests.support.netns import Namespace
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

PROGRAMS = ("ip", "nft", "iperf3", "debootstrap", "linux.uml", "gcc")
PACKAGES = (
    *("ppp", "sstp-client", "iproute2", "iputils-ping", "iperf3", "kmod", "openssl", "procps"),
)
#: The plug-in is not in every release. These six are one: debootstrap does not find out that polkitd
#: needs the two of systemd, and since Debian 13 nothing needs udev, which tells of interfaces.
NETWORK_MANAGER = (
    *("network-manager", "network-manager-sstp", "dbus", "libpam-systemd", "systemd-sysv", "udev"),
)

#: the guest's wire: the server's end, and the guest's
OUTSIDE = "198.18.2.1"
INSIDE = "198.18.2.2/24"

_HERE = Path(__file__).parent
_MODULES = Path("/usr/lib/uml/modules")
_WIRE = "guest"
_counter = itertools.count()


class GuestFailed(Exception):
    """The guest itself did not boot, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a script in the guest did.

    :param folder: the files it left.
    """

    code: int
    output: str
    folder: Path

    def values(self, name: str) -> list[str]:
        """Return the values of its output lines ``name value``."""
        words = (line.partition(" ") for line in self.output.splitlines())
        return [value for key, _, value in words if key == name]

    def log(self, name: str) -> str:
        """Return one of its logs, empty if it left none."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name).read_text(errors="replace")
        return ""

    def __str__(self) -> str:
        logs = "\n".join(self.log(name)[-2000:] for name in ("sstpc.log", "pppd.log"))
        return f"exit code {self.code}\n{self.output}\n{logs}"


@dataclass(frozen=True, slots=True)
class Guest:
    """A built guest.

    :param cache: the folder that has it.
    """

    cache: Path

    def need(self, package: str) -> None:
        """Skip the test if Debian does not have ``package`` for this release."""
        if not (self.cache / "root/var/lib/dpkg/info" / f"{package}.list").exists():
            pytest.skip(f"this release of Debian has no {package}")

    def run(
        self,
        namespace: Namespace,
        script: str,
        *arguments: str,
        folder: Path,
        address: str,
        files: Mapping[str, str] | None = None,
        seconds: float = 5 * PATIENCE,
    ) -> Result:
        """Boot, run ``script`` with ``arguments``, and wait for the end.

        :param namespace: has the tap ``guest``, see :func:`wire`.
        :param folder: an empty folder; the guest has it as ``/share``.
        :param address: of the guest, with its prefix length.
        :param files: more files for ``/share``.
        :raises GuestFailed: if the script did not come to its end in time.
        """
        command = shlex.join(("set", "--", *arguments))
        (folder / "script").write_text(f"{command}\n{script}")
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        process = namespace.start(*self._command(folder, address), log=folder / "console.log")
        try:
            process.wait(seconds)
        except TimeoutError:
            pass
        finally:
            process.stop()
        output = (folder / "output").read_text(errors="replace") if self._ran(folder) else ""
        try:
            return Result(int((folder / "code").read_text()), output, folder)
        except FileNotFoundError:
            raise GuestFailed(f"no end after {seconds} s:\n{output}\n{process.output}") from None

    @staticmethod
    def _ran(folder: Path) -> bool:
        return (folder / "output").exists()

    def _command(self, folder: Path, address: str) -> tuple[str, ...]:
        return (
            "env",
            f"LD_PRELOAD={self.cache}/xstate.so",
            "linux.uml",
            *("mem=512M", "quiet", "root=/dev/root", "rootfstype=hostfs"),
            *(f"rootflags={self.cache}/root", "ro", "init=/sbin/guest-init"),
            *(f"labshare={folder}", f"labaddress={address}"),
            *(f"uml_dir={folder}", f"umid=guest{next(_counter)}"),
            # without gro the guest drops the large segments that a tap hands over
            f"vec0:transport=tap,ifname={_WIRE},depth=128,gro=1",
            *("con=null", "con0=null,fd:1", "ssl=null"),
        )


def wire(namespace: Namespace, address: str) -> None:
    """Make the tap of the guest in ``namespace``; ``address`` is for the namespace's end."""
    namespace.ip("tuntap", "add", "dev", _WIRE, "mode", "tap")
    namespace.ip("addr", "add", address, "dev", _WIRE)
    namespace.ip("link", "set", _WIRE, "up")


def guest() -> Guest:
    """Return the guest, built if need be; skips the test where that is not possible.

    It lives in ``/var/cache/sstpca-guest``, or the folder that ``SSTPCA_GUEST`` names.

    :raises DebianFailed: if building fails.
    """
    require(*PROGRAMS, tun=True)
    folder = cache("sstpca-guest", "SSTPCA_GUEST")
    with locked(folder / "lock"):
        _build_root(folder)
        _build_rest(folder)
    return Guest(folder)


def _build_root(folder: Path) -> None:
    """Fill the root folder: a minimal Debian with sstpc, and the modules of the guest's kernel."""
    root, new = folder / "root", folder / "root.new"
    modules = sorted(path.name for path in _MODULES.iterdir())
    wanted = hashlib.sha256(repr((PACKAGES, NETWORK_MANAGER, modules)).encode()).hexdigest()
    stamp = root / "etc" / "sstpca-guest"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    for old in (root, new):
        shutil.rmtree(old, ignore_errors=True)
    log = folder / "debootstrap.log"
    try:
        debootstrap(new, log, PACKAGES + NETWORK_MANAGER)
    except DebianFailed:
        if "Couldn't find these debs: network-manager-sstp" not in log.read_text():
            raise
        shutil.rmtree(new, ignore_errors=True)
        debootstrap(new, log, PACKAGES)
    (new / "share").mkdir()
    shutil.copytree(_MODULES, new / "lib/modules", symlinks=True, dirs_exist_ok=True)
    for version in modules:
        subprocess.run(["chroot", new, "depmod", version], check=True)
    (new / "etc" / "sstpca-guest").write_text(wanted)
    new.rename(root)


def _build_rest(folder: Path) -> None:
    """Put the parts of ours in: quick, so that they are always this version's."""
    shutil.copy(_HERE / "guest-init", folder / "root/sbin/guest-init")
    (folder / "root/sbin/guest-init").chmod(0o755)
    command = ("gcc", "-O2", "-shared", "-fPIC", "-o", folder / "xstate.so", _HERE / "xstate.c")
    subprocess.run(command, check=True)
