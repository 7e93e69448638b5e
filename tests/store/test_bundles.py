"""The record of bundles made."""

import dataclasses

import pytest
import sqlalchemy as sa

from sstpca.errors import SstpcaError
from sstpca.secrets import Sealer
from sstpca.store import Store, bundles
from sstpca.store.bundles import Made

SHA256 = "23" * 32
ALICE = Made(
    user="alice",
    profile="default",
    made=1_700_000_000.5,
    made_by="root",
    platforms=("windows", "linux"),
    authorities=("ab" * 32, "cd" * 32),
    server="vpn.example.com:4443",
    connection="VPN \u00e9",
    language="de",
    templates="/srv/templates",
    told="ef" * 32,
    certificate="01" * 32,
    sha256=SHA256,
    mark=None,
    path="/srv/alice.zip",
)


def test_what_is_recorded_comes_back(store: Store, sealer: Sealer) -> None:
    bundles.record(store, [ALICE])
    assert bundles.latest(store) == [ALICE]
    assert bundles.find(store, sealer, SHA256) == ALICE


def test_a_bundle_is_known_by_its_mark_to_who_has_the_key(store: Store, sealer: Sealer) -> None:
    digest = "67" * 32
    marked = dataclasses.replace(ALICE, sha256=None, mark=sealer.mark(digest))
    bundles.record(store, [marked])
    assert bundles.find(store, sealer, digest) == marked
    assert bundles.find(store, sealer, "") is None
    assert bundles.find(store, Sealer(bytes(32)), digest) is None


def test_what_is_not_there_is_empty_in_the_database(store: Store) -> None:
    """As programs of before have written it, and read it."""
    bare = dataclasses.replace(ALICE, templates=None, certificate=None, sha256=None)
    bundles.record(store, [bare])
    assert bundles.latest(store) == [bare]
    with store.reading() as transaction:
        row = transaction.execute(
            sa.text("SELECT templates, certificate, sha256, mark FROM bundles")
        ).one()
    assert tuple(row) == ("", "", "", "")


def test_nothing_to_record_is_no_error(store: Store) -> None:
    bundles.record(store, [])
    assert bundles.latest(store) == []


def test_the_last_of_each_user_by_name(store: Store) -> None:
    newer = dataclasses.replace(ALICE, user="Alice", sha256="45" * 32, platforms=("windows",))
    bob = dataclasses.replace(ALICE, user="Bob")
    bundles.record(store, [bob, ALICE])
    bundles.record(store, [newer])
    assert bundles.latest(store) == [newer, bob]
    assert bundles.history(store, "ALICE") == [newer, ALICE]
    assert bundles.history(store, "carol") == []


def test_the_newest_of_the_same_bytes(store: Store, sealer: Sealer) -> None:
    again = dataclasses.replace(ALICE, made=ALICE.made + 1)
    bundles.record(store, [ALICE, again])
    assert bundles.find(store, sealer, SHA256) == again
    assert bundles.find(store, sealer, "00" * 32) is None


def test_a_transaction_that_fails_leaves_no_record(store: Store) -> None:
    with (
        pytest.raises(SstpcaError, match="cannot be used: SQLite says 'no such table"),
        store.writing() as connection,
    ):
        bundles.add(connection, [ALICE])
        connection.execute(sa.text("DELETE FROM missing"))
    assert bundles.latest(store) == []
