"""What an authority can certify: told of one that an earlier release made, and left at will."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sstpca.authority.authority import load_ca_certificate, load_next_certificate
from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.vpn.setup import Plan, make_home
from sstpca.x509.certificate_profiles import (
    is_constrained,
    is_for_vpn_only,
    make_authority_certificate,
)
from sstpca.x509.keys import KeyType, PrivateKey
from tests.conftest import NETWORK, Run

NOTE = "can also certify publishers of programs and senders of mail"


@pytest.fixture
def old_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose authority has no extended key usage, as in earlier releases."""
    made = make_authority_certificate

    def make(key: PrivateKey, *values: Any, **more: Any) -> x509.Certificate:
        one = made(key, *values, **more)
        builder = (
            x509.CertificateBuilder(one.issuer, one.subject, one.public_key(), one.serial_number)
            .not_valid_before(one.not_valid_before_utc)
            .not_valid_after(one.not_valid_after_utc)
        )
        for extension in one.extensions:
            if not isinstance(extension.value, x509.ExtendedKeyUsage):
                builder = builder.add_extension(extension.value, extension.critical)
        return builder.sign(key, hashes.SHA256())

    shutil.rmtree(home.root)
    kind = KeyType.ECDSA
    plan = Plan(parse_hosts(["vpn.example.com"]), key_type=kind, ca_key_type=kind)
    with monkeypatch.context() as patch:
        patch.setattr("sstpca.authority.authority.make_authority_certificate", make)
        make_home(home.root, plan, None, network=NETWORK)
    return home


@pytest.mark.parametrize(
    "command", [("ca", "show"), ("cert", "check"), ("cert", "lint")], ids=" ".join
)
def test_an_old_authority_works_on_and_is_told_of(
    old_home: Home, run: Run, command: tuple[str, ...]
) -> None:
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert NOTE in " ".join(result.output.split())
    assert "ca rollover begin" in result.output


@pytest.mark.parametrize(
    "command", [("ca", "show"), ("cert", "check"), ("cert", "lint")], ids=" ".join
)
def test_nothing_is_said_of_a_new_one(home: Home, run: Run, command: tuple[str, ...]) -> None:
    assert NOTE not in " ".join(run(*command).output.split())


def test_a_rollover_carries_an_old_home_over(old_home: Home, run: Run) -> None:
    begun = run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    assert begun.exit_code == 0, begun.output
    assert "ca rollover status" in run("ca", "show").output
    assert run("ca", "rollover", "finish").exit_code == 0
    assert is_for_vpn_only(load_ca_certificate(old_home))
    assert NOTE not in run("ca", "show").output
    assert run("cert", "lint").exit_code == 0
    assert json.loads(run("ca", "show", "--json").stdout)["usages"][-1] == "clientAuth"


def test_without_name_constraints(tmp_path: Path) -> None:
    root = tmp_path / "new"

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--home", str(root), *arguments])

    kinds = ("--key-type", "ecdsa", "--ca-key-type", "ecdsa-p256", "--no-passphrase")
    done = command("init", "vpn.example.com", *kinds, "--no-name-constraints")
    assert done.exit_code == 0, done.output
    one = load_ca_certificate(Home(root))
    assert (is_constrained(one), is_for_vpn_only(one)) == (False, True)
    assert command("cert", "lint").exit_code == 0
    assert command("cert", "issue", "server", "elsewhere.example").exit_code == 0
    # the next one is as this one, unless somebody says so
    for option, constrained in ((), False), (("--name-constraints",), True):
        begun = command("ca", "rollover", "begin", "--no-passphrase", *option)
        assert begun.exit_code == 0, begun.output
        following = load_next_certificate(Home(root))
        assert following is not None
        assert is_constrained(following) is constrained
        assert command("ca", "rollover", "cancel").exit_code == 0
