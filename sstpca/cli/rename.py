"""``sstpca server rename``: users connect to another name, step by step."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from .. import surroundings
from ..authority import rollover
from ..authority.authority import Authority, issuer_of
from ..authority.identity import load_identity, load_server_certificate, served_hosts
from ..errors import InvalidInput, SstpcaError
from ..home import Home
from ..names import parse_hosts, some
from ..store import Store, users
from ..vpn import renaming
from ..vpn.renaming import Renaming, Step
from . import ask
from .cert import opened
from .context import Context
from .output import pairs, program, talk, warn
from .usage import Command

_TEXTS: Final = {
    Step.AUTHORITY: "make a next authority, as the present one cannot issue for {new}",
    Step.TRUST: "give every user a bundle with both authorities, still for {old}",
    Step.SUCCESSION: "the next authority takes over; the server's certificate is for both names",
    Step.CERTIFICATE: "the server gets a certificate for both names",
    Step.SETTINGS: "settings.toml has both names; bundles are for {new} from then on",
    Step.BUNDLES: "let {new} lead to this machine, and give every user a bundle for it",
    Step.END: "{old} goes from settings.toml and the certificate; older bundles are of no use then",
}
_SERVES: Final = "the server need not be restarted, and serves all users at any time"


def step_text(one: Renaming, step: Step) -> str:
    """Return what ``step`` is, in words."""
    return _TEXTS[step].format(old=one.old, new=one.new)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a renaming is.

    :param left: what is still to be done.
    :param waiting_for: the users without the bundle that is needed next.
    :param why: why it cannot go on; empty if it can.
    """

    one: Renaming
    left: tuple[Step, ...] = ()
    waiting_for: tuple[str, ...] = ()
    why: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "old": self.one.old,
            "new": self.one.new,
            "steps": [step.value for step in self.left],
            "waiting_for": list(self.waiting_for),
            "error": self.why or None,
        }

    @property
    def text(self) -> str:
        """The same for people."""
        what = f"the server {self.one.old} is being renamed to {self.one.new}"
        if self.why:
            return f"{what}, which cannot go on: {self.why}"
        step = self.left[0]
        if step in renaming.WAITING:
            state = (
                f"{len(self.waiting_for)} users have none yet"
                if self.waiting_for
                else "all have one"
            )
            return f"{what}; {step_text(self.one, step)} ({state}), then: sstpca server rename"
        return f"{what}; to go on: sstpca server rename"


def progress(home: Home, store: Store) -> Progress | None:
    """Return how far the renaming of the server is; None if it is not being renamed.

    :raises SstpcaError: if what says so is damaged, or the database cannot be read.
    """
    one = renaming.load(home)
    if one is None:
        return None
    try:
        left = renaming.steps(home, one)
    except SstpcaError as error:
        return Progress(one, why=": ".join(filter(None, (str(error), error.hint))))
    return Progress(one, tuple(left), tuple(_missing(home, store, left[0])))


@click.command(cls=Command)
@click.argument("new", required=False, metavar="[NAME]")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--cancel", is_flag=True, help="Give it up: the settings have the old name alone.")
@click.option("--force", is_flag=True, help="Though users still lack the bundle that they need.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the passphrase of the authority's key, of the next one too.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave a next authority's key unencrypted.")
@click.pass_obj
def rename(
    context: Context,
    new: str | None,
    dry_run: bool,
    cancel: bool,
    force: bool,
    yes: bool,
    passphrase_file: Path | None,
    no_passphrase: bool,
) -> None:
    """Let users connect to NAME instead of the name that they connect to now.

    It shows its plan, asks, and does what can be done without users. Then it is their turn: they
    need new bundles. Called again, without NAME, it goes on; until all have one, it does not. The
    server is for both names meanwhile, and serves at any time, wherever this is interrupted.

    \b
        sstpca server rename vpn2.example.com --dry-run
        sstpca server rename vpn2.example.com
        sstpca server rename
    """
    home, store = opened(context)
    one = _chosen(home, new)
    if cancel:
        _cancel(home, store, one, yes=yes)
        return
    load_identity(home)
    left = renaming.steps(home, one)
    missing = _missing(home, store, left[0])
    _show(one, left, missing, store)
    why = surroundings.reach(one.new)
    if why:
        warn(f"{one.new} {why}")
    if dry_run:
        return
    if missing and not force:
        raise SstpcaError(
            f"{_counted(store, missing)} cannot connect after the next step: {some(missing)}",
            "make bundles for them (sstpca bundle --all) and hand them over, or say --force",
        )
    if not ask.confirm(_question(one, left), yes=yes):
        talk("nothing was changed")
        return
    work = _Work(home, store, one, passphrase_file, no_passphrase)
    with _written_down(home, one, left):
        for step in left:
            if step is not left[0] and (missing := _missing(home, store, step)):
                _say_turn(one, step, missing)
                return
            work.do(step)


@contextlib.contextmanager
def _written_down(home: Home, one: Renaming, left: list[Step]) -> Iterator[None]:
    """Write down what is being done; a first step that fails leaves nothing of it."""
    begins = renaming.load(home) is None
    renaming.save(home, one)
    try:
        yield
    except BaseException:
        if begins and renaming.steps(home, one) == left:
            renaming.forget(home)
        raise


def _chosen(home: Home, new: str | None) -> Renaming:
    """Return the renaming that is under way, or the one that NAME begins."""
    under_way = renaming.load(home)
    if under_way is None:
        if new is None:
            raise InvalidInput(
                "the server is not being renamed", "name the new name: sstpca server rename NAME"
            )
        return renaming.planned(home, new)
    if new is not None and renaming.Renaming(under_way.old, _host(new)) != under_way:
        raise InvalidInput(
            f"the server is being renamed from {under_way.old} to {under_way.new}",
            "go on with that (sstpca server rename), or give it up (--cancel)",
        )
    return under_way


def _host(text: str) -> str:
    return parse_hosts([text]).first


def _show(one: Renaming, left: list[Step], missing: list[str], store: Store) -> None:
    click.echo(f"{one.old} becomes {one.new}; {_SERVES}:\n")
    rows = [(_when(step, first=step is left[0]), step_text(one, step)) for step in left]
    if missing:
        rows.insert(1, ("", f"{_counted(store, missing)} have none yet: {some(missing)}"))
    click.echo(pairs(rows, indent="  "))
    click.echo()


def _when(step: Step, *, first: bool) -> str:
    if step in renaming.WAITING:
        return "you"
    return "now" if first else "then"


def _counted(store: Store, missing: list[str]) -> str:
    return f"{len(missing)} of {sum(user.enabled for user in users.list_all(store))} users"


def _question(one: Renaming, left: list[Step]) -> str:
    match left[0]:
        case Step.TRUST | Step.BUNDLES:
            return "Have all users started the installer of their new bundles? Go on?"
        case Step.END:
            return f"End it? Nobody can connect to {one.old} then."
        case _:
            return "Go on?"


def _missing(home: Home, store: Store, step: Step) -> list[str]:
    return [user.user for user in renaming.waiting_for(home, store, step)]


def _say_turn(one: Renaming, step: Step, missing: list[str]) -> None:
    """Say what is to be done by people before the next call."""
    name = program()
    talk(f"\nNext, {step_text(one, step)} ({len(missing)} have none yet):\n  {name} bundle --all")
    talk(f"When all have started its installer:\n  {name} server rename")


def _cancel(home: Home, store: Store, one: Renaming, *, yes: bool) -> None:
    if renaming.load(home) is None:
        raise InvalidInput("the server is not being renamed", "there is nothing to give up")
    if not ask.confirm(f"Stay with {one.old}?", yes=yes):
        talk("nothing was changed")
        return
    renaming.cancel(home, store, one)
    talk(f"users connect to {one.old}; who has a bundle for {one.new} already needs a new one")
    if home.next_ca_certificate.exists():
        talk("the next authority is still there; to drop it: sstpca ca rollover cancel")


class _Work:
    """Does the steps, each with the key that it needs, and says what was done."""

    def __init__(
        self, home: Home, store: Store, one: Renaming, file: Path | None, no_passphrase: bool
    ) -> None:
        self._home, self._store, self._one = home, store, one
        self._file, self._no_passphrase = file, no_passphrase

    def do(self, step: Step) -> None:
        """Do ``step``.

        :raises SstpcaError: if it cannot be done; the home serves as before.
        """
        steps: dict[Step, Callable[[datetime], str]] = {
            Step.AUTHORITY: self._begin,
            Step.SUCCESSION: self._succeed,
            Step.CERTIFICATE: self._certify,
            Step.SETTINGS: lambda _now: self._switch(),
            Step.END: self._end,
        }
        if step in steps:
            talk(steps[step](datetime.now(UTC)))

    def _begin(self, now: datetime) -> str:
        passphrase = ask.new_passphrase(self._file, self._no_passphrase)
        hosts = self._one.certified(served_hosts(self._home))
        rollover.begin(self._home, self._store, passphrase, now, hosts=hosts)
        return f"made the next authority: {self._home.next_ca_certificate}"

    def _succeed(self, now: datetime) -> str:
        passphrase = ask.passphrase(self._home, self._file, following=True)
        successor = Authority.load_next(self._home, passphrase)
        hosts = self._one.certified(served_hosts(self._home))
        rollover.finish(self._home, self._store, successor, now, hosts=hosts)
        return "the next authority has taken over; the server's certificate is for both names"

    def _certify(self, now: datetime) -> str:
        renaming.certify(self._home, self._store, self._authority(), self._one, now)
        return "the server's certificate is for both names"

    def _switch(self) -> str:
        renaming.switch(self._home, self._store, self._one)
        return f"{self._home.settings} has both names; bundles are for {self._one.new} now"

    def _end(self, now: datetime) -> str:
        own = issuer_of(self._home, load_server_certificate(self._home)) is not None
        authority = self._authority() if own else None
        renaming.end(self._home, self._store, authority, self._one, now)
        load_identity(self._home)
        return f"the server is {self._one.new}"

    def _authority(self) -> Authority:
        return Authority.load(self._home, ask.passphrase(self._home, self._file))
