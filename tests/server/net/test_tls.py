"""The file with the server's certificate, which may change while the server runs."""

import hashlib
import shutil
import ssl
from pathlib import Path

import pytest

from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_server_certificate
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.server.errors import ServerError
from sstpca.server.net import tls
from sstpca.server.net.hello import Group
from sstpca.server.net.tls import CertificateFiles, Certificates
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.x509.certificates import digest
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.support.forge import NOW
from tests.support.handshake import certificates_of, shake

pytestmark = pytest.mark.usefixtures("each_tls")

HOSTS = parse_hosts(["vpn.example.com"])


def follow(path: Path, faults: list[ServerError] | None = None) -> CertificateFiles:
    """Follow a file; each of ``faults`` is what one reading says against its content."""

    def read() -> list[bytes]:
        if faults:
            raise faults.pop()
        try:
            return [path.read_bytes()]
        except OSError as error:
            raise ServerError("it is gone") from error

    return CertificateFiles([path], read)


@pytest.fixture
def path(home: Home) -> Path:
    return home.server_identity


@pytest.fixture
def other(home: Home, tmp_path: Path) -> Path:
    """Another pair of the same authority, for the same host."""
    made = Authority.load(home, None).issue_server(HOSTS, KeyType.ECDSA, NOW)
    path = tmp_path / "other.pem"
    path.write_bytes(identity_to_pem(made.key, (made.certificate,)))
    return path


def hashes(certificates: Certificates) -> CertificateHashes:
    """Return those of the only one."""
    (certificate,) = certificates.each
    return certificate.hashes


def shown(
    certificates: Certificates, before: ssl.SSLSession | None, client: ssl.SSLContext
) -> tuple[ssl.SSLSession | None, bool]:
    """Shake hands in memory; return the client's session, and whether ``before`` was resumed."""
    _, end = shake(certificates, client, before)
    near = end.tls
    leaf = near.getpeercert(binary_form=True)
    assert leaf is not None
    assert hashlib.sha256(leaf).digest() == hashes(certificates).sha256
    return near.session, near.session_reused


def test_a_new_file_is_taken_up_once(home: Home, path: Path, other: Path) -> None:
    followed = follow(path)
    before = followed.certificates
    assert hashes(before).sha256.hex() == digest(load_server_certificate(home))
    assert followed.reload() is False
    other.rename(path)
    assert followed.reload() is True
    assert hashes(followed.certificates).sha256.hex() == digest(load_server_certificate(home))
    assert hashes(followed.certificates) != hashes(before)
    assert followed.reload() is False


def test_a_file_written_in_its_place_is_taken_up(path: Path, other: Path) -> None:
    followed = follow(path)
    before = hashes(followed.certificates)
    shutil.copyfile(other, path)
    assert followed.reload() is True
    assert hashes(followed.certificates) != before


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_of_no_use_changes_nothing_and_is_said_once(
    path: Path, other: Path, content: bytes | None
) -> None:
    followed = follow(path)
    before = followed.certificates
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ServerError):
        followed.reload()
    assert followed.reload() is False
    assert followed.certificates is before
    other.rename(path)
    assert followed.reload() is True
    assert followed.certificates is not before


def test_half_of_a_pair_is_of_no_use(path: Path, other: Path) -> None:
    followed = follow(path)
    before = followed.certificates
    key = path.read_bytes().partition(b"-----BEGIN CERT")[0]
    path.write_bytes(key + b"-----BEGIN CERT" + other.read_bytes().partition(b"-----BEGIN CERT")[2])
    with pytest.raises(
        ServerError, match=r"cannot be used .*: its key does not fit its certificate$"
    ):
        followed.reload()
    assert followed.certificates is before


def test_a_file_that_is_renamed_over_while_it_is_read(
    home: Home, path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown and what is hashed is from one reading."""
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    followed = follow(path)
    path.touch()

    def read(path: Path) -> bytes:
        with path.open("rb") as file:
            content = file.read()
        if other.exists():
            other.rename(path)
        return content

    monkeypatch.setattr(Path, "read_bytes", read)
    assert followed.reload() is True
    shown(followed.certificates, None, client)
    before = followed.certificates
    assert followed.reload() is True
    shown(followed.certificates, None, client)
    assert hashes(followed.certificates) != hashes(before)


def test_what_clients_would_not_believe_is_not_shown(path: Path, other: Path) -> None:
    faults: list[ServerError] = []
    followed = follow(path, faults)
    before = followed.certificates
    other.rename(path)
    faults.append(ServerError("it has expired"))
    with pytest.raises(ServerError, match="it has expired"):
        followed.reload()
    assert followed.certificates is before


def test_what_is_of_no_use_now_may_be_later(
    path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was wrong, or the settings; the file does not change again."""
    faults: list[ServerError] = []
    followed = follow(path, faults)
    before = followed.certificates
    other.rename(path)
    faults += [ServerError("it begins only tomorrow")] * 2
    with pytest.raises(ServerError, match="tomorrow"):
        followed.reload()
    assert followed.reload() is False
    assert len(faults) == 1, "not tried at once"
    monkeypatch.setattr("sstpca.server.net.tls._RETRY", -1.0)
    followed._again = 0.0
    assert followed.reload() is False, "and not said again"
    assert followed.certificates is before
    assert followed.reload() is True
    assert followed.certificates is not before
    assert followed.reload() is False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_of_the_certificate_before_is_resumed(
    home: Home, path: Path, other: Path, version: ssl.TLSVersion
) -> None:
    """A client that resumed it would bind its login to the certificate that it saw then."""
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.maximum_version = version
    followed = follow(path)
    session, _ = shown(followed.certificates, None, client)
    other.rename(path)
    assert followed.reload()
    assert not shown(followed.certificates, session, client)[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_there_are_no_tickets(home: Home, path: Path, version: ssl.TLSVersion) -> None:
    """The key that seals them would open all that was recorded since it was made."""
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.maximum_version = version
    session, _ = shown(certificates_of(path), None, client)
    assert session is None or not session.has_ticket


@pytest.mark.parametrize(
    ("version", "resumed"), [(ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, False)]
)
def test_what_is_resumed_is_a_session_of_the_certificate_that_is_shown(
    home: Home, path: Path, version: ssl.TLSVersion, resumed: bool
) -> None:
    """TLS 1.2 resumes by what the worker remembers; the hash for the binding is the same then."""
    client = ssl.create_default_context(cafile=str(home.ca_certificate))
    client.maximum_version = version
    certificates = certificates_of(path)
    # what is broken off is forgotten: the first connection goes on meanwhile
    server, end = shake(certificates, client, None)
    assert shown(certificates, end.tls.session, client)[1] is resumed
    del server


def test_a_python_that_has_no_x25519_serves_without_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian 12's own, whose ssl refuses that curve's name."""
    monkeypatch.setitem(tls._CURVES, Group.X25519, "no curve")
    certificates = certificates_of(home.server_identity)
    [one] = certificates.each
    assert Group.X25519 not in one.contexts
    assert {Group.P256, Group.P384} <= set(one.contexts)
