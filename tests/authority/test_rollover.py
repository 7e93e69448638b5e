"""From one authority to the next: what changes together, and who is believed at each moment."""

import errno
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sstpca.authority import importing, issuing, pairs, revocation, rollover
from sstpca.authority.authority import (
    Authority,
    client_roots,
    issuer_of,
    load_ca_certificate,
    load_next_certificate,
    trusted,
)
from sstpca.authority.due import Urgency, due
from sstpca.authority.identity import load_identity, load_server_certificate
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import SERVER, Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.x509 import parsing
from sstpca.x509.certificates import certificate_to_pem, digest, issued
from sstpca.x509.keys import KeyType, describe_key
from tests.support.requirements import require
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me, tree
from tests.support.waiting import PATIENCE

NOW = datetime.now(UTC)
SECRET = b"correct horse"

Action = Callable[[Home], None]


@contextmanager
def opened(home: Home) -> Iterator[Store]:
    store = Store.open(home.database)
    try:
        yield store
    finally:
        store.close()


def begin(home: Home) -> None:
    with opened(home) as store:
        rollover.begin(home, store, None, NOW)


def finish(home: Home) -> None:
    with opened(home) as store:
        rollover.finish(home, store, Authority.load_next(home, None), NOW)


def cancel(home: Home) -> None:
    with opened(home) as store:
        rollover.cancel(home, store, NOW)


@pytest.fixture
def home(quick_home: Home) -> Home:
    """A home where alice has a certificate, and whose keys take no time."""
    with opened(quick_home) as store:
        wish = issuing.user_wish("alice", "alice@x", KeyType.ECDSA)
        list(issuing.issue(quick_home, store, Authority.load(quick_home, None), [wish], NOW))
    return quick_home


@pytest.fixture
def begun(home: Home) -> Home:
    """The same in the middle of a rollover."""
    begin(home)
    return home


@dataclass(frozen=True, slots=True)
class Seen:
    """Which authorities the files have, and which issued the server's certificate."""

    current: x509.Certificate
    following: x509.Certificate | None
    server: x509.Certificate | None


def seen(home: Home) -> Seen:
    server = issuer_of(home, load_server_certificate(home))
    return Seen(load_ca_certificate(home), load_next_certificate(home), server)


def assert_believed(home: Home) -> None:
    """Whoever serves or makes bundles now, though nobody has recovered anything, does it right."""
    identity = load_identity(home)
    assert identity.own
    assert issued(identity.certificate, trusted(home)[0])
    assert set(trusted(home)) <= set(client_roots(home))
    alice = pairs.load(home, "alice", "user").leaf
    assert issuer_of(home, alice) is not None


def assert_whole(home: Home) -> None:
    """Keys, certificates and inventory fit together; nothing is left over."""
    assert_believed(home)
    with opened(home) as store:
        now = {one.name: one for one in certificates.list_current(store)}
        former = [one for one in certificates.list_authorities(store) if one.replaced is not None]
    authority = Authority.load(home, None).certificate
    assert now[certificates.AUTHORITY].sha256 == digest(authority)
    assert load_identity(home).certificate.issuer == authority.subject
    assert now[SERVER].sha256 == digest(load_server_certificate(home))
    assert now[SERVER].issuer_sha256 == digest(authority)
    following = load_next_certificate(home)
    assert home.next_ca_key.exists() is (following is not None)
    if following is None:
        assert certificates.NEXT not in now
        assert trusted(home) == (authority,)
    else:
        assert now[certificates.NEXT].sha256 == digest(following)
        assert Authority.load_next(home, None).certificate == following
        assert trusted(home) == (authority, following)
    assert home.previous_ca_certificate.exists() is any(
        one.name == certificates.AUTHORITY for one in former
    )
    for path in (home.ca_key, home.next_ca_key, home.server_identity):
        assert not path.exists() or path.stat().st_mode & 0o777 == 0o600
    assert not list(home.root.glob(".*"))


ACTIONS = [begin, finish, cancel]


def prepared(home: Home, action: Action, folder: Path) -> Home:
    """Return a copy in which ``action`` has something to do."""
    copy = Home(Path(shutil.copytree(home.root, folder)))
    if action is not begin:
        begin(copy)
    return copy


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_between_any_two_writes_the_home_is_whole(
    home: Home, tmp_path: Path, action: Action
) -> None:
    template = prepared(home, action, tmp_path / "template")
    old, new = seen(template), []
    for number in range(STEPS_MAX):
        copy = Home(Path(shutil.copytree(template.root, tmp_path / str(number))))

        def killed(copy: Home = copy, number: int = number) -> None:
            with failing_at(number, kill_me):
                action(copy)

        end = in_a_child(killed)
        assert_believed(copy)
        with opened(copy) as store:
            pairs.tidy(copy, store)
        assert_whole(copy)
        new.append(seen(copy) != old)
        if not end:
            break
        assert end == -signal.SIGKILL
    # once it is the new state, it stays that; and the action ended there
    assert new == sorted(new)
    assert new[-1]
    assert not new[0]
    assert len(new) > 4


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_refused_at_any_write_the_home_is_whole(
    home: Home, tmp_path: Path, action: Action, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    template = prepared(home, action, tmp_path / "template")
    before = seen(template)
    for number in range(STEPS_MAX):
        copy = Home(Path(shutil.copytree(template.root, tmp_path / str(number))))
        with failing_at(number, fail) as steps:
            try:
                action(copy)
            except (SstpcaError, OSError, KeyboardInterrupt):
                assert_believed(copy)
                if "commit" not in steps[:number]:
                    assert seen(copy) == before
        with opened(copy) as store:
            pairs.tidy(copy, store)
        assert_whole(copy)
        if len(steps) <= number:
            break
    else:
        pytest.fail("there was no end of steps")
    assert seen(copy) != before


def test_from_begin_to_finish(home: Home) -> None:
    old = seen(home)
    begin(home)
    middle = seen(home)
    assert (middle.current, middle.server) == (old.current, old.current)
    assert middle.following is not None
    before = load_server_certificate(home)
    finish(home)
    new = seen(home)
    assert new == Seen(middle.following, None, middle.following)
    assert client_roots(home) == (new.current, old.current)
    after = load_server_certificate(home)
    assert after.subject == before.subject
    assert describe_key(after.public_key()) == describe_key(before.public_key())
    assert after.public_key() != before.public_key()
    assert_whole(home)


def test_the_next_authority_is_like_the_present_one(home: Home) -> None:
    with opened(home) as store:
        made = rollover.begin(home, store, SECRET, NOW)
    present = load_ca_certificate(home)
    for kind in (x509.NameConstraints, x509.BasicConstraints, x509.KeyUsage):
        ours, theirs = (one.extensions.get_extension_for_class(kind) for one in (made, present))
        assert (ours.critical, ours.value) == (theirs.critical, theirs.value)
    assert describe_key(made.public_key()) == describe_key(present.public_key())
    assert made.subject.rfc4514_string().startswith("CN=VPN CA G2 vpn.example.com ")
    assert b"ENCRYPTED" in home.next_ca_key.read_bytes()
    assert home.next_ca_certificate.stat().st_mode & 0o777 == 0o644
    with pytest.raises(SstpcaError, match="does not open"):
        Authority.load_next(home, b"wrong horse")
    assert Authority.load_next(home, SECRET).certificate == made


def test_another_kind_of_key(home: Home) -> None:
    with opened(home) as store:
        made = rollover.begin(home, store, None, NOW, kind=KeyType.ECDSA_P384)
    assert describe_key(made.public_key()) == "ECDSA secp384r1"
    finish(home)
    assert_whole(home)


@pytest.mark.parametrize("when", ["the old", "the new"])
def test_openssl_verifies_each_chain_with_its_own_root_alone(
    home: Home, tmp_path: Path, when: str
) -> None:
    require("openssl", root=False)
    roots = [load_ca_certificate(home)]
    begin(home)
    if when == "the new":
        finish(home)
        roots.insert(0, load_ca_certificate(home))
    else:
        roots.append(Authority.load_next(home, None).certificate)
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(certificate_to_pem(load_server_certificate(home)))

    def verdict(root: x509.Certificate) -> int:
        file = tmp_path / "root.pem"
        file.write_bytes(certificate_to_pem(root))
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath"]
        command += ["-verify_hostname", "vpn.example.com", "-CAfile", str(file), str(leaf)]
        return subprocess.run(
            command, capture_output=True, timeout=PATIENCE, check=False
        ).returncode

    assert verdict(roots[0]) == 0
    assert verdict(roots[1]) != 0


def test_a_users_certificate_goes_over_when_it_is_renewed(begun: Home) -> None:
    old = load_ca_certificate(begun)
    finish(begun)
    new = Authority.load(begun, None)
    with opened(begun) as store:
        assert [one.name for one in rollover.of_former(store)] == ["alice"]
        near = NOW + timedelta(days=380)
        assert "alice" in {one.name for one in issuing.due(begun, store, timedelta(30), near)}
        found = {one.name: one.fix for one in due(begun, store, timedelta(days=30), near)}
        assert found["alice"] == "sstpca cert renew alice"
        before = pairs.load(begun, "alice", "user")
        assert issued(before.leaf, old)
        list(issuing.renew(begun, store, new, ["alice"], NOW))
        after = pairs.load(begun, "alice", "user")
        assert issued(after.leaf, new.certificate)
        assert after.key.public_key() == before.key.public_key()
        assert rollover.of_former(store) == []
        issuing.rekey(begun, store, new, "alice", NOW)
    assert_whole(begun)


def test_an_authority_that_was_replaced_meanwhile_issues_nothing(begun: Home) -> None:
    """Another command loaded it, and waited for the end of the rollover."""
    stale = Authority.load(begun, None)
    finish(begun)
    before = tree(begun.certificates)
    wish = issuing.user_wish("bob", "bob@x", KeyType.ECDSA)
    with opened(begun) as store:
        for action in (
            lambda: list(issuing.issue(begun, store, stale, [wish], NOW)),
            lambda: list(issuing.renew(begun, store, stale, [SERVER], NOW)),
            lambda: issuing.rekey(begun, store, stale, SERVER, NOW),
            lambda: revocation.write_list(begun, store, stale, NOW),
        ):
            with pytest.raises(SstpcaError, match="another authority in place"):
                action()
    assert tree(begun.certificates) == before
    assert_whole(begun)


def test_a_second_rollover_keeps_both_former_authorities(begun: Home) -> None:
    first = load_ca_certificate(begun)
    finish(begun)
    second = load_ca_certificate(begun)
    begin(begun)
    finish(begun)
    third = load_ca_certificate(begun)
    assert client_roots(begun) == (third, second, first)
    assert "CN=VPN CA G3 " in third.subject.rfc4514_string()
    assert_whole(begun)


def test_after_a_cancelled_one_the_next_has_another_name(begun: Home) -> None:
    dropped = load_next_certificate(begun)
    cancel(begun)
    assert_whole(begun)
    begin(begun)
    following = load_next_certificate(begun)
    assert dropped is not None
    assert following is not None
    assert "VPN CA G2 " in dropped.subject.rfc4514_string()
    assert "VPN CA G3 " in following.subject.rfc4514_string()
    with opened(begun) as store:
        entry = certificates.find(store, digest(dropped))
    assert (entry.name, entry.replaced is not None) == (certificates.NEXT, True)


def test_what_is_refused(home: Home) -> None:
    with opened(home) as store:
        for action in (cancel, lambda one: rollover.following(one)):
            with pytest.raises(InvalidInput, match="there is no next authority"):
                action(home)
        begin(home)
        successor = Authority.load_next(home, None)
        with pytest.raises(InvalidInput, match="there is a next authority already"):
            begin(home)
        cancel(home)
        begin(home)
        with pytest.raises(SstpcaError, match="has changed the next authority"):
            rollover.finish(home, store, successor, NOW)
        late = NOW + timedelta(days=4000)
        with pytest.raises(SstpcaError, match="the authority ended on"):
            rollover.finish(home, store, Authority.load_next(home, None), late)
    assert_whole(home)


def test_a_next_authority_that_lost_its_certificate_is_not_forgotten(begun: Home) -> None:
    """Somebody removed the file; its key is not removed for that, and bundles may have it."""
    content = begun.next_ca_certificate.read_bytes()
    begun.next_ca_certificate.unlink()
    with opened(begun) as store:
        pairs.tidy(begun, store)
    assert begun.next_ca_key.exists()
    with pytest.raises(InvalidInput, match="there is a next authority already"):
        begin(begun)
    begun.next_ca_certificate.write_bytes(content)
    with opened(begun) as store:
        pairs.tidy(begun, store)
    assert_whole(begun)
    begun.next_ca_certificate.unlink()
    cancel(begun)
    assert_whole(begun)


def test_a_next_authority_put_in_by_hand_is_taken_for_one(home: Home, tmp_path: Path) -> None:
    """As from a backup: the inventory of another day does not know it."""
    copy = Home(Path(shutil.copytree(home.root, tmp_path / "copy")))
    begin(copy)
    for path in (copy.next_ca_key, copy.next_ca_certificate):
        shutil.copy(path, home.root / path.name)
    with opened(home) as store:
        pairs.tidy(home, store)
    assert_whole(home)
    finish(home)
    assert_whole(home)


def test_another_authoritys_server_certificate_stays(
    begun: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Authority.make(parse_hosts(["vpn.example.com"]), NOW, KeyType.ECDSA)
    made = other.issue_server(parse_hosts(["vpn.example.com"]), KeyType.ECDSA, NOW)
    content = parsing.Contents((made.certificate, other.certificate), (made.key,))
    with opened(begun) as store:
        importing.install(begun, store, importing.prepare(begun, content, NOW), NOW)
        before = begun.server_identity.read_bytes()
        done = rollover.finish(begun, store, Authority.load_next(begun, None), NOW)
    assert (done.server, done.kept, done.left) == (None, (), 1)
    assert begun.server_identity.read_bytes() == before
    assert load_next_certificate(begun) is None
    assert not load_identity(begun).own


def test_names_below_the_hosts_stay_in_the_servers_certificate(home: Home) -> None:
    hosts, kind = ["vpn.example.com", "*.vpn.example.com"], KeyType.ECDSA
    with opened(home) as store:
        wish = issuing.server_wish(home, SERVER, hosts, [], kind)
        authority = Authority.load(home, None)
        replace = issuing.Existing.REPLACE
        list(issuing.issue(home, store, authority, [wish], NOW, existing=replace))
    before = load_server_certificate(home)
    begin(home)
    finish(home)
    names = [
        one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for one in (before, load_server_certificate(home))
    ]
    assert names[0] == names[1]
    assert_whole(home)


def test_a_host_that_left_the_settings_leaves_the_certificate(home: Home) -> None:
    """The next authority cannot issue for it; the present one could, and did."""
    settings = home.settings.read_text()
    home.settings.write_text(settings.replace('"vpn.example.com"', '"eu.vpn.example.com"'))
    with opened(home) as store:
        wish = issuing.server_wish(
            home, SERVER, ["eu.vpn.example.com", "vpn.example.com"], [], KeyType.ECDSA
        )
        authority = Authority.load(home, None)
        replace = issuing.Existing.REPLACE
        list(issuing.issue(home, store, authority, [wish], NOW, existing=replace))
    begin(home)
    finish(home)
    san = load_server_certificate(home).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert san.value.get_values_for_type(x509.DNSName) == ["eu.vpn.example.com"]
    assert_whole(home)


def test_the_way_back(begun: Home) -> None:
    """The server's pair from before is kept, and serves again those who have only old bundles."""
    old = load_ca_certificate(begun)
    with opened(begun) as store:
        done = rollover.finish(begun, store, Authority.load_next(begun, None), NOW)
        new = load_ca_certificate(begun)
        (before,) = done.kept
        contents = importing.read_files([before], lambda _: b"")
        found = importing.prepare(begun, contents, NOW)
        assert found.own
        kept = importing.install(begun, store, found, NOW)
        assert kept not in (None, before)
        assert load_identity(begun).own
        # a bundle has to have the root of what the server shows, and that first
        assert trusted(begun) == (old, new)
        (one,) = due(begun, store, timedelta(days=30), NOW)
        assert (one.name, one.urgency) == (SERVER, Urgency.DUE)
        assert "former authority" in one.why
        list(issuing.renew(begun, store, Authority.load(begun, None), [SERVER], NOW))
        assert due(begun, store, timedelta(days=30), NOW) == []
    assert_whole(begun)


def test_a_look_at_what_is_due_does_not_undo_what_was_begun(begun: Home) -> None:
    """Killed after the inventory knew of the end, and before any file did."""

    def killed() -> None:
        with failing_at(steps.index("commit") + 1, kill_me):
            finish(begun)

    with failing_at(-1, lambda: None) as steps:
        shutil.copytree(begun.root, begun.root.with_name("trial"))
        finish(Home(begun.root.with_name("trial")))
    following = load_next_certificate(begun)
    assert in_a_child(killed) == -signal.SIGKILL
    assert load_ca_certificate(begun) != following
    with opened(begun) as store:
        assert due(begun, store, timedelta(days=30), NOW) == []
    assert load_ca_certificate(begun) == following
    assert_whole(begun)
