"""``sstpca ca rollover``: from one authority to the next."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509
from cryptography.x509.oid import NameOID

from ..authority import revocation, rollover
from ..authority.authority import (
    Authority,
    former_authorities,
    issuer_of,
    load_ca_certificate,
    load_next_certificate,
)
from ..authority.identity import load_server_certificate
from ..bundle.ledger import distribution
from ..bundle.ledger.distribution import Without
from ..errors import SstpcaError
from ..home import Home
from ..names import quoted
from ..store import Store, certificates, users
from ..x509.certificates import sha256_fingerprint
from ..x509.keys import KeyType
from . import ask
from .cert import opened
from .cert_change import RUNNING, passphrase_option
from .context import Context
from .output import counted, echo_json, for_this_home, iso, local, program, table, talk, warn
from .rename import progress
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
def begin(
    context: Context,
    key_type: str | None,
    passphrase_file: Path | None,
    no_passphrase: bool,
    name_constraints: bool | None,
) -> None:
    """Make the next authority, for the hosts of the settings.

    The passphrase for its key is taken from --passphrase-file, SSTPCA_CA_PASSPHRASE, or a
    question; it need not be that of the present one.

    \b
        sstpca ca rollover begin
    """
    home, store = opened(context)
    rollover.refuse_second(home, store)
    passphrase = ask.new_passphrase(passphrase_file, no_passphrase)
    kind = None if key_type is None else KeyType(key_type)
    own = issuer_of(home, load_server_certificate(home)) is not None
    made = rollover.begin(
        home, store, passphrase, datetime.now(UTC), kind=kind, constrained=name_constraints
    )
    click.echo(home.next_ca_certificate)
    talk(
        f"the next authority is {quoted(common_name(made))}, until {made.not_valid_after_utc:%Y-%m-%d}; "
        f"its SHA-256 fingerprint:\n  {sha256_fingerprint(made)}"
    )
    name = program()
    if not own:
        talk("the server's certificate is another authority's: bundles have neither of these two")
        talk(f"\nNext, whenever you like:\n  {name} ca rollover finish")
        return
    if rollover.lacks_names(home):
        talk(_no_bundles(home, made))
        talk(f"\nNext, where users can wait for bundles:\n  {name} ca rollover finish --force")
        return
    talk("new bundles have both authorities; the server keeps its certificate")
    talk(
        f"\nNext, for every user:\n  {name} bundle --all\n"
        f"who is still without one:\n  {name} ca rollover status"
    )


def _unable(home: Home, unserved: list[str]) -> tuple[str, str]:
    """Return why a rollover cannot be finished, and how to go on: the home would serve nothing."""
    return (
        f"the next authority cannot issue for {', '.join(unserved)}, which the settings have",
        f"take that out of {home.settings} again; to rename the server, write the old name there, "
        "then: sstpca ca rollover cancel; sstpca server rename NAME",
    )


def _no_bundles(home: Home, following: x509.Certificate) -> str:
    """Return what to do where the server's certificate lacks a name of the settings."""
    if rollover.keeps_names(home, following):
        sooner = "for bundles before that, take the new names out of the settings meanwhile"
    else:
        sooner = "for bundles before that, cancel it and begin with the old names there as well"
    return (
        "the server's certificate lacks a name of the settings, so bundles can be made only after "
        f"'sstpca ca rollover finish --force'; {sooner}; or cancel it, write the old names there, and "
        "let 'sstpca server rename NAME' do it all"
    )


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
    home, store = opened(context)
    following, count = load_next_certificate(home), _count(store)
    missing = [] if following is None else _missing(home, store, following)
    left, doubts, renamed = rollover.of_former(store), [], progress(home, store)
    if following is not None and (unserved := rollover.unserved(home, following)):
        doubts = [": ".join(_unable(home, unserved))]
    if as_json:
        echo_json(
            {
                "authorities": [authority_json(role, one) for role, one in roles(home)],
                "users": count,
                "without": [_without_json(one) for one in missing],
                "former_certificates": [one.name for one in left],
                "renaming": None if renamed is None else renamed.json,
                "warnings": list(map(for_this_home, doubts)),
            }
        )
        return
    rows = [_row(role, one) for role, one in roles(home)]
    click.echo(table(("", "AUTHORITY", "ENDS", "SHA-256"), rows, empty=""))
    if left:
        talk(f"\n{_left(len(left))}")
    if following is None:
        talk("\nno rollover is under way; 'sstpca ca rollover begin' makes the next authority")
    elif doubts:
        warn(doubts[0])
    elif not missing:
        how = "ca rollover finish" if renamed is None else "server rename"
        talk(f"\nno user has only the old one: sstpca {how}")
    else:
        click.echo()
        rows = [
            (
                one.user,
                "none" if one.made is None else local(one.made),
                ",".join(one.platforms),
            )
            for one in missing
        ]
        click.echo(table(("USER", "LATEST BUNDLE", "FOR"), rows, empty=""))
        talk(f"\n{len(missing)} of {count} users still have only the old one")
    if renamed is not None:
        talk(f"\n{renamed.text}")


def roles(home: Home) -> Iterator[tuple[str, x509.Certificate]]:
    """Yield the authorities of ``home`` and what they are: "issues", "next" or "former"."""
    yield "issues", load_ca_certificate(home)
    following = load_next_certificate(home)
    if following is not None:
        yield "next", following
    for one in former_authorities(home):
        yield "former", one


def _row(role: str, one: x509.Certificate) -> tuple[str, ...]:
    digits = certificates.digest(one)[:_DIGITS]
    return (role, common_name(one), f"{one.not_valid_after_utc:%Y-%m-%d}", digits)


def common_name(one: x509.Certificate) -> str:
    """Return what people call an authority."""
    names = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else one.subject.rfc4514_string()


def authority_json(role: str, one: x509.Certificate) -> dict[str, Any]:
    """Return an authority for machines."""
    return {
        "role": role,
        "subject": one.subject.rfc4514_string(),
        "not_before": iso(one.not_valid_before_utc),
        "not_after": iso(one.not_valid_after_utc),
        "sha256": certificates.digest(one),
    }


def _without_json(one: Without) -> dict[str, Any]:
    bundle = None if one.made is None else iso(one.made)
    return {"user": one.user, "bundle": bundle, "platforms": list(one.platforms)}


def _count(store: Store) -> int:
    return sum(user.enabled for user in users.list_all(store))


def _missing(home: Home, store: Store, following: x509.Certificate) -> list[Without]:
    """Return who would not believe the server after the end; with a public certificate, nobody."""
    if issuer_of(home, load_server_certificate(home)) is None:
        return []
    return distribution.without(store, following)


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
    home, store = opened(context)
    following = rollover.following(home)
    if unserved := rollover.unserved(home, following):
        raise SstpcaError(*_unable(home, unserved))
    missing = _missing(home, store, following)
    if missing and not force:
        how = "make bundles for them ('sstpca ca rollover status' says who), or say --force"
        raise SstpcaError(
            f"{len(missing)} of {_count(store)} users still have only the old authority; their "
            "machines would not believe the server (Windows: 0x800B0109)",
            _no_bundles(home, following) if rollover.lacks_names(home) else how,
        )
    before = load_ca_certificate(home)
    passphrase = ask.passphrase(home, passphrase_file, following=True)
    successor = Authority.load_next(home, passphrase)
    done = rollover.finish(home, store, successor, datetime.now(UTC))
    click.echo(home.ca_certificate)
    if done.server is not None:
        click.echo(home.server_identity)
    for line in _outcome(home, before, following, done, without=len(missing)):
        talk(line)


def _outcome(
    home: Home,
    before: x509.Certificate,
    following: x509.Certificate,
    done: rollover.Finished,
    *,
    without: int,
) -> Iterator[str]:
    alone = "; bundles have it alone" if done.server is not None else ""
    yield f"{quoted(common_name(following))} is the authority now{alone}"
    if done.server is None:
        yield "the server's certificate is another authority's, and stays"
    else:
        yield f"the server's certificate is new, until {done.server.not_valid_after_utc:%Y-%m-%d}"
        yield RUNNING
    yield f"the key of {quoted(common_name(before))} is deleted; backups made before have it"
    if done.left:
        yield _left(done.left)
    if done.kept is not None:
        how = f"{program()} cert import {shlex.quote(str(done.kept))}"
        yield f"should users be left behind ({without} are known), go back for a while: {how}"
    if (home.root / revocation.DER_NAME).exists():
        yield "next: sstpca ca crl, which makes the revocation list of the new authority"


def _left(count: int) -> str:
    return (
        f"certificates of a former authority: {count}; they are good until they end, and "
        "'sstpca cert renew' makes them this one's"
    )


@group.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def cancel(context: Context, yes: bool) -> None:
    """Drop the next authority: the present one stays.

    Its key is deleted. Bundles that have its certificate still work.

    \b
        sstpca ca rollover cancel
    """
    home, store = opened(context)
    following = load_next_certificate(home)
    carriers = [] if following is None else distribution.carriers(store, following)
    if carriers:
        warn(
            f"the next authority is in the bundles of {counted(len(carriers), 'user')} already; "
            "their machines go on trusting it, for the hosts of the VPN only"
        )
        if not ask.confirm("Drop it?", yes=yes):
            talk("nothing was changed")
            return
    rollover.cancel(home, store, datetime.now(UTC))
    talk("the next authority is dropped, and its key deleted")
