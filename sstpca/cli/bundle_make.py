"""``sstpca bundle make``: make what users receive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Command, InvalidInput, NotFound, command
from ..names import user_key
from ..vpn.users import User
from . import ask, usage
from .context import Context
from .options import gathered, passphrase_option, yes_option
from .output import counted, progress, talk, warn
from .signing import Signing, sign_options

# jinja2 and qrcode take a tenth of a second to import, and only making needs them
if TYPE_CHECKING:
    from ..vpn.bundles import BundleWish, Making

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


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose bundles are to be made."""

    names: tuple[str, ...]
    all_: bool
    profile: str | None

    @property
    def command(self) -> Command:
        """The command that was given, as far as it says for whom."""
        if self.profile is not None:
            return command("bundle --profile {}", self.profile)
        if self.all_:
            return command("bundle --all")
        return command(f"bundle{' {}' * len(self.names)}", *self.names)


@dataclass(frozen=True, slots=True)
class _How:
    """How they are to be made."""

    for_: str
    output: Path | None
    language: str | None
    templates: Path | None
    with_password: bool
    sheets: Path | None
    issue: bool
    legacy_p12: bool
    passphrase_file: Path | None


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
@yes_option
@click.pass_obj
@gathered(Signing, "signing")
@gathered(_How, "how")
@gathered(_Whose, "whose")
def make(
    context: Context, whose: _Whose, how: _How, signing: Signing, new_password: bool, yes: bool
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
    from . import handing_out

    vpn, found = context.vpn, _asked(context, whose)
    wish = wish_for(
        how.for_,
        language=how.language,
        templates=how.templates,
        output=how.output,
        sheets=how.sheets,
        save_password=how.with_password,
        legacy=how.legacy_p12,
    )
    vpn.bundles.check(found, wish, new_passwords=new_password)
    wish = replace(wish, signer=signing.signer())
    making = vpn.bundles.prepare(found, wish, new_passwords=new_password)
    handing_out.warn_before(making)
    making.check_profiles()
    if how.issue:
        issue_missing(context, making, how.passphrase_file)
    issuing = Command(f"{whose.command.words} --issue")
    making.check("say --issue as well, and they are issued first: ", issuing)
    if new_password and not ask.confirm(_question(found), yes=yes):
        talk("nothing was changed")
        return
    talk(*handing_out.next_step(making, handing_out.hand_out(making)))


def wish_for(systems: str, **more: Any) -> "BundleWish":
    """Return how bundles are to be made.

    :param systems: ``windows,linux``.
    :param more: fields of Wish.
    :raises InvalidInput: if a system is unknown.
    """
    from ..vpn.bundles import BundleWish, platforms

    return BundleWish(platforms(systems), **more)


def _asked(context: Context, whose: _Whose) -> list[User]:
    """Return the users that were asked for, each once."""
    names, profile = whose.names, whose.profile
    if (bool(names), whose.all_, profile is not None).count(True) != 1:
        raise InvalidInput(
            "say whose bundles to make, in one way", "name users, or say --all or --profile NAME"
        )
    users = context.vpn.users
    every = users.all()
    if names:
        known = {user_key(one.name): one for one in every}
        found = [known.get(user_key(name)) or users.get(name) for name in names]
        found = list(dict.fromkeys(found))
        for user in found:
            if not user.enabled:
                warn(f"'{user.name}' is disabled and cannot log in")
        return found
    if profile is not None:
        context.vpn.profiles.get(profile)
        every = [one for one in every if one.profile == profile]
    found = [one for one in every if one.enabled]
    if not found:
        raise NotFound(
            "there are no users to make a bundle for", "see '", command("user list"), "'"
        )
    if len(found) < len(every):
        talk(f"{counted(len(every) - len(found), 'disabled user')} left out")
    return found


def issue_missing(context: Context, making: "Making", passphrase_file: Path | None) -> None:
    """Issue a certificate for each user who has to sign in with one and has none that counts.

    :raises SstpcaError: if the authority's key does not open, or one cannot be issued.
    """
    missing = len(making.without_certificate())
    if not missing:
        return
    with progress(missing) as step:
        for _ in making.issue_missing(ask.passphrase(passphrase_file)):
            step(1)
    talk(f"{counted(missing, 'certificate')} issued")


def _question(found: Sequence[User]) -> str:
    if len(found) == 1:
        return f"The password of '{found[0].name}' stops working, and a new one is made. Go on?"
    return f"The passwords of {len(found)} users stop working, and new ones are made. Go on?"
