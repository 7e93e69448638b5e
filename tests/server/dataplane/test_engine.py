"""Which of the two runs: the compiled one if there is one, else Python's, with the same functions."""

import importlib.util
import inspect
import ssl
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sstpca.server.dataplane import cutting, engine, merging, openssl
from tests.support import engines

_COMPILED = "sstpca.server.dataplane._segments"
_COMPILED_TLS = "sstpca.server.dataplane._tls"


def imported() -> Any:
    """The module as it is when it is imported for the first time."""
    path = Path(inspect.getfile(engine))
    spec = importlib.util.spec_from_file_location("sstpca.server.dataplane.engine_again", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_compiled_one_it_is_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, _COMPILED, None)
    chosen = imported()
    assert not chosen.COMPILED
    functions = (chosen.forward, chosen.cut, chosen.pull)
    assert functions == (merging.forward, cutting.cut, cutting.pull)


def test_where_there_is_a_compiled_one_it_is_that(monkeypatch: pytest.MonkeyPatch) -> None:
    built = engines.compiled()
    monkeypatch.setitem(sys.modules, _COMPILED, _module(**built._asdict(), REVISION=4))
    chosen = imported()
    assert chosen.COMPILED
    assert (chosen.forward, chosen.cut, chosen.pull) == built


def test_one_of_an_earlier_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays where the program was updated and nothing compiles any more."""
    built = engines.compiled()
    before = _module(forward=built.forward, cut=built.cut)
    # it has the same functions with other parameters
    other = _module(**built._asdict(), REVISION=3)
    for one in (before, other, _module(**built._asdict())):
        monkeypatch.setitem(sys.modules, _COMPILED, one)
        assert not imported().COMPILED


def test_the_same_with_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Called by compiled code, if there is such of this version, else by Python's ssl."""
    context = engines.compiled_tls()
    right = {"Context": context, "OPENSSL": "OpenSSL 3.9"}
    for more in ({}, {"REVISION": 0}):
        monkeypatch.setitem(sys.modules, _COMPILED_TLS, _module(**right, **more))
        chosen = imported()
        assert chosen.TlsContext is openssl.PythonContext
        assert chosen.TLS_DESCRIPTION.startswith(f"{ssl.OPENSSL_VERSION}, called by Python's ssl; ")
    monkeypatch.setitem(sys.modules, _COMPILED_TLS, _module(**right, REVISION=3))
    assert imported().TlsContext is context


def _module(**functions: object) -> ModuleType:
    made = ModuleType(_COMPILED)
    made.__dict__.update(functions)
    return made
