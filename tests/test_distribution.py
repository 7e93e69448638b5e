"""What leaves the checkout: an sdist, of it the wheel, and a page for each command."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from install import distribution, manual
from tests.support import netns
from tests.support.requirements import require
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The sdist and the wheel."""
    patched = pytest.MonkeyPatch()
    patched.setattr(distribution, "DIST", tmp_path_factory.mktemp("dist") / "dist")
    yield distribution.dist()
    patched.undo()


def contents(wheel: Path) -> dict[str, bytes]:
    """Return what is in a wheel, but what is compiled and what lists its digests."""
    with zipfile.ZipFile(wheel) as archive:
        names = [one for one in archive.namelist() if not one.endswith((".so", "/RECORD"))]
        return {name: archive.read(name) for name in names}


def test_the_wheel_has_everything(built: tuple[Path, Path]) -> None:
    _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, package in (("sstpca", "sstpca"), ("server", "sstpca/server")):
        for path in (ROOT / folder).rglob("*.py"):
            assert f"{package}/{path.relative_to(ROOT / folder).as_posix()}" in names
    for path in (ROOT / "templates").rglob("*.*"):
        if "__pycache__" not in path.parts:
            assert f"sstpca/templates/{path.relative_to(ROOT / 'templates').as_posix()}" in names
    pages = {one.rpartition("/")[2] for one in names if "/share/man/man1/" in one}
    assert pages == set(manual.pages())
    strays = [one for one in names if one.split("/")[0].startswith(("tests", "install", "docs"))]
    assert strays == []


def test_the_compiled_part_is_for_all_pythons(built: tuple[Path, Path]) -> None:
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not (shutil.which("gcc") and headers.exists()):
        pytest.skip("needs a C compiler with Python's headers: apt install gcc python3-dev")
    _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        modules = [one for one in archive.namelist() if one.endswith(".so")]
    # the one for TLS needs OpenSSL's headers as well
    assert {Path(one).name for one in modules} - {"_tls.abi3.so"} == {"_segments.abi3.so"}
    assert "-cp311-abi3-" in wheel.name


def test_the_sdist_builds_the_same_wheel(built: tuple[Path, Path], tmp_path: Path) -> None:
    sdist, wheel = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    [tree] = tmp_path.iterdir()
    again = distribution._built("build_wheel", tree, tmp_path)
    assert contents(again) == contents(wheel)


@pytest.fixture(scope="module")
def program(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed by uv from the wheel into an environment outside of the checkout.

    The libraries are those of this environment: no index is asked.
    """
    _, wheel = built
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    uv = Path(sys.executable).with_name("uv")
    where = ("--python", folder / "bin" / "python")
    words = (uv, "pip", "install", "--quiet", "--offline", "--no-deps", *where, wheel)
    subprocess.run(words, check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # what is found so has no say in what is imported: the editable sstpca of here is not
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "sstpca"


def run(program: Path, home: Path, *words: str, typed: str = "") -> str:
    done = subprocess.run(
        [program, "--home", home, *words],
        input=typed,
        capture_output=True,
        text=True,
        cwd=home.parent,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_is_all_that_is_needed(program: Path, tmp_path: Path) -> None:
    python = program.with_name("python")
    words = "import sstpca.server as s, sstpca.templates as t; print(s.__file__, t.__file__)"
    found = subprocess.run(
        [python, "-P", "-c", words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert str(ROOT) not in found.stdout
    home = tmp_path / "vpn"
    run(program, home, "init", "vpn.example.com", "--no-passphrase")
    run(program, home, "user", "add", "alice", "--password-stdin", typed="Wonderland-1865\n")
    run(program, home, "bundle", "alice", "--for", "windows,linux,android,apple,routeros")
    assert (home / "bundles" / "alice.zip").is_file()
    assert (program.parents[1] / "share/man/man1/sstpca-ca-backup.1").is_file()


@pytest.mark.root
def test_it_serves_from_the_wheel(program: Path, tmp_path: Path) -> None:
    require("ip", "nft", tun=True)
    home = tmp_path / "vpn"
    run(program, home, "init", "vpn.example.com", "--no-passphrase", "--port", "8443")
    with netns.network() as network:
        log = tmp_path / "log"
        server = network.server.start(str(program), "--home", str(home), "serve", log=log)
        wait_for(lambda: "listening on" in server.output, "'listening on' in the log")
        server.terminate()
        assert server.wait() == 0


@pytest.mark.parametrize("name", sorted(manual.pages()))
def test_pages_have_their_parts(name: str) -> None:
    page = manual.pages()[name]
    for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"):
        assert f"\n.SH {part}\n" in page
    assert "--help" in page.replace("\\-", "-")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All pages, as files."""
    folder = tmp_path_factory.mktemp("man")
    for name, text in manual.pages().items():
        (folder / name).write_text(text)
    return sorted(folder.iterdir())


def test_mandoc_finds_no_fault_with_them(written: list[Path]) -> None:
    require("mandoc", root=False)
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *written], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_man_shows_them(written: list[Path]) -> None:
    require("man", root=False)
    # wide: examples are not broken
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "160"}
    for path in written:
        done = subprocess.run(
            ["man", "--warnings", "-l", path], capture_output=True, text=True, env=environment
        )
        assert (done.returncode, done.stderr) == (0, ""), path.name
    [one] = [path for path in written if path.name == "sstpca-ca-backup.1"]
    shown = subprocess.run(["man", "-l", one], capture_output=True, text=True, env=environment)
    assert "sstpca ca backup /mnt/nas/vpn --keep 14" in shown.stdout
