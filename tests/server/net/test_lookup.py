"""One look-up: who that is, and whether the login may count."""

import asyncio
from dataclasses import replace
from typing import Any, cast

from sstpca.server.contracts import UNHINDERED, Account, Directory, Standing
from sstpca.server.net.lookup import look_up
from sstpca.server.net.shared import Shared
from sstpca.server.ppp.effects import LookUp

ALICE = Account(1, "Alice", bytes(16), True)


class People:
    """Alice, by a name or another; and what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str, bool]] = []

    def account(self, name: str) -> Account | None:
        return ALICE if name.casefold() in ("alice", "alice@example.com") else None

    def attempt(self, name: str, source: str, *, right: bool) -> Standing:
        self.counted.append((name, source, right))
        return UNHINDERED if right else Standing("too many wrong passwords", 1.0)


def ask(people: People, question: LookUp) -> tuple[Account | None, Standing]:
    async def run() -> tuple[Account | None, Standing]:
        nothing: Any = None
        shared = Shared(nothing, nothing, cast("Directory", people), nothing, nothing)
        return await look_up(shared, question, "192.0.2.1")

    return asyncio.run(run())


def test_whatever_name_is_given_counts_for_the_account_that_it_leads_to() -> None:
    people = People()
    right = replace(LookUp("x"), proves=lambda account: account is ALICE)
    for name in ("alice", "ALICE", "alice@example.com"):
        assert ask(people, replace(right, name=name)) == (ALICE, UNHINDERED)
    assert people.counted == [("Alice", "192.0.2.1", True)] * 3


def test_what_is_nobodys_counts_as_well() -> None:
    people = People()
    account, standing = ask(people, LookUp("mallory"))
    assert account is None
    assert standing.barred
    assert people.counted == [("mallory", "192.0.2.1", False)]
