"""Builds what leaves the checkout; the Makefile calls it with the Python of .venv.

    python install/distribution.py dist     # dist/sstpca-VERSION.tar.gz, and of it the wheel
    python install/distribution.py deb      # dist/sstpca_VERSION_ARCH.deb, of that wheel

Nothing is downloaded: setuptools and the libraries are those of .venv, which the lock's hashes were
held against. The wheel is made of the sdist, so that whoever builds it from that has the same. The Debian
package brings its libraries in an environment of its own below /usr/lib/sstpca: Debian 12 has click,
cryptography and SQLAlchemy older than sstpca needs, and so has Debian 13 cryptography. It takes its Python
from Debian, and is for the version of that which .venv has.
"""

import compileall
import contextlib
import email
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
DIST: Final = CHECKOUT / "dist"

_TOP: Final = ("pyproject.toml", "README.md", "LICENSE")
_FOLDERS: Final = ("sstpca", "server", "templates")
_UNWANTED: Final = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
_BUILD: Final = "from setuptools import build_meta as b; import sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"

_WHERE: Final = "usr/lib/sstpca"
_CONTROL: Final = """\
Package: sstpca
Version: {version}
Architecture: {architecture}
Maintainer: The sstpca authors <sstpca@localhost>
Installed-Size: {size}
Depends: python3 (>= {python}~), python3 (<< {next}~), nftables
Recommends: cron | systemd-sysv
Section: net
Priority: optional
Description: SSTP VPN server for Windows' own client, with its certificate authority
 Makes the authority, the server's certificate, users and what each user double-clicks,
 and is the VPN server. See sstpca(1).
"""

_SHELLS: Final = {
    "bash": "usr/share/bash-completion/completions/sstpca",
    "zsh": "usr/share/zsh/vendor-completions/_sstpca",
    "fish": "usr/share/fish/vendor_completions.d/sstpca.fish",
}

# The services of homes run what goes now. Homes, their files and backups are the administrator's and stay.
_BEFORE_REMOVAL: Final = """\
#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
for unit in /etc/systemd/system/sstpca@*.service; do
    if [ -d /run/systemd/system ] && grep -qs /usr/lib/sstpca/ "$unit"; then
        name=$(basename "$unit" .service)
        label=${name#sstpca@}
        systemctl disable --now "$name.service" "sstpca@$label.socket" \\
            "sstpca-renew@$label.timer" "sstpca-backup@$label.timer" 2>/dev/null || true
    fi
done
for script in /etc/init.d/sstpca-*; do
    if grep -qs /usr/lib/sstpca/ "$script"; then
        "$script" stop || true
    fi
done
"""


class Failed(Exception):
    """What went wrong and what to do, in one line."""


def dist() -> tuple[Path, Path]:
    """Build sdist and wheel into dist/; return their paths.

    :raises Failed: if one of them cannot be built.
    """
    DIST.mkdir(exist_ok=True)
    with _scratch() as scratch:
        tree = scratch / "tree"
        tree.mkdir()
        for name in _TOP:
            shutil.copy2(CHECKOUT / name, tree)
        for name in _FOLDERS:
            shutil.copytree(CHECKOUT / name, tree / name, ignore=_UNWANTED)
        _run(sys.executable, CHECKOUT / "install" / "manual.py", tree / "man")
        sdist = _built("build_sdist", tree, scratch)
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch / "unpacked", filter="data")
        [unpacked] = (scratch / "unpacked").iterdir()
        wheel = _built("build_wheel", unpacked, scratch)
        found = DIST / sdist.name, DIST / wheel.name
        for made, place in zip((sdist, wheel), found, strict=True):
            shutil.copy(made, place.with_suffix(".part"))
            place.with_suffix(".part").rename(place)
    return found


def deb() -> Path:
    """Build the Debian package into dist/; return its path.

    :raises Failed: if it cannot be built here.
    """
    if shutil.which("dpkg-deb") is None:
        raise Failed("a Debian package needs dpkg-deb: apt install dpkg")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    _check_python(python)
    sdist, wheel = dist()
    version = sdist.name.removeprefix("sstpca-").removesuffix(".tar.gz")
    architecture = _run("dpkg", "--print-architecture").strip()
    with _scratch() as scratch:
        root = scratch / "root"
        packages = root / _WHERE / "lib" / f"python{python}" / "site-packages"
        packages.mkdir(parents=True)
        _copy_libraries(wheel, packages)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)  # noqa: S202 our own
        _take_out_data(packages, root)
        _environment(root, python)
        for shell, place in _SHELLS.items():
            (root / place).parent.mkdir(parents=True)
            text = _run(sys.executable, "-P", "-m", "sstpca", "completion", shell)
            (root / place).write_text(text)
        documents = root / "usr/share/doc/sstpca"
        documents.mkdir(parents=True)
        for name in ("README.md", "CHANGELOG.md", "LICENSE", *_documents()):
            shutil.copy(CHECKOUT / name, documents / Path(name).name)
        (documents / "LICENSE").rename(documents / "copyright")
        size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
        about = root / "DEBIAN"
        about.mkdir()
        (about / "control").write_text(
            _CONTROL.format(
                version=f"{version}-1",
                architecture=architecture,
                size=size,
                python=python,
                next=f"{sys.version_info.major}.{sys.version_info.minor + 1}",
            )
        )
        (about / "prerm").write_text(_BEFORE_REMOVAL)
        _set_modes(root)
        made = DIST / f"sstpca_{version}-1_{architecture}.deb"
        part = made.with_suffix(".part")
        _run("dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", root, part)
        part.rename(made)
    return made


def _check_python(version: str) -> None:
    """Make sure that what is built here is for the Python that this Debian has.

    :raises Failed: if it is for another.
    """
    ask = "import sys; print(*sys.version_info[:2], sep='.')"
    debians = _run("/usr/bin/python3", "-c", ask).strip()
    if debians != version:
        raise Failed(
            f"the package takes Debian's Python {debians}, and .venv has {version}: "
            "make clean, then make deb PYTHON=/usr/bin/python3"
        )


def _documents() -> list[str]:
    return [f"docs/{one.name}" for one in (CHECKOUT / "docs").glob("*.md")]


def _copy_libraries(wheel: Path, target: Path) -> None:
    """Copy what the wheel needs, and what that needs, from the environment that runs this.

    :raises Failed: if something of it is not there.
    """
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        about = email.message_from_bytes(archive.read(name))
    waiting, seen = list(about.get_all("Requires-Dist", [])), set()
    while waiting:
        requirement = waiting.pop()
        name, marker = _required(requirement)
        if name in seen or "extra" in marker:
            continue
        seen.add(name)
        try:
            one = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if marker:
                continue  # which does not hold here
            raise Failed(
                f"{name} is not in this environment: make install, then make deb"
            ) from None
        waiting += one.requires or ()
        _copy(one, target)


def _required(requirement: str) -> tuple[str, str]:
    """Return the name in a requirement (PEP 508), and on what it depends that it is one."""
    text, _, marker = requirement.partition(";")
    name = re.match(r"[A-Za-z0-9._-]+", text.strip())
    assert name is not None
    return name[0], marker


def _copy(one: importlib.metadata.Distribution, target: Path) -> None:
    for file in one.files or ():
        path = Path(str(one.locate_file(file)))
        if ".." in file.parts or "__pycache__" in file.parts or not path.is_file():
            continue  # a script in bin/, which nobody calls
        place = target / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def _take_out_data(packages: Path, root: Path) -> None:
    """Put what the wheel has for share/ where Debian looks for it; pages compressed, as it wants them."""
    [data] = packages.glob("sstpca-*.data")
    pages = root / "usr/share/man/man1"
    pages.mkdir(parents=True)
    for page in sorted((data / "data/share/man/man1").iterdir()):
        shutil.copy(page, pages)
    _run("gzip", "-9n", *pages.iterdir())
    shutil.rmtree(data)


def _environment(root: Path, python: str) -> None:
    """Make an environment of what is there (PEP 405), with Debian's Python."""
    where = root / _WHERE
    (where / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n"
    )
    (where / "bin").mkdir()
    for name in ("python", "python3", f"python{python}"):
        (where / "bin" / name).symlink_to(f"/usr/bin/python{python}")
    script = where / "bin" / "sstpca"
    script.write_text(f"#!/{_WHERE}/bin/python -P\nfrom sstpca.__main__ import run\n\nrun()\n")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/sstpca").symlink_to(f"/{_WHERE}/bin/sstpca")
    # Python would write them beside the files at the first run, where no package knows of them
    compileall.compile_dir(
        where / "lib",
        quiet=1,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _set_modes(root: Path) -> None:
    executable = {"sstpca", "prerm"}
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or (
                path.name in executable and path.parent.name in ("bin", "DEBIAN")
            )
            path.chmod(0o755 if runs or ".so" in path.suffixes else 0o644)


def _built(hook: str, tree: Path, into: Path) -> Path:
    name = _run(sys.executable, "-c", _BUILD, hook, into, cwd=tree).splitlines()[-1]
    return into / name


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sstpca-dist.") as made:
        yield Path(made)


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program; return what it prints.

    :raises Failed: with its last line, if it fails.
    """
    # the same content gives the same bytes
    environment = {"SOURCE_DATE_EPOCH": _moment(), **os.environ}
    try:
        done = subprocess.run(
            list(map(str, words)),
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise Failed(f"{words[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise Failed(f"{Path(words[0]).name} fails: {said}")
    return done.stdout


def _moment() -> str:
    """Return when the last commit was made, in seconds since 1970; of another checkout, of this file."""
    words = ("git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct")
    with contextlib.suppress(OSError):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip().isdecimal():
            return done.stdout.strip()
    return str(int((CHECKOUT / "pyproject.toml").stat().st_mtime))


def _main(words: list[str]) -> None:
    try:
        match words:
            case ["dist"]:
                made: tuple[Path, ...] = dist()
            case ["deb"]:
                made = (deb(),)
            case _:
                raise Failed("say dist or deb")
    except Failed as error:
        sys.exit(f"error: {error}")
    for path in made:
        print(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    _main(sys.argv[1:])
