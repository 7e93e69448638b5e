"""``sstpca ca rollover``: from one authority to the next."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509

from ..errors import Remedy, command, joined
from ..names import quoted
from ..vpn.authority import common_name, digest, fingerprint
from ..vpn.rollover import Done, KeyType, Without
from . import ask
from .cert_change import RUNNING
from .context import Context
from .options import gathered, passphrase_option, yes_option
from .output import counted, echo_json, iso, local, rendered, table, talk, warn
from .rename import renaming_json, renaming_text
from .usage import Group

# as much of a fingerprint as tells one from the other
_DIGITS: Final = 16


@click.group("rollover", cls=Group)
def group() -> None:
    """Go from one authority to the next, with no user left behind.

    A next authority is made. From then on each new bundle has both, and users' machines trust
    both, while the server keeps its certificate. Once every user has a new bundle, the next
    authority takes over, and the server's certificate is its.

    \b
        sstpca ca rollover begin
        sstpca ca rollover status
        sstpca ca rollover finish
    """


@group.command()
@click.option(
    "--key-type",
    type=click.Choice([kind.value for kind in KeyType]),
    help="The kind of its key.  [default: as before]",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the passphrase for its key.",
)
@click.option("--no-passphrase", is_flag=True, help="Leave its key unencrypted.")
@click.option(
    "--name-constraints/--no-name-constraints",
    default=None,
    help="Whether it can issue for the hosts of the settings only.  [default: as before]",
)
@click.pass_obj
@gathered(ask.NewKey, "key")
def begin(
    context: Context, key_type: str | None, key: ask.NewKey, name_constraints: bool | None
) -> None:
    """Make the next authority, for the hosts of the settings.

    The passphrase for its key is taken from --passphrase-file, SSTPCA_CA_PASSPHRASE, or a
    question; it need not be that of the present one.

    \b
        sstpca ca rollover begin
    """
    rollover = context.vpn.rollover
    rollover.check_begin()
    passphrase = key.passphrase()
    kind = None if key_type is None else KeyType(key_type)
    begun = rollover.begin(passphrase, kind=kind, constrained=name_constraints)
    made = begun.authority
    click.echo(begun.path)
    talk(
        f"the next authority is {quoted(common_name(made))}, until {made.not_valid_after_utc:%Y-%m-%d}; "
        f"its SHA-256 fingerprint:\n  {fingerprint(made)}"
    )
    finish = command("ca rollover finish")
    if not begun.own:
        talk("the server's certificate is another authority's: bundles have neither of these two")
        talk("\nNext, whenever you like:\n  ", finish)
    elif begun.no_bundles:
        talk(*begun.no_bundles)
        how = command("ca rollover finish --force")
        talk("\nNext, where users can wait for bundles:\n  ", how)
    else:
        talk("new bundles have both authorities; the server keeps its certificate")
        talk("\nNext, for every user:\n  ", *joined("\n  ", rollover.bundles()))
        talk("who is still without one:\n  ", command("ca rollover status"))


@group.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show the authorities, and who still has only the old one.

    That is every user who may log in, and whose latest bundle for a system does not have the next
    authority. What they did with the bundle, nobody here knows.

    \b
        sstpca ca rollover status
        sstpca ca rollover status --json
    """
    vpn = context.vpn
    found, renamed = vpn.rollover.status(), vpn.rename.progress()
    roles, doubts = vpn.authority.roles(), []
    if found.unserved:
        error = vpn.rollover.unable(found.unserved)
        doubts = [f"{error}: {rendered(error.remedy)}"]
    if as_json:
        echo_json(
            {
                "authorities": [authority_json(role, one) for role, one in roles],
                "users": found.users,
                "without": [_without_json(one) for one in found.without],
                "former_certificates": list(found.left),
                "renaming": None if renamed is None else renaming_json(renamed),
                "warnings": doubts,
            }
        )
        return
    rows = [_row(role, one) for role, one in roles]
    click.echo(table(("", "AUTHORITY", "ENDS", "SHA-256"), rows, empty=""))
    if found.left:
        talk("\n", *_left(len(found.left)))
    if found.successor is None:
        begin = command("ca rollover begin")
        talk("\nno rollover is under way; '", begin, "' makes the next authority")
    elif doubts:
        warn(doubts[0])
    elif not found.without:
        how = command("ca rollover finish" if renamed is None else "server rename")
        talk("\nno user has only the old one: ", how)
    else:
        click.echo()
        rows = [
            (
                one.user,
                "none" if one.made is None else local(one.made),
                ",".join(one.platforms),
            )
            for one in found.without
        ]
        click.echo(table(("USER", "LATEST BUNDLE", "FOR"), rows, empty=""))
        talk(f"\n{len(found.without)} of {found.users} users still have only the old one")
    if renamed is not None:
        talk("\n", *renaming_text(renamed))


def _row(role: str, one: x509.Certificate) -> tuple[str, ...]:
    digits = digest(one)[:_DIGITS]
    return (role, common_name(one), f"{one.not_valid_after_utc:%Y-%m-%d}", digits)


def authority_json(role: str, one: x509.Certificate) -> dict[str, Any]:
    """Return an authority for machines."""
    return {
        "role": role,
        "subject": one.subject.rfc4514_string(),
        "not_before": iso(one.not_valid_before_utc),
        "not_after": iso(one.not_valid_after_utc),
        "sha256": digest(one),
    }


def _without_json(one: Without) -> dict[str, Any]:
    bundle = None if one.made is None else iso(one.made)
    return {"user": one.user, "bundle": bundle, "platforms": list(one.platforms)}


@group.command()
@click.option("--force", is_flag=True, help="Though users still have only the old one.")
@passphrase_option
@click.pass_obj
def finish(context: Context, force: bool, passphrase_file: Path | None) -> None:
    """Let the next authority take over.

    It issues from then on, and the server gets a new key and a certificate of it. The passphrase
    is that of the next authority's key. Certificates of users that the old authority has issued
    are accepted until they end, and renewed by the new one. The old authority's key is deleted: old
    bundles make users' machines believe whatever it signs, and nothing needs it any more.

    \b
        sstpca ca rollover finish
        sstpca ca rollover finish --force
    """
    vpn = context.vpn
    done = vpn.rollover.finish(ask.passphrase(passphrase_file, following=True), force=force)
    click.echo(vpn.home.ca_certificate)
    if done.outcome.server is not None:
        for name in vpn.home.shown:
            click.echo(vpn.home.pair(name))
    for line in _outcome(done):
        talk(*line)
    if vpn.certificates.has_revocation_list:
        how = command("ca crl")
        talk("next: ", how, ", which makes the revocation list of the new authority")


def _outcome(done: Done) -> Iterator[Remedy]:
    server, kept = done.outcome.server, done.outcome.kept
    alone = "; bundles have it alone" if server is not None else ""
    yield (f"{quoted(common_name(done.authority))} is the authority now{alone}",)
    if server is None:
        yield ("the server's certificate is another authority's, and stays",)
    else:
        yield (f"the server's certificate is new, until {server.not_valid_after_utc:%Y-%m-%d}",)
        yield (RUNNING,)
    before = quoted(common_name(done.before))
    yield (f"the key of {before} is deleted; backups made before have it",)
    if done.outcome.left:
        yield _left(done.outcome.left)
    behind = f"should users be left behind ({done.without} are known), go back for a while: "
    for path in kept:
        yield (behind, command("cert import {}", str(path)))
        behind = "and: "


def _left(count: int) -> Remedy:
    return (
        f"certificates of a former authority: {count}; they are good until they end, and '",
        command("cert renew"),
        "' makes them this one's",
    )


@group.command()
@yes_option
@click.pass_obj
def cancel(context: Context, yes: bool) -> None:
    """Drop the next authority: the present one stays.

    Its key is deleted. Bundles that have its certificate still work.

    \b
        sstpca ca rollover cancel
    """
    rollover = context.vpn.rollover
    carriers = rollover.carriers()
    if carriers:
        warn(
            f"the next authority is in the bundles of {counted(len(carriers), 'user')} already; "
            "their machines go on trusting it, for the hosts of the VPN only"
        )
        if not ask.confirm("Drop it?", yes=yes):
            talk("nothing was changed")
            return
    rollover.cancel()
    talk("the next authority is dropped, and its key deleted")
