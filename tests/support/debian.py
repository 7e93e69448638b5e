"""Debian machines for tests: roots made by debootstrap, and processes that have one for themselves."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.netns import Namespace
from tests.support.requirements import require
from tests.support.waiting import wait_for

#: where the folder of the caller is in a machine
SHARED = "/mnt/shared"


class DebianFailed(Exception):
    """A root cannot be made, or a machine does not start."""


def cache(name: str, variable: str) -> Path:
    """Return the folder ``/var/cache/NAME``, or the one that the environment's ``variable`` names.

    :raises DebianFailed: if others than root may write there.
    """
    found = Path(os.environ.get(variable, f"/var/cache/{name}"))
    found.mkdir(mode=0o755, parents=True, exist_ok=True)
    if found.stat().st_uid != os.geteuid() or found.stat().st_mode & 0o022:
        raise DebianFailed(f"{found} must belong to root, and only root may write there")
    return found


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock ``path`` against other test processes."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def debootstrap(root: Path, log: Path, names: Sequence[str], *options: str) -> None:
    """Fill ``root`` with the suite that this machine runs, from the mirror that its apt uses.

    :raises DebianFailed: with the end of the log.
    """
    suite, mirror = _apt_source()
    packages = ",".join(names)
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", *options, suite]
    with log.open("wb") as output:
        done = subprocess.run([*command, root, mirror], stdout=output, stderr=output, check=False)
    if done.returncode:
        raise DebianFailed(f"debootstrap failed, see {log}:\n{log.read_text()[-2000:]}")
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()


def _apt_source() -> tuple[str, str]:
    settings = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    suite = settings.get("VERSION_CODENAME", "")
    listed = subprocess.run(
        # a release has two names, "forky" and "testing": the system knows the one, apt maybe the other
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        release, component, mirror = line.split(maxsplit=2)
        if (release, component) == (suite, "main"):
            return suite, mirror
    raise DebianFailed(f"apt has no source for {suite or 'this system'}; it takes Debian")


def root_with(name: str, packages: Sequence[str], *options: str) -> Path:
    """Return a root with these packages, made once for this machine; skips where it cannot be.

    It lives below ``/var/cache/sstpca-roots``, or the folder that ``SSTPCA_ROOTS`` names.

    :raises DebianFailed: if making it fails.
    """
    require("debootstrap", "ip", "nft", tun=True)
    folder = cache("sstpca-roots", "SSTPCA_ROOTS")
    root, new = folder / name, folder / f"{name}.new"
    wanted = hashlib.sha256(repr((tuple(packages), options)).encode()).hexdigest()
    stamp = root / "etc" / "sstpca-root"
    with locked(folder / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            for old in (root, new):
                shutil.rmtree(old, ignore_errors=True)
            debootstrap(new, folder / f"{name}.log", packages, *options)
            (new / "etc" / "sstpca-root").write_text(wanted)
            new.rename(root)
    return root


# In mounts and processes of its own, and the caller's network: a root that is thrown away, and in it
# the first process. Devices are those that are needed, without a console.
_ENTER = r"""
set -eu
root=$1 shared=$2 upper=$3
shift 3
mount -t tmpfs tmpfs "$upper"
mkdir "$upper/up" "$upper/work" "$upper/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$upper/up,workdir=$upper/work" "$upper/root"
cd "$upper/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for one in null zero full random urandom tty; do touch "dev/$one"; mount --bind "/dev/$one" "dev/$one"; done
mkdir -p dev/net dev/pts dev/shm mnt/shared
touch dev/net/tun dev/console
mount --bind /dev/net/tun dev/net/tun
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount --bind "$shared" mnt/shared
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
exec chroot . env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


class Machine:
    """A machine whose root is thrown away at its end. Use it as a context manager.

    :param root: see :func:`root_with`; it stays as it is.
    :param folder: is :data:`SHARED` in it, and has its log.
    :param namespace: whose network it has; None: this machine's.
    :param init: its first process.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        namespace: Namespace | None,
        init: Sequence[str] = ("systemd",),
    ) -> None:
        self._root = root
        self._folder = folder
        self._namespace = namespace
        self._init = init
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        upper = self._folder / "upper"
        upper.mkdir()
        flags = ("--pid", "--mount", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child")
        init = ("/lib/systemd/systemd",) if self._init == ("systemd",) else self._init
        words, space = (self._root, self._folder, upper, *init), self._namespace
        with (self._folder / "machine.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(("ip", "netns", "exec", space.name) if space is not None else ()),
                    *("unshare", *flags),
                    *("--propagation", "private", "bash", "-c", _ENTER, "enter", *map(str, words)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(self._is_up, f"the machine: {self._folder}/machine.log")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _pid(self) -> int:
        """Return the first process's number outside."""
        assert self._process is not None
        if self._process.poll() is not None:
            log = (self._folder / "machine.log").read_text()
            raise DebianFailed(f"the machine does not start: {log[-500:]}")
        path = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        children = path.read_text().split()
        return int(children[0]) if children else 0

    def _is_up(self) -> bool:
        pid, is_systemd = self._pid(), self._init == ("systemd",)
        # what sets it up is another program until then
        wanted = "/lib/systemd/systemd" if is_systemd else self._init[0]
        if not pid or Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0] != wanted:
            return False
        if not is_systemd:
            return True
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(
        self, *words: str, typed: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it.

        :param typed: its standard input.
        :raises DebianFailed: with what it said, if it fails and ``check`` is not False.
        """
        done = subprocess.run(
            ["nsenter", "--target", str(self._pid()), "--all", "--root", "--wd", *words],
            env={"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            input=typed,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=180,
            check=False,
        )
        if check and done.returncode:
            raise DebianFailed(f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def read(self, path: str) -> str:
        """Return the text of a file in it."""
        return self.run("cat", path).stdout
