"""install/environment.py, run on a small checkout of the test's own, with packages from a folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "install" / "environment.py"

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "sstpca"
version = "1"
"""

# makes the wheel of an editable install as a build backend must (PEP 660), without setuptools
BACKEND = """\
from pathlib import Path
from zipfile import ZipFile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "sstpca-1-py3-none-any.whl"
    with ZipFile(Path(wheel_directory) / name, "w") as wheel:
        wheel.writestr("sstpca.pth", str(Path.cwd()))
        wheel.writestr("sstpca-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: sstpca\\nVersion: 1\\n")
        wheel.writestr("sstpca-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("sstpca-1.dist-info/RECORD", "")
    return name
"""


def wheel(folder: Path, name: str, version: str) -> str:
    """Write a wheel that has one module; return its line for a lock."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"version = '{version}'")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}=={version} --hash=sha256:{digest}\n"


class Checkout:
    """A checkout with the script and locks of its own, and the folder that stands for an index."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root.parent / "index"
        self.index.mkdir()
        (root / "install").mkdir(parents=True)
        shutil.copy(SCRIPT, root / "install")
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "backend.py").write_text(BACKEND)
        self.compiled = root / "server" / "dataplane" / "_segments.abi3.so"
        self.compiled.parent.mkdir(parents=True)
        self.compiled.with_name("_segments.c").write_text("one")

    def lock(self, run: str, test: str, bench: str = "", fuzz: str = "") -> None:
        levels = {"run": run, "test": test, "bench": bench or run, "fuzz": fuzz or run}
        for level, text in levels.items():
            (self.root / "install" / f"lock-{level}.txt").write_text(text)

    def make(self, level: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            # what would lead pip out of the environment
            "PIP_USER": "1",
            "PIP_TARGET": str(self.root / "astray"),
            "PYTHONPATH": str(self.root / "astray"),
        }
        return subprocess.run(
            [sys.executable, self.root / "install" / "environment.py", level],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def has(self, name: str) -> str:
        """Return the version of a module in the environment; empty if it is not there."""
        code = f"import {name}; print({name}.version)"
        done = subprocess.run(
            [self.root / ".venv" / "bin" / "python", "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line with which the script failed."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


def test_an_environment_from_its_first_day_to_its_last(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout ü")
    first = wheel(checkout.index, "alpha", "1")
    both = first + wheel(checkout.index, "beta", "1")
    checkout.lock(first, both)

    assert checkout.make("run").stdout == "installing sstpca into .venv\n"
    assert (checkout.has("alpha"), checkout.has("beta")) == ("1", "")
    assert checkout.make("test").stdout == "installing what the tests need into .venv\n"
    assert (checkout.has("alpha"), checkout.has("beta")) == ("1", "1")
    for level in ("run", "test"):
        again = checkout.make(level)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")

    # what was compiled of another source must not stay where it cannot be compiled any more
    for source in ("_segments.c", "_tls.c", "_records.h"):
        checkout.compiled.write_text("of one")
        assert checkout.make("run").stdout == ""
        checkout.compiled.with_name(source).write_text("two")
        assert checkout.make("run").stdout == "installing sstpca into .venv\n"
        assert not checkout.compiled.exists()

    # what cannot be downloaded leaves what is there as it was
    checkout.lock(first.replace("==1", "==2"), both.replace("==1", "==2"))
    assert refused(checkout.make("run")).startswith("error: the packages cannot be downloaded (no ")
    assert checkout.has("alpha") == "1"
    checkout.lock(first.replace("sha256:", "sha256:00")[:-3] + "\n", both)
    assert refused(checkout.make("run")).startswith("error: the packages cannot be downloaded (no ")
    assert checkout.has("alpha") == "1"

    # another commit's lock; what no lock names any more goes
    second = wheel(checkout.index, "alpha", "2")
    checkout.lock(second, second)
    assert checkout.make("run").returncode == 0
    assert (checkout.has("alpha"), checkout.has("beta")) == ("2", "")

    # an installation that was interrupted begins again, and so does one that has moved, its Python gone
    (checkout.root / ".venv" / "sstpca-installed.json").unlink()
    shutil.rmtree(checkout.root / ".venv" / "lib")
    assert checkout.make("run").returncode == 0
    assert checkout.has("alpha") == "2"
    for python in (checkout.root / ".venv" / "bin").glob("python*"):
        python.unlink()
    # its scripts name the folder that it was made in
    checkout.root = checkout.root.rename(tmp_path / "moved")
    assert checkout.make("run").stdout == "installing sstpca into .venv\n"
    assert checkout.has("alpha") == "2"
    assert not (checkout.root / "astray").exists()


def test_what_bench_and_fuzzing_need_is_installed_for_them_alone(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    alpha = wheel(checkout.index, "alpha", "1")
    checkout.lock(
        alpha,
        alpha + wheel(checkout.index, "beta", "1"),
        alpha + wheel(checkout.index, "gamma", "1"),
        alpha + wheel(checkout.index, "delta", "1"),
    )
    assert checkout.make("test").returncode == 0
    assert checkout.has("gamma") == ""
    assert checkout.make("bench").stdout == "installing what the bench's plots need into .venv\n"
    assert checkout.make("fuzz").stdout == "installing what fuzzing needs into .venv\n"
    # each of them leaves the others as they are
    for level in ("run", "test", "bench", "fuzz"):
        assert checkout.make(level).stdout == ""
    assert [checkout.has(name) for name in ("alpha", "beta", "gamma", "delta")] == ["1"] * 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_checkout_that_cannot_be_written(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    checkout.lock("", "")
    checkout.root.chmod(0o500)
    assert "run make as its owner" in refused(checkout.make("run"))


def test_make_install_makes_the_program_and_no_vpn() -> None:
    """Whoever restores a backup must be able to do so before there is another authority."""
    plans = [
        subprocess.run(
            ["make", "--dry-run", target, f"PYTHON={sys.executable}"],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for target in ("install", "run")
    ]
    assert all("install/environment.py run" in plan for plan in plans)
    assert ["quickstart" in plan for plan in plans] == [False, True]


@pytest.mark.parametrize(("given", "option"), [((), ""), (("QUICK=1",), "--quick")])
def test_make_bench_installs_what_plots_need_and_measures(
    given: tuple[str, ...], option: str
) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", "bench", *given, f"PYTHON={sys.executable}"],
        cwd=Path(__file__).parents[1],
        # the make that runs these tests is none of its business
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "install/environment.py bench" in plan
    assert plan.splitlines()[-1].rstrip() == f".venv/bin/python -m tests.bench {option}".rstrip()


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((), "--seconds 120"),
        (("SECONDS=3600",), '--seconds "$SECONDS"'),
        (("SEED=1",), '--seconds 120 --seed "$SEED"'),
    ],
)
def test_make_fuzz_installs_what_it_needs_and_fuzzes(given: tuple[str, ...], options: str) -> None:
    plan = subprocess.run(
        ["make", "--dry-run", "fuzz", *given, f"PYTHON={sys.executable}"],
        cwd=Path(__file__).parents[1],
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "install/environment.py fuzz" in plan
    assert plan.splitlines()[-1] == f".venv/bin/python -m tests.fuzz {options}"
