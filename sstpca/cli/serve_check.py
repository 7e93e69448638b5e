"""What sstpca serve --check prints."""

import click

from ..errors import Remedy
from .context import Context
from .output import echo_json, rendered, table


def report(context: Context, *, as_json: bool) -> None:
    """Print every check of the home's server.

    :raises click.exceptions.Exit: with status 1 if the server would not start.
    """
    found = list(context.vpn.checks())
    if as_json:
        echo_json(
            [
                {
                    "check": one.name,
                    "state": one.state.value,
                    "found": one.found,
                    "remedy": rendered(one.remedy),
                }
                for one in found
            ]
        )
    else:
        rows = [(one.name, one.state.value, _words(one.found, one.remedy)) for one in found]
        click.echo(table(("CHECK", "STATE", "FOUND"), rows, empty=""))
    if any(one.state.value == "wrong" for one in found):
        raise click.exceptions.Exit(1)


def _words(found: str, remedy: Remedy) -> str:
    return f"{found}: {rendered(remedy)}" if remedy else found
