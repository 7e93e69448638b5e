"""``sstpca bundle``: what users receive; who has which, and does it still fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SstpcaError, command
from .bundle_make import make
from .context import Context
from .output import echo_json, iso, local, table, talk
from .usage import Group

# jinja2 takes its time to import, and other commands do not need it
if TYPE_CHECKING:
    from ..vpn.bundles import Listed, Verdict


class _MakingGroup(Group):
    """A group whose first word may be left out: then it is about making."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front, where none is named."""
        at = _after_home(args)
        if args[at:] and args[at] not in (*self.commands, *ctx.help_option_names):
            args.insert(at, "make")
        return super().parse_args(ctx, args)


def _after_home(args: list[str]) -> int:
    """Return where the arguments behind ``--home`` begin."""
    at = 0
    while at < len(args) and args[at].partition("=")[0] == "--home":
        at += 1 if "=" in args[at] else 2
    return min(at, len(args))


@click.group(cls=_MakingGroup)
def bundle() -> None:
    """Make what users receive, list it, and prove that it still fits.

    A bundle is a zip: the authority's certificate, scripts that set up the connection and take it
    away again, and a page that says what to do. "make" may be left out, unless a user is called
    like one of the commands.

    \b
        sstpca bundle alice
        sstpca bundle --profile staff --for windows,android
        sstpca bundle list
    """


@bundle.command("list")
@click.argument("name", required=False, metavar="[USER]")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, name: str | None, as_json: bool) -> None:
    """List who has which bundle, made when, and whether it still fits.

    With USER, all bundles that were made for that one, the newest first; also of one who was removed.

    \b
        sstpca bundle list
        sstpca bundle list alice --json
    """
    bundles = context.vpn.bundles
    found = bundles.all() if name is None else bundles.history(name)
    if as_json:
        echo_json([_as_json(one) for one in found])
        return
    headings = ("USER", "PROFILE", "MADE", "BY", "FOR", "STATE")
    click.echo(table(headings, map(_row, found), empty="there are no users and no bundles"))


def _row(one: "Listed") -> tuple[str, ...]:
    state = "; ".join((one.state, *one.faults)).replace("; ", ": ", 1)
    if one.made is None:
        return (one.user, one.profile, "-", "-", "-", state)
    made = one.made
    return (
        one.user,
        made.profile,
        local(made.made),
        made.made_by,
        ",".join(made.platforms),
        state,
    )


def _as_json(one: "Listed") -> dict[str, Any]:
    said: dict[str, Any] = {
        "user": one.user,
        "profile": one.profile,
        "state": one.state,
        "why": list(one.faults),
    }
    made = one.made
    if made is not None:
        said |= {
            "profile": made.profile,
            "made": iso(made.made),
            "made_by": made.made_by,
            "platforms": list(made.platforms),
            "language": made.language,
            "server": made.server,
            "connection": made.connection,
            "authorities": list(made.authorities),
            "certificate": made.certificate,
            "sha256": made.sha256,
            "path": made.path,
        }
    return said


@bundle.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def verify(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Prove that each bundle FILE, a zip or a folder, still fits the home and its server.

    It is compared with what a bundle made now would be, with the same secret in it. One with a
    secret that was not made here, or was changed since, never fits. The exit status is 1 if one
    does not.

    \b
        sstpca bundle verify bundles/alice.zip
        sstpca bundle verify /srv/handover/*.zip --json
    """
    verdicts = list(context.vpn.bundles.verify(files))
    if as_json:
        echo_json([_verdict_as_json(one) for one in verdicts])
    else:
        click.echo("\n".join(map(_verdict_as_text, verdicts)))
    unfit = [one for one in verdicts if not one.fits]
    again = dict.fromkeys(one.user for one in unfit if one.user is not None and one.may_log_in)
    if again:
        # "make" may be left out, but not before a user who is called like another command
        talk("for new ones: ", command(f"bundle make{' {}' * len(again)}", *again))
    if unfit:
        click.get_current_context().exit(SstpcaError.exit_code)


def _verdict_as_text(verdict: "Verdict") -> str:
    whose = f" (of {verdict.user})" if verdict.user else ""
    lines = [f"{verdict.path}{whose}: {'fits' if verdict.fits else 'DOES NOT FIT'}"]
    lines += [f"  {'ok  ' if one.ok else 'FAIL'}  {one.text}" for one in verdict.findings]
    return "\n".join(lines)


def _verdict_as_json(verdict: "Verdict") -> dict[str, Any]:
    return {
        "file": str(verdict.path),
        "user": verdict.user,
        "fits": verdict.fits,
        "findings": [
            {"check": one.check, "ok": one.ok, "text": one.text} for one in verdict.findings
        ],
    }


bundle.add_command(make)
