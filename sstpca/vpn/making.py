"""Making bundles: from users to what they receive, recorded and told.

The order is the same everywhere: a bundle is on disk, then recorded, in one transaction with the
password that came with it, and then told of.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from ..access.profiles import AccessProfile
from ..authority import issuing
from ..authority.authority import issuer_of
from ..authority.identity import load_server_certificate
from ..authority.issuing import Existing
from ..bundle import archive, pool, sheet
from ..bundle.archive import Written
from ..bundle.content import user_certificate
from ..bundle.ledger import freshness
from ..bundle.workshop import BundleWish, Order, Result, Workshop
from ..errors import Command, Option, Remedy, SstpcaError, command
from ..names import quoted, user_key
from ..secrets import generate_password
from ..store import Transaction, bundles, certificates, profiles, users
from ..store.certificates import Entry
from ..store.users import User
from ..x509.keys import KeyType
from .opened import Opened, Passphrase
from .sendable import of_names
from .untold import Kept, left
from .users import NewUser

__all__ = ["Making", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one user's bundle. The secrets in it are kept nowhere else.

    :param path: of the zip; None if there is none.
    :param password: the user's new one, if there is one.
    :param certificate_password: of the .p12 file, if there is one.
    :param on_sheet: whether the secrets are on a sheet of paper.
    :param error: why there is no bundle.
    """

    user: User
    path: Path | None = None
    password: str | None = field(default=None, repr=False)
    certificate_password: str | None = field(default=None, repr=False)
    on_sheet: bool = False
    error: SstpcaError | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What orders are made of: access profiles, and users' certificates by names.user_key."""

    profiles: Mapping[str, AccessProfile]
    certificates: Mapping[str, Entry]

    @classmethod
    def load(cls, opened: Opened) -> "Known":
        """Return what the home knows now."""
        found = {one.name: one for one in profiles.list_all(opened.store)}
        return cls(found, freshness.user_certificates(opened.store))

    def by_certificate(self, user: User) -> bool:
        """Return whether ``user`` signs in with a certificate."""
        return self.profiles[user.profile].by_certificate

    def order(self, user: User, password: str | None = None) -> Order:
        """Return the order for ``user``, who has a certificate if one is needed."""
        profile = self.profiles[user.profile]
        if not profile.by_certificate:
            return Order(user, profile, password=password)
        entry = self.certificates[user_key(user.name)]
        return Order(user, profile, entry, password, generate_password())


#: does for an order, in the transaction of its record, what is to be done once it is on disk
_Keep = Callable[[Transaction, Order], object]


class Making:
    """Bundles that are to be made: what they have in common is read, and nothing is written.

    :param people: whose; those who are no users yet have no number.
    :param new_passwords: whether they get new passwords.
    :raises SstpcaError: if something cannot be read, Windows would refuse the server's certificate,
        or ``wish`` is for others than ``people``.
    """

    def __init__(
        self,
        opened: Opened,
        people: Sequence[User],
        wish: BundleWish,
        *,
        new_passwords: bool = False,
    ) -> None:
        self._opened = opened
        self._home = opened.home
        self._known = Known.load(opened)
        self.people = tuple(people)
        self.new_passwords = new_passwords
        self._workshop = Workshop(self._home, opened.settings, wish)

    @property
    def wish(self) -> BundleWish:
        """How they are made."""
        return self._workshop.wish

    @property
    def folder(self) -> Path:
        """Where they are written."""
        return self._workshop.output

    @property
    def fingerprints(self) -> list[str]:
        """The SHA-256 of the authorities in them, as ``AB:CD:...``."""
        return self._workshop.fingerprints

    @property
    def unused_templates(self) -> list[str]:
        """The files among the administrator's templates that nothing asks for."""
        return self._workshop.unused_templates()

    @property
    def untold(self) -> list[Path]:
        """The files with new passwords that earlier runs set, and were killed before they told."""
        return left(self._home)

    @property
    def by_certificate(self) -> bool:
        """Whether somebody among the people signs in with a certificate."""
        return any(map(self._known.by_certificate, self.people))

    def check_profiles(self) -> None:
        """Find out whether anybody with these access profiles can have a bundle.

        :raises SstpcaError: if a system cannot do what a profile asks of it.
        """
        self._workshop.check_profiles(self._known.profiles[one.profile] for one in self.people)

    def without_certificate(self) -> list[User]:
        """Return those who sign in with a certificate and have none that counts."""
        by_certificate = filter(self._known.by_certificate, self.people)
        return user_certificate.without_valid(by_certificate, self._known.certificates)

    def issue_missing(self, passphrase: Passphrase = None) -> Iterator[str]:
        """Issue the certificates that are missing; yield the names they are issued for.

        :param passphrase: of the authority's key.
        :raises SstpcaError: if the authority's key does not open, or one cannot be issued.
        """
        missing = self.without_certificate()
        if not missing:
            return
        opened = self._opened
        host = opened.settings.host
        wishes = [
            issuing.user_wish(one.name, issuing.default_upn(one.name, host), KeyType.RSA)
            for one in missing
        ]
        authority = opened.authority(passphrase)
        for pair in issuing.issue(
            self._home,
            opened.store,
            authority,
            wishes,
            datetime.now(UTC),
            existing=Existing.SKIP,
        ):
            yield pair.name
        self._known = Known.load(opened)

    def check(self, *how: str | Command | Option) -> None:
        """Find out what would go wrong before anything is written.

        :param how: the remedy if somebody has no certificate: how to issue it.
        :raises SstpcaError: if something is wrong.
        """
        user_certificate.check_all_have(self.without_certificate(), *how)
        self._workshop.check(self._orders())

    def _orders(self) -> Iterator[Order]:
        for one in self.people:
            yield self._known.order(one, generate_password() if self.new_passwords else None)

    def make(self) -> Generator[Outcome, None, None]:
        """Make the bundles, and yield what became of each, in the order of the people.

        Each is on disk and recorded, with the user's new password, before it is told of; see
        untold.py for what happens to a password if this is killed in between. An interrupt that is
        thrown in lets those be finished and told of that are begun.

        :raises SstpcaError: if the folder or the database cannot be written, or a process has died.
        """
        if self.wish.sheets is not None:
            sheet.make_folder(self.wish.sheets)
        sealer = self._opened.sealer if self.new_passwords else None

        def keep(transaction: Transaction, order: Order) -> object:
            assert sealer is not None
            assert order.password is not None
            return users.update_password(transaction, sealer, order.user.name, order.password)

        results = pool.make(self._workshop, self._orders())
        interrupt: KeyboardInterrupt | None = None
        batch = next(results, None)
        while batch is not None:
            going_on = interrupt is None
            told = self._told_each(batch, keep) if self.new_passwords else self._told(batch)
            for outcome, kept in told:
                try:
                    yield outcome
                except KeyboardInterrupt as error:
                    interrupt = error
                    kept.not_told()
            if going_on and interrupt is not None:
                batch = results.throw(interrupt)
            else:
                batch = next(results, None)

    def _told(self, batch: pool.Results) -> Iterator[tuple[Outcome, Kept]]:
        """Record a batch, then tell of it."""
        with self._opened.store.writing() as transaction:
            self._add(transaction, _made(batch), None)
        for order, result in batch:
            yield self._outcome(order, result), self._kept(order, secret=False)

    def _told_each(self, batch: pool.Results, keep: _Keep) -> Iterator[tuple[Outcome, Kept]]:
        """Record one after the other, each with its password, and tell of it at once."""
        elsewhere = self.wish.save_password or self.wish.sheets is not None
        for at, (order, result) in enumerate(batch):
            made = isinstance(result, Written)
            with self._kept(order, secret=made and not elsewhere) as kept:
                if isinstance(result, Written):
                    self._record_one(order, result, keep, [one for one, _ in batch[at:]])
                yield self._outcome(order, result), kept

    def _kept(self, order: Order, *, secret: bool) -> Kept:
        """Return what keeps the password of ``order`` until it has been told."""
        return Kept(self._home, order.user.name, order.password if secret else None)

    def _record_one(
        self, order: Order, written: Written, keep: _Keep, left: Sequence[Order]
    ) -> None:
        """Record a bundle with its password.

        :param left: those that are not recorded if this fails.
        """
        try:
            with self._opened.store.writing(durable=True) as transaction:
                self._add(transaction, [(order, written)], keep)
        except SstpcaError as error:
            names = ", ".join(one.user.name for one in left)
            raise SstpcaError(f"{error}; no new passwords for: {names}", *error.remedy) from error

    def _add(
        self, transaction: Transaction, made: Sequence[tuple[Order, Written]], keep: _Keep | None
    ) -> None:
        login = certificates.login()
        if keep is not None:
            for order, _ in made:
                keep(transaction, order)
        bundles.add(transaction, [self._workshop.record(*one, login) for one in made])

    def _outcome(self, order: Order, result: Result) -> Outcome:
        if isinstance(result, SstpcaError):
            return Outcome(order.user, error=result)
        return Outcome(
            order.user,
            result.path,
            order.password,
            order.certificate_password,
            self._workshop.has_sheet(order),
        )

    def make_with_users(self, new: Sequence[NewUser]) -> list[Outcome]:
        """Make the bundles of people who are no users yet, and add them; all of them, or nobody.

        :param new: the people of this, in their order, with their passwords.
        :raises SstpcaError: if one bundle, or one user, cannot be made.
        """
        if self.wish.sheets is not None:
            sheet.make_folder(self.wish.sheets)
        sealer = self._opened.sealer
        orders = [
            self._known.order(user, one.password)
            for user, one in zip(self.people, new, strict=True)
        ]

        def keep(transaction: Transaction, order: Order) -> object:
            return users.insert(
                transaction,
                sealer,
                order.user.name,
                order.password or generate_password(),
                profile=order.user.profile,
                static_address=order.user.static_address,
                static_prefix=order.user.static_prefix,
                limits=order.user.limits,
                ends=order.user.ends,
            )

        with archive.holding(self._workshop.output):
            results = list(zip(orders, self._workshop.work(orders), strict=True))
            try:
                for _, result in results:
                    if isinstance(result, SstpcaError):
                        raise result
                with self._opened.store.writing(durable=True) as transaction:
                    self._add(transaction, _made(results), keep)
            except SstpcaError as error:
                left = "".join(self._discarded(order, result) for order, result in results)
                who = f"user {quoted(orders[0].user.name)}" if len(orders) == 1 else "nobody"
                why = f"{error}; {who} was {'not ' if len(orders) == 1 else ''}added{left}"
                raise SstpcaError(why, *error.remedy) from error
        return [self._outcome(order, result) for order, result in results]

    def _discarded(self, order: Order, result: Result) -> str:
        """Take back the bundle of somebody who is no user; return what to say if that cannot be."""
        if isinstance(result, Written):
            try:
                self._workshop.discard(order, result)
            except SstpcaError:
                return f"; delete the bundle {result.path}"
        return ""

    def notes(self) -> Iterator[Remedy]:
        """Yield what is no fault, and good to know of bundles for these systems."""
        for line in of_names((one.name for one in self.people), self.wish.platforms):
            yield (line,)
        if self._opened.settings.tls.minimum_version != "1.2":
            yield from _without_tls_1_3(self.wish.platforms)
        home = self._home
        leaf = load_server_certificate(home)
        if "routeros" not in self.wish.platforms or isinstance(leaf.public_key(), rsa.RSAPublicKey):
            return
        how: Remedy = ("get a certificate for such a key",)
        if issuer_of(home, leaf) is not None:
            how = (command("cert rekey server --key-type rsa"),)
        # SSTP, pfs: "With pfs=yes, TLS will use ECDHE-RSA- and DHE-RSA-"
        yield (
            "the server's key is not RSA, and MikroTik's manual names no other for the SSTP of "
            "RouterOS: if a router does not connect, ",
            *how,
        )

    def bind_sheets(self, outcomes: Iterable[Outcome]) -> Path | None:
        """Write the sheets of ``outcomes`` into one file to print; None where there are not several.

        :raises SstpcaError: if one cannot be read, or the file cannot be written.
        """
        names = [one.user.name for one in outcomes if one.on_sheet]
        folder = self.wish.sheets
        return sheet.bind(folder, names) if folder is not None and len(names) > 1 else None


def _without_tls_1_3(platforms: Iterable[str]) -> Iterator[Remedy]:
    """Yield which clients cannot connect to a server that takes TLS 1.3 only."""
    who = {"windows": "Windows 10 and earlier have", "routeros": "RouterOS has"}
    for platform in platforms:
        if platform in who:
            yield (
                f"{who[platform]} no TLS 1.3, and [tls] in settings.toml asks for it: to let such "
                'clients in, write minimum_version = "1.2" there',
            )


def _made(results: Iterable[tuple[Order, Result]]) -> list[tuple[Order, Written]]:
    return [(order, result) for order, result in results if isinstance(result, Written)]
