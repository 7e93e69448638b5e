"""``sstpca bundle make``: make what users receive."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..authority import issuing
from ..authority.authority import Authority
from ..authority.issuing import Existing
from ..errors import InvalidInput, SstpcaError
from ..names import quoted, user_key
from ..secrets import generate_password
from ..store import profiles, users
from ..store.users import User
from ..x509.keys import KeyType
from . import ask, usage
from .cert_change import passphrase_option
from .context import Context
from .output import counted, program, progress, talk, warn
from .signing import sign_options, signer

# jinja2 and qrcode take a tenth of a second to import, and only making needs them
if TYPE_CHECKING:
    from ..bundle.workshop import Wish, Workshop
    from .making import Known

Command = Callable[..., Any]

_FOLDER = click.Path(path_type=Path, file_okay=False, readable=False)


for_option = click.option(
    "--for",
    "for_",
    default="windows",
    show_default=True,
    metavar="SYSTEMS",
    help="What it is for: windows, linux, android, apple, routeros, with commas between.",
)
with_password_option = click.option(
    "--with-password", is_flag=True, help="The password goes into the bundle, to be saved."
)
sheets_option = click.option(
    "--sheets",
    type=_FOLDER,
    metavar="DIR",
    help="Write new passwords to a sheet for each user there, instead of showing them.",
)
issue_option = click.option(
    "--issue", is_flag=True, help="First issue the users' certificates that are missing."
)


@click.command(cls=usage.Command)
@click.argument("names", nargs=-1, metavar="[USER]...")
@click.option("--all", "all_", is_flag=True, help="For all users who are enabled.")
@click.option("--profile", metavar="NAME", help="For all of them with this access profile.")
@for_option
@click.option(
    "--output",
    type=_FOLDER,
    metavar="DIR",
    help="Where to write them; 'bundles' in the home by default.",
)
@click.option("--language", metavar="XX", help="Of the texts; that of the settings by default.")
@click.option("--templates", type=_FOLDER, metavar="DIR", help="Your templates; they win.")
@with_password_option
@click.option("--new-password", is_flag=True, help="Give the users new passwords.")
@sheets_option
@issue_option
@click.option("--legacy-p12", is_flag=True, help="For Windows before 10 1809 and Server 2019.")
@passphrase_option
@sign_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def make(
    context: Context,
    names: tuple[str, ...],
    all_: bool,
    profile: str | None,
    for_: str,
    output: Path | None,
    language: str | None,
    templates: Path | None,
    with_password: bool,
    new_password: bool,
    sheets: Path | None,
    issue: bool,
    legacy_p12: bool,
    passphrase_file: Path | None,
    sign_with: Path | None,
    sign_password_file: Path | None,
    yes: bool,
) -> None:
    """Make a bundle for each USER: a zip to hand over. The same files are in a folder beside it.

    A password is not kept, so a bundle has none in it, unless it gets a new one: with
    --new-password, and --with-password to put it into the bundle. For users who sign in with a
    certificate it is in the bundle, as a .p12 file, whose password is shown once.

    \b
        sstpca bundle alice                 (or: sstpca bundle make alice)
        sstpca bundle --all --for windows,linux --output /srv/handover
        sstpca bundle --profile staff --new-password --sheets /root/sheets
        sstpca bundle --profile staff --issue
    """
    from ..bundle.platforms import systems
    from ..bundle.workshop import Wish, Workshop
    from .making import Known, warn_of_unused

    found = _asked(context, names, all_=all_, profile=profile)
    wish = Wish(
        systems.parse(for_), language or "", templates, output, sheets, with_password, legacy_p12
    )
    known = Known.load(context)
    _check_wish(wish, known, found, new_password=new_password)
    wish = replace(wish, signer=signer(sign_with, sign_password_file))
    workshop = Workshop(context.home(), context.settings(), wish)
    warn_of_unused(workshop)
    workshop.check_profiles(known.profiles[user.profile] for user in found)
    if issue:
        known = issue_missing(context, known, found, passphrase_file)
    again = _again(names, all_=all_, profile=profile)
    known.check_certificates(
        found, f"say --issue as well, and they are issued first: {again} --issue"
    )
    _make(context, workshop, known, found, new_password=new_password, yes=yes)


def _make(
    context: Context,
    workshop: "Workshop",
    known: "Known",
    found: Sequence[User],
    *,
    new_password: bool,
    yes: bool,
) -> None:
    from . import making

    def orders() -> making.Orders:
        for user in found:
            yield known.order(user, generate_password() if new_password else None)

    keep = making.new_password(context.sealer()) if new_password else None
    workshop.check(orders())
    if new_password and not ask.confirm(_question(found), yes=yes):
        talk("nothing was changed")
        return
    telling = making.Telling.of(workshop.wish, known, found, new_passwords=new_password)
    made = making.hand_out(context, workshop, orders(), len(found), telling=telling, keep=keep)
    talk(making.next_step(workshop, made))


def _asked(
    context: Context, names: Sequence[str], *, all_: bool, profile: str | None
) -> list[User]:
    """Return the users that were asked for, each once."""
    if (bool(names), all_, profile is not None).count(True) != 1:
        raise InvalidInput(
            "say whose bundles to make, in one way", "name users, or say --all or --profile NAME"
        )
    store = context.store()
    every = users.list_all(store)
    if names:
        known = {user_key(one.name): one for one in every}
        found = [known.get(user_key(name)) or users.get(store, name) for name in names]
        found = list(dict.fromkeys(found))
        for user in found:
            if not user.enabled:
                warn(f"'{user.name}' is disabled and cannot log in")
        return found
    if profile is not None:
        profiles.get(store, profile)
        every = [one for one in every if one.profile == profile]
    found = [one for one in every if one.enabled]
    if not found:
        raise SstpcaError("there are no users to make a bundle for", "see 'sstpca user list'")
    if len(found) < len(every):
        talk(f"{counted(len(every) - len(found), 'disabled user')} left out")
    return found


def _check_wish(wish: "Wish", known: "Known", found: Sequence[User], *, new_password: bool) -> None:
    by_certificate = [user for user in found if known.by_certificate(user)]
    if wish.save_password and not new_password:
        raise InvalidInput(
            "a password is not kept, so there is none to put into the bundle",
            "say --new-password as well, and the users get new ones",
        )
    if new_password and by_certificate:
        raise InvalidInput(
            f"{quoted(by_certificate[0].name)} signs in with a certificate, not with a password",
            "leave --new-password out, or name those who have a password",
        )
    if wish.sheets is not None and not new_password and not by_certificate:
        raise InvalidInput(
            "there is nothing to write on the sheets: passwords are not kept",
            "say --new-password as well, and the users get new ones",
        )
    if wish.legacy and not by_certificate:
        raise InvalidInput(
            "--legacy-p12 is for users who sign in with a certificate", "leave it out"
        )


def _again(names: Sequence[str], *, all_: bool, profile: str | None) -> str:
    """Return the command that was given, as far as it says for whom."""
    if profile is not None:
        whom = f"--profile {shlex.quote(profile)}"
    else:
        whom = "--all" if all_ else shlex.join(names)
    return f"{program()} bundle {whom}"


def issue_missing(
    context: Context, known: "Known", found: Sequence[User], passphrase_file: Path | None
) -> "Known":
    """Issue a certificate for each user who has to sign in with one and has none that counts.

    :returns: what is known then.
    :raises SstpcaError: if the authority's key does not open, or one cannot be issued.
    """
    from .making import Known

    missing = known.without_certificate(found)
    if not missing:
        return known
    home, host = context.home(), context.settings().host
    wishes = [
        issuing.user_wish(one.name, issuing.default_upn(one.name, host), KeyType.RSA)
        for one in missing
    ]
    authority = Authority.load(home, ask.passphrase(home, passphrase_file))
    with progress(len(missing)) as step:
        issuing.issue(
            home,
            context.store(),
            authority,
            wishes,
            datetime.now(UTC),
            existing=Existing.SKIP,
            progress=lambda _pair: step(1),
        )
    talk(f"{counted(len(missing), 'certificate')} issued")
    return Known.load(context)


def _question(found: Sequence[User]) -> str:
    if len(found) == 1:
        return f"The password of '{found[0].name}' stops working, and a new one is made. Go on?"
    return f"The passwords of {len(found)} users stop working, and new ones are made. Go on?"
