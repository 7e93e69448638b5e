"""Accounts of another program taken over, all of them or none."""

import enum
from dataclasses import dataclass, field

from ..access.profiles import DEFAULT, AccessProfile
from ..errors import InvalidInput, NotFound, SstpcaError
from ..imports.accounts import Account, Found
from ..secrets import PASSWORD_MIN, Sealer, generate_password
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
    :param password: one that was made, and is nowhere else; None where there was no need to.
    """

    account: Account
    name: str
    profile: str
    outcome: Outcome
    why: str = ""
    notes: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)

    @property
    def short(self) -> bool:
        """Whether its password is shorter than a new one may be."""
        return len(self.account.password or "") in range(1, PASSWORD_MIN)

    @property
    def without(self) -> bool:
        """Whether it has neither a password nor a hash of one, and nothing else is wrong there."""
        account = self.account
        return account.password is None and account.nt_hash is None and not account.problem


@dataclass(frozen=True, slots=True)
class Imported:
    """What comes of a file.

    :param profiles: access profiles that are added for its accounts.
    :param lost: what of these is not taken over, a line each.
    :param done: whether it is done, not only tried.
    """

    kind: str
    lines: tuple[Line, ...]
    profiles: tuple[AccessProfile, ...]
    lost: tuple[str, ...]
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
    :param generate: whether passwords are made for those who have none in the file.
    """

    def __init__(
        self,
        opened: Opened,
        found: Found,
        *,
        profile: str | None,
        short_passwords: bool,
        generate: bool,
    ) -> None:
        self._opened = opened
        self._found = found
        self._profile = profile
        self._least = 1 if short_passwords else PASSWORD_MIN
        self._generate = generate

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
                added, lost = tuple(needed.added), tuple(needed.lost)
                imported = Imported(found.kind, lines, added, lost, done=really and good)
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
            by_certificate = needed.ensure(profile)
            made = self._made(account, by_certificate=by_certificate)
            credential = self._credential(account, made, notes)
            user = users.insert_with(
                transaction,
                sealer,
                name,
                credential,
                profile=profile,
                static_address=account.static_address,
                static_prefix=account.static_prefix,
                enabled=account.enabled,
            )
            users.change(
                self._opened.store,
                user.name,
                networks=account.networks,
                ends=account.ends,
                limits=account.limits,
                within=transaction,
            )
        except SstpcaError as error:
            return Line(account, name, profile, Outcome.REFUSED, str(error))
        if made is not None and by_certificate:
            notes.append("signs in with a certificate, and has a password that nobody knows")
            made = None
        return Line(account, user.name, profile, Outcome.ADDED, notes=tuple(notes), password=made)

    def _made(self, account: Account, *, by_certificate: bool) -> str | None:
        """Return a password for who has none, where that is wished, or none will be asked for."""
        has_one = account.password is not None or account.nt_hash is not None
        return None if has_one or not (self._generate or by_certificate) else generate_password()

    def _credential(self, account: Account, made: str | None, notes: list[str]) -> Credential:
        if account.nt_hash is not None:
            return Credential(account.nt_hash)
        if made is not None:
            return Credential.of(made)
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
        self.lost: list[str] = []

    def name_of(self, account: Account) -> str:
        """Return the name of the one that an account gets."""
        return self._forced or account.profile or DEFAULT

    def ensure(self, name: str) -> bool:
        """Add the access profile, if there is none of that name and the file has it.

        :returns: whether its users sign in with certificates.
        :raises SstpcaError: if there is none.
        """
        try:
            return profiles.find(self._transaction, name).by_certificate
        except NotFound:
            one = self._of_file.get(name)
            if one is None:
                raise
            if one.made is None:
                raise NotFound(
                    f"there is no access profile '{name}', and none can be made: {one.problem}"
                ) from None
            self.added.append(profiles.insert(self._transaction, one.made))
            self.lost += [f"{what} of access profile '{name}' is not kept" for what in one.lost]
            return one.made.by_certificate


def _characters(number: int) -> str:
    """Return a number of characters in words."""
    return "1 character" if number == 1 else f"{number} characters"
