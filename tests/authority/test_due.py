"""What needs attention, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from sstpca.authority import issuing
from sstpca.authority.authority import Authority
from sstpca.authority.due import Due, Urgency, due
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.x509.certificate_profiles import SERVER, SERVER_DAYS, Leaf, make_leaf
from sstpca.x509.keys import KeyType, make_key
from sstpca.x509.pair import identity_to_pem
from sstpca.x509.subjects import Subject
from tests.support.revoked import mark_revoked

NOW = datetime.now(UTC)
MONTH = timedelta(days=30)
HOSTS = parse_hosts(["vpn.example.com"])


@pytest.fixture
def home(quick_home: Home) -> Home:
    return quick_home


def issue(
    home: Home, store: Store, name: str, now: datetime = NOW, days: int = SERVER_DAYS
) -> None:
    """Record a user's certificate that begins a day before ``now``."""
    authority = Authority.load(home, None)
    certificate = make_leaf(
        Leaf(SERVER, Subject.of_hosts(HOSTS), make_key(KeyType.ECDSA).public_key(), days),
        authority.certificate,
        authority.key,
        now,
    )
    with store.writing() as connection:
        certificates.record(
            connection,
            [(name, "user", certificate)],
            issuer=authority.certificate,
            requested_by="tester",
            now=now,
        )


def look(home: Home, store: Store, *, days: int = 0, within: timedelta = MONTH) -> list[Due]:
    return due(home, store, within, NOW + timedelta(days=days))


def told(found: list[Due]) -> list[tuple[str, Urgency]]:
    return [(one.name, one.urgency) for one in found]


def test_a_new_home_is_in_order(home: Home, store: Store) -> None:
    issue(home, store, "alice")
    assert look(home, store) == []
    assert look(home, store, days=360) == []


@pytest.mark.parametrize("days", [2, 6, 45, 89])
def test_a_short_life_is_due_in_its_last_third(home: Home, store: Store, days: int) -> None:
    issue(home, store, "alice", days=days)
    [entry] = [one for one in certificates.list_current(store) if one.name == "alice"]
    third = timedelta(seconds=entry.not_after - entry.not_before) / 3
    assert third < MONTH
    end, hour = datetime.fromtimestamp(entry.not_after, UTC), timedelta(hours=1)
    assert due(home, store, MONTH, NOW) == []
    assert due(home, store, MONTH, end - third - hour) == []
    assert told(due(home, store, MONTH, end - third + hour)) == [("alice", Urgency.DUE)]
    assert [one.name for one in issuing.due(home, store, MONTH, end - third - hour)] == []
    assert [one.name for one in issuing.due(home, store, MONTH, end - third + hour)] == ["alice"]
    # who asks for less than that gets it
    assert due(home, store, hour, end - 2 * hour) == []


def test_near_the_end(home: Home, store: Store) -> None:
    issue(home, store, "it's alice")
    found = look(home, store, days=370)
    assert set(told(found)) == {("it's alice", Urgency.DUE), ("server", Urgency.DUE)}
    fixes = {one.name: one.fix for one in found}
    assert fixes["server"] == "sstpca cert renew server"
    assert fixes["it's alice"] == """sstpca cert renew 'it'"'"'s alice'"""
    # to the second, it depends on when the home was made
    assert any(f"in {days} days" in found[0].why for days in (25, 26))
    assert look(home, store, days=370, within=timedelta(days=20)) == []


def test_after_the_end(home: Home, store: Store) -> None:
    found = look(home, store, days=400)
    # once, though the server would also refuse to start
    assert told(found) == [("server", Urgency.WRONG)]
    assert "0x800B0101" in found[0].why


def test_the_authority_too(home: Home, store: Store) -> None:
    found = look(home, store, days=3640)
    assert told(found) == [("server", Urgency.WRONG), ("authority", Urgency.DUE)]
    assert "sstpca ca rollover" in found[1].fix


def test_the_authority_is_due_in_time_for_a_rollover(home: Home, store: Store) -> None:
    """What it issues is cut short from then on, and bundles have to be handed out."""
    for days, names in ((3653 - 380, ["server", "authority"]), (3653 - 420, ["server"])):
        found = look(home, store, days=days)
        assert [one.name for one in found] == names


def test_before_the_beginning(home: Home, store: Store) -> None:
    found = look(home, store, days=-3)
    assert set(told(found)) == {("server", Urgency.WRONG), ("authority", Urgency.WRONG)}
    assert {one.fix for one in found} == {"correct the clock"}


def test_revoked(home: Home, store: Store) -> None:
    """A user's is meant to be; the server's is not."""
    issue(home, store, "alice")
    mark_revoked(store, certificates.current(store, "alice"), "unspecified", NOW)
    assert look(home, store, days=370, within=timedelta()) == []
    mark_revoked(store, certificates.current(store, "server"), "keyCompromise", NOW)
    found = look(home, store)
    assert told(found) == [("server", Urgency.WRONG)]
    assert found[0].why == "is revoked"


def test_replaced_ones_do_not_count(home: Home, store: Store) -> None:
    issue(home, store, "alice")
    assert ("alice", Urgency.DUE) in told(look(home, store, days=370))
    issue(home, store, "alice", NOW + timedelta(days=369))
    assert told(look(home, store, days=370)) == [("server", Urgency.DUE)]


def test_one_by_another_authority_is_not_renewed_here(home: Home, store: Store) -> None:
    other = Authority.make(HOSTS, NOW).issue_server(HOSTS, KeyType.ECDSA, NOW)
    home.server_identity.write_bytes(identity_to_pem(other.key, (other.certificate,)))
    (found,) = look(home, store, days=370)
    assert (found.name, found.urgency) == ("server", Urgency.DUE)
    assert "cert import" in found.fix


def test_a_server_that_would_not_start(home: Home, store: Store) -> None:
    settings = home.settings.read_text()
    home.settings.write_text(settings.replace('"vpn.example.com"]', '"other.example.com"]'))
    found = look(home, store)
    assert told(found) == [("server", Urgency.WRONG)]
    assert "is not for other.example.com" in found[0].why
    assert found[0].not_after is None


def test_a_missing_server_certificate(home: Home, store: Store) -> None:
    home.server_identity.unlink()
    (found,) = look(home, store)
    assert (found.name, found.urgency) == ("server", Urgency.WRONG)
    assert "server.pem is missing" in found.why


def test_a_missing_authority_is_an_error_of_its_own(home: Home, store: Store) -> None:
    home.ca_certificate.unlink()
    with pytest.raises(SstpcaError, match=r"ca\.crt"):
        look(home, store)
