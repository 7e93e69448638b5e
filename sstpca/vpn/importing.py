"""Accounts of another program taken over, all of them or none."""

import enum
from dataclasses import dataclass

from ..access.profiles import DEFAULT, AccessProfile
from ..errors import InvalidInput, NotFound, SstpcaError
from ..imports.accounts import Account, Found
from ..secrets import PASSWORD_MIN, Sealer
from ..store import Transaction, profiles, users
from ..store.credentials import Credential
from .opened import Opened

__all__ = ["Imported", "Importing", "Line", "Outcome"]


@enum.unique
class Outcome(enum.Enum):
    """What comes of an account."""

    ADDED = "added"
    LEFT_OUT = "left out"
    REFUSED = "cannot be added"


@dataclass(frozen=True, slots=True)
class Line:
    """What comes of one account of the file.

    :param name: the user's, as it is kept.
    :param profile: the access profile that the user has.
    :param why: why it is not added; empty if it is.
    :param notes: what the administrator should know of it.
    """

    account: Account
    name: str
    profile: str
    outcome: Outcome
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def short(self) -> bool:
        """Whether its password is shorter than a new one may be."""
        return len(self.account.password or "") in range(1, PASSWORD_MIN)


@dataclass(frozen=True, slots=True)
class Imported:
    """What comes of a file.

    :param profiles: access profiles that are added for its accounts.
    :param done: whether it is done, not only tried.
    """

    kind: str
    lines: tuple[Line, ...]
    profiles: tuple[AccessProfile, ...]
    done: bool

    def count(self, outcome: Outcome) -> int:
        """Return of how many accounts that comes."""
        return sum(line.outcome is outcome for line in self.lines)


class _Undone(Exception):
    """Ends a transaction that is not to happen."""


class Importing:
    """Takes over the accounts of a file.

    :param found: what the file has.
    :param profile: the access profile that all get; None: the one that the file says.
    :param short_passwords: whether passwords are taken that are shorter than new ones may be.
    """

    def __init__(
        self, opened: Opened, found: Found, *, profile: str | None, short_passwords: bool
    ) -> None:
        self._opened = opened
        self._found = found
        self._profile = profile
        self._least = 1 if short_passwords else PASSWORD_MIN

    def run(self, *, really: bool) -> Imported:
        """Add all accounts, and the access profiles that they need.

        If one is refused, or it is only to be tried, all of that is undone: what is said of it is
        exactly what would come of it.

        :raises SstpcaError: if the database cannot be written, or its key is missing.
        """
        sealer, found = self._opened.sealer, self._found
        imported: Imported | None = None
        try:
            with self._opened.store.writing(durable=True) as transaction:
                needed = _Profiles(transaction, found, self._profile)
                lines = tuple(self._add(transaction, sealer, needed, one) for one in found.accounts)
                good = all(line.outcome is not Outcome.REFUSED for line in lines)
                imported = Imported(found.kind, lines, tuple(needed.added), done=really and good)
                if not imported.done:
                    raise _Undone
        except _Undone:
            pass
        assert imported is not None
        return imported

    def _add(
        self, transaction: Transaction, sealer: Sealer, needed: "_Profiles", account: Account
    ) -> Line:
        # RouterOS and pppd have domains in names; here they are no part of one (names.login_names)
        name = account.name.rpartition("\\")[2].strip()
        notes = [f"{lost} is not kept" for lost in account.lost]
        if name != account.name:
            notes.append(f"called '{account.name}' there")
        profile = needed.name_of(account)
        if account.problem:
            outcome = Outcome.LEFT_OUT if account.other else Outcome.REFUSED
            return Line(account, name, profile, outcome, account.problem)
        try:
            credential = self._credential(account, notes)
            needed.ensure(profile)
            user = users.insert_with(
                transaction,
                sealer,
                name,
                credential,
                profile=profile,
                static_address=account.static_address,
                enabled=account.enabled,
            )
        except SstpcaError as error:
            return Line(account, name, profile, Outcome.REFUSED, str(error))
        return Line(account, user.name, profile, Outcome.ADDED, notes=tuple(notes))

    def _credential(self, account: Account, notes: list[str]) -> Credential:
        if account.nt_hash is not None:
            return Credential(account.nt_hash)
        if account.password is None:
            raise InvalidInput("it has no password")
        found = Credential.of(account.password, least=self._least)
        if len(account.password) < PASSWORD_MIN:
            notes.append(f"the password has only {_characters(len(account.password))}")
        return found


class _Profiles:
    """The access profiles that accounts need; those that only the file has are added."""

    def __init__(self, transaction: Transaction, found: Found, forced: str | None) -> None:
        self._transaction = transaction
        self._of_file = {one.name: one for one in found.profiles}
        self._forced = forced
        self.added: list[AccessProfile] = []

    def name_of(self, account: Account) -> str:
        """Return the name of the one that an account gets."""
        return self._forced or account.profile or DEFAULT

    def ensure(self, name: str) -> None:
        """Add the access profile, if there is none of that name and the file has it.

        :raises SstpcaError: if there is none.
        """
        try:
            profiles.number_of(self._transaction, name)
        except NotFound:
            one = self._of_file.get(name)
            if one is None:
                raise
            if one.made is None:
                raise NotFound(
                    f"there is no access profile '{name}', and none can be made: {one.problem}"
                ) from None
            self.added.append(profiles.insert(self._transaction, one.made))


def _characters(number: int) -> str:
    """Return a number of characters in words."""
    return "1 character" if number == 1 else f"{number} characters"
