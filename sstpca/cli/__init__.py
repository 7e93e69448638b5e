"""The command line: one module for each group of commands."""

import sys
from pathlib import Path
from typing import Any

import click

from .. import __version__
from . import cert_files, lint
from .bundle import bundle
from .ca import ca
from .cert import cert
from .context import Context
from .deploy import deploy
from .edge import edge
from .home_option import new_folder
from .init import init
from .profile import profile
from .quickstart import quickstart
from .rename import rename
from .routeros import routeros
from .serve import serve
from .session import session
from .usage import Group
from .user import user


class Commands(Group):
    """The one place where a domain error becomes a message and an exit status."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options in front of the command."""
        with edge():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the operator can act on is one line, without a traceback."""
        with edge():
            return super().invoke(ctx)


@click.group("sstpca", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=new_folder(),
    default=Path("out"),
    envvar="SSTPCA_HOME",
    show_default="./out",
    show_envvar=True,
    help="The folder of the VPN: its authority, settings and users.",
)
@click.version_option(__version__, prog_name="sstpca")
@click.pass_context
def main(ctx: click.Context, home: Path) -> None:
    """A VPN for Windows machines, with no client software: authority, users, bundles and server.

    \b
        sstpca init vpn.example.com
        sstpca user add alice
        sstpca bundle alice
        sstpca serve
    """
    for stream in (sys.stdout, sys.stderr):
        # a name that this terminal cannot show is no reason to fail
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    ctx.obj = Context(home)
    ctx.call_on_close(ctx.obj.close)


_COMMANDS = (init, user, profile, bundle, deploy, cert, ca, serve, session, quickstart)

cert_files.server.add_command(rename)
cert_files.server.add_command(routeros)

for command in (*_COMMANDS, *cert_files.COMMANDS, *lint.COMMANDS):
    main.add_command(command)
