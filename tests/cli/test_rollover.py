"""``sstpca ca rollover``, and what other commands say of several authorities."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from sstpca.authority.authority import (
    Authority,
    load_ca_certificate,
    load_next_certificate,
    trusted,
)
from sstpca.authority.identity import load_server_certificate
from sstpca.cli import main
from sstpca.home import Home
from sstpca.store import Store
from sstpca.x509.certificates import digest, sha256_fingerprint
from tests.conftest import Run
from tests.support.bundles import note
from tests.support.steps import tree

Refused = Callable[[Result, int], str]

PASSPHRASE = "correct horse"


@pytest.fixture
def begun(home: Home, run: Run) -> Home:
    """A home in the middle of a rollover; its keys are quick ones, and have no passphrase."""
    done = run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def alice(run: Run) -> None:
    assert run("user", "add", "alice", "--generate").exit_code == 0


def following(home: Home) -> x509.Certificate:
    found = load_next_certificate(home)
    assert found is not None
    return found


def files(home: Home) -> dict[str, bytes | None]:
    return {name: content for name, content in tree(home.root).items() if ".db" not in name}


def test_begin(home: Home, run: Run, refused: Refused) -> None:
    assert "there is no passphrase" in refused(run("ca", "rollover", "begin"), 2)
    assert not home.next_ca_key.exists()
    done = run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    assert done.stdout == f"{home.next_ca_certificate}\n"
    assert "'VPN CA G2 vpn.example.com " in done.stderr
    assert sha256_fingerprint(following(home)) in done.stderr
    assert f"sstpca --home {home.root} ca rollover status" in done.stderr
    before = files(home)
    assert "there is a next authority already" in refused(run("ca", "rollover", "begin"), 2)
    assert files(home) == before


def test_the_next_keys_passphrase_is_its_own(
    home: Home, run: Run, refused: Refused, tmp_path: Path, terminal: None
) -> None:
    file = tmp_path / "passphrase"
    file.write_text(f"{PASSPHRASE}\n")
    options = ("--passphrase-file", str(file), "--key-type", "ecdsa-p256")
    assert run("ca", "rollover", "begin", *options).exit_code == 0
    assert b"ENCRYPTED" in home.next_ca_key.read_bytes()
    before = files(home)
    file.write_text("wrong horse\n")
    finish = ("ca", "rollover", "finish")
    assert "does not open" in refused(run(*finish, "--passphrase-file", str(file)), 1)
    assert files(home) == before
    done = run(*finish, stdin=f"{PASSPHRASE}\n")
    assert done.exit_code == 0, done.output
    assert "Passphrase of the next authority's key" in done.stderr
    assert "private key       encrypted" in run("ca", "show").stdout


def test_status(home: Home, run: Run, store: Store, alice: None) -> None:
    before = run("ca", "rollover", "status")
    assert re.search(r"^issues +VPN CA vpn\.example\.com ", before.stdout, re.MULTILINE)
    assert "no rollover is under way" in before.stderr
    run("user", "add", "bob", "--generate")
    run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    note(store, "alice", [load_ca_certificate(home)])
    middle = run("ca", "rollover", "status")
    assert re.search(r"^next +VPN CA G2 vpn\.example\.com ", middle.stdout, re.MULTILINE)
    assert re.search(r"^alice +2033-.*  windows$", middle.stdout, re.MULTILINE)
    assert re.search(r"^bob +none$", middle.stdout, re.MULTILINE)
    assert "2 of 2 users still have only the old one" in middle.stderr
    for name in ("alice", "bob"):
        note(store, name, trusted(home))
    after = run("ca", "rollover", "status")
    assert "bob" not in after.stdout
    assert f"sstpca --home {home.root} ca rollover finish" in after.stderr


def test_a_name_that_the_next_authority_cannot_give_keeps_it_from_taking_over(
    begun: Home, run: Run, refused: Refused, alice: None
) -> None:
    note(Store.open(begun.database), "alice", trusted(begun))
    settings = begun.settings.read_text()
    begun.settings.write_text(settings.replace('["vpn.example.com"]', '["vpn2.example.com"]'))
    before = files(begun)
    what = "the next authority cannot issue for vpn2.example.com, which the settings have"
    status = run("ca", "rollover", "status").stderr
    assert what in status
    assert "ca rollover finish" not in status
    (warned,) = json.loads(run("ca", "rollover", "status", "--json").stdout)["warnings"]
    assert warned.startswith(what)
    assert f"sstpca --home {begun.root} server rename NAME" in warned
    finish = run("ca", "rollover", "finish", "--force")
    assert refused(finish, 1) == what
    assert "ca rollover cancel; sstpca" in finish.stderr
    assert files(begun) == before
    begun.settings.write_text(settings)
    assert run("ca", "rollover", "finish").exit_code == 0


def test_status_for_machines(begun: Home, run: Run, store: Store, alice: None) -> None:
    told = json.loads(run("ca", "rollover", "status", "--json").stdout)
    assert [one["role"] for one in told["authorities"]] == ["issues", "next"]
    assert [one["sha256"] for one in told["authorities"]] == [*map(digest, trusted(begun))]
    assert (told["users"], told["without"]) == (
        1,
        [{"user": "alice", "bundle": None, "platforms": []}],
    )
    note(store, "alice", [load_ca_certificate(begun)])
    told = json.loads(run("ca", "rollover", "status", "--json").stdout)
    made = {"bundle": "2033-05-18T03:33:20Z", "platforms": ["windows"]}
    assert told["without"] == [{"user": "alice", **made}]
    assert told["former_certificates"] == []
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    run("ca", "rollover", "finish", "--force")
    told = json.loads(run("ca", "rollover", "status", "--json").stdout)
    assert [one["role"] for one in told["authorities"]] == ["issues", "former"]
    assert (told["without"], told["former_certificates"]) == ([], ["alice"])


def test_finish_waits_for_everybody(
    begun: Home, run: Run, refused: Refused, store: Store, alice: None
) -> None:
    before = files(begun)
    why = refused(run("ca", "rollover", "finish"), 1)
    assert why.startswith("1 of 1 users still have only the old authority")
    assert "0x800B0109" in why
    assert files(begun) == before
    note(store, "alice", trusted(begun))
    new = following(begun)
    done = run("ca", "rollover", "finish")
    assert done.stdout == f"{begun.ca_certificate}\n{begun.server_identity}\n"
    assert load_ca_certificate(begun) == new
    assert "is deleted" in done.stderr
    assert "sessions go on" in done.stderr
    assert load_server_certificate(begun).issuer == new.subject


def test_finish_by_force_says_the_way_back(begun: Home, run: Run, alice: None) -> None:
    old = load_ca_certificate(begun)
    done = run("ca", "rollover", "finish", "--force")
    assert done.exit_code == 0, done.output
    assert "(1 are known)" in done.stderr
    back = re.search(r"(cert import \S+)", done.stderr)
    assert back is not None
    assert run(*back[1].split(), "--yes").exit_code == 0
    assert load_server_certificate(begun).issuer == old.subject
    result = run("cert", "check")
    assert result.exit_code == 1
    assert "is of a former authority" in result.stdout
    linted = run("cert", "lint", "--json")
    assert [one["check"] for one in json.loads(linted.stdout)["findings"]] == ["former-authority"]
    assert run("cert", "renew", "server").exit_code == 0
    assert run("cert", "check").exit_code == 0


def test_finish_without_users_and_without_begin(home: Home, run: Run, refused: Refused) -> None:
    for command in ("finish", "cancel"):
        assert "there is no next authority" in refused(run("ca", "rollover", command), 2)


def test_cancel(begun: Home, run: Run, refused: Refused, store: Store, alice: None) -> None:
    assert run("ca", "rollover", "cancel").stderr.startswith("the next authority is dropped")
    assert not begun.next_ca_key.exists()
    run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    note(store, "alice", trusted(begun))
    asked = run("ca", "rollover", "cancel")
    assert asked.exit_code == 2
    assert "the next authority is in the bundles of 1 user already" in asked.stderr
    assert begun.next_ca_key.exists()
    assert run("ca", "rollover", "cancel", "--yes").exit_code == 0
    assert load_next_certificate(begun) is None


def test_what_other_commands_say_in_the_middle(
    begun: Home, run: Run, refused: Refused, tmp_path: Path
) -> None:
    assert "next authority  VPN CA G2 vpn.example.com " in run("ca", "show").stdout
    (other,) = json.loads(run("ca", "show", "--json").stdout)["others"]
    assert (other["role"], other["sha256"]) == ("next", digest(following(begun)))
    exported = run("ca", "export")
    assert x509.load_pem_x509_certificate(exported.stdout.encode()) == load_ca_certificate(begun)
    assert f"sstpca --home {begun.root} ca export --next" in exported.stderr
    exported = run("ca", "export", "--next")
    assert x509.load_pem_x509_certificate(exported.stdout.encode()) == following(begun)
    assert "authority/next  authority  valid" in run("cert", "list").stdout
    shown = run("cert", "show", "authority/next")
    assert shown.stdout.startswith(f"authority/next ({begun.next_ca_certificate})\n")
    assert "the next authority's certificate expires" in run("cert", "calendar").stdout
    assert "cannot revoke itself" in refused(run("cert", "revoke", "authority/next"), 2)
    assert "cannot be a user name" in refused(run("cert", "issue", "user", "authority/next"), 2)
    assert run("cert", "lint").exit_code == 0
    run("ca", "rollover", "cancel")
    assert "there is no next authority" in refused(run("ca", "export", "--next"), 2)


def test_a_calendar_keeps_its_events(begun: Home, run: Run) -> None:
    def events() -> set[str]:
        return set(re.findall(r"^UID:(\S+)", run("cert", "calendar").stdout, re.MULTILINE))

    before = events()
    assert run("ca", "rollover", "finish").exit_code == 0
    assert events() == {one for one in before if "next" not in one}


def test_lists_of_what_is_revoked(begun: Home, run: Run) -> None:
    for name in ("alice", "bob"):
        run("cert", "issue", "user", name, "--key-type", "ecdsa")
    run("cert", "revoke", "alice", "--yes")
    run("ca", "crl")
    finished = run("ca", "rollover", "finish")
    assert f"next: sstpca --home {begun.root} ca crl" in finished.stderr
    run("cert", "renew", "bob")
    run("cert", "revoke", "bob", "--yes")
    done = run("ca", "crl")
    assert done.stderr.splitlines()[0].startswith("1 more are revoked, of a former authority")
    assert "1 revoked" in done.stderr
    made = x509.load_der_x509_crl((begun.root / "ca.crl").read_bytes())
    key = load_ca_certificate(begun).public_key()
    assert made.is_signature_valid(key)  # type: ignore[arg-type]
    assert len(made) == 1


def test_exports_have_the_root_of_their_own(begun: Home, run: Run, tmp_path: Path) -> None:
    old = load_ca_certificate(begun)
    run("cert", "issue", "user", "alice", "--key-type", "ecdsa")
    run("ca", "rollover", "finish")
    chain = run("cert", "export", "alice", "--format", "chain", "--root").stdout.encode()
    assert x509.load_pem_x509_certificates(chain)[-1] == old
    target = tmp_path / "router"
    run("cert", "export", "alice", "--format", "routeros", "--output", str(target))
    assert x509.load_pem_x509_certificate((target / "sstpca-ca.crt").read_bytes()) == old


@pytest.mark.parametrize("finished", [False, True])
def test_a_backup_has_all_authorities(
    begun: Home, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    if finished:
        assert run("ca", "rollover", "finish").exit_code == 0
    monkeypatch.setenv("SSTPCA_BACKUP_PASSPHRASE", PASSPHRASE)
    assert run("ca", "backup", str(tmp_path / "saved")).exit_code == 0
    shutil.rmtree(begun.root)
    restored = CliRunner().invoke(
        main, ["--home", str(begun.root), "ca", "restore", str(tmp_path / "saved")]
    )
    assert restored.exit_code == 0, restored.output
    assert begun.next_ca_key.exists() is not finished
    assert begun.previous_ca_certificate.exists() is finished
    if not finished:
        assert run("ca", "rollover", "finish").exit_code == 0
    assert (
        Authority.load(begun, None).certificate.subject.rfc4514_string().startswith("CN=VPN CA G2 ")
    )


def named(home: Home, *names: str) -> None:
    """Let the settings have these names."""
    text = re.sub(r"(?m)^names = .*$", f"names = {json.dumps(names)}", home.settings.read_text())
    home.settings.write_text(text)


def begin(run: Run) -> str:
    done = run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
    assert done.exit_code == 0, done.output
    return done.stderr


def test_to_another_name_nothing_impossible_is_proposed(
    home: Home, run: Run, refused: Refused, alice: None
) -> None:
    named(home, "new.example.org")
    said = begin(run)
    assert "bundles can be made only after" in said
    assert "begin with the old names there as well" in said
    assert "bundle --all" not in said
    refused(run("bundle", "--all"), 1)
    stopped = run("ca", "rollover", "finish")
    assert "make bundles" not in stopped.stderr
    assert "bundles can be made only after" in stopped.stderr.splitlines()[1]
    assert run("ca", "rollover", "finish", "--force").exit_code == 0
    assert run("bundle", "--all").exit_code == 0


def test_to_another_name_without_leaving_anybody_behind(home: Home, run: Run, alice: None) -> None:
    """What the message proposes works: at the end, the server is for both names."""
    named(home, "new.example.org", "vpn.example.com")
    assert "take the new names out of the settings meanwhile" in begin(run)
    named(home, "vpn.example.com")
    assert run("bundle", "--all").exit_code == 0
    named(home, "new.example.org", "vpn.example.com")
    assert run("ca", "rollover", "finish").exit_code == 0
    names = load_server_certificate(home).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    found = names.value.get_values_for_type(x509.DNSName)
    assert set(found) == {"new.example.org", "vpn.example.com"}
