"""``sstpca user export``: the users as a table."""

import click

from . import usage
from .context import Context
from .output import counted, talk


@click.command("export", cls=usage.Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--profile", metavar="NAME", help="Those with this access profile alone.")
@click.pass_obj
def export(context: Context, names: tuple[str, ...], profile: str | None) -> None:
    """Write the users NAME, or all, as a table (CSV) that user import reads again.

    No password is in it, nor a hash of one: their column is empty, to be filled by you or by user import
    --generate. What a spreadsheet would take for a formula has an apostrophe in front.

    \b
        sstpca user export > users.csv
        sstpca user export --profile staff > staff.csv
    """
    users = context.vpn.users
    click.echo(users.exported(names, profile=profile), nl=False)
    talk(
        f"{counted(len(users.select(names, profile)), 'user')} written; there is no password in it"
    )
