"""Homes, bundles and backups that were made before the rooms were rebuilt open and work."""

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from sstpca import Vpn
from sstpca.bundle.ledger import unpacking
from sstpca.cli import main
from sstpca.secrets import Sealer
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.store import Store, bundles, logins

# made by the commit eb4f079: init, two users, a profile, a certificate, a bundle, a new key of the
# server, a rollover that has begun; and a backup of it all but the bundle
PACKED = Path(__file__).parent / "vectors" / "home-before-vpn.tar.xz"
BACKUP_PASSPHRASE = b"correct horse"
PASSWORD = "correct horse battery"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A folder with ``home`` and ``vpn.backup``."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    (tmp_path / "home").chmod(0o700)
    return tmp_path


@pytest.fixture
def vpn(older: Path) -> Iterator[Vpn]:
    with Vpn.open(older / "home") as opened:
        yield opened


def test_users_and_their_passwords(vpn: Vpn) -> None:
    assert [(one.name, one.profile) for one in vpn.users.all()] == [
        ("alice", "default"),
        ("bob", "staff"),
    ]
    assert [one.name for one in vpn.profiles.all()] == ["default", "staff"]
    store = Store.open(vpn.home.database)
    found = logins.login(store, Sealer.load(vpn.home), "alice")
    store.close()
    assert found is not None
    assert found.nt_hash == nt_hash(PASSWORD)


def test_certificates_and_the_rollover(vpn: Vpn) -> None:
    names = [(one.name, one.replaced is not None) for one in vpn.certificates.all(everything=True)]
    assert names == [
        ("authority", False),
        ("authority/next", False),
        ("bob", False),
        ("server", False),
        ("server", True),
    ]
    [bob] = [one for one in vpn.certificates.all() if one.name == "bob"]
    assert vpn.transfer.pair(bob).leaf == bob.certificate
    assert [role for role, _ in vpn.authority.roles()] == ["issues", "next"]
    status = vpn.rollover.status()
    assert status.successor is not None
    assert {one.user for one in status.without} == {"alice", "bob"}
    vpn.rollover.cancel()
    assert [role for role, _ in vpn.authority.roles()] == ["issues"]


def test_a_new_certificate_is_issued_by_the_old_authority(vpn: Vpn) -> None:
    [pair] = vpn.certificates.issue(vpn.certificates.wishes_for_users(["carol"]))
    [(_, authority), *_] = vpn.authority.roles()
    assert pair.leaf.issuer == authority.subject
    assert pair.leaf.not_valid_before_utc < datetime.now(UTC)


def test_the_bundle_is_known_again(vpn: Vpn) -> None:
    found = unpacking.read(vpn.home.bundles / "alice.zip")
    assert list(unpacking.check_sums(found.files)) == []
    store = Store.open(vpn.home.database)
    made = bundles.find(store, Sealer.load(vpn.home), found.sha256)
    store.close()
    assert made is not None
    assert (made.user, made.platforms) == ("alice", ("windows",))


def test_the_command_line_works_on_it(older: Path) -> None:
    for command in (
        ["user", "list"],
        ["profile", "show", "staff"],
        ["cert", "list"],
        ["ca", "show"],
    ):
        done = CliRunner().invoke(main, ["--home", str(older / "home"), *command])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(
        main, ["--home", str(older / "home"), "user", "remove", "bob", "--yes"]
    )
    assert done.exit_code == 0, done.output


def test_its_backup_is_restored(older: Path) -> None:
    with Vpn.restore(older / "vpn.backup", older / "restored", BACKUP_PASSPHRASE) as vpn:
        assert [one.name for one in vpn.users.all()] == ["alice", "bob"]
        assert vpn.settings.host == "vpn.example.com"
