"""What the tests say when the machine lacks something."""

import os

import pytest

from tests.support import requirements


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    requirements.missing.cache_clear()


def test_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert requirements.missing(()) == "needs root (network namespaces)"
    with pytest.raises(pytest.skip.Exception):
        requirements.require()


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert requirements.missing(("sh",)) == ""


def test_a_program_that_cannot_be_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lock = tmp_path_factory.mktemp("lock") / "lock"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements, "_LOCK", lock)
    monkeypatch.setitem(requirements.PACKAGES, "no-such-program", ("no-such-package",))
    monkeypatch.setenv("PATH", "/nowhere")
    reason = requirements.missing(("no-such-program",))
    assert reason == "needs no-such-program (Debian packages: no-such-package)"
