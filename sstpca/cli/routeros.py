"""``sstpca server routeros``: a RouterOS router as the server, with our authority and bundles."""

from pathlib import Path

import click

from ..errors import InvalidInput, command
from . import ask
from .context import Context
from .options import force_option, yes_option
from .output import table, talk, warn
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=Path("routeros-server"),
    show_default=True,
    metavar="DIR",
    help="The folder to write.",
)
@click.option(
    "--new-passwords", is_flag=True, help="Give all users new passwords, and print them once."
)
@yes_option
@force_option
@click.pass_obj
def routeros(context: Context, output: Path, new_passwords: bool, yes: bool, force: bool) -> None:
    """Write what makes a RouterOS router the server, in place of this one.

    The folder has the server's key and certificate, a script for certificates, addresses, the SSTP
    server and the firewall, one for the users, and one that takes it all back. Each first says what
    it would do. What was on the router stays: the settings of its SSTP server are noted, and come
    back; users of the same name are left as they are. Bundles stay as they are, as long as the
    router is reached by the same name.

    RouterOS wants the passwords of users, of which only hashes are kept here. So either all users
    get new ones, or the owner of the router writes them into users.rsc, which refuses to run before.

    \b
        sstpca server routeros
        sstpca server routeros --new-passwords --output /root/router
    """
    administrators = context.vpn.administrators
    listed = administrators.check_router(output, force=force)
    question = f"Give {len(listed)} users new passwords?"
    if new_passwords and not ask.confirm(question, yes=yes):
        raise InvalidInput("nothing was changed", "without --new-passwords, all keep theirs")
    passwords, complaints = administrators.write_router(
        output, new_passwords=new_passwords, force=force
    )
    for line in complaints:
        warn(line)
    click.echo(output)
    if passwords:
        click.echo(table(("USER", "PASSWORD"), list(passwords.items()), empty=""))
    _say_next(complete=new_passwords)


def _say_next(*, complete: bool) -> None:
    talk("the key and users.rsc are secret: delete the folder when the router has it")
    if not complete:
        talk("write the users' passwords into users.rsc first")
    talk("next, on the router, with all files uploaded: /import file-name=server.rsc")
    talk("it says what it would do, and how to have it done; then /import file-name=users.rsc")
    talk("for a router that stays the server it is, only the certificate:")
    talk("  ", command("cert export server --format routeros"))
