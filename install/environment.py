"""Makes .venv exactly what a lock says; the Makefile calls it with the Python it is to have.

    python3 install/environment.py run      # the program: lock-run.txt
    python3 install/environment.py test     # the program and what its tests need: lock-test.txt
    python3 install/environment.py bench    # what the bench's plots need, beside that: lock-bench.txt
    python3 install/environment.py fuzz     # what fuzzing needs, beside that: lock-fuzz.txt

Whatever is there already stays usable until all that is new has been downloaded. An installation
that was interrupted is begun again from nothing, and two at once wait for each other. What goes
wrong is one line.
"""

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CHECKOUT: Final = HERE.parent
VENV: Final = CHECKOUT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
#: Where there is what is compiled where there is a C compiler; and the files that come of it.
SOURCES: Final = CHECKOUT / "server" / "dataplane"
COMPILED: Final = "_*.so"
MARKER: Final = VENV / "sstpca-installed.json"
LOCKS: Final = {level: HERE / f"lock-{level}.txt" for level in ("run", "test", "bench", "fuzz")}
_WHAT: Final = {
    "run": "sstpca",
    "test": "what the tests need",
    "bench": "what the bench's plots need",
    "fuzz": "what fuzzing needs",
}

#: Settings that would lead Python or pip out of the environment. Indexes, mirrors, certificates and
#: proxies are the user's and stay.
_ASTRAY: Final = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

# 128 + SIGINT, as shells have it
_INTERRUPTED: Final = 130


class Failed(Exception):
    """What went wrong and what to do, in one line."""


def main(level: str) -> None:
    """Make the environment for ``run``, ``test``, ``bench`` or ``fuzz``, unless it is there.

    :raises Failed: if that cannot be done here and now.
    """
    if _installed(level):
        return
    with _alone():
        # another one may have made it meanwhile
        if not _installed(level):
            _install(level)


def _wanted(level: str) -> dict[str, str]:
    """Return what the environment for ``level`` rests on; another value is another environment."""
    return {
        "checkout": str(CHECKOUT),
        "python": f"{os.path.realpath(sys.base_prefix)} {sys.implementation.cache_tag}",
        "project": hashlib.sha256((CHECKOUT / "pyproject.toml").read_bytes()).hexdigest(),
        "compiled": hashlib.sha256(_sources()).hexdigest(),
        level: hashlib.sha256(LOCKS[level].read_bytes()).hexdigest(),
    }


def _sources() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))


def _noted() -> dict[str, str]:
    """Return what the environment that is there was made for; empty if it is not whole."""
    try:
        noted = json.loads(MARKER.read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and os.access(PYTHON, os.X_OK) else {}


def _installed(level: str) -> bool:
    return _wanted(level).items() <= _noted().items()


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the checkout's lock against another installation."""
    try:
        file = (CHECKOUT / ".venv.lock").open("a")
    except OSError as error:
        raise Failed(
            f"{CHECKOUT} cannot be written ({error.strerror}): "
            "run make as its owner, or in a copy of your own"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another installation into .venv", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(level: str) -> None:
    print(f"installing {_WHAT[level]} into .venv", flush=True)
    wanted, noted = _wanted(level), _noted()
    if any(noted.get(key) != wanted[key] for key in ("checkout", "python")):
        _run("the environment .venv cannot be made", sys.executable, "-m", "venv", "--clear", VENV)
        noted = {}
    if noted.get(level) != wanted[level]:
        _install_packages(LOCKS[level])
    # where it cannot be compiled any more, what came of another source must not stay
    for old in SOURCES.glob(COMPILED):
        old.unlink()
    alone = ("--no-index", "--no-deps", "--no-build-isolation")
    _pip("sstpca cannot be installed", "install", *alone, "--editable", CHECKOUT)
    # what the program needs is a part of what the tests need
    _note(wanted | _wanted("run") if level == "test" else noted | wanted)


def _install_packages(lock: Path) -> None:
    locked = ("--require-hashes", "--requirement", lock)
    with tempfile.TemporaryDirectory(dir=VENV) as folder:
        _pip(
            "the packages cannot be downloaded (no network? a proxy or mirror that pip should use?)",
            *("download", "--dest", folder, *locked),
        )
        # from here on until the new marker, what is there is not whole
        MARKER.unlink(missing_ok=True)
        fresh = ("install", "--no-index", "--find-links", folder)
        # pip first and alone: it would be exchanged while it works
        _pip("pip cannot be installed", *fresh, "--no-deps", "--upgrade", "pip")
        _pip("the packages cannot be installed", *fresh, *locked)
    _remove_others()


def _note(made: dict[str, str]) -> None:
    temporary = MARKER.with_suffix(".new")
    temporary.write_text(json.dumps(made))
    temporary.rename(MARKER)


def _remove_others() -> None:
    """Remove what no lock names: left by another commit, and able to change what a test sees."""
    text = "\n".join(lock.read_text() for lock in LOCKS.values())
    named = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    packages = sysconfig.get_path("purelib", "venv", {"base": str(VENV)})
    there = {
        re.sub(r"[-_.]+", "-", distribution.name).lower()
        for distribution in importlib.metadata.distributions(path=[packages])
    }
    if others := sorted(there - named - {"sstpca", "pip"}):
        _pip("old packages cannot be removed", "uninstall", "--yes", *others)


def _pip(failing: str, *arguments: str | Path) -> str:
    return _run(failing, PYTHON, "-m", "pip", *arguments)


def _run(failing: str, *command: str | Path) -> str:
    """Run a command; return what it prints.

    :raises Failed: with ``failing`` and the command's own last word, as a quotation.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _ASTRAY}
    environment |= {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = [*filter(None, map(str.strip, (done.stdout + done.stderr).splitlines()))]
        said = lines[-1] if lines else f"exit status {done.returncode}"
        raise Failed(f"{failing}{_likely()}; its own words: {said}")
    return done.stdout


def _likely() -> str:
    """Name what this machine lacks, as far as that can be seen."""
    for folder in (CHECKOUT, Path(tempfile.gettempdir())):
        if shutil.disk_usage(folder).free < 200 << 20:
            return f" (the disk of {folder} is full)"
    return ""


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Failed as failure:
        sys.exit(f"error: {failure}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
