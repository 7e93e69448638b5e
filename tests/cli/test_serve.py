"""sstpca serve and quickstart, as far as they get without a machine to serve on."""

import json
import re
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sstpca import surroundings
from sstpca.authority.authority import Authority
from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.server import log
from sstpca.server.config import DEFAULT_TLS, Compat, Config, TlsSettings
from sstpca.server.errors import ServerError
from sstpca.server.net.tls import CertificateFiles
from sstpca.serving import server
from sstpca.store import Store, users
from sstpca.vpn import setup
from sstpca.vpn.setup import Plan
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.conftest import NETWORK, Run
from tests.support.handshake import certificate_of

Refused = Callable[[Result, int], str]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Take the place of the server: what it was told, each time."""
    configs: list[Config] = []
    monkeypatch.setattr(server, "run_server", lambda config, _backend: configs.append(config))
    monkeypatch.setattr(log, "set_up", lambda _form: None)
    monkeypatch.setattr(setup, "choose_network", lambda: NETWORK)
    monkeypatch.setattr(surroundings, "own_hosts", lambda: ["192.0.2.7"])
    return configs


def edit(home: Home, *changes: tuple[str, str]) -> None:
    text = home.settings.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    home.settings.write_text(text)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda text: text.encode("utf-8-sig"), id="byte-order-mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode("utf-16"), id="utf-16"),
        pytest.param(lambda text: text.replace("-\n-", "--").encode(), id="glued"),
        pytest.param(lambda text: textwrap.indent(text, "  ").encode(), id="indented"),
        pytest.param(lambda text: text.replace("\n", "\n\n").encode(), id="blank-lines"),
        pytest.param(lambda text: ("Bag Attributes\n" + text + "bye").encode(), id="words"),
    ],
)
def test_a_pair_that_was_put_together_by_hand_is_shown(
    home: Home, run: Run, served: list[Config], form: Callable[[str], bytes]
) -> None:
    """What the checks can read, OpenSSL gets to read."""
    before = certificate_of(home.server_identity)
    home.server_identity.write_bytes(form(home.server_identity.read_text()))
    assert run("serve").exit_code == 0
    [config] = served
    files = CertificateFiles(config.identities, config.read_identities, config.tls)
    (found,) = files.certificates.each
    assert found.hashes == before.hashes


def test_the_settings_reach_the_server(home: Home, run: Run, served: list[Config]) -> None:
    edit(
        home,
        ("port = 443", "port = 4443"),
        ("workers = 0", "workers = 3"),
        ('listen = ["0.0.0.0", "::"]', 'listen = ["127.0.0.1"]'),
        ('interface = "sstp"', 'interface = "office"'),
        ("mtu = 1400", "mtu = 1300"),
        ("nat = true", "nat = false"),
        ('compat = "none"', 'compat = "routeros-no-pfs"'),
    )
    assert run("serve").exit_code == 0
    [config] = served
    assert config.name == "vpn.example.com"
    assert (config.listen, config.workers) == ((("127.0.0.1", 4443),), 3)
    assert (config.interface, config.mtu, config.nat) == ("office", 1300, False)
    assert re.fullmatch("sstpca_[0-9a-f]{8}", config.table)
    assert config.tls == TlsSettings("1.2", Compat.ROUTEROS_NO_PFS)


def test_a_later_version_of_tls(home: Home, run: Run, served: list[Config]) -> None:
    edit(home, ('minimum_version = "1.2"', 'minimum_version = "1.3"'))
    assert run("serve").exit_code == 0
    assert served[0].tls == TlsSettings("1.3", Compat.NONE)


def test_settings_of_before_there_was_tls_in_them(
    home: Home, run: Run, served: list[Config]
) -> None:
    text = home.settings.read_text()
    before, _, rest = text.partition("[tls]")
    home.settings.write_text(f"{before}[bundle]{rest.partition('[bundle]')[2]}")
    assert run("serve").exit_code == 0
    assert served[0].tls == DEFAULT_TLS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("port = 443", "port = 70000", "has to be a whole number from 1 to 65535; it is 70000"),
        ("port = 443", 'port = "443"', 'a whole number from 1 to 65535; it is "443"'),
        ("port = 443", "prot = 443", "line 13: [server] has no setting 'prot'"),
        (
            'listen = ["0.0.0.0", "::"]',
            'listen = ["here"]',
            "line 16: [server] listen: 'here' is not an IP",
        ),
        ('names = ["vpn.example.com"]', "names = []", "at least one of names and addresses"),
        ('names = ["vpn.example.com"]', 'names = ["other.example.com"]', "0x800B010F"),
        ('interface = "sstp"', 'interface = "a b"', "[server] interface has to be 1 to 9 signs"),
        (
            'listen = ["0.0.0.0", "::"]',
            "listen = []",
            "[server] listen has to be a list of one address or more",
        ),
        (
            'minimum_version = "1.2"',
            'minimum_version = "1.1"',
            '[tls] minimum_version has to be "1.2" or "1.3"; it is "1.1"',
        ),
        ('compat = "none"', 'compat = "all"', '[tls] compat has to be "none" or "routeros-no-pfs"'),
        ("[server]", "[server", "settings.toml, line 5: '[server' is no section"),
    ],
)
def test_wrong_settings(
    home: Home, run: Run, served: list[Config], refused: Refused, old: str, new: str, message: str
) -> None:
    edit(home, (old, new))
    assert message in refused(run("serve"), 1)
    assert served == []


def test_settings_that_are_no_text(home: Home, run: Run, refused: Refused) -> None:
    home.settings.write_bytes(b"# \xff")
    assert refused(run("serve"), 1) == f"the settings file {home.settings} is not valid UTF-8 text"


def test_a_key_that_does_not_fit(
    home: Home, run: Run, served: list[Config], refused: Refused
) -> None:
    other = Authority.make(parse_hosts(["vpn.example.com"]), datetime.now(UTC))
    hosts = parse_hosts(["vpn.example.com"])
    one, two = (other.issue_server(hosts, KeyType.ECDSA, datetime.now(UTC)) for _ in range(2))
    home.server_identity.write_bytes(identity_to_pem(one.key, (two.certificate,)))
    assert "does not fit its certificate" in refused(run("serve"), 1)
    assert served == []


def test_an_expired_certificate(tmp_path: Path, served: list[Config], refused: Refused) -> None:
    then = datetime.now(UTC) - timedelta(days=500)
    plan = Plan(parse_hosts(["vpn.example.com"]), key_type=KeyType.ECDSA)
    setup.make_home(tmp_path / "old", plan, None, network=NETWORK, now=then)
    result = CliRunner().invoke(main, ["--home", str(tmp_path / "old"), "serve"])
    assert re.match("the server certificate expired on .*0x800B0101", refused(result, 1))
    assert served == []


@pytest.mark.parametrize("name", ["server_identity", "database", "database_key"])
def test_a_missing_file(
    home: Home, run: Run, served: list[Config], refused: Refused, name: str
) -> None:
    path: Path = getattr(home, name)
    path.unlink()
    assert str(path) in refused(run("serve"), 1)
    assert served == []


def test_a_machine_that_cannot_serve(
    home: Home, run: Run, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ServerError("there is no TUN", "get one")

    monkeypatch.setattr(server, "run_server", fail)
    monkeypatch.setattr(log, "set_up", lambda _form: None)
    result = run("serve")
    assert refused(result, 1) == "there is no TUN"
    assert "get one" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("--home", "none"), "there is no sstpca home in none", "sstpca --home none init HOST"),
        ((), "[server] has no setting 'prot'", ""),
    ],
)
def test_errors_at_the_start_are_json_where_the_log_is(
    home: Home, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    edit(home, ("port = 443", "prot = 443"))
    monkeypatch.setenv("SSTPCA_HOME", str(home.root))
    result = CliRunner().invoke(main, [*arguments, "serve", "--log-format", "json"])
    assert result.exit_code == 1
    line = json.loads(result.stderr)
    assert message in line["message"]
    assert hint in line.get("hint", "")
    assert line["level"] == "error"


def test_two_servers_of_one_home(
    home: Home, run: Run, served: list[Config], refused: Refused
) -> None:
    with home.serving():
        assert "already running" in refused(run("serve"), 1)
    assert run("serve").exit_code == 0
    assert len(served) == 1


def test_a_home_that_cannot_be_locked_is_said(
    home: Home, run: Run, served: list[Config], refused: Refused
) -> None:
    (home.root / "serve.lock").mkdir()
    said = refused(run("serve"), 1)
    assert said == f"cannot write {home.root}/serve.lock: it is not yours to write"
    assert not served


def quickstart(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(root), "quickstart", *arguments])


def test_quickstart_makes_everything_and_goes_on(tmp_path: Path, served: list[Config]) -> None:
    root = tmp_path / "vpn"
    first = quickstart(root, "vpn.example.com", "--port", "4443", "--user", "zoe")
    assert first.exit_code == 0, first.output
    home = Home(root)
    assert (home.bundles / "zoe.zip").exists()
    password = re.search("^    ([a-z0-9-]{19})$", first.stdout, re.MULTILINE)
    assert password is not None
    assert "Clients connect to vpn.example.com, TCP port 4443." in first.stdout
    again = quickstart(root)
    assert again.exit_code == 0, again.output
    assert password[1] not in again.stdout
    assert [config.listen[0][1] for config in served] == [4443, 4443]
    assert [user.name for user in users.list_all(Store.open(home.database))] == ["zoe"]


def test_quickstart_finds_hosts_and_a_user_itself(tmp_path: Path, served: list[Config]) -> None:
    result = quickstart(tmp_path / "vpn")
    assert result.exit_code == 0, result.output
    assert "Made the user alice." in result.stdout
    assert "Clients connect to 192.0.2.7, TCP port 443." in result.stdout


def test_quickstart_warns_of_a_host_that_is_nobodys(
    tmp_path: Path, served: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "own_hosts", lambda: ["127.0.0.1"])
    result = quickstart(tmp_path / "vpn")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("warning: 127.0.0.1 is this machine itself, and for years")
    assert f"contact in {tmp_path / 'vpn' / 'settings.toml'} says whom" in result.stderr


def test_quickstart_for_other_names_keeps_the_users(
    home: Home, run: Run, served: list[Config]
) -> None:
    hint = run("quickstart", "other.example.com").stderr.splitlines()[1]
    assert "move it away" not in hint
    assert "server rename NAME" in hint


def test_quickstart_with_a_wrong_user_makes_nothing(tmp_path: Path, refused: Refused) -> None:
    assert "cannot be a user name" in refused(quickstart(tmp_path / "vpn", "--user", "a/b"), 2)
    assert not (tmp_path / "vpn").exists()


def test_quickstart_gives_a_home_another_user(home: Home, run: Run, served: list[Config]) -> None:
    assert "Made the user bob." in run("quickstart", "--user", "bob").stdout
    assert (home.bundles / "bob.zip").exists()
    assert "Made the user" not in run("quickstart", "VPN.example.com", "--user", "BOB").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("other.example.com",), "is for vpn.example.com"),
        (("--port", "4443"), "has port 443"),
        (("--user", "a/b"), "cannot be a user name"),
    ],
)
def test_quickstart_refuses_what_the_home_is_not_for(
    home: Home,
    run: Run,
    served: list[Config],
    rows: Callable[[], list[object]],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    before = rows()
    result = run("quickstart", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert (rows(), served) == (before, [])
