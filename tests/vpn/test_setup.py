"""Making a home: whole, or not at all."""

import fcntl
import os
import signal
import stat
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sstpca import settings, toml
from sstpca.access.profiles import checked
from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_identity
from sstpca.disk.writing import write_file
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import Home
from sstpca.names import check_connection_name, parse_hosts
from sstpca.secrets import Sealer
from sstpca.store import Store, profiles
from sstpca.vpn import setup
from sstpca.vpn.setup import CANDIDATES, Network, Plan, choose_network, make_home, render_settings
from sstpca.x509.keys import KeyType
from tests.support.steps import in_a_child, kill_me

PLAN = Plan(parse_hosts(["vpn.example.com"]))
NETWORK = Network(CANDIDATES[0], (IPv4Address("9.9.9.9"),))


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    """Spend no time on keys: init takes those of another home."""
    authority = Authority.load(home, None)
    issued = authority.issue_server(PLAN.hosts, KeyType.ECDSA, datetime.now(UTC))
    monkeypatch.setattr(Authority, "make", lambda *_, **_more: authority)
    monkeypatch.setattr(Authority, "issue_server", lambda *_: issued)


def make(root: Path, passphrase: bytes | None = b"secret") -> setup.NewHome:
    return make_home(root, PLAN, passphrase, network=NETWORK)


def assert_whole(root: Path) -> None:
    home = Home.open(root)
    assert load_identity(home).own
    Authority.load(home, b"secret")
    Sealer.load(home)
    store = Store.open(home.database)
    try:
        assert profiles.get(store, "default").local_address == IPv4Address("10.99.0.1")
    finally:
        store.close()
    assert settings.load(home.settings).host == "vpn.example.com"


def test_the_files_and_their_modes(tmp_path: Path) -> None:
    made = make(tmp_path / "new" / "home")
    root = made.home.root
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()}
    assert modes == {
        "ca.crt": 0o644,
        "ca.key": 0o600,
        "server.pem": 0o600,
        "sstpca.db": 0o600,
        "database.key": 0o600,
        "settings.toml": 0o644,
    }
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert_whole(root)
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in made.home.ca_key.read_bytes()
    assert "secret" not in repr(made)


def test_an_existing_home_is_never_overwritten(home: Home) -> None:
    before = {path.name: path.read_bytes() for path in home.root.iterdir()}
    with pytest.raises(SstpcaError, match="already; nothing was changed"):
        make(home.root)
    assert {path.name: path.read_bytes() for path in home.root.iterdir()} == before


def test_keys_of_a_home_that_lost_its_settings_are_never_overwritten(home: Home) -> None:
    home.settings.unlink()
    before = home.ca_key.read_bytes()
    with pytest.raises(SstpcaError, match=r"has a ca\.key but no settings\.toml"):
        make(home.root)
    assert home.ca_key.read_bytes() == before


def test_foreign_files_in_the_folder_stay(tmp_path: Path, ready: None) -> None:
    (tmp_path / ".gitignore").write_text("*")
    make(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*"
    assert_whole(tmp_path)


def broken_at(number: int, original: Any, breaking: Callable[[], None]) -> Any:
    """Return ``original``, which does ``breaking`` instead when it is called for that time."""
    calls = iter(range(100))

    def step(*arguments: Any, **keywords: Any) -> Any:
        if next(calls) == number:
            breaking()
        return original(*arguments, **keywords)

    return step


# every place where init changes the folder: five files (before each, and between its bytes and its
# name), the tables and the first access profile
STEPS = [
    *(("sstpca.vpn.setup.write_file", number) for number in range(5)),
    *(("os.fsync", number) for number in range(5)),
    ("sstpca.vpn.setup.Store.create", 0),
    ("sqlalchemy.MetaData.create_all", 0),
    ("sstpca.store.profiles.add", 0),
]


def original_of(step: str) -> Any:
    return {
        "sstpca.vpn.setup.write_file": write_file,
        "os.fsync": os.fsync,
        "sstpca.vpn.setup.Store.create": Store.create,
        "sqlalchemy.MetaData.create_all": sa.MetaData.create_all,
        "sstpca.store.profiles.add": profiles.add,
    }[step]


@pytest.mark.parametrize(
    ("step", "number", "error"),
    [
        *((*step, KeyboardInterrupt()) for step in STEPS),
        ("sstpca.vpn.setup.write_file", 2, SstpcaError("full")),
        ("os.fsync", 3, OSError(28, "full")),
        ("sstpca.vpn.setup.Store.create", 0, OSError(28, "full")),
    ],
)
def test_a_failed_init_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ready: None,
    step: str,
    number: int,
    error: BaseException,
) -> None:
    root = tmp_path / "new"

    def fail() -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(step, broken_at(number, original_of(step), fail))
        with pytest.raises((SstpcaError, OSError, KeyboardInterrupt), match=r"full|^$"):
            make(root)
    assert not root.exists()
    make(root)
    assert_whole(root)


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_killed_init_does_not_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: None, step: str, number: int
) -> None:
    root = tmp_path / "new"
    with monkeypatch.context() as patch:
        patch.setattr(step, broken_at(number, original_of(step), kill_me))
        assert in_a_child(lambda: make(root)) == -signal.SIGKILL
    assert not (root / "settings.toml").exists()
    with pytest.raises(SstpcaError, match="no sstpca home"):
        Home.open(root)
    make(root)
    assert_whole(root)
    assert not [path.name for path in root.iterdir() if path.name.startswith(".")]


def test_an_init_killed_at_its_very_end_has_made_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: None
) -> None:
    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "init.unfinished":
            kill_me()
        os.unlink(path)  # noqa: PTH108 pathlib's is the one replaced

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        assert in_a_child(lambda: make(tmp_path)) == -signal.SIGKILL
    assert_whole(tmp_path)
    with pytest.raises(SstpcaError, match="already"):
        make(tmp_path)


def test_two_inits_do_not_mix(tmp_path: Path, ready: None) -> None:
    marker = tmp_path / "init.unfinished"
    with marker.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SstpcaError, match="another init"):
            make(tmp_path)
    assert [path.name for path in tmp_path.glob("*.unfinished")] == ["init.unfinished"]
    make(tmp_path)
    assert_whole(tmp_path)


def test_an_init_that_lost_the_race_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: None
) -> None:
    root = tmp_path / "new"
    make(root)
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    looks = iter([lambda _home: None, setup.refuse_existing])
    monkeypatch.setattr(setup, "refuse_existing", lambda home: next(looks)(home))
    with pytest.raises(SstpcaError, match="already"):
        make(root)
    assert {path.name: path.read_bytes() for path in root.iterdir()} == before


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ([], "10.99.0.0/24"),
        (["10.99.0.128/25"], "10.98.0.0/24"),
        (["10.0.0.0/8"], "172.29.99.0/24"),
        (["10.0.0.0/8", "172.16.0.0/12"], "192.168.199.0/24"),
    ],
)
def test_the_first_free_network_is_chosen(taken: list[str], chosen: str) -> None:
    network = choose_network([IPv4Network(prefix) for prefix in taken], [])
    assert (network.prefix, network.overlaps) == (IPv4Network(chosen), None)
    assert not network.own_resolvers
    assert network.dns == setup.PUBLIC_RESOLVERS


def test_when_none_is_free_the_collision_is_named() -> None:
    everything = [IPv4Network(p) for p in ("192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12")]
    network = choose_network(everything, [IPv4Address(f"10.1.0.{n}") for n in (1, 2, 3)])
    assert (network.prefix, network.overlaps) == (CANDIDATES[0], IPv4Network("10.0.0.0/8"))
    assert network.own_resolvers
    assert network.dns == (IPv4Address("10.1.0.1"), IPv4Address("10.1.0.2"))


def test_every_candidate_makes_a_valid_profile() -> None:
    for candidate in CANDIDATES:
        one = setup.default_profile(Network(candidate, setup.PUBLIC_RESOLVERS))
        assert checked(one) == one


def test_a_bad_connection_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        make_home(tmp_path / "home", Plan(PLAN.hosts, connection="a:b"), None, network=NETWORK)
    assert not (tmp_path / "home").exists()


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.integers(1, 65535))
def test_settings_say_what_was_asked_for(connection: str, port: int) -> None:
    try:
        check_connection_name(connection)
    except InvalidInput:
        return
    plan = Plan(parse_hosts(["vpn.example.com", "192.0.2.1", "2001:db8::1"]), port, connection)
    tables = tomllib.loads(render_settings(plan))
    assert tables["server"]["names"] == ["vpn.example.com"]
    assert tables["server"]["addresses"] == ["192.0.2.1", "2001:db8::1"]
    assert tables["server"]["port"] == port
    assert tables["bundle"]["connection"] == connection


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_string_of_toml(text: str) -> None:
    assert tomllib.loads(f"x = {toml.string(text)}") == {"x": text}


@pytest.mark.parametrize("host", ["vpn.example.com", "192.0.2.1", "2001:db8::1"])
def test_the_default_connection_name_is_one_windows_takes(host: str) -> None:
    name = tomllib.loads(render_settings(Plan(parse_hosts([host]))))["bundle"]["connection"]
    assert check_connection_name(name) == name
    assert name.startswith("VPN ")
