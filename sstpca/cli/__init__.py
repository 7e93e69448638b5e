"""The command line: one module for each group of commands."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from .. import __version__
from .edge import edge
from .home_option import new_folder
from .usage import Group, Later


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


_COMMANDS: Final = {
    "bundle": Later("Make what users receive, list it, and prove that it still fits.", ("bundle",)),
    "ca": Later("Make, show and keep the authority.", ("ca", "cert_files")),
    "cert": Later("Issue, show, renew and revoke certificates.", ("cert", "cert_files", "lint")),
    "completion": Later(
        "Print what has SHELL complete the commands and options of sstpca.", ("completion",)
    ),
    "connect": Later(
        "Connect this machine to an SSTP server, and keep it connected until Ctrl-C.", ("connect",)
    ),
    "deploy": Later("Make what administrators need to set up the VPN on many PCs.", ("deploy",)),
    "doctor": Later(
        "Look at an SSTP server as the Windows client does, check by check; or at this machine.",
        ("doctor",),
    ),
    "drain": Later(
        "Have the server take no new connections, and wait for the end of its sessions.",
        ("running",),
    ),
    "explain": Later(
        "Say what an error of Windows means, why it comes, and what to do about it.", ("explain",)
    ),
    "init": Later("Make the home of a VPN.", ("init",)),
    "lockout": Later("See and forget wrong passwords.", ("lockout",)),
    "log": Later("Show the server's log, or what it says of one user or session.", ("log",)),
    "profile": Later("Add, show, change and remove access profiles.", ("profile",)),
    "quickstart": Later(
        "Make everything that is missing, and run the VPN server.", ("quickstart",)
    ),
    "reload": Later(
        "Have the server that runs go by settings.toml as it is now; no session ends.",
        ("running",),
    ),
    "restart": Later(
        "Have this program take over from the server that runs; no session ends.", ("running",)
    ),
    "serve": Later("Run the VPN server, until SIGTERM or Ctrl-C.", ("serve",)),
    "server": Later(
        "Rename the server, have another authority certify it, or let a router be the server.",
        ("server",),
    ),
    "session": Later(
        "See and end the sessions of all workers, and see what was.",
        ("session", "session_past", "session_trace", "session_watch"),
    ),
    "service": Later(
        "Have the machine start the VPN server, and renew and back up by timers.", ("service",)
    ),
    "status": Later("Show how this VPN is, on one screen, and what needs attention.", ("status",)),
    "user": Later("Add, show, change and remove users.", ("user",)),
}


@click.group(
    "sstpca",
    cls=Commands,
    later=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
    from .context import Context  # what it can open takes its time to load

    ctx.obj = Context(home)
    ctx.call_on_close(ctx.obj.close)
