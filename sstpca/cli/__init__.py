"""The command line: one module for each group of commands."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import SstpcaError
from . import cert_files, lint
from .bundle import bundle
from .ca import ca
from .cert import cert
from .context import Context
from .deploy import deploy
from .home_option import new_folder
from .init import init
from .output import for_this_home
from .profile import profile
from .quickstart import quickstart
from .routeros import routeros
from .serve import serve
from .session import session
from .usage import Group, explained
from .user import user

# 128 + SIGINT, as shells have it
_INTERRUPTED = 130


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
        with _edge():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what the operator can act on is one line, without a traceback."""
        with _edge():
            return super().invoke(ctx)


@contextlib.contextmanager
def _edge() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        refused = explained(error)
        _end(refused.exit_code, str(refused), refused.hint)
    except SstpcaError as error:
        _end(error.exit_code, str(error), error.hint)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        raise  # click ends quietly
    except OSError as error:
        _end(1, _system_error(error), "")


def _end(code: int, message: str, hint: str) -> NoReturn:
    _complain(message, hint)
    raise click.exceptions.Exit(code)


def _complain(message: str, hint: str) -> None:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(for_this_home(hint), err=True)


def _system_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"


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

cert_files.server.add_command(routeros)

for command in (*_COMMANDS, *cert_files.COMMANDS, *lint.COMMANDS):
    main.add_command(command)
