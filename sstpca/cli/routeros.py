"""``sstpca server routeros``: a RouterOS router as the server, with our authority and bundles."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..access.profiles import DEFAULT
from ..authority import pairs
from ..authority.authority import issuer_of
from ..disk.folders import write_new_folder
from ..disk.writing import refuse_existing
from ..errors import InvalidInput
from ..home import SERVER
from ..secrets import generate_password
from ..store import certificates, profiles, users
from ..store.users import User
from . import ask, ca_files
from .cert import opened
from .context import Context
from .output import program, table, talk, warn
from .usage import Command

if TYPE_CHECKING:
    from ..bundle.administrators.router import Router


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
@click.option("--yes", is_flag=True, help="Do not ask.")
@ca_files.force_option
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
    from ..bundle.administrators import router as routers
    from ..bundle.content.render import Renderer

    refuse_existing(output, force=force)
    listed = [one for one in users.list_all(context.store()) if one.enabled]
    passwords: dict[str, str] = {}
    if new_passwords:
        if not ask.confirm(f"Give {len(listed)} users new passwords?", yes=yes):
            raise InvalidInput("nothing was changed", "without --new-passwords, all keep theirs")
        passwords = {one.name: generate_password() for one in listed}
    router = _router(context, listed, passwords)
    for line in routers.complaints(router):
        warn(line)
    renderer = Renderer(context.settings().bundle.language)
    write_new_folder(output, routers.files(renderer, router), force=force)
    if passwords:
        sealer = context.sealer()
        with context.store().writing(durable=True) as connection:
            for name, password in passwords.items():
                users.update_password(connection, sealer, name, password)
    click.echo(output)
    if passwords:
        click.echo(table(("USER", "PASSWORD"), list(passwords.items()), empty=""))
    _say_next(complete=new_passwords)


def _router(context: Context, listed: list[User], passwords: dict[str, str]) -> "Router":
    from ..bundle.administrators.router import Router
    from ..bundle.content.bundle import host_of

    home, store = opened(context)
    settings = context.settings()
    entry = certificates.find(store, SERVER)
    pair = pairs.load(home, entry.name, entry.profile)
    used = {one.profile for one in listed}
    needed = [one for one in profiles.list_all(store) if one.name in used]
    return Router(
        host=host_of(settings),
        port=settings.server.port,
        pair=pair,
        authority=issuer_of(home, pair.leaf),
        profiles=sorted(needed, key=lambda one: one.name != DEFAULT),
        users=listed,
        passwords=passwords,
    )


def _say_next(*, complete: bool) -> None:
    talk("the key and users.rsc are secret: delete the folder when the router has it")
    if not complete:
        talk("write the users' passwords into users.rsc first")
    talk("next, on the router, with all files uploaded: /import file-name=server.rsc")
    talk("it says what it would do, and how to have it done; then /import file-name=users.rsc")
    talk("for a router that stays the server it is, only the certificate:")
    talk(f"  {program()} cert export {SERVER} --format routeros")
