"""What the commands that make bundles share: what they print, and what they keep."""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.asymmetric import rsa

from ..access.connection_settings import SignIn
from ..access.profiles import AccessProfile
from ..authority.authority import issuer_of
from ..authority.identity import load_server_certificate
from ..bundle import archive, pool, sheet
from ..bundle.archive import Written
from ..bundle.content import user_certificate
from ..bundle.ledger import freshness
from ..bundle.workshop import Order, Result, Wish, Workshop
from ..errors import SstpcaError
from ..home import Home
from ..names import quoted, some, user_key
from ..secrets import Sealer, generate_password
from ..store import Transaction, bundles, certificates, profiles, users
from ..store.certificates import Entry
from ..store.users import User
from .context import Context
from .output import MANY, program, progress, talk, warn

_WARNINGS_MAX = 20
NOT_BY_MAIL: Final = (
    "Many mail services refuse or empty a zip with scripts (.cmd, .ps1) in it: give a link, a shared "
    "folder or a USB stick."
)

Orders = Iterator[Order]
#: does for an order, in the transaction of its record, what is to be done once it is on disk
Keep = Callable[[Transaction, Order], object]


@dataclass(frozen=True, slots=True)
class Known:
    """What orders are made of: access profiles, and users' certificates by names.user_key."""

    profiles: Mapping[str, AccessProfile]
    certificates: Mapping[str, Entry]

    @classmethod
    def load(cls, context: Context) -> "Known":
        """Return what the home knows now.

        :raises SstpcaError: if the database cannot be read.
        """
        store = context.store()
        found = {one.name: one for one in profiles.list_all(store)}
        return cls(found, freshness.user_certificates(store))

    def by_certificate(self, user: User) -> bool:
        """Return whether ``user`` signs in with a certificate."""
        return self.profiles[user.profile].client.sign_in is SignIn.EAP_TLS

    def without_certificate(self, found: Iterable[User]) -> list[User]:
        """Return those of ``found`` who sign in with a certificate and have none that counts."""
        by_certificate = filter(self.by_certificate, found)
        return user_certificate.without_valid(by_certificate, self.certificates)

    def check_certificates(self, found: Iterable[User], hint: str) -> None:
        """Make sure that all of ``found`` can have a bundle.

        :raises SstpcaError: if a certificate is missing that one signs in with; ``hint`` says how
            to make it.
        """
        user_certificate.check_all_have(self.without_certificate(found), hint)

    def order(self, user: User, password: str | None = None) -> Order:
        """Return the order for ``user``; a certificate's password is made here.

        The caller has seen to it that there is a certificate, if one is needed.
        """
        profile = self.profiles[user.profile]
        if not self.by_certificate(user):
            return Order(user, profile, password=password)
        entry = self.certificates[user_key(user.name)]
        return Order(user, profile, entry, password, generate_password())


def new_password(sealer: Sealer) -> Keep:
    """Return what gives the user of an order the password in it."""

    def keep(transaction: Transaction, order: Order) -> object:
        return users.update_password(transaction, sealer, order.user.name, order.password or "")

    return keep


@dataclass(frozen=True, slots=True)
class Telling:
    """Which secrets are printed, beside the path of the bundle."""

    password: bool = False
    certificate_password: bool = False

    @classmethod
    def of(
        cls, wish: Wish, known: Known, found: Iterable[User], *, new_passwords: bool
    ) -> "Telling":
        """Return what has to be printed, because it goes neither into a bundle nor on a sheet."""
        if wish.sheets is not None:
            return cls()
        return cls(
            password=new_passwords and not wish.save_password,
            certificate_password=any(map(known.by_certificate, found)),
        )

    def line(self, order: Order, written: Written) -> str:
        """Return the line of one bundle; the columns have a tab between them."""
        columns = [str(written.path)]
        if self.password and order.password is not None:
            columns.append(order.password)
        if self.certificate_password and order.certificate_password is not None:
            columns.append(order.certificate_password)
        return "\t".join(columns)

    def heading(self) -> str:
        """Return what the columns after the path are, for people; empty if there is none."""
        what = []
        if self.password:
            what.append("the user's password")
        if self.certificate_password:
            what.append("the password of the .p12 file in it")
        return f"After the path: {', then '.join(what)}. Shown this once." if what else ""


class Results:
    """What becomes of the orders: printed, then recorded, batch for batch.

    :param step: moves a bar by so many.
    """

    def __init__(
        self,
        context: Context,
        workshop: Workshop,
        telling: Telling,
        keep: Keep | None,
        *,
        total: int,
        quiet: bool,
        step: Callable[[int], None],
    ) -> None:
        self._context = context
        self._total = total
        self._workshop = workshop
        self._telling = telling
        self._keep = keep
        self._quiet = quiet
        self._step = step
        self.count = 0
        self.on_sheets: list[Order] = []
        self.failed: list[tuple[str, SstpcaError]] = []

    def __call__(self, results: Sequence[tuple[Order, Result]]) -> None:
        """Take a batch of results.

        A password is shown before it counts: whoever is interrupted in between still has the old
        one, and never one that nobody knows.
        """
        made: list[tuple[Order, Written]] = []
        for order, result in results:
            if isinstance(result, SstpcaError):
                self._fail(order, result)
            else:
                made.append((order, result))
        if not self._quiet:
            for order, written in made:
                click.echo(self._telling.line(order, written))
        self._record(made)
        self.on_sheets += [order for order, _ in made if self._workshop.has_sheet(order)]
        self.count += len(made)
        self._step(len(results))

    def _fail(self, order: Order, error: SstpcaError) -> None:
        self.failed.append((order.user.name, error))
        # a single one is the error at the end
        if self._total > 1 and len(self.failed) <= _WARNINGS_MAX:
            warn(f"no bundle for '{order.user.name}': {error}")

    def _record(self, made: Sequence[tuple[Order, Written]]) -> None:
        made_by = certificates.login()
        try:
            with self._context.store().writing(durable=self._keep is not None) as transaction:
                for order, _ in made:
                    if self._keep is not None:
                        self._keep(transaction, order)
                bundles.add(
                    transaction,
                    [self._workshop.record(order, written, made_by) for order, written in made],
                )
        except SstpcaError as error:
            if self._keep is None:
                raise
            names = ", ".join(order.user.name for order, _ in made)
            raise SstpcaError(f"{error}; no new passwords for: {names}", error.hint) from error


def hand_out(
    context: Context,
    workshop: Workshop,
    orders: Iterable[Order],
    total: int,
    *,
    telling: Telling,
    keep: Keep | None = None,
) -> int:
    """Make the bundles, print and record them; return how many there are.

    :param total: the number of ``orders``.
    :raises SstpcaError: at the end, if some could not be made; it names them.
    """
    sheets = workshop.wish.sheets
    if sheets is not None:
        sheet.make_folder(sheets)
    showing = telling.password or telling.certificate_password
    quiet = total >= MANY and sys.stdout.isatty() and not showing
    bar = total >= MANY and sys.stderr.isatty() and (quiet or not sys.stdout.isatty())
    with progress(total, shown=bar) as step:
        results = Results(context, workshop, telling, keep, total=total, quiet=quiet, step=step)
        pool.make(workshop, orders, results)
    if quiet:
        talk(f"{results.count} bundles are in {workshop.output}")
    if results.count and "routeros" in workshop.wish.platforms:
        _warn_of_routers(context.home())
    if results.count:
        _talk_of_secrets(telling, sheets, results.on_sheets)
    _complain(results, total)
    return results.count


def _talk_of_secrets(telling: Telling, sheets: Path | None, orders: Sequence[Order]) -> None:
    heading = telling.heading()
    if heading:
        talk(heading)
    if sheets is not None:
        where = sheet.bind(sheets, [one.user.name for one in orders]) if len(orders) > 1 else None
        once = "" if where is None else f", all of them in {where.name} as well"
        talk(f"The sheets are in {sheets}{once}: print them, hand them over, and delete them.")


def _warn_of_routers(home: Home) -> None:
    """Say of a server's key that a router may not know how to help."""
    leaf = load_server_certificate(home)
    if isinstance(leaf.public_key(), rsa.RSAPublicKey):
        return
    own = issuer_of(home, leaf) is not None
    how = "sstpca cert rekey server --key-type rsa" if own else "get a certificate for such a key"
    # SSTP, pfs: "With pfs=yes, TLS will use ECDHE-RSA- and DHE-RSA-"
    warn(
        "the server's key is not RSA, and MikroTik's manual names no other for the SSTP of RouterOS: "
        f"if a router does not connect, {how}"
    )


def warn_of_unused(workshop: Workshop) -> None:
    """Name the files among the administrator's templates that nothing asks for."""
    unused = workshop.unused_templates()
    if unused:
        names = some(list(map(quoted, unused)))
        warn(f"no template has this name, so nothing uses it: {names}")


def next_step(workshop: Workshop, made: int) -> str:
    """Return what to do with the bundles, for people."""
    zips = "the zip" if made == 1 else "each zip"
    saved = workshop.wish.save_password
    what = "" if saved else " and, apart from it, the password"
    page = "index.html" if "windows" in workshop.wish.platforms else "what is"
    lines = [f"\nHand over {zips}{what}; {page} in it says what to do."]
    if "windows" in workshop.wish.platforms:
        lines.append(NOT_BY_MAIL)
    if saved:
        lines.append("The password is in it: let nobody else have it, and delete it here.")
    fingerprints = workshop.fingerprints
    if len(fingerprints) > 1:
        lines.append("The authorities' SHA-256 fingerprints, for who wants to compare them:")
    elif fingerprints:
        lines.append("The authority's SHA-256 fingerprint, for who wants to compare it:")
    lines += [f"  {one}" for one in fingerprints]
    return "\n".join(lines)


def make_one(context: Context, user: User) -> tuple[Path, str | None]:
    """Make the bundle of ``user``; return its zip, and the password of the .p12 file if it has one.

    :raises SstpcaError: if something is missing, Windows would refuse the server's certificate, or
        the bundle cannot be written.
    """
    known = Known.load(context)
    workshop = Workshop(context.home(), context.settings(), Wish())
    workshop.check_profiles([known.profiles[user.profile]])
    how = f"issue one: {program()} cert issue user {shlex.quote(user.name)}"
    known.check_certificates([user], how)
    order = known.order(user)
    with archive.holding(workshop.output):
        [result] = workshop.work([order])
    if isinstance(result, SstpcaError):
        raise result
    bundles.record(context.store(), [workshop.record(order, result, certificates.login())])
    return result.path, order.certificate_password


def hand_to_new(
    context: Context,
    workshop: Workshop,
    orders: Sequence[Order],
    telling: Telling,
    insert: Keep,
) -> None:
    """Make the bundles of people who are no users yet, add them with ``insert``, and print them.

    Nothing is printed before it counts: a password of nobody is of no use.

    :raises SstpcaError: if one bundle, or one user, cannot be made; nobody is added then.
    """
    sheets = workshop.wish.sheets
    if sheets is not None:
        sheet.make_folder(sheets)
    with archive.holding(workshop.output):
        results = list(zip(orders, workshop.work(orders), strict=True))
        try:
            made = [(order, _written(result)) for order, result in results]
            with context.store().writing(durable=True) as transaction:
                for order, _ in made:
                    insert(transaction, order)
                login = certificates.login()
                bundles.add(transaction, [workshop.record(*one, login) for one in made])
        except SstpcaError as error:
            left = "".join(_discarded(workshop, order, result) for order, result in results)
            who = f"user {quoted(orders[0].user.name)}" if len(orders) == 1 else "nobody"
            why = f"{error}; {who} was {'not ' if len(orders) == 1 else ''}added{left}"
            raise SstpcaError(why, error.hint) from error
    for order, written in made:
        click.echo(telling.line(order, written))
    _talk_of_secrets(telling, sheets, [order for order, _ in made])


def _written(result: Result) -> Written:
    if isinstance(result, SstpcaError):
        raise result
    return result


def _discarded(workshop: Workshop, order: Order, result: Result) -> str:
    """Take back the bundle of somebody who is no user; return what to say if that cannot be."""
    if isinstance(result, Written):
        try:
            workshop.discard(order, result)
        except SstpcaError:
            return f"; delete the bundle {result.path}"
    return ""


def _complain(results: Results, total: int) -> None:
    failed = results.failed
    if not failed:
        return
    name, error = failed[0]
    if total == 1:
        raise error
    more = "" if len(failed) == 1 else f" and {len(failed) - 1} more"
    raise SstpcaError(
        f"{len(failed)} of {total} bundles were not made: that of '{name}'{more}", error.hint
    )
