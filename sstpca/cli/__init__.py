"""The command line: one module for each group of commands."""

import sys
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..errors import SstpcaError
from . import cert_files, lint
from .bundle import bundle
from .ca import ca
from .cert import cert
from .context import Context
from .deploy import deploy
from .init import init
from .output import for_this_home
from .profile import profile
from .quickstart import quickstart
from .routeros import routeros
from .serve import serve
from .session import session
from .user import user

# 128 + SIGINT, as shells have it
_INTERRUPTED = 130


class Commands(click.Group):
    """The one place where a domain error becomes a message and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the operator can act on is one line, without a traceback."""
        try:
            return super().invoke(ctx)
        except SstpcaError as error:
            _complain(str(error), error.hint)
            ctx.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            raise  # click ends quietly
        except OSError as error:
            _complain(_system_error(error), "")
            ctx.exit(1)


def _complain(message: str, hint: str) -> None:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(for_this_home(hint), err=True)


def _system_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"


class _Folder(click.Path):
    """A folder with a name: an empty one, of a variable that is not set, would be this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is empty."""
        if value == "":
            self.fail("it is empty; name a folder, or leave the option out", param, ctx)
        return super().convert(value, param, ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=_Folder(path_type=Path, readable=False),
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

cert_files.server.add_command(routeros)

for command in (*_COMMANDS, *cert_files.COMMANDS, *lint.COMMANDS):
    main.add_command(command)
