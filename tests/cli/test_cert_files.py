"""sstpca cert export, cert import, server csr."""

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from sstpca.access.connection_settings import SignIn
from sstpca.authority.authority import load_ca_certificate
from sstpca.authority.identity import load_identity, load_server_certificate
from sstpca.cli import ask, main
from sstpca.home import Home
from sstpca.store import Store
from sstpca.x509 import roots
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import key_to_pem
from tests.bundle.samples import add_profile
from tests.support.forge import DAY, NOW, Issuer, authority, make, server_extensions
from tests.support.requirements import require
from tests.support.steps import tree

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty folder, where what has no name of its own is written."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def root() -> Issuer:
    return authority("public root", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def public(
    root: Issuer, key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> x509.Certificate:
    """A server's certificate by an authority that this machine trusts."""
    monkeypatch.setattr(roots, "system_roots", lambda: [root.certificate])
    return make("vpn.example.com", key.public_key(), root, server_extensions())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_pem_and_der_on_standard_output(home: Home, run: Run, elsewhere: Path) -> None:
    leaf = load_server_certificate(home)
    result = run("cert", "export", "server")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes == certificate_to_pem(leaf)
    der = run("cert", "export", "server", "--format", "der").stdout_bytes
    assert x509.load_der_x509_certificate(der) == leaf
    chain = run("cert", "export", "server", "--format", "chain", "--root").stdout_bytes
    assert x509.load_pem_x509_certificates(chain) == [leaf, load_ca_certificate(home)]
    assert tree(elsewhere) == {}


def test_into_a_file(home: Home, run: Run, elsewhere: Path, refused: Refused) -> None:
    arguments = ("cert", "export", "server", "--output", "a.pem")
    assert run(*arguments).stdout == "a.pem\n"
    path = elsewhere / "a.pem"
    assert path.read_bytes() == certificate_to_pem(load_server_certificate(home))
    assert mode_of(path) == 0o644
    path.write_text("mine")
    assert refused(run(*arguments), 1) == "a.pem exists already; nothing was changed"
    assert path.read_text() == "mine"
    assert run(*arguments, "--force").exit_code == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize("format_", ["pem", "chain"])
def test_with_the_key(home: Home, run: Run, elsewhere: Path, format_: str) -> None:
    result = run("cert", "export", "server", "--format", format_, "--with-key")
    assert result.stdout == "server.pem\n"
    path = elsewhere / "server.pem"
    assert mode_of(path) == 0o600
    assert path.read_bytes() == home.server_identity.read_bytes()


def test_p12_with_a_password_made(home: Home, run: Run, elsewhere: Path) -> None:
    result = run("cert", "export", "server", "--format", "p12", "--generate")
    path, password = result.stdout.splitlines()
    assert (path, mode_of(elsewhere / path)) == ("server.p12", 0o600)
    found = pkcs12.load_pkcs12((elsewhere / path).read_bytes(), password.encode())
    assert found.cert is not None
    assert found.cert.certificate == load_server_certificate(home)
    assert found.additional_certs == []
    assert password not in result.stderr


def test_p12_with_a_password_asked_for(
    home: Home, run: Run, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "interactive", lambda: True)
    monkeypatch.setattr(ask, "hidden", ask.visible)
    arguments = ("cert", "export", "server", "--format", "p12")
    result = run(*arguments, stdin="correct horse\ncorrect horse\n")
    assert result.stdout == "server.p12\n"
    assert pkcs12.load_pkcs12((elsewhere / "server.p12").read_bytes(), b"correct horse").key


def test_legacy_p12_with_a_password_from_a_file(run: Run, elsewhere: Path) -> None:
    require("openssl", root=False)
    (elsewhere / "password").write_text("correct horse\n")
    arguments = ("--format", "p12", "--legacy", "--password-file", "password", "--output", "a.pfx")
    assert run("cert", "export", "server", *arguments).stdout == "a.pfx\n"
    command = ["openssl", "pkcs12", "-in", "a.pfx", "-info", "-noout", "-passin", "file:password"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "pbeWithSHA1And3-KeyTripleDES-CBC" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--format", "der", "--with-key"], "--with-key does not go with --format der"),
        (["--root"], "--root does not go with --format pem"),
        (["--legacy"], "--legacy does not go with --format pem"),
        (["--format", "routeros", "--generate"], "--generate does not go with --format routeros"),
        (["--format", "p12"], "there is no terminal to ask for a password"),
        (["--format", "p12", "--password-file", "short"], "has 3 characters"),
        (["--format", "p12", "--password-file", "accents"], "not all programs read alike"),
        (["--format", "p12", "--password-file", "x", "--generate"], "exclude each other"),
    ],
)
def test_options_that_do_not_do(
    run: Run, elsewhere: Path, refused: Refused, options: list[str], complaint: str
) -> None:
    (elsewhere / "short").write_text("abc")
    (elsewhere / "accents").write_text("pässword1")
    before = tree(elsewhere)
    assert complaint in refused(run("cert", "export", "server", *options), 2)
    assert tree(elsewhere) == before


def test_a_p12_that_is_there_is_refused_before_a_question(
    run: Run, elsewhere: Path, refused: Refused
) -> None:
    (elsewhere / "server.p12").write_text("mine")
    line = refused(run("cert", "export", "server", "--format", "p12"), 1)
    assert line == "server.p12 exists already; nothing was changed"


def test_routeros(home: Home, run: Run, elsewhere: Path) -> None:
    result = run("cert", "export", "server", "--format", "routeros")
    assert result.stdout == "server-routeros\n"
    folder = elsewhere / "server-routeros"
    assert mode_of(folder) == 0o700
    assert {path.name: mode_of(path) for path in folder.iterdir()} == {
        "sstpca-ca.crt": 0o644,
        "sstpca-server.crt": 0o644,
        "sstpca-server.key": 0o600,
        "sstpca-server.rsc": 0o644,
    }
    assert (folder / "sstpca-ca.crt").read_bytes() == home.ca_certificate.read_bytes()
    loaded = load_pem_private_key((folder / "sstpca-server.key").read_bytes(), None)
    assert loaded.public_key() == load_server_certificate(home).public_key()
    use = 'sstp-server server set certificate="sstpca-server.crt_0"'
    assert use in result.stderr
    assert use in (folder / "sstpca-server.rsc").read_text()


def test_a_users(run: Run, elsewhere: Path) -> None:
    assert run("cert", "issue", "user", "alice", "--key-type", "ecdsa").exit_code == 0
    result = run("cert", "export", "alice", "--format", "p12", "--generate")
    path, password = result.stdout.splitlines()
    found = pkcs12.load_pkcs12((elsewhere / path).read_bytes(), password.encode())
    assert found.cert is not None
    assert found.cert.friendly_name == b"alice"
    folder = elsewhere / run("cert", "export", "alice", "--format", "routeros").stdout.strip()
    assert "/interface sstp-client set" in (folder / "sstpca-alice.rsc").read_text()


def test_what_was_replaced_has_no_key_any_more(run: Run, refused: Refused) -> None:
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    first = run("cert", "export", "alice").stdout
    serial = f"{x509.load_pem_x509_certificate(first.encode()).serial_number:x}"
    run("cert", "rekey", "alice")
    result = run("cert", "export", serial)
    assert result.stdout == first
    assert result.stderr == f"warning: the certificate {serial} of 'alice' is replaced\n"
    result = run("cert", "export", serial, "--with-key")
    assert result.exit_code == 1
    assert f"the certificate {serial} of 'alice' was replaced" in result.stderr


def test_the_authoritys_key_is_not_exported(home: Home, run: Run, refused: Refused) -> None:
    result = run("cert", "export", "authority", "--format", "chain")
    assert result.stdout_bytes == home.ca_certificate.read_bytes()
    for options in (["--with-key"], ["--format", "p12", "--generate"], ["--format", "routeros"]):
        line = refused(run("cert", "export", "authority", *options), 1)
        assert line == "the authority's key is not exported"


def test_no_such_certificate(run: Run, refused: Refused) -> None:
    assert "no certificate with the name" in refused(run("cert", "export", "nobody"), 1)


def write_public(folder: Path, leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (folder / "fullchain.pem").write_bytes(certificate_to_pem(leaf))
    (folder / "privkey.pem").write_bytes(key_to_pem(key))


def test_import(
    home: Home,
    run: Run,
    elsewhere: Path,
    public: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    write_public(elsewhere, public, key)
    before = home.server_identity.read_bytes()
    result = run("cert", "import", "privkey.pem", "fullchain.pem", "--yes")
    assert (result.exit_code, result.stdout) == (0, f"{home.server_identity}\n")
    assert "CN=public root" in result.stderr
    assert "have to trust that authority" in result.stderr
    assert "0x80092013" not in result.stderr
    found = re.search(r"the one before is kept as (\S+)", result.stderr)
    assert found is not None
    assert Path(found[1]).read_bytes() == before
    assert load_identity(home).certificate == public
    # which authority of the home is the present one is nothing to users then
    begun = run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256").stderr
    assert begun.endswith(f":\n  sstpca --home {home.root} ca rollover finish\n")
    assert "bundle --all" not in begun
    # what is imported can be exported, without a root that is not here
    assert run("cert", "export", "server").stdout_bytes == certificate_to_pem(public)
    result = run("cert", "export", "server", "--format", "chain", "--root")
    assert "its root is not here" in result.stderr
    revoked = run("cert", "revoke", "server", "--yes").stderr
    assert f"for a new pair: sstpca --home {home.root} cert import FILE...\n" in revoked
    folder = elsewhere / run("cert", "export", "server", "--format", "routeros").stdout.strip()
    assert not (folder / "sstpca-ca.crt").exists()


def test_import_asks_first(
    home: Home,
    run: Run,
    elsewhere: Path,
    public: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_public(elsewhere, public, key)
    before = tree(home.root)
    result = run("cert", "import", "privkey.pem", "fullchain.pem")
    assert result.exit_code == 2
    assert "no terminal to ask first" in result.stderr
    monkeypatch.setattr(ask, "interactive", lambda: True)
    result = run("cert", "import", "privkey.pem", "fullchain.pem", stdin="n\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("nothing was changed\n")
    assert tree(home.root)["server.pem"] == before["server.pem"]
    result = run("cert", "import", "privkey.pem", "fullchain.pem", stdin="y\n")
    assert load_identity(home).certificate == public


def test_import_of_an_encrypted_file(
    home: Home,
    run: Run,
    elsewhere: Path,
    public: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_public(elsewhere, public, key)
    (elsewhere / "privkey.pem").write_bytes(key_to_pem(key, b"secret"))
    (elsewhere / "password").write_text("secret\n")
    (elsewhere / "wrong").write_text("guess\n")
    arguments = ("cert", "import", "privkey.pem", "fullchain.pem", "--yes")
    assert "privkey.pem is encrypted, and there is no" in refused(run(*arguments), 2)
    line = refused(run(*arguments, "--password-file", "wrong"), 1)
    assert line == "the password does not open privkey.pem"
    monkeypatch.setattr(ask, "interactive", lambda: True)
    monkeypatch.setattr(ask, "hidden", ask.visible)
    result = run(*arguments, stdin="secret\n")
    assert "Password of privkey.pem" in result.stderr
    assert load_identity(home).certificate == public
    assert run(*arguments, "--password-file", "password").exit_code == 0


def test_import_of_what_does_not_do(
    home: Home,
    run: Run,
    elsewhere: Path,
    root: Issuer,
    public: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    refused: Refused,
) -> None:
    write_public(elsewhere, public, key)
    before = tree(home.root)["server.pem"]
    assert refused(run("cert", "import", "none.pem", "--yes"), 1) == (
        "cannot read the file none.pem: No such file or directory"
    )
    assert "there is no key" in refused(run("cert", "import", "fullchain.pem", "--yes"), 1)
    expired = make(
        "vpn.example.com",
        key.public_key(),
        root,
        server_extensions(),
        begin=NOW - 9 * DAY,
        end=NOW - DAY,
    )
    write_public(elsewhere, expired, key)
    line = refused(run("cert", "import", "fullchain.pem", "privkey.pem", "--yes"), 1)
    assert "0x800B0101" in line
    assert tree(home.root)["server.pem"] == before


def test_a_read_only_home(
    open_home: Home,
    elsewhere: Path,
    public: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    refused: Refused,
    as_nobody: Callable[[], None],
) -> None:
    for folder in (elsewhere, *elsewhere.parents[:3]):
        folder.chmod(0o755)
    write_public(elsewhere, public, key)
    for path in elsewhere.iterdir():
        path.chmod(0o644)
    before = tree(open_home.root)
    as_nobody()
    arguments = ("cert", "import", "fullchain.pem", "privkey.pem", "--yes")
    result = CliRunner().invoke(main, ["--home", str(open_home.root), *arguments])
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert tree(open_home.root) == before


def test_csr(home: Home, run: Run) -> None:
    result = run("server", "csr", "--key-type", "ecdsa")
    request = x509.load_pem_x509_csr(result.stdout_bytes)
    waiting = home.root / "server.next.key"
    assert mode_of(waiting) == 0o600
    assert request.public_key() == (load_pem_private_key(waiting.read_bytes(), None).public_key())
    # the server goes on with what it has
    assert load_identity(home).own


def test_csr_again_is_for_the_same_key(
    home: Home, run: Run, elsewhere: Path, refused: Refused
) -> None:
    first = x509.load_pem_x509_csr(run("server", "csr", "--key-type", "ecdsa").stdout_bytes)
    assert run("server", "csr", "--output", "a.csr").stdout == "a.csr\n"
    again = x509.load_pem_x509_csr((elsewhere / "a.csr").read_bytes())
    assert again.public_key() == first.public_key()
    line = refused(run("server", "csr", "--key-type", "rsa"), 2)
    assert line.startswith("an earlier request has a key already")
    new = run("server", "csr", "--new-key", "--key-type", "ecdsa").stdout_bytes
    assert x509.load_pem_x509_csr(new).public_key() != first.public_key()


def test_csr_makes_no_key_for_a_file_that_is_there(
    home: Home, run: Run, elsewhere: Path, refused: Refused
) -> None:
    (elsewhere / "a.csr").write_text("mine")
    assert "exists already" in refused(run("server", "csr", "--output", "a.csr"), 1)
    assert not (home.root / "server.next.key").exists()


def test_import_of_the_answer_finds_its_key(
    home: Home, run: Run, elsewhere: Path, root: Issuer, public: x509.Certificate
) -> None:
    request = x509.load_pem_x509_csr(run("server", "csr", "--key-type", "ecdsa").stdout_bytes)
    answer = make("vpn.example.com", request.public_key(), root, server_extensions())
    (elsewhere / "answer.pem").write_bytes(certificate_to_pem(answer))
    assert run("cert", "import", "answer.pem", "--yes").exit_code == 0
    assert load_identity(home).certificate == answer
    assert not (home.root / "server.next.key").exists()


def test_a_private_authority_is_a_note_and_its_root_is_needed_for_eap_tls(
    run: Run,
    root: Issuer,
    key: ec.EllipticCurvePrivateKey,
    public: x509.Certificate,
    elsewhere: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    assert run("cert", "check").stderr == ""
    monkeypatch.setattr(roots, "system_roots", lambda: [])
    write_public(elsewhere, public, key)
    (elsewhere / "root.crt").write_bytes(certificate_to_pem(root.certificate))
    files = [str(path) for path in elsewhere.iterdir()]
    assert run("cert", "import", *files, "--yes").exit_code == 0
    checked = run("cert", "check")
    assert (checked.exit_code, checked.stdout) == (0, "all certificates are in order\n")
    assert checked.stderr.startswith(
        "note: the issuer 'CN=public root' of the server's chain is no"
    )
    add = ("user", "add", "zoe", "--profile", "staff", "--bundle", "--issue")
    assert "update-ca-certificates" in run(*add).stderr
    assert "zoe" not in run("cert", "list").stdout
    monkeypatch.setattr(roots, "system_roots", lambda: [root.certificate])
    assert run("cert", "check").stderr == ""
    added = run(*add)
    assert added.exit_code == 0, added.output
