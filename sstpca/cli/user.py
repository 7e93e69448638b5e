"""``sstpca user``: who may log in."""

from dataclasses import dataclass
from typing import Any

import click

from ..access.ipv6 import parse_static_prefix
from ..access.limits import own_to_json
from ..access.networks import parse_network
from ..access.quantities import amount_text
from ..errors import InvalidInput, NotFound, command
from ..names import check_ipv4
from ..vpn.sendable import of_passwords
from ..vpn.users import User
from . import ask
from .context import Context
from .limit_options import GivenOwn, end_text, limit_rows, user_limit_options, warn_of_end
from .options import gathered
from .output import MANY, echo_json, iso, local, pairs, table, talk, warn
from .profile_doubts import warn_of_networks, warn_without_ipv6
from .saved import talk_of_saved
from .usage import Group, Later

_EXPIRED = ("", "it has to be changed at the next login")
_ADD = Later("Add each user NAME; asks for a password.", ("user_add",))
_IMPORT = Later(
    "Add the accounts that another program's FILE has, with their passwords.", ("user_import",)
)
_EXPORT = Later(
    "Write the users NAME, or all, as a table (CSV) that user import reads again.", ("user_export",)
)


_USAGE = Later(
    "Show what users have used in a month: bytes, time, sessions; who used the most comes first.",
    ("user_usage",),
)


@click.group(cls=Group, later={"add": _ADD, "import": _IMPORT, "export": _EXPORT, "usage": _USAGE})
def user() -> None:
    """Add, show, change and remove users.

    \b
        sstpca user add alice
        sstpca user list
    """


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the users.

    \b
        sstpca user list
        sstpca user list --json
    """
    found = context.vpn.users.all()
    if as_json:
        echo_json([_as_json(one) for one in found])
        return
    headings = ("NAME", "ENABLED", "PROFILE", "ADDRESS", "CREATED")
    rows = [
        (one.name, _yes(one.enabled), one.profile, _address(one), local(one.created))
        for one in found
    ]
    empty = f"there are no users; add one with '{command('user add')}'"
    click.echo(table(headings, rows, empty=empty))


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """Show the user NAME.

    \b
        sstpca user show alice
    """
    found = context.vpn.users.get(name)
    if as_json:
        echo_json(_as_json(found))
        return
    profile = context.vpn.profiles.get(found.profile)
    click.echo(
        pairs(
            [
                ("name", found.name),
                ("enabled", _yes(found.enabled)),
                ("access profile", found.profile),
                ("address", _address(found)),
                *([("prefix", str(found.static_prefix))] if found.static_prefix else []),
                *([("networks", _networks(found))] if found.networks else []),
                *limit_rows(found.limits.over(profile.limits), found.limits.own),
                *_used_rows(context, found),
                *([("last day", end_text(found))] if found.ends is not None else []),
                ("created", local(found.created)),
                ("password set", local(found.password_set)),
                *([_EXPIRED] if found.password_expired else []),
            ]
        )
    )


@user.command()
@click.argument("name")
@ask.password_options
@click.pass_obj
def passwd(context: Context, name: str, from_stdin: bool, generate: bool) -> None:
    """Give the user NAME another password; asks for it.

    Running sessions go on.

    \b
        sstpca user passwd alice
        sstpca user passwd alice --generate
    """
    found = context.vpn.users.get(name)
    context.vpn.users.check_key()
    password = ask.password(found.name, from_stdin=from_stdin, generate=generate)
    context.vpn.users.set_password(found.name, password)
    talk(f"the password of user '{found.name}' is changed")
    for line in of_passwords([(found.name, password)]):
        warn(line)
    if generate:
        click.echo(password)


@user.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def expire(context: Context, names: tuple[str, ...]) -> None:
    """Have the users NAME choose another password at the next login.

    Windows asks them for it. The clients of Linux, Android and RouterOS cannot change a password, and
    are kept out until somebody sets one. Running sessions go on.

    \b
        sstpca user expire alice bob
    """
    changed = context.vpn.users.expire(names)
    _report(changed, "has to choose another password at the next login")
    for one in changed:
        if context.vpn.profiles.get(one.profile).by_certificate:
            warn(f"'{one.name}' signs in with a certificate, and is not asked for the password")
    talk("without Windows, set one: ", command("user passwd {}", changed[0].name))


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
    changed = context.vpn.users.set_enabled(names, False)
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
    changed = context.vpn.users.set_enabled(names, True)
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
    users = context.vpn.users
    found = list(dict.fromkeys(users.get(name).name for name in names))
    if ask.confirm(f"Remove {', '.join(found)}?", yes=yes):
        _report(users.remove(found), "removed")
    else:
        talk("nothing was changed")


@dataclass(frozen=True, slots=True)
class _Static:
    """What the user always gets, or not any more."""

    address: str | None
    no_address: bool
    prefix: str | None
    no_prefix: bool
    networks: tuple[str, ...]
    no_networks: bool

    def refuse_what_is_for_one(self) -> None:
        """Refuse what two users cannot both have.

        :raises InvalidInput: if it was given.
        """
        for name, given in (
            ("--address", self.address),
            ("--prefix", self.prefix),
            ("--network", any(self.networks) or None),
        ):
            if given is not None:
                raise InvalidInput(
                    f"{name} is for one user", "leave it out, or set them one by one"
                )

    def changes(self) -> dict[str, Any]:
        """Return what Users.change takes.

        :raises InvalidInput: if something is both given and taken away, or cannot be used.
        """
        for name, given, taken in (
            ("address", self.address, self.no_address),
            ("prefix", self.prefix, self.no_prefix),
        ):
            if given is not None and taken:
                raise InvalidInput(f"--{name} and --no-{name} exclude each other")
        if any(self.networks) and self.no_networks:
            raise InvalidInput("--network and --no-networks exclude each other")
        behind = tuple(parse_network(one) for one in self.networks if one)
        return {
            "static_address": None if self.address is None else check_ipv4(self.address),
            "no_static_address": self.no_address,
            "static_prefix": None if self.prefix is None else parse_static_prefix(self.prefix),
            "no_static_prefix": self.no_prefix,
            "networks": behind if self.networks or self.no_networks else None,
        }


@dataclass(frozen=True, slots=True)
class _Whom:
    """Whose it is to be."""

    names: tuple[str, ...]
    all_: bool
    of_profile: str | None

    def users(self, context: Context) -> list[User]:
        """Return them.

        :raises InvalidInput: if they are named in no way, or in more than one.
        :raises SstpcaError: if there is no such user or access profile, or nobody has that.
        """
        if (bool(self.names), self.all_, self.of_profile is not None).count(True) != 1:
            raise InvalidInput(
                "say whom to change, in one way", "name users, or say --all or --of-profile NAME"
            )
        found = context.vpn.users.select(self.names, self.of_profile)
        if not found:
            raise NotFound("there is nobody to change", "see '", command("user list"), "'")
        return found


@user.command("set")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "all_", is_flag=True, help="Change all users.")
@click.option("--of-profile", metavar="NAME", help="Change all users with this access profile.")
@click.option("--profile", help="The access profile.")
@click.option("--address", metavar="IP", help="The address the user always gets.")
@click.option("--no-address", is_flag=True, help="Give an address of the pool again.")
@click.option("--prefix", metavar="PREFIX", help="The IPv6 prefix, a /64, the user always gets.")
@click.option("--no-prefix", is_flag=True, help="Give a prefix of the profile again.")
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="PREFIX",
    help="A network behind the user's client, of IPv4 or IPv6, that is reached through it.",
)
@click.option("--no-networks", is_flag=True, help="Nothing is behind the user's client any more.")
@user_limit_options
@click.pass_obj
@gathered(GivenOwn, "limits")
@gathered(_Static, "static")
@gathered(_Whom, "whom")
def set_(
    context: Context, whom: _Whom, profile: str | None, static: _Static, limits: GivenOwn
) -> None:
    """Change what each user NAME is given; of several, all are changed, or none.

    The access profile, the address, the IPv6 prefix, --sessions and the networks behind the client
    (which RADIUS calls Framed-Route; --network can be repeated, and replaces what was there) count from
    the next login. The sign-in, the routes and the kind of tunnel of another profile come with a new
    bundle. Limits and the last day count at once, for sessions that run as well. A limit that is not
    given here is the access profile's; "none" is no limit, whatever the profile has, and an empty value
    ("") is the profile's again.

    \b
        sstpca user set alice bob --profile office
        sstpca user set --of-profile guests --profile staff
        sstpca user set alice --address 10.99.0.20
        sstpca user set alice --prefix 2001:db8:98:a11c::/64
        sstpca user set office-b --network 192.168.50.0/24
        sstpca user set bob --ends 2026-12-31 --rate-down 5M
        sstpca user set carol --volume-per-month none
    """
    nothing = _Static(None, False, None, False, (), False)
    if profile is None and static == nothing and not limits.given:
        raise InvalidInput("nothing to change", "see '", command("user set --help"), "'")
    found = whom.users(context)
    if len(found) > 1:
        static.refuse_what_is_for_one()
    changes = {"profile": profile, **static.changes(), **limits.changes()}
    changed = context.vpn.users.change_each({one.name: changes for one in found})
    warn_of_end(limits.end())
    for one in changed:
        if one.static_prefix is not None:
            warn_without_ipv6(context, one.profile, "the prefix is not given either")
        if static.networks:
            warn_of_networks(context, one)
    _report(changed, "changed")
    if profile is not None:
        _tell_of_profile(context, profile, changed)


def _tell_of_profile(context: Context, profile: str, changed: list[User]) -> None:
    """Say what another access profile means for its users."""
    by_certificate = context.vpn.profiles.get(profile).by_certificate
    if by_certificate:
        talk("the sign-in is by certificate now: a password does not get in")
    whom = [one.name for one in changed] if len(changed) <= MANY else ["--profile", profile]
    issue = ["--issue"] if by_certificate else []
    talk(
        "next, where sign-in, routes or tunnel are others: ",
        command(f"bundle{' {}' * len(whom + issue)}", *whom, *issue),
    )


def _report(changed: list[User], done: str) -> None:
    if len(changed) > MANY:
        talk(f"{len(changed)} users {done}")
        return
    for one in changed:
        talk(f"user '{one.name}' {done}")


def _used_rows(context: Context, one: User) -> list[tuple[str, str]]:
    """Return what a user has used, if it is anything."""
    used = context.vpn.users.used(one.name)
    if not used.month:
        return []
    return [("used", f"{amount_text(used.day)} today, {amount_text(used.month)} this month")]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _address(one: User) -> str:
    return "from the pool" if one.static_address is None else str(one.static_address)


def _networks(one: User) -> str:
    return ", ".join(map(str, one.networks))


def _as_json(one: User) -> dict[str, Any]:
    return {
        "name": one.name,
        "enabled": one.enabled,
        "profile": one.profile,
        "address": None if one.static_address is None else str(one.static_address),
        "prefix": None if one.static_prefix is None else str(one.static_prefix),
        "networks": list(map(str, one.networks)),
        "created": iso(one.created),
        "password_set": iso(one.password_set),
        "password_expired": one.password_expired,
        "limits": own_to_json(one.limits),
        "ends": end_text(one) or None,
    }
