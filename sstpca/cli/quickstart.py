"""sstpca quickstart."""

import click

from .. import surroundings
from ..errors import InvalidInput, command
from ..names import check_user_name, parse_hosts, user_key
from ..vpn.setup import Home, Plan, make_home
from ..vpn.vpn import Vpn
from .context import Context
from .init import report, warn_of_contact, warn_of_hosts
from .options import open_firewall_option
from .output import warn
from .serve import serving
from .serving_log import begin
from .usage import Command

#: The user of the first run, where none is named.
_FIRST_USER = "alice"


@click.command(cls=Command)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--user", "name", help="The user to make; in a new home alice, if none is given.")
@click.option("--port", type=click.IntRange(1, 65535), help="The TCP port; 443 in a new home.")
@open_firewall_option
@click.pass_obj
def quickstart(
    context: Context,
    hosts: tuple[str, ...],
    name: str | None,
    port: int | None,
    open_firewall: bool,
) -> None:
    """Make everything that is missing, and run the VPN server.

    That is the authority, the server certificate for each HOST (by default this machine's name
    and addresses), the database, a user and her bundle. What is there already stays as it is, so
    that the same command starts the server again.

    \b
        sstpca quickstart vpn.example.com --user alice
        sstpca quickstart
    """
    if name is not None:
        check_user_name(name)
    home = Home(context.home_path)
    if home.exists:
        home = context.vpn.home
        _check_same(context.vpn, hosts, port)
        click.echo(f"Going on with the home {home.root}.")
    else:
        plan = Plan(parse_hosts(hosts or surroundings.own_hosts()), port=port or 443)
        warn_of_hosts(plan.hosts, home)
        report(make_home(home.root, plan, passphrase=None))
        warn_of_contact(plan, home)
    _provide_user(context, name)
    settings = context.vpn.settings
    click.echo(f"Clients connect to {settings.host}, TCP port {settings.server.port}.\n")
    with begin(context.home_path, None):
        flags = ["--open-firewall"] if open_firewall else []
        arguments = [*serving(context), *flags]
        context.vpn.serve(open_firewall=open_firewall, arguments=arguments)


def _check_same(vpn: Vpn, hosts: tuple[str, ...], port: int | None) -> None:
    """Refuse to go on with a home that was made for something else.

    :raises InvalidInput: if it was.
    """
    settings, home = vpn.settings, vpn.home
    has = {*settings.server.names, *settings.server.addresses}
    asked = parse_hosts(hosts) if hosts else None
    if asked and not {*asked.names, *map(str, asked.addresses)} <= has:
        raise InvalidInput(
            f"the home {home.root} is for {', '.join(sorted(has))}",
            "leave HOST out to go on with it; for another name of the same VPN: ",
            command("server rename NAME"),
            "; for another VPN, name another home with SSTPCA_HOME or --home",
        )
    if port is not None and port != settings.server.port:
        raise InvalidInput(
            f"the home {home.root} has port {settings.server.port}",
            f"change it in {home.settings} and make the bundles anew, or leave PORT out",
        )


def _provide_user(context: Context, name: str | None) -> None:
    """Make the user and the bundle, where they are missing; show a new password this once."""
    # jinja2 and qrcode take a tenth of a second to import, and only this needs them
    from .handing_out import NOT_BY_MAIL

    vpn = context.vpn
    known = vpn.users.all()
    if name is None and known:
        return
    name = check_user_name(name or _FIRST_USER)
    user = next((one for one in known if user_key(one.name) == user_key(name)), None)
    if user is None:
        added = vpn.users.add(name)
        user = added.user
        click.echo(
            f"\nMade the user {user.name}. The password, shown this once:\n\n    {added.password}\n"
        )
    making = vpn.bundles.prepare([user])
    making.check_profiles()
    making.check("issue one: ", command("cert issue user {}", user.name))
    [made] = making.make()
    if made.error is not None:
        raise made.error
    for note in making.notes():
        warn(*note)
    if made.certificate_password is not None:
        click.echo(
            "\nThe password of the .p12 file in it, shown this once:\n\n"
            f"    {made.certificate_password}\n"
        )
    click.echo(f"Hand {user.name} the file {made.path} and, apart from it, the password.")
    click.echo(NOT_BY_MAIL)
