"""What some tests need of the machine beyond Python: the one place that says so, and gets it.

On Debian, as root, missing programs are installed with apt-get. Elsewhere the tests are skipped
with one line that says what to do.
"""

import fcntl
import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = {
    "certtool": ("gnutls-bin",),
    "certutil": ("libnss3-tools",),
    "debootstrap": ("debootstrap",),
    "gcc": ("gcc", "libc6-dev"),
    "ip": ("iproute2",),
    "iperf3": ("iperf3",),
    "linux.uml": ("user-mode-linux",),
    "nft": ("nftables",),
    "openssl": ("openssl",),
    "tstclnt": ("libnss3-tools",),
    "unzip": ("unzip",),
    "vfychain": ("libnss3-tools",),
}
"""For each program, the Debian packages that bring it and what it needs to work."""

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
    for command in (("update",), ("install", "--no-install-recommends", *packages)):
        done = subprocess.run(
            [*_APT, *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"; apt-get: {(done.stderr.strip().splitlines() or ['failed'])[-1]}"
    return ""
