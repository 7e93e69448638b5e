"""``sstpca init``: make the home of a VPN."""

from dataclasses import dataclass
from pathlib import Path

import click

from .. import surroundings
from ..errors import command
from ..names import Hosts, parse_hosts
from ..vpn.setup import (
    AUTHORITY_KEY,
    KEY_TYPES,
    Home,
    KeyType,
    NewHome,
    Plan,
    make_home,
    refuse_existing,
)
from . import ask
from .context import Context
from .options import gathered
from .output import pairs, talk, warn
from .usage import Command


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was said about the VPN, beside its hosts."""

    port: int
    connection: str
    contact: str
    key_type: str
    ca_key_type: str
    no_name_constraints: bool

    def plan(self, hosts: Hosts) -> Plan:
        """Return what to make."""
        kinds = KeyType(self.key_type), KeyType(self.ca_key_type)
        constrained = not self.no_name_constraints
        return Plan(
            hosts,
            self.port,
            self.connection,
            *kinds,
            contact=self.contact,
            name_constraints=constrained,
        )


@click.command(cls=Command)
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("--ip", "addresses", multiple=True, metavar="ADDR", help="An address served as well.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=443,
    show_default=True,
    help="The TCP port. Windows before 10 may take no other than 443.",
)
@click.option(
    "--connection", default="", metavar="NAME", help="The connection's name on users' machines."
)
@click.option(
    "--contact",
    default="",
    metavar="TEXT",
    help="Whom users ask for help: a name, a mail address, a telephone number.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the passphrase for the authority's key.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave the authority's key unencrypted.")
@click.option(
    "--key-type",
    type=click.Choice(KEY_TYPES),
    default="rsa",
    show_default=True,
    help="The server's key: rsa is rsa-2048, for every client; ecdsa is ecdsa-p256.",
)
@click.option(
    "--ca-key-type",
    type=click.Choice([kind.value for kind in KeyType]),
    default=AUTHORITY_KEY.value,
    show_default=True,
    help="The authority's key.",
)
@click.option(
    "--no-name-constraints",
    is_flag=True,
    help="For clients that know no name constraints: the authority can issue for every host then.",
)
@click.pass_obj
@gathered(_Wanted, "wanted")
@gathered(ask.NewKey, "key")
def init(
    context: Context,
    hosts: tuple[str, ...],
    addresses: tuple[str, ...],
    key: ask.NewKey,
    wanted: _Wanted,
) -> None:
    """Make the home of a VPN.

    That is a folder with the authority, the server certificate, the settings and the database of
    users. HOST is what users' machines connect to: a DNS name, or an IP address. The authority can
    issue certificates of servers for exactly these, and of users: of nothing else, neither for
    programs nor for mail. The passphrase for its key is taken from --passphrase-file,
    SSTPCA_CA_PASSPHRASE, or a question.

    \b
        sstpca init vpn.example.com
        sstpca init vpn.example.com --ip 203.0.113.5 --port 4443 --contact "Eve, ext. 12"
        sstpca --home /srv/vpn init 203.0.113.5 --no-passphrase
    """
    plan = wanted.plan(parse_hosts(hosts, addresses))
    home = Home(context.home_path)
    refuse_existing(home)
    passphrase = key.passphrase()
    warn_of_hosts(plan.hosts, home)
    made = make_home(home.root, plan, passphrase)
    report(made)
    warn_of_contact(plan, home)
    _say_next()


def _say_next() -> None:
    talk("\nNext:")
    for words in ("user add NAME", "bundle NAME", "serve"):
        talk("  ", command(words))


def warn_of_hosts(hosts: Hosts, home: Home) -> None:
    """Say of a host that not everybody can reach that the authority is for it all the same."""
    why = surroundings.reach(hosts.first)
    if why:
        warn(
            f"{hosts.first} {why}, and for years the authority is for exactly this. Is it another "
            f"one that users connect to, begin anew before there are users: rm -r {home.root}"
        )


def warn_of_contact(plan: Plan, home: Home) -> None:
    """Say where it is written whom users ask for help, unless ``plan`` says whom."""
    if not plan.contact:
        talk(f"\nUsers are told nobody to ask for help: contact in {home.settings} says whom.")


def report(made: NewHome) -> None:
    """Print what was made, and where it is."""
    _warn_of(made)
    home = made.home
    click.echo(f"The home of the VPN is {home.root}:\n")
    click.echo(
        pairs(
            [
                (home.ca_certificate.name, f"authority, until {made.authority:%Y-%m-%d}"),
                (home.ca_key.name, "its key: " + _protection(made)),
                (home.server_identity.name, f"server certificate, until {made.server:%Y-%m-%d}"),
                (home.database.name, "users and sessions"),
                (home.database_key.name, "opens the passwords in it: back it up apart from it"),
                (home.settings.name, "yours to edit"),
            ],
            indent="  ",
        )
    )
    click.echo(f"\nAuthority's SHA-256 fingerprint:\n  {made.fingerprint}\n")
    click.echo(_addresses(made))


def _protection(made: NewHome) -> str:
    return "encrypted; keep the passphrase" if made.encrypted else "NOT encrypted"


def _addresses(made: NewHome) -> str:
    profile = made.profile
    dns = ", ".join(map(str, profile.dns))
    source = "this machine's" if made.network.own_resolvers else "public: this machine names none"
    return "Access profile 'default':\n" + pairs(
        [
            ("server", str(profile.local_address)),
            ("clients", ", ".join(f"{first}-{last}" for first, last in profile.pools)),
            ("DNS", f"{dns} ({source})"),
            ("tunnel", "full: all IPv4 traffic of the clients"),
            ("IPv6", "not in the tunnel: where clients have it, it goes past the VPN"),
        ],
        indent="  ",
    )


def _warn_of(made: NewHome) -> None:
    if made.network.overlaps is not None:
        warn(
            f"{made.network.prefix} overlaps {made.network.overlaps}, a network of this machine; "
            "choose others with '",
            command("profile set default --local ADDR --pool A-B"),
            "'",
        )
