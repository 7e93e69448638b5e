"""The rollover: from one authority to the next, with no user left behind."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ..authority import rollover
from ..authority.authority import issuer_of, load_ca_certificate, load_next_certificate
from ..authority.identity import load_server_certificate
from ..authority.rollover import Finished
from ..bundle.ledger import distribution
from ..bundle.ledger.distribution import Without
from ..errors import Command, Refused, Remedy, SstpcaError, command, option
from ..store import users
from ..x509.keys import KeyType
from .opened import Opened, Passphrase

__all__ = ["Begun", "Finished", "KeyType", "Rollover", "RolloverStatus", "Without"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A rollover that has begun.

    :param authority: the next authority's certificate, and ``path`` its file.
    :param own: whether the server's certificate is of this home's authority, and bundles have it.
    :param no_bundles: why bundles can be made only after its end, and what to do; mostly empty.
    """

    authority: x509.Certificate
    path: Path
    own: bool
    no_bundles: Remedy = ()


@dataclass(frozen=True, slots=True)
class RolloverStatus:
    """How far a rollover is.

    :param successor: the next authority's certificate; None if no rollover is under way.
    :param users: how many may log in.
    :param without: those of them who still have only the old one.
    :param left: the names of the certificates that are a former authority's.
    :param unserved: the names in the settings that the next authority cannot issue for.
    """

    successor: x509.Certificate | None
    users: int
    without: tuple[Without, ...]
    left: tuple[str, ...]
    unserved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A rollover that has ended.

    :param before: the authority until then, and ``authority`` the one now.
    :param without: how many users have only the old one, as far as is known.
    """

    before: x509.Certificate
    authority: x509.Certificate
    outcome: Finished
    without: int


class Rollover:
    """The rollover of one VPN's authority; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def check_begin(self) -> None:
        """Make sure that none is under way.

        :raises SstpcaError: if one is.
        """
        rollover.refuse_second(*self._opened.recovered())

    def begin(
        self,
        passphrase: bytes | None,
        *,
        kind: KeyType | None = None,
        constrained: bool | None = None,
    ) -> Begun:
        """Make the next authority, for the hosts of the settings; from then on, bundles have both.

        :param passphrase: encrypts its key; None leaves it plain.
        :param kind: of its key; by default as the present one's.
        :param constrained: whether it can issue for those hosts only; by default as the present one.
        :raises SstpcaError: if there is one already, or something cannot be written; nothing has
            changed then.
        """
        home, store = self._opened.recovered()
        own = issuer_of(home, load_server_certificate(home)) is not None
        now = datetime.now(UTC)
        made = rollover.begin(home, store, passphrase, now, kind=kind, constrained=constrained)
        lacking = self._no_bundles(made) if own and rollover.lacks_names(home) else ()
        return Begun(made, home.next_ca_certificate, own, lacking)

    def _no_bundles(self, successor: x509.Certificate) -> Remedy:
        """Return what to do where the server's certificate lacks a name of the settings."""
        if rollover.keeps_names(self._opened.home, successor):
            sooner = "for bundles before that, take the new names out of the settings meanwhile"
        else:
            sooner = "for bundles before that, cancel it and begin with the old names there as well"
        return (
            "the server's certificate lacks a name of the settings, so bundles can be made only "
            "after '",
            command("ca rollover finish --force"),
            f"'; {sooner}; or cancel it, write the old names there, and let '",
            command("server rename NAME"),
            "' do it all",
        )

    def status(self) -> RolloverStatus:
        """Return how far the rollover is, and who still has only the old authority.

        That is every user who may log in, and whose latest bundle for a system does not have the
        next one. What they did with the bundle, nobody here knows.
        """
        home, store = self._opened.recovered()
        successor = load_next_certificate(home)
        return RolloverStatus(
            successor,
            sum(user.enabled for user in users.list_all(store)),
            () if successor is None else tuple(self._without(successor)),
            tuple(one.name for one in rollover.of_former(store)),
            () if successor is None else tuple(rollover.unserved(home, successor)),
        )

    def unable(self, unserved: tuple[str, ...]) -> SstpcaError:
        """Return why a rollover with names that are ``unserved`` cannot be finished, and what helps.

        The home would serve nothing.
        """
        return Refused(
            f"the next authority cannot issue for {', '.join(unserved)}, which the settings have",
            f"take that out of {self._opened.home.settings} again; to rename the server, write the "
            "old name there, then: ",
            command("ca rollover cancel"),
            "; ",
            command("server rename NAME"),
        )

    def _without(self, successor: x509.Certificate) -> list[Without]:
        """Return who would not believe the server after the end; with a public certificate, nobody."""
        home, store = self._opened.home, self._opened.store
        if issuer_of(home, load_server_certificate(home)) is None:
            return []
        return distribution.without(store, successor)

    def bundles(self) -> list[Command]:
        """Return the commands that make the bundles of those who lack the next authority."""
        return distribution.makes(self.status().without)

    def check_finish(self, *, force: bool = False) -> int:
        """Make sure that the rollover can be finished; return how many users lack the next authority.

        :param force: though there are some.
        :raises SstpcaError: if it cannot be.
        """
        home, _ = self._opened.recovered()
        successor = rollover.following(home)
        status = self.status()
        if status.unserved:
            raise self.unable(status.unserved)
        missing = len(status.without)
        if missing and not force:
            how: Remedy = (
                "make bundles for them ('",
                command("ca rollover status"),
                "' says who), or say ",
                option("--force"),
            )
            raise Refused(
                f"{missing} of {status.users} users still have only the old authority; their "
                "machines would not believe the server (Windows: 0x800B0109)",
                *(self._no_bundles(successor) if rollover.lacks_names(home) else how),
            )
        return missing

    def finish(self, passphrase: Passphrase = None, *, force: bool = False) -> Done:
        """Let the next authority take the place of the present one, and issue the server's pair anew.

        The old authority's key is deleted.

        :param passphrase: of the next authority's key.
        :param force: though users still have only the old one.
        :raises SstpcaError: if that cannot be; nothing has changed then, unless it is the disk that
            refuses in the end, which the next use recovers.
        """
        missing = self.check_finish(force=force)
        home, store = self._opened.home, self._opened.store
        before, successor = load_ca_certificate(home), rollover.following(home)
        authority = self._opened.authority(passphrase, following=True)
        outcome = rollover.finish(home, store, authority, datetime.now(UTC))
        return Done(before, successor, outcome, missing)

    def carriers(self) -> list[str]:
        """Return who has a bundle with the next authority, by name; they may be users no more."""
        home, store = self._opened.recovered()
        successor = load_next_certificate(home)
        return [] if successor is None else distribution.carriers(store, successor)

    def cancel(self) -> None:
        """Drop the next authority, its key as well: the present one stays.

        :raises SstpcaError: if there is none, or something cannot be written.
        """
        home, store = self._opened.recovered()
        rollover.cancel(home, store, datetime.now(UTC))
