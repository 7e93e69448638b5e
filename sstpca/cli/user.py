"""``sstpca user``: who may log in."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from .. import profiles, users
from ..clients import SignIn
from ..errors import InvalidInput
from ..names import check_ipv4
from ..profiles import DEFAULT
from ..secrets import generate_password
from ..users import User
from . import ask
from .bundle_make import (
    for_option,
    issue_missing,
    issue_option,
    sheets_option,
    with_password_option,
)
from .cert_change import passphrase_option
from .context import Context
from .output import echo_json, iso, local, pairs, program, table, talk, warn
from .saved import talk_of_saved
from .usage import Group


@click.group(cls=Group)
def user() -> None:
    """Add, show, change and remove users.

    \b
        sstpca user add alice
        sstpca user list
    """


def _password_options(command: Callable[..., Any]) -> Callable[..., Any]:
    stdin = click.option(
        "--password-stdin", "from_stdin", is_flag=True, help="Read it from standard input."
    )
    generate = click.option("--generate", is_flag=True, help="Make one, and print it once.")
    return stdin(generate(command))


@user.command()
@click.argument("name")
@click.option("--profile", default=DEFAULT, show_default=True, help="The access profile.")
@click.option("--address", metavar="IP", help="The address the user always gets.")
@_password_options
@click.option("--bundle", is_flag=True, help="Make the bundle in the same go.")
@for_option
@with_password_option
@sheets_option
@issue_option
@passphrase_option
@click.pass_obj
def add(
    context: Context,
    name: str,
    profile: str,
    address: str | None,
    from_stdin: bool,
    generate: bool,
    bundle: bool,
    for_: str,
    with_password: bool,
    sheets: Path | None,
    issue: bool,
    passphrase_file: Path | None,
) -> None:
    """Add the user NAME; asks for a password.

    A password has 8 to 256 characters. It is not stored, and shown only when it was made here.
    With --bundle, this is the moment to put it into the bundle (--with-password), or on a sheet.
    Who signs in with a certificate needs none, and --issue makes the certificate.

    \b
        sstpca user add alice
        sstpca user add bob --generate --address 10.99.0.20
        sstpca user add carol --password-stdin < file
        sstpca user add dave --generate --bundle --with-password
        sstpca user add erin --profile staff --bundle --issue
    """
    if not bundle and (with_password or issue or sheets is not None or passphrase_file is not None):
        raise InvalidInput(
            "--with-password, --sheets, --issue and --passphrase-file go with --bundle"
        )
    static = None if address is None else check_ipv4(address)
    name = users.check_addable(context.store(), name, profile=profile, static_address=static)
    given = _Given(from_stdin, generate)
    new = User(0, name, True, profile, static, 0.0, 0.0)
    if bundle:
        asked = _Asked(for_, with_password, sheets, issue, passphrase_file)
        _add_with_bundle(context, new, asked, given)
    else:
        _add_alone(context, new, given)


@dataclass(frozen=True, slots=True)
class _Given:
    """What was said about the password of a new user."""

    from_stdin: bool
    generate: bool

    def password(self, context: Context, name: str, profile: str) -> str | None:
        """Return the password; None where nobody needs to know one, with a certificate."""
        if self.from_stdin or self.generate or not _by_certificate(context, profile):
            return ask.password(name, from_stdin=self.from_stdin, generate=self.generate)
        talk(f"user '{name}' signs in with a certificate, and has a password that nobody knows")
        return None


def _by_certificate(context: Context, profile: str) -> bool:
    return profiles.get(context.store(), profile).client.sign_in is SignIn.EAP_TLS


def _add_alone(context: Context, new: User, given: _Given) -> None:
    sealer = context.sealer()
    password = given.password(context, new.name, new.profile)
    users.add(
        context.store(),
        sealer,
        new.name,
        password or generate_password(),
        profile=new.profile,
        static_address=new.static_address,
    )
    _warn_of_letters(new.name)
    talk(f"user '{new.name}' added")
    if given.generate:
        click.echo(password)
    missing = " --issue" if _by_certificate(context, new.profile) else ""
    talk(f"next: {program()} bundle {shlex.quote(new.name)}{missing}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was said about the bundle of a new user."""

    systems: str
    with_password: bool
    sheets: Path | None
    issue: bool
    passphrase_file: Path | None


def _add_with_bundle(context: Context, new: User, asked: _Asked, given: _Given) -> None:
    """Add a user once the bundle is on disk; if that cannot be made, there is no user."""
    # jinja2 and qrcode take a tenth of a second to import, and only this needs them
    from ..bundle import platforms
    from ..bundle.making import Order, Wish, Workshop
    from . import making

    wish = Wish(
        platforms.parse(asked.systems), sheets=asked.sheets, save_password=asked.with_password
    )
    known = making.Known.load(context)
    workshop = Workshop(context.home(), context.settings(), wish)
    workshop.check_profiles([known.profiles[new.profile]])
    if asked.issue:
        known = issue_missing(context, known, [new], asked.passphrase_file)
    known.check_certificates([new], "say --issue as well, and it is issued first")
    workshop.check([known.order(new, generate_password())])
    sealer = context.sealer()
    password = given.password(context, new.name, new.profile)

    def keep(connection: sa.Connection, order: Order) -> None:
        users.insert(
            connection,
            sealer,
            new.name,
            password or generate_password(),
            profile=new.profile,
            static_address=new.static_address,
        )

    telling = making.Telling.of(wish, known, [new], new_passwords=given.generate)
    making.hand_to_new(context, workshop, known.order(new, password), telling, keep)
    _warn_of_letters(new.name)
    talk(f"user '{new.name}' added")
    talk(making.next_step(workshop, 1))


def _warn_of_letters(name: str) -> None:
    if name.isascii():
        return
    try:
        name.encode("cp1252")
    except UnicodeEncodeError:
        warn(
            f"'{name}' cannot log in from Windows, which sends names in an old code page: take a-z"
        )
    else:
        warn(
            f"'{name}' is not plain ASCII: Windows sends it in the code page of the user's "
            "machine, which has to be the Western one (1252)"
        )


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the users.

    \b
        sstpca user list
        sstpca user list --json
    """
    found = users.list_all(context.store())
    if as_json:
        echo_json([_as_json(one) for one in found])
        return
    headings = ("NAME", "ENABLED", "PROFILE", "ADDRESS", "CREATED")
    rows = [
        (one.name, _yes(one.enabled), one.profile, _address(one), local(one.created))
        for one in found
    ]
    click.echo(table(headings, rows, empty="there are no users; add one with 'sstpca user add'"))


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """Show the user NAME.

    \b
        sstpca user show alice
    """
    found = users.get(context.store(), name)
    if as_json:
        echo_json(_as_json(found))
        return
    click.echo(
        pairs(
            [
                ("name", found.name),
                ("enabled", _yes(found.enabled)),
                ("access profile", found.profile),
                ("address", _address(found)),
                ("created", local(found.created)),
                ("password set", local(found.password_set)),
            ]
        )
    )


@user.command()
@click.argument("name")
@_password_options
@click.pass_obj
def passwd(context: Context, name: str, from_stdin: bool, generate: bool) -> None:
    """Give the user NAME another password; asks for it.

    Running sessions go on.

    \b
        sstpca user passwd alice
        sstpca user passwd alice --generate
    """
    found = users.get(context.store(), name)
    sealer = context.sealer()
    password = ask.password(found.name, from_stdin=from_stdin, generate=generate)
    users.set_password(context.store(), sealer, found.name, password)
    talk(f"the password of user '{found.name}' is changed")
    if generate:
        click.echo(password)


@user.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def disable(context: Context, names: tuple[str, ...]) -> None:
    """Keep the users NAME out, and end their sessions.

    Their passwords and certificates stay as they are, and so does what a lost device has saved: give
    a new password, or revoke the certificate, before they are enabled again.

    \b
        sstpca user disable alice bob
    """
    changed = users.set_enabled(context.store(), names, False)
    _report(changed, "disabled")
    talk_of_saved(context, changed, "once enabled again,")


@user.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def enable(context: Context, names: tuple[str, ...]) -> None:
    """Let the users NAME in again.

    \b
        sstpca user enable alice bob
    """
    changed = users.set_enabled(context.store(), names, True)
    _report(changed, "enabled")
    talk_of_saved(context, changed, "now")


@user.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: Context, names: tuple[str, ...], yes: bool) -> None:
    """Remove the users NAME, end their sessions, and revoke their certificates.

    \b
        sstpca user remove alice
        sstpca user remove alice bob --yes
    """
    store = context.store()
    found = list(dict.fromkeys(users.get(store, name).name for name in names))
    if ask.confirm(f"Remove {', '.join(found)}?", yes=yes):
        _report(users.remove(context.home(), store, found), "removed")
    else:
        talk("nothing was changed")


@user.command("set")
@click.argument("name")
@click.option("--profile", help="The access profile.")
@click.option("--address", metavar="IP", help="The address the user always gets.")
@click.option("--no-address", is_flag=True, help="Give an address of the pool again.")
@click.pass_obj
def set_(
    context: Context, name: str, profile: str | None, address: str | None, no_address: bool
) -> None:
    """Change what the user NAME is given.

    That is the access profile or the address; it counts from the next login. The sign-in, the
    routes and the kind of tunnel of another profile come with a new bundle.

    \b
        sstpca user set alice --profile office
        sstpca user set alice --address 10.99.0.20
    """
    if address is not None and no_address:
        raise InvalidInput("--address and --no-address exclude each other")
    if profile is None and address is None and not no_address:
        raise InvalidInput("nothing to change", "give --profile, --address or --no-address")
    static = None if address is None else check_ipv4(address)
    changed = users.change(
        context.store(), name, profile=profile, static_address=static, no_static_address=no_address
    )
    _report([changed], "changed")
    if profile is not None:
        by_certificate = _by_certificate(context, changed.profile)
        if by_certificate:
            talk("the sign-in is by certificate now: a password does not get in")
        talk(
            "next, where sign-in, routes or tunnel are others: "
            f"{program()} bundle {shlex.quote(changed.name)}{' --issue' * by_certificate}"
        )


def _report(changed: list[User], done: str) -> None:
    for one in changed:
        talk(f"user '{one.name}' {done}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _address(one: User) -> str:
    return "from the pool" if one.static_address is None else str(one.static_address)


def _as_json(one: User) -> dict[str, Any]:
    return {
        "name": one.name,
        "enabled": one.enabled,
        "profile": one.profile,
        "address": None if one.static_address is None else str(one.static_address),
        "created": iso(one.created),
        "password_set": iso(one.password_set),
    }
