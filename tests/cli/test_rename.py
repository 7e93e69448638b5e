"""``sstpca server rename``: users connect to another name."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from sstpca import settings
from sstpca.authority.authority import Authority, load_ca_certificate, load_next_certificate
from sstpca.authority.identity import load_identity, load_server_certificate
from sstpca.cli import main
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.store import Store, bundles
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.conftest import Run
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me, tree

Refused = Callable[[Result, int], str]

OLD, NEW = "vpn.example.com", "vpn2.example.com"
BEGIN = ("server", "rename", NEW, "--yes", "--no-passphrase")
GO_ON = ("server", "rename", "--yes")


@pytest.fixture
def alice(run: Run) -> None:
    assert run("user", "add", "alice", "--generate", "--bundle").exit_code == 0


def certified(home: Home) -> set[str]:
    """Return the names in the server's certificate."""
    found = load_server_certificate(home).extensions
    san = found.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        *san.get_values_for_type(x509.DNSName),
        *map(str, san.get_values_for_type(x509.IPAddress)),
    }


def served(home: Home) -> tuple[str, ...]:
    """Return the names of the settings, once a client would take the server's certificate."""
    load_identity(home)
    found = settings.load(home.settings).server
    return (*found.names, *found.addresses)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def connects_to(home: Home) -> str:
    store = Store.open(home.database)
    try:
        return bundles.latest(store)[0].server
    finally:
        store.close()


def told(run: Run) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("ca", "rollover", "status", "--json").stdout)
    return found


def test_to_a_name_that_the_authority_cannot_give(
    home: Home, run: Run, refused: Refused, alice: None
) -> None:
    before = tree(home.root)
    plan = run("server", "rename", NEW, "--dry-run").stdout
    assert [line.split()[0] for line in plan.splitlines()[2:8]] == [
        *("now", "you", "then", "then", "you", "then")
    ]
    assert "cannot issue for vpn2.example.com" in plan
    assert set(tree(home.root)) == set(before)
    assert told(run)["renaming"] is None

    assert "Next, give every user a bundle with both authorities" in done(run(*BEGIN))
    assert (served(home), certified(home)) == ((OLD,), {OLD})
    assert told(run)["renaming"] == {
        "old": OLD,
        "new": NEW,
        "steps": ["trust", "succession", "settings", "bundles", "end"],
        "waiting_for": ["alice"],
        "error": None,
    }
    stopped = run(*GO_ON)
    assert stopped.exit_code == 1
    assert "1 of 1 users cannot connect after the next step: alice" in stopped.stderr
    assert (served(home), certified(home)) == ((OLD,), {OLD})

    done(run("bundle", "--all"))
    assert "server rename" in run("ca", "rollover", "status").stderr
    assert "let vpn2.example.com lead to this machine" in done(run(*GO_ON))
    assert (served(home), certified(home)) == ((NEW, OLD), {OLD, NEW})
    assert connects_to(home) == OLD
    assert run(*GO_ON).exit_code == 1
    said = run("ca", "rollover", "status").stderr
    assert f"the server {OLD} is being renamed to {NEW}" in said
    assert "1 user without one yet" in said

    done(run("bundle", "--all"))
    assert connects_to(home) == NEW
    assert "all have one" in run("ca", "rollover", "status").stderr
    done(run(*GO_ON))
    assert (served(home), certified(home)) == ((NEW,), {NEW})
    assert run("cert", "check").exit_code == 0
    assert "current" in run("bundle", "list").stdout
    assert told(run)["renaming"] is None
    assert "the server is not being renamed" in refused(run("server", "rename"), 2)
    assert refused(run(*BEGIN), 2) == f"users connect to {NEW} already"


def test_each_system_that_lacks_a_bundle_is_named(run: Run, alice: None) -> None:
    """A bundle of Windows alone would leave the phone waiting, and the next step with it."""
    done(run("bundle", "--all", "--for", "windows,android"))
    how = "bundle alice --for android,windows"
    assert how in done(run(*BEGIN))
    assert how in run(*GO_ON).stderr
    done(run("bundle", "--all"))
    assert "bundle alice --for android" in run(*GO_ON).stderr
    done(run("bundle", "--all", "--for", "android"))
    done(run(*GO_ON))


def test_to_a_name_that_the_authority_may_give(home: Home, run: Run, alice: None) -> None:
    below = f"eu.{OLD}"
    authority = load_ca_certificate(home)
    said = done(run("server", "rename", below, "--yes"))
    assert "let eu.vpn.example.com lead to this machine" in said
    assert load_next_certificate(home) is None
    assert (served(home), certified(home)) == ((below, OLD), {OLD, below})
    done(run("bundle", "alice"))
    done(run(*GO_ON))
    assert (served(home), certified(home)) == ((below,), {below})
    assert load_ca_certificate(home) == authority


@pytest.mark.parametrize("constrained", [True, False])
def test_from_an_address_to_a_name(tmp_path: Path, constrained: bool) -> None:
    """Some Windows compare an address with names, so it stays one as long as it is dialled."""
    home = Home(tmp_path / "home")

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["--home", str(home.root), *words])

    kinds = ("--key-type", "ecdsa", "--ca-key-type", "ecdsa-p256", "--no-passphrase")
    options = () if constrained else ("--no-name-constraints",)
    done(run("init", "203.0.113.5", "2001:db8::5", *kinds, *options))
    done(run("user", "add", "alice", "--generate", "--bundle"))
    before = certified(home)
    done(run(*BEGIN))
    if constrained:
        done(run("bundle", "--all"))
        done(run(*GO_ON))
    assert served(home) == (NEW, "203.0.113.5", "2001:db8::5")
    assert certified(home) == {*before, NEW}
    san = load_server_certificate(home).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert san.value.get_values_for_type(x509.DNSName) == [NEW, "203.0.113.5"]
    done(run("bundle", "--all"))
    done(run(*GO_ON))
    assert served(home) == (NEW, "2001:db8::5")
    assert certified(home) == {NEW, "2001:db8::5"}
    assert run("cert", "lint").exit_code == 0


def test_each_system_of_a_user_counts(home: Home, run: Run, alice: None) -> None:
    done(run("bundle", "alice", "--for", "windows,android"))
    done(run("server", "rename", f"eu.{OLD}", "--yes"))
    done(run("bundle", "alice", "--for", "android"))
    assert run(*GO_ON).exit_code == 1
    done(run("bundle", "alice", "--for", "windows"))
    done(run(*GO_ON))


def test_by_force(home: Home, run: Run, alice: None) -> None:
    """It is for one wait: the next one is for another bundle."""
    done(run(*BEGIN))
    done(run(*GO_ON, "--force"))
    assert served(home) == (NEW, OLD)
    assert run(*GO_ON).exit_code == 1
    done(run(*GO_ON, "--force"))
    assert served(home) == (NEW,)


def test_it_asks(home: Home, run: Run, refused: Refused, alice: None, terminal: None) -> None:
    before = tree(home.root)
    said = run("server", "rename", NEW, "--no-passphrase", stdin="n\n")
    assert "Go on? [y/N]" in said.stderr
    assert "nothing was changed" in said.stderr
    assert not home.renaming.exists()
    assert not home.next_ca_key.exists()
    assert tree(home.root)["settings.toml"] == before["settings.toml"]


def test_without_a_passphrase_nothing_is_begun(home: Home, run: Run) -> None:
    said = run("server", "rename", NEW, "--yes")
    assert said.exit_code == 2
    assert "there is no passphrase for the authority's key" in said.stderr
    assert not home.renaming.exists()
    assert told(run)["renaming"] is None


def test_it_asks_only_where_somebody_is(home: Home, run: Run) -> None:
    said = run("server", "rename", NEW, "--no-passphrase")
    assert said.exit_code == 2
    assert "say --yes" in said.stderr
    assert not home.renaming.exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "the server is not being renamed"),
        (("--cancel",), "the server is not being renamed"),
        ((OLD,), f"users connect to {OLD} already"),
        (("VPN.example.com.",), f"users connect to {OLD} already"),
        (("https://vpn2.example.com/",), "'https://vpn2.example.com/' is a URL, not a host name"),
        (("203.0.113.5",), "users connect to a name, and 203.0.113.5 is an address"),
        ((NEW, "vpn3.example.com"), "'vpn3.example.com' is one argument too many"),
        (("a" * 70 + ".example.com",), None),
        (("",), None),
    ],
)
def test_wrong_input(
    home: Home, run: Run, refused: Refused, words: Sequence[str], why: str | None
) -> None:
    before = tree(home.root)["settings.toml"]
    said = refused(run("server", "rename", *words, "--yes"), 2)
    assert why is None or said == why
    assert tree(home.root)["settings.toml"] == before
    assert not home.renaming.exists()


def test_another_name_while_one_is_under_way(
    home: Home, run: Run, refused: Refused, alice: None
) -> None:
    done(run(*BEGIN))
    why = refused(run("server", "rename", "vpn3.example.com", "--yes"), 2)
    assert why == f"the server is being renamed from {OLD} to {NEW}"


def test_giving_it_up(home: Home, run: Run, alice: None) -> None:
    text = home.settings.read_bytes()
    done(run(*BEGIN))
    assert "ca rollover cancel" in done(run("server", "rename", "--cancel", "--yes"))
    done(run("ca", "rollover", "cancel"))
    done(run(*BEGIN))
    done(run("bundle", "--all"))
    done(run(*GO_ON))
    done(run("server", "rename", "--cancel", "--yes"))
    assert served(home) == (OLD,)
    assert home.settings.read_bytes() == text
    # and back again: the authority that took over may give both names
    done(run("server", "rename", NEW, "--yes", "--force"))
    assert served(home) == (NEW, OLD)


def test_a_rollover_of_its_own_is_in_the_way(
    home: Home, run: Run, refused: Refused, alice: None
) -> None:
    done(run("ca", "rollover", "begin", "--no-passphrase"))
    why = refused(run(*BEGIN), 1)
    assert why.startswith("a rollover is under way, and its next authority cannot issue for vpn2")


def test_a_certificate_of_another_authority(
    home: Home, run: Run, refused: Refused, tmp_path: Path, alice: None
) -> None:
    """It is to be for both names first; then settings and bundles follow."""
    now = datetime.now(UTC)
    other = Authority.make(parse_hosts([OLD, NEW]), now, KeyType.ECDSA)

    def imported(*names: str) -> None:
        made = other.issue_server(parse_hosts(names), KeyType.ECDSA, now)
        (tmp_path / "all.pem").write_bytes(
            identity_to_pem(made.key, (made.certificate, other.certificate))
        )
        done(run("cert", "import", str(tmp_path / "all.pem"), "--yes"))

    imported(OLD)
    why = refused(run(*BEGIN), 1)
    assert why.startswith("the server's certificate is another authority's, and not for")
    imported(OLD, NEW)
    done(run(*BEGIN))
    assert served(home) == (NEW, OLD)
    done(run("bundle", "--all"))
    done(run(*GO_ON))
    assert served(home) == (NEW,)
    assert certified(home) == {OLD, NEW}


def test_settings_by_hand(home: Home, run: Run, refused: Refused, alice: None) -> None:
    """Comments and line ends stay; what contradicts is said, by status as well."""
    text = home.settings.read_text().replace(
        f'names = ["{OLD}"]', f'names = [  # two\n  "{OLD}", # main\n  "b.{OLD}",\n]  # end'
    )
    home.settings.write_bytes(text.replace("\n", "\r\n").encode())
    done(run("cert", "issue", "server", "server", "--replace"))
    done(run("server", "rename", f"eu.{OLD}", "--yes"))
    assert served(home) == (f"eu.{OLD}", OLD, f"b.{OLD}")
    now = home.settings.read_bytes()
    assert b"# two\r\n# main\r\n# end\r\nnames = [" in now
    assert now.count(b"\n") == now.count(b"\r\n")
    home.settings.write_text(text.replace(OLD, "else.example.com"))
    assert f"neither eu.{OLD} nor {OLD}".split()[0] in run("ca", "rollover", "status").stderr
    assert told(run)["renaming"]["error"]  # type: ignore[index]


def test_settings_that_cannot_be_edited(home: Home, run: Run, refused: Refused) -> None:
    """It says what to write, and the home serves as before."""
    rest = re.sub(r"(?ms)^\[server\].*?^\[bundle\]", "[bundle]", home.settings.read_text())
    home.settings.write_text(f'server = {{ names = ["{OLD}"], port = 443 }}\n{rest}')
    said = run("server", "rename", f"eu.{OLD}", "--yes")
    assert said.exit_code == 1
    assert f'write names = ["eu.{OLD}", "{OLD}"] instead' in said.stderr
    assert served(home) == (OLD,)
    assert certified(home) == {OLD, f"eu.{OLD}"}


def test_damaged_names(home: Home, run: Run, refused: Refused) -> None:
    home.renaming.write_text("{}")
    assert "does not say from what to what" in refused(run("server", "rename"), 1)


def test_a_death_at_any_moment_leaves_a_home_that_serves(home: Home, tmp_path: Path) -> None:
    """Without users, one command does it all; the next call goes on, wherever it died."""
    for number in range(2 * STEPS_MAX):
        root = tmp_path / str(number)
        shutil.copytree(home.root, root)
        victim = Home(root)

        def rename(root: Path = root) -> Result:
            return CliRunner().invoke(main, ["--home", str(root), *BEGIN])

        def dies(rename: Callable[[], Result] = rename, number: int = number) -> None:
            with failing_at(number, kill_me):
                assert rename().exit_code == 0

        code = in_a_child(dies)
        assert served(victim)[0] in (OLD, NEW)
        if code == 0:
            break
        finished = rename()
        assert (
            finished.exit_code == 0
            or "users connect to vpn2.example.com already" in finished.output
        )
        assert (served(victim), certified(victim)) == ((NEW,), {NEW})
        assert not victim.renaming.exists()
        shutil.rmtree(root)
    else:
        raise AssertionError("it never came to its end")
