"""``sstpca user add``: one user, or all of a list at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..access.ipv6 import parse_static_prefix
from ..access.limits import NOTHING_OWN
from ..errors import InvalidInput, command, option
from ..names import check_ipv4, quoted, user_key
from ..vpn.sendable import of_names, of_passwords
from ..vpn.users import DEFAULT, NewUser
from . import ask, usage
from .bundle_make import (
    for_option,
    issue_option,
    sheets_option,
    with_password_option,
)
from .context import Context
from .limit_options import GivenOwn, user_limit_options, warn_of_end
from .options import gathered, passphrase_option
from .output import MANY, talk, warn
from .profile_doubts import warn_without_ipv6


@dataclass(frozen=True, slots=True)
class _Whom:
    """Who is to be added, and what they are given."""

    names: tuple[str, ...]
    source: str | None
    profile: str
    address: str | None
    prefix: str | None


@dataclass(frozen=True, slots=True)
class _Given:
    """What was said about the passwords of new users."""

    from_stdin: bool
    generate: bool

    def asked(self, context: Context, new: Sequence[NewUser]) -> list[NewUser]:
        """Return ``new`` with their passwords; None where nobody needs to know one.

        That is with a certificate.
        """
        return [replace(one, password=self._password(context, one)) for one in new]

    def _password(self, context: Context, new: NewUser) -> str | None:
        by_certificate = context.vpn.profiles.get(new.profile).by_certificate
        if self.from_stdin or self.generate or not by_certificate:
            return ask.password(new.name, from_stdin=self.from_stdin, generate=self.generate)
        talk(f"user '{new.name}' signs in with a certificate, and has a password that nobody knows")
        return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was said about the bundles of new users."""

    for_: str
    with_password: bool
    sheets: Path | None
    issue: bool
    passphrase_file: Path | None


@click.command(cls=usage.Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Add the names in FILE, one a line; - for standard input.",
)
@click.option("--profile", default=DEFAULT, show_default=True, help="The access profile.")
@click.option("--address", metavar="IP", help="The address the user always gets.")
@click.option("--prefix", metavar="PREFIX", help="The IPv6 prefix, a /64, the user always gets.")
@user_limit_options
@ask.password_options
@click.option("--bundle", is_flag=True, help="Make the bundle in the same go.")
@for_option
@with_password_option
@sheets_option
@issue_option
@passphrase_option
@click.pass_obj
@gathered(_Asked, "asked")
@gathered(_Given, "given")
@gathered(GivenOwn, "limits")
@gathered(_Whom, "whom")
def add(
    context: Context,
    whom: _Whom,
    limits: GivenOwn,
    given: _Given,
    bundle: bool,
    asked: _Asked,
) -> None:
    """Add each user NAME; asks for a password.

    A password has 8 to 256 characters. It is shown only when it was made here, and not stored, unless
    the access profile takes chap-md5.
    With --bundle, this is the moment to put it into the bundle (--with-password), or on a sheet.
    Who signs in with a certificate needs none, and --issue makes the certificate. Of several users
    all are added, or none. Limits are those of the access profile but where they are given here.

    \b
        sstpca user add alice
        sstpca user add bob --generate --address 10.99.0.20
        sstpca user add carol --password-stdin < file
        sstpca user add dave --generate --bundle --with-password
        sstpca user add erin --profile staff --bundle --issue
        sstpca user add --from names.txt --generate --bundle --sheets /root/sheets
    """
    if not bundle and (
        asked.with_password
        or asked.issue
        or asked.sheets is not None
        or asked.passphrase_file is not None
    ):
        raise InvalidInput(
            "--with-password, --sheets, --issue and --passphrase-file go with --bundle"
        )
    names = _names(whom, from_stdin=given.from_stdin)
    if len(names) > 1:
        _refuse_what_is_for_one(whom, given)
    static = None if whom.address is None else check_ipv4(whom.address)
    prefix = None if whom.prefix is None else parse_static_prefix(whom.prefix)
    own, ends = limits.over_own(NOTHING_OWN), limits.end()
    new = context.vpn.users.check(
        [
            NewUser(
                name,
                profile=whom.profile,
                static_address=static,
                static_prefix=prefix,
                limits=own,
                ends=ends,
            )
            for name in names
        ]
    )
    warn_of_end(ends)
    if prefix is not None:
        warn_without_ipv6(context, whom.profile, "the prefix is not given either")
    if bundle:
        _add_with_bundles(context, new, asked, given)
    else:
        _add_alone(context, new, given)


def _refuse_what_is_for_one(whom: _Whom, given: _Given) -> None:
    for name, said in (
        ("--password-stdin", given.from_stdin),
        ("--address", whom.address is not None),
        ("--prefix", whom.prefix is not None),
    ):
        if said:
            raise InvalidInput(f"{name} is for one user", "leave it out, or add them one by one")


def _names(whom: _Whom, *, from_stdin: bool) -> list[str]:
    """Return the names on the command line or in the list, none of them twice."""
    source = whom.source
    if bool(whom.names) == (source is not None):
        raise InvalidInput(
            "say whom to add, in one way", "name users, or give a list of names with --from FILE"
        )
    if source == "-" and from_stdin:
        raise InvalidInput("--from - and --password-stdin exclude each other")
    found = list(whom.names) if source is None else ask.names(source)
    seen: set[str] = set()
    for name in found:
        if user_key(name) in seen:
            raise InvalidInput(f"{quoted(name)} is named twice", "nobody was added")
        seen.add(user_key(name))
    return found


def _add_alone(context: Context, new: Sequence[NewUser], given: _Given) -> None:
    vpn = context.vpn
    vpn.users.check_key()
    new = given.asked(context, new)
    added = vpn.users.add_all(new)
    _warn_of_letters(new)
    _tell_added(new)
    if given.generate:
        for one in added:
            click.echo(one.password if len(new) == 1 else f"{one.user.name}\t{one.password}")
    profile = new[0].profile
    whom = ["--profile", profile] if len(new) > MANY else [one.name for one in new]
    issue = ["--issue"] if vpn.profiles.get(profile).by_certificate else []
    talk("next: ", command(f"bundle{' {}' * len(whom + issue)}", *whom, *issue))


def _add_with_bundles(
    context: Context, new: Sequence[NewUser], asked: _Asked, given: _Given
) -> None:
    """Add users once their bundles are on disk; if one cannot be made, nobody is added."""
    # jinja2 and qrcode take a tenth of a second to import, and only this needs them
    from . import handing_out
    from .bundle_make import issue_missing, wish_for

    wish = wish_for(asked.for_, sheets=asked.sheets, save_password=asked.with_password)
    making = context.vpn.bundles.prepare_for_new(new, wish)
    making.check_profiles()
    if asked.issue:
        issue_missing(context, making, asked.passphrase_file)
    making.check("say ", option("--issue"), " as well, and it is issued first")
    context.vpn.users.check_key()
    new = given.asked(context, new)
    made = making.make_with_users(new)
    handing_out.tell_new(making, made, passwords=given.generate)
    _warn_of_letters(new, wish.platforms)
    _tell_added(new)
    talk(*handing_out.next_step(making, len(new)))


def _warn_of_letters(new: Sequence[NewUser], platforms: Collection[str] = ()) -> None:
    """Say what clients cannot send of names and passwords."""
    typed = [(one.name, one.password) for one in new if one.password is not None]
    for line in (
        *of_names((one.name for one in new), platforms),
        *of_passwords(typed, platforms),
    ):
        warn(line)


def _tell_added(new: Sequence[NewUser]) -> None:
    if len(new) > MANY:
        talk(f"{len(new)} users added")
        return
    for one in new:
        talk(f"user '{one.name}' added")
