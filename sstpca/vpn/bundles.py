"""Bundles: what users receive; made, listed and proved."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

from ..bundle.authenticode import Signer
from ..bundle.ledger import listing
from ..bundle.ledger.listing import Listed
from ..bundle.ledger.verify import Verdict, Verifier
from ..bundle.platforms import systems
from ..bundle.workshop import BundleWish
from ..errors import InvalidInput, option
from ..names import quoted
from ..store import users
from ..store.users import User
from .making import Known, Making, Outcome
from .opened import Opened
from .users import NewUser

__all__ = ["BundleWish", "Bundles", "Listed", "Making", "Outcome", "Signer", "Verdict"]


def platforms(text: str) -> tuple[str, ...]:
    """Return the systems in ``windows,linux``, in their usual order.

    :raises InvalidInput: if one is unknown.
    """
    return systems.parse(text)


class Bundles:
    """The bundles of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def check(
        self, people: Iterable[User], wish: BundleWish, *, new_passwords: bool = False
    ) -> None:
        """Find out whether ``wish`` makes sense for ``people``.

        :raises InvalidInput: if it does not.
        """
        known = Known.load(self._opened)
        by_certificate = [one for one in people if known.by_certificate(one)]
        again = (
            "say ",
            option("--new-password"),
            " as well, and the users get new ones",
        )
        if wish.save_password and not new_passwords:
            raise InvalidInput(
                "a password is not kept, so there is none to put into the bundle", *again
            )
        if new_passwords and by_certificate:
            raise InvalidInput(
                f"{quoted(by_certificate[0].name)} signs in with a certificate, not with a "
                "password",
                "leave ",
                option("--new-password"),
                " out, or name those who have a password",
            )
        if wish.sheets is not None and not new_passwords and not by_certificate:
            raise InvalidInput(
                "there is nothing to write on the sheets: passwords are not kept", *again
            )
        if wish.legacy and not by_certificate:
            raise InvalidInput(
                "--legacy-p12 is for users who sign in with a certificate", "leave it out"
            )

    def prepare(
        self, people: Sequence[User], wish: BundleWish | None = None, *, new_passwords: bool = False
    ) -> Making:
        """Return what is to be made; see :class:`Making` and :meth:`make`, which does it all.

        :raises SstpcaError: as :class:`Making` does.
        """
        return Making(self._opened, people, wish or BundleWish(), new_passwords=new_passwords)

    def prepare_for_new(self, new: Iterable[NewUser], wish: BundleWish | None = None) -> Making:
        """Return what is to be made for people who are to become users with their bundles.

        :raises SstpcaError: as :class:`Making` does.
        """
        people = [
            User(
                0,
                one.name,
                True,
                one.profile,
                one.static_address,
                0.0,
                0.0,
                static_prefix=one.static_prefix,
                limits=one.limits,
                ends=one.ends,
            )
            for one in new
        ]
        return Making(self._opened, people, wish or BundleWish(), new_passwords=True)

    def make(
        self, names: Iterable[str], wish: BundleWish | None = None, *, new_passwords: bool = False
    ) -> Generator[Outcome, None, None]:
        """Make a bundle for each of the users ``names``, and yield what became of it.

        :param new_passwords: whether they get new passwords, of which an outcome has the only copy.
        :raises SstpcaError: as :meth:`check` and :meth:`Making.make` do; nothing was made then.
        """
        people = [users.get(self._opened.store, name) for name in names]
        wish = wish or BundleWish()
        self.check(people, wish, new_passwords=new_passwords)
        making = self.prepare(people, wish, new_passwords=new_passwords)
        making.check_profiles()
        making.check()
        yield from making.make()

    def all(self) -> list[Listed]:
        """Return the last bundle of each user there is, and those who have none, by name.

        :raises SstpcaError: if something cannot be read, or Windows would refuse the server's
            certificate: no bundle fits then.
        """
        opened = self._opened
        return listing.latest(opened.home, opened.store, opened.settings)

    def history(self, name: str) -> list[Listed]:
        """Return all bundles of the user ``name``, the newest first; also of one who was removed.

        :raises SstpcaError: as :meth:`all` does, or if there is neither a user nor a bundle.
        """
        opened = self._opened
        return listing.history(opened.home, opened.store, opened.settings, name)

    def verify(self, paths: Iterable[Path]) -> Iterator[Verdict]:
        """Yield what is to be said of each bundle, a zip or a folder: whether it still fits.

        :raises SstpcaError: if the home cannot be read.
        """
        opened = self._opened
        verifier = Verifier(opened.home, opened.store, opened.sealer, opened.settings)
        for path in paths:
            yield verifier.verify(path)
