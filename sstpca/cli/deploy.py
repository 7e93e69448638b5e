"""``sstpca deploy``: make what administrators need to set up many PCs."""

from pathlib import Path

import click

from ..access.profiles import DEFAULT
from .context import Context
from .options import gathered
from .output import talk
from .signing import Signing, sign_options
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--profile",
    default=DEFAULT,
    show_default=True,
    metavar="NAME",
    help="The access profile that it is for.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    metavar="DIR",
    help="Where to write it; 'deploy' in the home by default.",
)
@sign_options
@click.pass_obj
@gathered(Signing, "signing")
def deploy(context: Context, profile: str, output: Path | None, signing: Signing) -> None:
    """Make what administrators need to set up the VPN on many PCs.

    It is for everybody with one access profile, and has no user and no password in it: a folder,
    and a zip of it, with configurations for Intune, scripts for Windows' management, Group Policy
    and the list of all users' connections, the authority, and README.txt, which says how to use
    them.

    \b
        sstpca deploy
        sstpca deploy --profile sales --output /srv/handover
        sstpca deploy --sign-with signing.p12 --sign-password-file password
    """
    made = context.vpn.administrators.deploy(profile, output, signing.signer())
    click.echo(made)
    talk("README.txt in it says what each file is for.")
