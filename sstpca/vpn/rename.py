"""The server gets another name: how far that is, and each step of it; see renaming.py for the order."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ..authority import rollover
from ..authority.authority import issuer_of
from ..authority.identity import load_identities, load_server_certificate, served_hosts
from ..bundle.ledger import distribution
from ..errors import Command, InvalidInput, Refused, SstpcaError, command, joined, option
from ..names import parse_hosts, some
from ..store import users
from . import renaming
from .opened import Opened, Passphrase
from .renaming import WAITING, Renaming, Step

__all__ = ["WAITING", "Rename", "RenameProgress", "Renaming", "Step"]


@dataclass(frozen=True, slots=True)
class RenameProgress:
    """How far a renaming is.

    :param one: from what to what.
    :param left: what is still to be done, the next first.
    :param waiting_for: the users without the bundle that is needed next.
    :param error: why it cannot go on; None if it can.
    """

    one: Renaming
    left: tuple[Step, ...] = ()
    waiting_for: tuple[str, ...] = ()
    error: SstpcaError | None = None


class Rename:
    """The renaming of one VPN's server; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def progress(self) -> RenameProgress | None:
        """Return how far the renaming of the server is; None if it is not being renamed.

        :raises SstpcaError: if what says so is damaged, or the database cannot be read.
        """
        home, _ = self._opened.recovered()
        one = renaming.load(home)
        if one is None:
            return None
        try:
            left = renaming.steps(home, one)
        except SstpcaError as error:
            return RenameProgress(one, error=error)
        return RenameProgress(one, tuple(left), tuple(self.missing(left[0])))

    def chosen(self, new: str | None) -> Renaming:
        """Return the renaming that is under way, or the one to ``new`` that begins.

        :raises InvalidInput: if there is none, or another one is under way.
        """
        home, _ = self._opened.recovered()
        under_way = renaming.load(home)
        if under_way is None:
            if new is None:
                raise InvalidInput(
                    "the server is not being renamed",
                    "name the new name: ",
                    command("server rename NAME"),
                )
            return renaming.planned(home, new)
        if new is not None and Renaming(under_way.old, parse_hosts([new]).first) != under_way:
            raise InvalidInput(
                f"the server is being renamed from {under_way.old} to {under_way.new}",
                "go on with that (",
                command("server rename"),
                "), or give it up (",
                option("--cancel"),
                ")",
            )
        return under_way

    def plan(self, one: Renaming) -> list[Step]:
        """Return what is to be done, the next first.

        :raises SstpcaError: if it cannot be done, or the server's identity is no good.
        """
        home = self._opened.home
        load_identities(home)
        return renaming.steps(home, one)

    def missing(self, step: Step) -> list[str]:
        """Return the users who have no bundle yet that ``step`` waits for."""
        home, store = self._opened.home, self._opened.store
        return [user.user for user in renaming.waiting_for(home, store, step)]

    def bundles(self, step: Step) -> list[Command]:
        """Return the commands that make the bundles that ``step`` waits for."""
        home, store = self._opened.home, self._opened.store
        return distribution.makes(renaming.waiting_for(home, store, step))

    def check(self, step: Step, *, force: bool = False) -> list[str]:
        """Make sure that ``step`` leaves nobody behind; return who lacks a bundle for it.

        :param force: though there is somebody.
        :raises SstpcaError: if there is.
        """
        missing = self.missing(step)
        if missing and not force:
            raise Refused(
                f"{len(missing)} of {self.users} users cannot connect after the next step: "
                f"{some(missing)}",
                "make bundles for them (",
                *joined("; ", self.bundles(step)),
                ") and hand them over, or say ",
                option("--force"),
            )
        return missing

    @property
    def users(self) -> int:
        """How many users may log in."""
        return sum(user.enabled for user in users.list_all(self._opened.store))

    def go_on(
        self, one: Renaming, passphrase: Passphrase, new_passphrase: Callable[[], bytes | None]
    ) -> Iterator[Step]:
        """Do what can be done without users, and yield each step when it is done.

        The last one that is yielded is one that waits for users, unless that was the end.

        :param passphrase: of the authority's key, and of the next one's.
        :param new_passphrase: is asked for that of a next authority, where one is to be made.
        :raises SstpcaError: if a step cannot be done; the home serves as before.
        """
        left = self.plan(one)
        with self._written_down(one, left):
            for step in left:
                if step is not left[0] and self.missing(step):
                    yield step
                    return
                self._do(one, step, passphrase, new_passphrase)
                if step not in WAITING:
                    yield step

    @contextlib.contextmanager
    def _written_down(self, one: Renaming, left: list[Step]) -> Iterator[None]:
        """Write down what is being done; a first step that fails leaves nothing of it."""
        home = self._opened.home
        begins = renaming.load(home) is None
        renaming.save(home, one)
        try:
            yield
        except BaseException:
            if begins and renaming.steps(home, one) == left:
                renaming.forget(home)
            raise

    def _do(
        self,
        one: Renaming,
        step: Step,
        passphrase: Passphrase,
        new_passphrase: Callable[[], bytes | None],
    ) -> None:
        opened = self._opened
        home, store, now = opened.home, opened.store, datetime.now(UTC)
        match step:
            case Step.AUTHORITY:
                hosts = one.certified(served_hosts(home))
                rollover.begin(home, store, new_passphrase(), now, hosts=hosts)
            case Step.SUCCESSION:
                successor = opened.authority(passphrase, following=True)
                hosts = one.certified(served_hosts(home))
                rollover.finish(home, store, successor, now, hosts=hosts)
            case Step.CERTIFICATE:
                renaming.certify(home, store, opened.authority(passphrase), one, now)
            case Step.SETTINGS:
                renaming.switch(home, store, one)
            case Step.END:
                own = issuer_of(home, load_server_certificate(home)) is not None
                renaming.end(home, store, opened.authority(passphrase) if own else None, one, now)
                load_identities(home)
            case Step.TRUST | Step.BUNDLES:
                pass  # these are done by people

    def cancel(self, one: Renaming) -> None:
        """Let the settings have the old name alone; the certificate stays for both, if it is.

        :raises SstpcaError: if the certificate has lost the old name already, or the settings
            cannot be written; nothing has changed then.
        """
        renaming.cancel(self._opened.home, self._opened.store, one)
