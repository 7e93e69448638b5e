"""What is said of bundles that were made: their paths, the secrets that came with them, what is next."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from ..errors import SstpcaError
from ..names import quoted, some
from ..vpn.making import Making, Outcome
from .output import MANY, follow, progress, talk, warn

_WARNINGS_MAX: Final = 20
NOT_BY_MAIL: Final = (
    "Many mail services refuse or empty a zip with scripts (.cmd, .ps1) in it: give a link, a shared "
    "folder or a USB stick."
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which secrets are printed, beside the path of the bundle."""

    password: bool = False
    certificate_password: bool = False

    @classmethod
    def of(cls, making: Making, *, passwords: bool) -> "_Shown":
        """Return what has to be printed, because it goes neither into a bundle nor on a sheet."""
        if making.wish.sheets is not None:
            return cls()
        return cls(
            password=passwords and not making.wish.save_password,
            certificate_password=making.by_certificate,
        )

    def line(self, one: Outcome) -> str:
        """Return the line of one bundle; the columns have a tab between them."""
        columns = [str(one.path)]
        if self.password and one.password is not None:
            columns.append(one.password)
        if self.certificate_password and one.certificate_password is not None:
            columns.append(one.certificate_password)
        return "\t".join(columns)

    def heading(self) -> str:
        """Return what the columns after the path are, for people; empty if there is none."""
        what = []
        if self.password:
            what.append("the user's password")
        if self.certificate_password:
            what.append("the password of the .p12 file in it")
        return f"After the path: {', then '.join(what)}. Shown this once." if what else ""


def hand_out(making: Making) -> int:
    """Make the bundles, print what became of them, and return how many there are.

    :raises SstpcaError: at the end, if some could not be made; it names them.
    """
    total, shown = len(making.people), _Shown.of(making, passwords=making.new_passwords)
    quiet = total >= MANY and sys.stdout.isatty() and not shown.heading()
    bar = total >= MANY and sys.stderr.isatty() and (quiet or not sys.stdout.isatty())
    made: list[Outcome] = []
    failed: list[Outcome] = []

    def show(one: Outcome) -> None:
        if one.error is None:
            made.append(one)
            if not quiet:
                click.echo(shown.line(one))
        else:
            failed.append(one)
            # a single one is the error at the end
            if total > 1 and len(failed) <= _WARNINGS_MAX:
                warn(f"no bundle for '{one.user.name}': {one.error}")
        step(1)

    with progress(total, shown=bar) as step:
        follow(making.make(), show)
    if quiet:
        talk(f"{len(made)} bundles are in {making.folder}")
    if made:
        for note in making.notes():
            warn(*note)
        _talk_of_secrets(making, shown, made)
    _complain(failed, total)
    return len(made)


def tell_new(making: Making, made: Sequence[Outcome], *, passwords: bool) -> None:
    """Print the bundles of new users.

    :param passwords: whether the passwords were made here, and nobody knows them.
    """
    shown = _Shown.of(making, passwords=passwords)
    for one in made:
        click.echo(shown.line(one))
    _talk_of_secrets(making, shown, made)


def _talk_of_secrets(making: Making, shown: _Shown, made: Iterable[Outcome]) -> None:
    heading, folder = shown.heading(), making.wish.sheets
    if heading:
        talk(heading)
    if folder is not None:
        where = making.bind_sheets(made)
        once = "" if where is None else f", all of them in {where.name} as well"
        talk(f"The sheets are in {folder}{once}: print them, hand them over, and delete them.")


def warn_before(making: Making) -> None:
    """Say what was left by an earlier run, and which templates of the administrator's have no use."""
    for path in making.untold:
        warn(
            "an earlier run may have given a new password without showing it: look into "
            f"{path}, and delete it when that is known"
        )
    unused = making.unused_templates
    if unused:
        names = some(list(map(quoted, unused)))
        warn(f"no template has this name, so nothing uses it: {names}")


def next_step(making: Making, made: int) -> Iterator[str]:
    """Yield what to do with the bundles, for people."""
    zips = "the zip" if made == 1 else "each zip"
    saved = making.wish.save_password
    what = "" if saved else " and, apart from it, the password"
    page = "index.html" if "windows" in making.wish.platforms else "what is"
    yield f"\nHand over {zips}{what}; {page} in it says what to do."
    if "windows" in making.wish.platforms:
        yield f"\n{NOT_BY_MAIL}"
    if saved:
        yield "\nThe password is in it: let nobody else have it, and delete it here."
    fingerprints = making.fingerprints
    if len(fingerprints) > 1:
        yield "\nThe authorities' SHA-256 fingerprints, for who wants to compare them:"
    elif fingerprints:
        yield "\nThe authority's SHA-256 fingerprint, for who wants to compare it:"
    for one in fingerprints:
        yield f"\n  {one}"


def _complain(failed: Sequence[Outcome], total: int) -> None:
    if not failed:
        return
    first = failed[0]
    assert first.error is not None
    if total == 1:
        raise first.error
    more = "" if len(failed) == 1 else f" and {len(failed) - 1} more"
    raise SstpcaError(
        f"{len(failed)} of {total} bundles were not made: that of '{first.user.name}'{more}",
        *first.error.remedy,
    )
