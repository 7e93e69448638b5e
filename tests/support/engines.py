"""The two that forward and cut: Python's, and the compiled one, built apart from what is installed."""

import functools
import importlib.machinery
import importlib.util
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from sstpca.server.dataplane import cutting, merging
from sstpca.server.dataplane.segments import Bytes, Offload
from tests.support import requirements

SOURCE = Path(__file__).parents[2] / "server" / "dataplane" / "_segments.c"

#: Names a compiled module to try in place of one that is built for it.
VARIABLE = "SEGMENTS_UNDER_TEST"

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
    made = folder / "_segments.so"
    command = (
        "gcc",
        *_WARNINGS,
        *flags,
        "-shared",
        "-fPIC",
        f"-I{headers}",
        "-o",
        str(made),
        str(source),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return made


def load(path: Path) -> Engine:
    """Load a compiled module."""
    loader = importlib.machinery.ExtensionFileLoader("sstpca_under_test._segments", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return Engine(module.forward, module.cut, module.pull)


@functools.cache
def compiled() -> Engine:
    """The compiled one, from the source as it is now."""
    if given := os.environ.get(VARIABLE):
        return load(Path(given))
    with tempfile.TemporaryDirectory() as folder:
        return load(build(Path(folder), "-O2"))
