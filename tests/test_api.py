"""The library: what the README shows runs, what docs/api.md says is what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sstpca
from sstpca import SstpcaError, Vpn
from sstpca.errors import Exists, NotFound
from tests.support import api

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    [program] = re.findall(r"(?s)```python\n(.*?)```", README.read_text())
    assert len(program.splitlines()) <= 11
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    bundle = tmp_path / "vpn" / "bundles" / "alice.zip"
    hand_over, state = done.stdout.splitlines()
    assert hand_over.startswith(f"hand over {bundle.relative_to(tmp_path)} and, apart from it,")
    assert state == "alice current"
    assert bundle.exists()


def test_the_page_says_what_the_docstrings_say() -> None:
    """python -m tests.support.api writes it."""
    assert api.PAGE.read_text() == api.page()


def test_what_is_public_can_be_imported() -> None:
    assert {name for name in sstpca.__all__ if getattr(sstpca, name)} == {"SstpcaError", "Vpn"}
    with pytest.raises(AttributeError, match="has no attribute 'Rollover'"):
        _ = sstpca.Rollover


def test_errors_have_codes(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as missing:
        Vpn.open(tmp_path / "nowhere")
    assert missing.value.code == "not-found"
    with Vpn.create(tmp_path / "vpn", "vpn.example.com") as vpn:
        assert vpn.settings.host == "vpn.example.com"
        with pytest.raises(SstpcaError) as again:
            Vpn.create(tmp_path / "vpn", "vpn.example.com")
        assert isinstance(again.value, Exists)
        vpn.users.add("alice")
        with pytest.raises(Exists) as taken:
            vpn.users.add("Alice")
        assert (taken.value.code, taken.value.exit_code) == ("exists", 2)


def test_a_home_goes_through_a_backup(tmp_path: Path) -> None:
    with Vpn.create(tmp_path / "vpn", "vpn.example.com", b"a long passphrase") as vpn:
        vpn.users.add("alice")
        vpn.authority.back_up(tmp_path / "backup", lambda: b"correct horse")
    with Vpn.restore(tmp_path / "backup", tmp_path / "again", b"correct horse") as vpn:
        assert [one.name for one in vpn.users.all()] == ["alice"]
        [pair] = vpn.certificates.issue(
            vpn.certificates.wishes_for_users(["alice"]), lambda: b"a long passphrase"
        )
        assert pair.name == "alice"


def test_no_secret_is_in_what_values_show_of_themselves(tmp_path: Path) -> None:
    with Vpn.create(tmp_path / "vpn", "vpn.example.com") as vpn:
        alice = vpn.users.add("alice")
        [bundle] = vpn.bundles.make(["alice"], new_passwords=True)
        assert bundle.password
        assert alice.password not in repr(alice)
        assert bundle.password not in repr(bundle)
        assert repr(vpn.users).count("alice") == 0
