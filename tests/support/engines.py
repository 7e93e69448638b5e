"""The two that forward and cut: Python's, and the compiled one, built apart from what is installed;
and the two that call OpenSSL.
"""

import functools
import importlib.machinery
import importlib.util
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from sstpca.server.dataplane import cutting, merging
from sstpca.server.dataplane.openssl import Context
from sstpca.server.dataplane.segments import Bytes, Offload
from tests.support import requirements

SOURCE = Path(__file__).parents[2] / "server" / "dataplane" / "_segments.c"
TLS_SOURCE = SOURCE.with_name("_tls.c")

#: Name compiled modules to try in place of those that are built for it.
VARIABLE, TLS_VARIABLE = "SEGMENTS_UNDER_TEST", "TLS_UNDER_TEST"

_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Werror")


class Forward(Protocol):
    """Python's :func:`.merging.forward`, or the compiled one, which knows no names of parameters."""

    def __call__(
        self,
        view: memoryview,
        position: int,
        end: int,
        source: bytes | None,
        tun: int,
        offload: int,
        server: bytes | None = None,
        multicast: bool = False,
        networks: bytes = b"",
        networks_v6: bytes = b"",
        /,
    ) -> tuple[int, int, list[bytes]]: ...


class Engine(NamedTuple):
    """What runs: the functions of :mod:`sstpca.server.dataplane.engine`."""

    forward: Forward
    cut: Callable[[Bytes, int, memoryview, int], tuple[list[int], int]]
    pull: Callable[[int, memoryview, int, int], tuple[list[int], bytes | None, int]]


#: TCP and UDP.
BOTH = Offload.TCP | Offload.UDP

PYTHON = Engine(merging.forward, cutting.cut, cutting.pull)


def build(folder: Path, *flags: str, source: Path = SOURCE) -> Path:
    """Compile the module into ``folder``; skip the test where nothing compiles.

    :raises RuntimeError: with what the compiler says.
    """
    requirements.require("gcc", root=False)
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").exists():
        pytest.skip(f"needs Python's headers ({headers}/Python.h; Debian package python3-dev)")
    libraries: tuple[str, ...] = ()
    if source.name == TLS_SOURCE.name:
        _require_openssl()
        libraries = ("-lssl", "-lcrypto")
    made = folder / f"{source.stem}.so"
    command = (
        "gcc",
        *_WARNINGS,
        *flags,
        "-shared",
        "-fPIC",
        f"-I{headers}",
        f"-I{SOURCE.parent}",
        "-o",
        str(made),
        str(source),
        *libraries,
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return made


def _require_openssl() -> None:
    look = ("gcc", "-E", "-x", "c", "-include", "openssl/ssl.h", os.devnull)
    if subprocess.run(look, capture_output=True, check=False).returncode:
        pytest.skip("needs OpenSSL's headers (openssl/ssl.h; Debian package libssl-dev)")


def load(path: Path) -> Engine:
    """Load a compiled module."""
    module = _loaded(path)
    return Engine(module.forward, module.cut, module.pull)


def _loaded(path: Path) -> Any:
    loader = importlib.machinery.ExtensionFileLoader(f"sstpca_under_test.{path.stem}", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@functools.cache
def compiled() -> Engine:
    """The compiled one, from the source as it is now."""
    if given := os.environ.get(VARIABLE):
        return load(Path(given))
    with tempfile.TemporaryDirectory() as folder:
        return load(build(Path(folder), "-O2"))


class MakeContext(Protocol):
    """:class:`.openssl.PythonContext`, or the compiled one."""

    def __call__(self, path: str, suites: str, group: str, minimum: int, /) -> Context: ...


def load_tls(path: Path) -> MakeContext:
    """Load a compiled module that calls OpenSSL."""
    made: MakeContext = _loaded(path).Context
    return made


@functools.cache
def compiled_tls() -> MakeContext:
    """The compiled one that calls OpenSSL, from the source as it is now."""
    if given := os.environ.get(TLS_VARIABLE):
        return load_tls(Path(given))
    with tempfile.TemporaryDirectory() as folder:
        return load_tls(build(Path(folder), "-O2", source=TLS_SOURCE))
