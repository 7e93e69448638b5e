"""``sstpca server rename``: users connect to another name, step by step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from .. import errors, surroundings
from ..errors import InvalidInput, Remedy, command
from ..names import some
from ..vpn.rename import WAITING, RenameProgress, Renaming, Step
from . import ask
from .context import Context
from .options import gathered
from .output import counted, pairs, rendered, talk, warn
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
_DONE: Final = {
    Step.AUTHORITY: "made the next authority: {home.next_ca_certificate}",
    Step.SUCCESSION: "the next authority has taken over; the server's certificate is for both names",
    Step.CERTIFICATE: "the server's certificate is for both names",
    Step.SETTINGS: "{home.settings} has both names; bundles are for {one.new} now",
    Step.END: "the server is {one.new}",
}
_SERVES: Final = "the server need not be restarted, and serves all users at any time"


def step_text(one: Renaming, step: Step) -> str:
    """Return what ``step`` is, in words."""
    return _TEXTS[step].format(old=one.old, new=one.new)


def renaming_json(how_far: RenameProgress) -> dict[str, Any]:
    """Return how far a renaming is, for machines."""
    error = how_far.error
    why = "" if error is None else ": ".join(filter(None, (str(error), rendered(error.remedy))))
    return {
        "old": how_far.one.old,
        "new": how_far.one.new,
        "steps": [step.value for step in how_far.left],
        "waiting_for": list(how_far.waiting_for),
        "error": why or None,
    }


def renaming_text(how_far: RenameProgress) -> Remedy:
    """Return the same for people."""
    one, error = how_far.one, how_far.error
    what = f"the server {one.old} is being renamed to {one.new}"
    if error is not None:
        separator = ": " if error.remedy else ""
        return (f"{what}, which cannot go on: {error}{separator}", *error.remedy)
    step = how_far.left[0]
    if step in WAITING:
        count = len(how_far.waiting_for)
        state = f"{counted(count, 'user')} without one yet" if count else "all have one"
        text = f"{what}; {step_text(one, step)} ({state}), then: "
    else:
        text = f"{what}; to go on: "
    return (text, command("server rename"))


@dataclass(frozen=True, slots=True)
class _How:
    """What is to be done about the renaming."""

    dry_run: bool
    cancel: bool
    force: bool
    yes: bool


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
@gathered(ask.NewKey, "key")
@gathered(_How, "how")
def rename(context: Context, new: str | None, how: _How, key: ask.NewKey) -> None:
    """Let users connect to NAME instead of the name that they connect to now.

    It shows its plan, asks, and does what can be done without users. Then it is their turn: they
    need new bundles. Called again, without NAME, it goes on; until all have one, it does not. The
    server is for both names meanwhile, and serves at any time, wherever this is interrupted.

    \b
        sstpca server rename vpn2.example.com --dry-run
        sstpca server rename vpn2.example.com
        sstpca server rename
    """
    renaming = context.vpn.rename
    one = renaming.chosen(new)
    if how.cancel:
        _cancel(context, one, yes=how.yes)
        return
    left = renaming.plan(one)
    missing = renaming.missing(left[0])
    _show(one, left, missing, renaming.users)
    why = surroundings.reach(one.new)
    if why:
        warn(f"{one.new} {why}")
    if how.dry_run:
        return
    renaming.check(left[0], force=how.force)
    if not ask.confirm(_question(one, left), yes=how.yes):
        talk("nothing was changed")
        return
    done = renaming.go_on(one, ask.passphrase(key.passphrase_file), key.passphrase)
    for step in done:
        if step in WAITING:
            _say_turn(one, step, len(renaming.missing(step)), renaming.bundles(step))
        else:
            talk(_DONE[step].format(one=one, home=context.vpn.home))


def _show(one: Renaming, left: list[Step], missing: list[str], users: int) -> None:
    click.echo(f"{one.old} becomes {one.new}; {_SERVES}:\n")
    rows = [(_when(step, first=step is left[0]), step_text(one, step)) for step in left]
    if missing:
        rows.insert(1, ("", f"{len(missing)} of {users} users have none yet: {some(missing)}"))
    click.echo(pairs(rows, indent="  "))
    click.echo()


def _when(step: Step, *, first: bool) -> str:
    if step in WAITING:
        return "you"
    return "now" if first else "then"


def _question(one: Renaming, left: list[Step]) -> str:
    match left[0]:
        case Step.TRUST | Step.BUNDLES:
            return "Have all users started the installer of their new bundles? Go on?"
        case Step.END:
            return f"End it? Nobody can connect to {one.old} then."
        case _:
            return "Go on?"


def _say_turn(one: Renaming, step: Step, missing: int, how: list[errors.Command]) -> None:
    """Say what is to be done by people before the next call."""
    what = f"\nNext, {step_text(one, step)} ({missing} have none yet):\n  "
    talk(what, *errors.joined("\n  ", how))
    talk("When all have started its installer:\n  ", command("server rename"))


def _cancel(context: Context, one: Renaming, *, yes: bool) -> None:
    renaming = context.vpn.rename
    if renaming.progress() is None:
        raise InvalidInput("the server is not being renamed", "there is nothing to give up")
    if not ask.confirm(f"Stay with {one.old}?", yes=yes):
        talk("nothing was changed")
        return
    renaming.cancel(one)
    talk(f"users connect to {one.old}; who has a bundle for {one.new} already needs a new one")
    if context.vpn.authority.has_successor:
        talk("the next authority is still there; to drop it: ", command("ca rollover cancel"))
