"""What the runs of scripts share: a PC, authorities, and folders with a bundle's files."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from sstpca.access.profiles import AccessProfile
from sstpca.authority.authority import Authority
from sstpca.authority.issuing import user_wish
from sstpca.bundle.content.bundle import (
    Bundle,
    Certificate,
    UserCertificate,
    bundle_for,
    deployment_for,
)
from sstpca.names import parse_hosts
from sstpca.settings import ServerSettings, Settings
from sstpca.x509.certificates import sha1_fingerprint
from sstpca.x509.exporting import to_pkcs12
from sstpca.x509.keys import KeyType, make_key
from sstpca.x509.pair import Pair
from tests.bundle.samples import MakeBundle, files_of, trust_in, user_named
from tests.windows.pc import PWSH, Pc

Unpack = Callable[..., Path]
Authorities = tuple[Authority, Authority]
Certificates = tuple[Certificate, Certificate]
MakeCertificate = Callable[..., UserCertificate]

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session", autouse=True)
def _powershell() -> None:
    if PWSH is None:
        pytest.skip("needs PowerShell 7 (pwsh) on the PATH")


@pytest.fixture
def pc(tmp_path: Path) -> Pc:
    """A PC on which nothing of ours is."""
    return Pc(tmp_path / "pc")


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    """The authority of the VPN, some years old, and the next one."""
    hosts = parse_hosts(["vpn.example.com", "localhost"])
    now = datetime.now(UTC)
    old = Authority.make(hosts, now - timedelta(days=1000), KeyType.ECDSA)
    return old, Authority.make(hosts, now, KeyType.ECDSA, 2)


@pytest.fixture(scope="session")
def certificates(authorities: Authorities) -> Certificates:
    """The certificates of both authorities, as bundles carry them."""
    found = [plain_bundle(one.certificate).authorities[0] for one in authorities]
    return found[0], dataclasses.replace(found[1], file="ca-2.cer")


def plain_bundle(trusted: x509.Certificate) -> Bundle:
    """Return the bundle of alice that has nothing but the connection."""
    profile = AccessProfile("default", IPv4Address("10.99.0.1"), ())
    settings = Settings(server=ServerSettings(names=("vpn.example.com",)))
    deployment = deployment_for(profile, settings, trust_in(trusted))
    return bundle_for(user_named("alice"), deployment, language="en")


@pytest.fixture(scope="session")
def make_bundle(authorities: Authorities) -> MakeBundle:
    """Return the bundle of alice, with other values where some are given, unchecked."""
    plain = plain_bundle(authorities[0].certificate)

    def make(**changes: Any) -> Bundle:
        return dataclasses.replace(plain, **changes)

    return make


@pytest.fixture(scope="session")
def user_certificate(authorities: Authorities) -> MakeCertificate:
    """Issue a certificate for alice: ``user_certificate(legacy=True)``; its password is PASSWORD."""

    def make(*, legacy: bool = False) -> UserCertificate:
        wish = user_wish("alice", "alice@example.com", KeyType.ECDSA)
        key = make_key(KeyType.ECDSA)
        leaf = authorities[0].sign(
            wish.profile, wish.subject, key.public_key(), datetime.now(UTC), days=wish.days
        )
        pair = Pair("alice", wish.profile.name, (leaf,), key)
        content = to_pkcs12(pair, "alice", PASSWORD.encode(), legacy=legacy)
        return UserCertificate("alice.p12", content, sha1_fingerprint(leaf), PASSWORD)

    return make


@pytest.fixture
def unpack(tmp_path: Path, make_bundle: MakeBundle) -> Unpack:
    """Write the files of a bundle with such values to a folder of its own, and return it.

    A folder with another name: ``unpack(folder="It's [1]", ...)``.
    """

    def unpacked(bundle: Bundle | None = None, folder: str = "", **changes: Any) -> Path:
        path = tmp_path / (folder or f"bundle{len(list(tmp_path.iterdir()))}")
        return write(path, files_of(bundle or make_bundle(**changes)))

    return unpacked


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files to a new folder, and return it."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
