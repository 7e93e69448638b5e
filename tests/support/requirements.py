"""What some tests need of the machine beyond Python: the one place that says so, and gets it.

On Debian, as root, missing programs are installed with apt-get. Elsewhere the tests are skipped
with one line that says what to do.
"""

import contextlib
import fcntl
import functools
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = {
    "7z": ("p7zip-full",),
    "certtool": ("gnutls-bin",),
    "certutil": ("libnss3-tools",),
    "chromium": ("chromium", "fonts-dejavu-core"),
    "debootstrap": ("debootstrap",),
    "dhcpcd": ("dhcpcd-base",),
    "fish": ("fish",),
    "dbus-daemon": ("dbus-daemon",),
    "fail2ban-regex": ("fail2ban",),
    "firewall-cmd": ("firewalld", "dbus"),
    "firewalld": ("firewalld", "dbus"),
    "gcc": ("gcc", "libc6-dev"),
    "ip": ("iproute2",),
    "iperf3": ("iperf3",),
    "iptables-nft": ("iptables",),
    "linux.uml": ("user-mode-linux",),
    "man": ("man-db", "groff-base"),
    "mandoc": ("mandoc",),
    "nft": ("nftables",),
    "openssl": ("openssl",),
    "osslsigncode": ("osslsigncode",),
    "pdftotext": ("poppler-utils",),
    "promtool": ("prometheus",),
    "tshark": ("tshark",),
    "systemd-analyze": ("systemd",),
    "tstclnt": ("libnss3-tools",),
    "ufw": ("ufw",),
    "unzip": ("unzip",),
    "vfychain": ("libnss3-tools",),
    "zbarimg": ("zbar-tools",),
    "zsh": ("zsh",),
}
"""For each program, the Debian packages that bring it and what it needs to work."""

BACKPORTS = {"bookworm": frozenset({"osslsigncode"})}
"""What a release of Debian has too old, and its backports have newer."""

_LOCK = Path("/run/sstpca-tests.lock")
_APT = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq", "-y")


def require(*programs: str, root: bool = True, tun: bool = False) -> None:
    """Skip the test unless this machine has these programs.

    :param root: whether the test needs root.
    :param tun: whether it needs /dev/net/tun.
    """
    reason = missing(programs, root=root, tun=tun)
    if reason:
        pytest.skip(reason)


@functools.cache
def missing(programs: tuple[str, ...], *, root: bool = True, tun: bool = False) -> str:
    """Return why this machine cannot run such a test, in one line; empty if it can.

    Programs that are missing are installed first, where that is possible.
    """
    if root and os.geteuid() != 0:
        return "needs root (network namespaces)"
    if tun and not Path("/dev/net/tun").is_char_device():
        return "needs /dev/net/tun (modprobe tun; in a container, give it the device)"
    return _install(programs) if _programs_missing(programs) else ""


def _programs_missing(programs: tuple[str, ...]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def _install(programs: tuple[str, ...]) -> str:
    wanted = sorted({package for program in programs for package in PACKAGES[program]})
    problem = _apt_install(programs, wanted) if os.geteuid() == 0 else ""
    absent = _programs_missing(programs)
    if not absent:
        return ""
    return f"needs {', '.join(absent)} (Debian packages: {' '.join(wanted)}){problem}"


def _apt_install(programs: tuple[str, ...], packages: list[str]) -> str:
    """Install Debian packages, one test process at a time; return what apt-get complained about."""
    with _LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if shutil.which("apt-get") and _programs_missing(programs):
            return _apt_get(packages)
    return ""


def _apt_get(packages: list[str]) -> str:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    newer = BACKPORTS.get(release, frozenset())
    wanted = [f"{name}/{release}-backports" if name in newer else name for name in packages]
    with _sources(f"{release}-backports" if newer & set(packages) else "") as options:
        for command in (("update",), ("install", "--no-install-recommends", *wanted)):
            done = subprocess.run(
                [*_APT, *options, *command],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return f"; apt-get: {(done.stderr.strip().splitlines() or ['failed'])[-1]}"
    return ""


@contextlib.contextmanager
def _sources(more: str) -> Iterator[tuple[str, ...]]:
    """Give apt-get's options for one more suite of Debian's; the machine's own list stays."""
    if not more:
        yield ()
        return
    own = Path("/etc/apt/sources.list")
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write(own.read_text() if own.exists() else "")
        file.write(f"\ndeb http://deb.debian.org/debian {more} main\n")
        file.flush()
        # apt reads it as a user of its own
        Path(file.name).chmod(0o644)
        yield ("-o", f"Dir::Etc::SourceList={file.name}")
