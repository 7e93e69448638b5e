"""sstpca init."""

import os
import pty
import select
import stat
import sys
import tomllib
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from sstpca import settings
from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.authority.identity import load_identity, load_server_certificate
from sstpca.cli import main
from sstpca.home import Home
from sstpca.vpn import setup
from sstpca.vpn.setup import Network
from sstpca.x509 import keys
from sstpca.x509.certificates import sha256_fingerprint

Refused = Callable[[Result, int], str]
NETWORK = Network(IPv4Network("10.98.0.0/24"), setup.PUBLIC_RESOLVERS)


@pytest.fixture(autouse=True)
def _quick(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the authority's key of another home, and no look at this machine's networks."""
    key = Authority.load(home, None).key
    monkeypatch.setattr("sstpca.authority.authority.make_authority_key", lambda _: key)
    monkeypatch.setattr(setup, "choose_network", lambda: NETWORK)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return tmp_path / "new"


def init(root: Path, *arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, ["--home", str(root), "init", *arguments], env=env)


def test_what_it_says(new: Path) -> None:
    result = init(new, "vpn.example.com", "--no-passphrase", "--key-type", "ecdsa")
    assert result.exit_code == 0
    home = Home.open(new)
    for path in (home.ca_certificate, home.ca_key, home.server_identity, home.database):
        assert f"  {path.name} " in result.stdout
    assert sha256_fingerprint(load_ca_certificate(home)) in result.stdout
    assert "NOT encrypted" in result.stdout
    assert "10.98.0.10-10.98.0.250" in result.stdout
    assert "IPv6     not in the tunnel" in result.stdout
    assert "9.9.9.9, 1.1.1.1 (public: this machine names none)" in result.stdout
    assert f"sstpca --home {new} user add NAME" in result.stderr
    assert "PRIVATE" not in result.output
    assert load_identity(home).own


def test_names_addresses_port_and_connection(new: Path) -> None:
    result = init(
        new, "VPN.example.com", "büro.example", "192.0.2.1", "--ip", "2001:db8::1", "--port", "4443"
    )
    assert result.exit_code == 2, "no passphrase yet"
    result = init(
        new,
        *("VPN.example.com", "büro.example", "192.0.2.1", "--ip", "2001:db8::1"),
        *("--port", "4443", "--connection", "Büro \U0001f512", "--no-passphrase"),
    )
    assert result.exit_code == 0
    made = tomllib.loads(Home(new).settings.read_text())
    assert made["server"]["names"] == ["vpn.example.com", "xn--bro-hoa.example"]
    assert made["server"]["addresses"] == ["192.0.2.1", "2001:db8::1"]
    assert made["server"]["port"] == 4443
    assert made["bundle"]["connection"] == "Büro \U0001f512"
    leaf = load_server_certificate(Home(new))
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == made["server"]["names"]
    assert load_identity(Home(new)).own


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["https://vpn.example.com"], "is a URL"),
        (["vpn.example.com:443"], "has a port"),
        (["*.example.com"], "is a wildcard"),
        (["a_b.example"], "is not a host name"),
        (["vpn.example.com", "--ip", "vpn.example.com"], "is not an IP address"),
        (["vpn.example.com", "--connection", "a:b"], "name of a connection"),
        (["a" * 60 + ".example"], "common name"),
    ],
)
def test_bad_input_makes_nothing(
    new: Path, refused: Refused, arguments: list[str], why: str
) -> None:
    assert why in refused(init(new, *arguments, "--no-passphrase"), 2)
    assert not new.exists()


@pytest.mark.parametrize("port", ["0", "65536", "https"])
def test_bad_ports(new: Path, port: str) -> None:
    result = init(new, "vpn.example.com", "--port", port, "--no-passphrase")
    assert result.exit_code == 2
    assert not new.exists()


def test_bad_names_are_refused_before_any_question(
    new: Path, refused: Refused, terminal: None
) -> None:
    assert "name of a connection" in refused(init(new, "vpn.example.com", "--connection", "a:b"), 2)


def test_an_existing_home_is_refused_before_any_question(
    home: Home, refused: Refused, terminal: None
) -> None:
    before = {path.name: path.read_bytes() for path in home.root.iterdir()}
    line = refused(init(home.root, "vpn.example.com"), 1)
    assert line == f"there is an sstpca home in {home.root} already; nothing was changed"
    assert {path.name: path.read_bytes() for path in home.root.iterdir()} == before


def test_without_any_passphrase_there_is_one_clear_line(new: Path, refused: Refused) -> None:
    result = init(new, "vpn.example.com")
    assert refused(result, 2) == "there is no passphrase for the authority's key"
    assert "--no-passphrase" in result.stderr
    assert not new.exists()


def opens(new: Path, passphrase: bytes) -> bool:
    pem = Home(new).ca_key.read_bytes()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    return isinstance(keys.key_from_pem(pem, new, passphrase), keys.PrivateKey)


def test_the_passphrase_of_the_environment(new: Path) -> None:
    result = init(new, "vpn.example.com", env={"SSTPCA_CA_PASSPHRASE": "pässword"})
    assert result.exit_code == 0
    assert opens(new, "pässword".encode())
    assert "pässword" not in result.output
    assert "encrypted; keep the passphrase" in result.stdout


def test_the_passphrase_of_a_file_comes_before_it(new: Path, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(b"from the file\r\n")
    arguments = ["vpn.example.com", "--passphrase-file", str(file)]
    result = init(new, *arguments, env={"SSTPCA_CA_PASSPHRASE": "from the environment"})
    assert result.exit_code == 0
    assert opens(new, b"from the file")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb\n", "second line"),
        (b"\xff", "not valid"),
        (b"seven77\n", "less than 8 characters"),
        (b"x" * 2000, "longer than"),
        (b"x" * 9000, "longer than"),
    ],
)
def test_bad_passphrase_files(
    new: Path, tmp_path: Path, refused: Refused, content: bytes, why: str
) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    assert why in refused(init(new, "vpn.example.com", "--passphrase-file", str(file)), 2)
    assert not new.exists()


def test_a_passphrase_file_that_is_missing_or_one_too_many(new: Path, refused: Refused) -> None:
    arguments = ["vpn.example.com", "--passphrase-file", "/nowhere/at/all"]
    assert "cannot read the passphrase file" in refused(init(new, *arguments), 1)
    assert "exclude each other" in refused(init(new, *arguments, "--no-passphrase"), 2)


def test_a_collision_of_networks_is_a_warning(new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Network(NETWORK.prefix, NETWORK.dns, True, IPv4Network("10.0.0.0/8"))
    monkeypatch.setattr(setup, "choose_network", lambda: taken)
    result = init(new, "vpn.example.com", "--no-passphrase")
    assert result.exit_code == 0
    assert "warning: 10.98.0.0/24 overlaps 10.0.0.0/8" in result.stderr
    assert "(this machine's)" in result.stdout


def test_a_real_terminal_is_asked_twice_without_echo(new: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ["SSTPCA_HOME"] = str(new)
        os.execv(sys.executable, [sys.executable, "-P", "-m", "sstpca", "init", "vpn.example.com"])
    said = b""
    answers = iter([(b"key: ", b"open sesame"), (b"confirmation: ", b"open sesame")])
    expected, answer = next(answers)
    while select.select([terminal], [], [], 20)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the child has closed its end
            break
        if said.endswith(expected):
            os.write(terminal, answer + b"\n")
            expected, answer = next(answers, (b"never said", b""))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said
    os.close(terminal)
    assert opens(new, b"open sesame")
    assert b"sesame" not in said
    assert stat.S_IMODE(Home(new).ca_key.stat().st_mode) == 0o600


def test_whom_users_ask_for_help(new: Path, tmp_path: Path) -> None:
    contact = 'Eve "the IT" Büro, +49 30 1234'
    result = init(new, "vpn.example.com", "--no-passphrase", "--contact", contact)
    assert result.exit_code == 0
    assert "nobody to ask" not in result.stderr
    assert settings.load(Home(new).settings).bundle.contact == contact
    result = init(tmp_path / "other", "vpn.example.com", "--no-passphrase")
    said = f"nobody to ask for help: contact in {tmp_path / 'other' / 'settings.toml'} says whom"
    assert said in result.stderr
    third = init(tmp_path / "third", "vpn.example.com", "--no-passphrase", "--contact", "a\nb")
    assert third.exit_code == 2
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", "is this machine itself"),
        ("::1", "is this machine itself"),
        ("localhost", "is this machine itself"),
        ("192.168.1.5", "is a private address"),
        ("100.64.0.1", "is a private address"),
        ("fd00::1", "is a private address"),
        ("vpnserver", "is a name that only its own network knows"),
        ("vpn.local", "is a name that only its own network knows"),
    ],
)
def test_a_host_that_not_everybody_reaches_is_a_warning(new: Path, host: str, why: str) -> None:
    result = init(new, host, "--no-passphrase")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {host} {why}")
    assert "and for years the authority is for exactly this" in result.stderr


@pytest.mark.parametrize("host", ["vpn.example.com", "203.0.113.5", "2001:db8::1"])
def test_a_host_that_everybody_may_reach_is_none(new: Path, host: str) -> None:
    assert "warning" not in init(new, host, "192.168.1.5", "--no-passphrase").stderr


@pytest.mark.parametrize(
    ("kind", "key"), [("ecdsa-p256", "ECDSA secp256r1"), ("ecdsa-p384", "ECDSA secp384r1")]
)
def test_the_kind_of_the_authoritys_key(
    new: Path, monkeypatch: pytest.MonkeyPatch, kind: str, key: str
) -> None:
    monkeypatch.setattr("sstpca.authority.authority.make_authority_key", keys.make_authority_key)
    made = init(new, "vpn.example.com", "--no-passphrase", "--ca-key-type", kind)
    assert made.exit_code == 0, made.output
    home = Home.open(new)
    assert keys.describe_key(load_ca_certificate(home).public_key()) == key
    assert load_identity(home).own


def test_only_whole_names_of_kinds_for_the_authoritys_key(new: Path) -> None:
    """What "rsa" means is the server's business: 2048 bits are few for ten years."""
    assert init(new, "vpn.example.com", "--ca-key-type", "rsa").exit_code == 2
    assert not new.exists()


@pytest.mark.parametrize(
    "command", [("init", "vpn.example.com", "--no-passphrase"), ("user", "list")]
)
def test_a_home_without_a_name_is_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """As a script has it whose variable is not set; the current folder is not meant."""
    folder = tmp_path / "somewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(main, ["--home", "", *command])
    assert result.exit_code == 2
    assert result.stderr == "error: --home is empty\nname a folder, or leave the option out\n"
    assert not list(folder.iterdir())
