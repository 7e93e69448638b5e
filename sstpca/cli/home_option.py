"""``--home``: which VPN a command is about, taken wherever people put it."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..errors import InvalidInput
from ..names import quoted


class Folder(click.Path):
    """A folder with a name: an empty one, of a variable that is not set, would be this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is empty."""
        if value == "":
            raise InvalidInput("--home is empty", "name a folder, or leave the option out")
        return super().convert(value, param, ctx)


def new_folder() -> Folder:
    """Return what the value of ``--home`` is."""
    return Folder(path_type=Path, readable=False)


def later_home() -> click.Option:
    """Return ``--home`` for behind the first command; it means what it does in front of it."""
    return click.Option(
        ["--home"], type=new_folder(), expose_value=False, hidden=True, callback=_take
    )


def _take(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    root = ctx.find_root()
    given = root.get_parameter_source("home") is ParameterSource.COMMANDLINE
    if given and root.params["home"].absolute() != value.absolute():
        names = f"{quoted(str(root.params['home']))} and {quoted(str(value))}"
        raise InvalidInput(f"--home is given twice: {names}", "a command is about one home")
    root.params["home"] = root.obj.home_path = value
    root.set_parameter_source("home", ParameterSource.COMMANDLINE)
