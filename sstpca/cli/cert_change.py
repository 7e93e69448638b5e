"""``sstpca cert issue``, ``renew``, ``rekey`` and ``revoke``: what changes pairs and inventory."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from ..errors import InvalidInput, SstpcaError, command
from ..names import quoted
from ..vpn.certificates import (
    AUTHORITY_DAYS,
    KEY_TYPES,
    REASONS,
    SERVER,
    SERVER_DAYS,
    SERVER_ECDSA,
    SERVERS,
    CertificateWish,
    Existing,
    KeyType,
    Pair,
    check_cdp,
)
from . import ask
from .cert import cert
from .context import Context
from .options import gathered, key_type_option, passphrase_option, yes_option
from .output import progress, talk, warn

_AGE: Final = re.compile(r"([1-9][0-9]{0,3})([dw])")

#: what a server that is running does about its new certificate
RUNNING: Final = "a running server shows it to new connections in a moment; sessions go on"

Command = Callable[..., Any]


def _days_option(most: int) -> Callable[[Command], Command]:
    return click.option(
        "--days",
        type=click.IntRange(1, most),
        help=f"How long it is valid; the authority's end comes first.  [default: {SERVER_DAYS}]",
    )


_cdp_option = click.option(
    "--cdp",
    metavar="URL",
    help="Where 'sstpca ca crl' will be found. Windows then refuses to connect (0x80092013) "
    "whenever it is not.",
)
_replace_option = click.option("--replace", is_flag=True, help="In the place of the one before.")


@dataclass(frozen=True, slots=True)
class _How:
    """How a certificate is to be issued."""

    key_type: str | None
    days: int | None
    cdp: str | None
    replace: bool
    passphrase_file: Path | None


@cert.group()
def issue() -> None:
    """Issue a certificate for a server or a user, with a new key.

    \b
        sstpca cert issue user alice
        sstpca cert issue server vpn2.example.com
    """


@issue.command()
@click.argument("name")
@click.option("--dns", "hosts", multiple=True, metavar="NAME", help="A host name, or *.NAME.")
@click.option("--ip", "addresses", multiple=True, metavar="ADDR", help="An address.")
@click.option(
    "--key-type",
    type=click.Choice(KEY_TYPES),
    help="The kind of key: rsa is rsa-2048, ecdsa is ecdsa-p256.  [default: rsa]",
)
@_days_option(SERVER_DAYS)
@_cdp_option
@_replace_option
@passphrase_option
@click.pass_obj
@gathered(_How, "how")
def server(
    context: Context, name: str, hosts: tuple[str, ...], addresses: tuple[str, ...], how: _How
) -> None:
    """Issue a certificate for another server, which is called NAME.

    Without --dns and --ip, NAME is its host name. The authority can issue for the hosts it was
    made for, and for names below them. The NAME "server" is this home's own, for the hosts of the
    settings; with --replace it gets others. "server/ecdsa" is another with an ECDSA key, beside that
    one with an RSA key: each client is shown the one that it takes, ECDSA if it takes both.

    \b
        sstpca cert issue server eu.vpn.example.com
        sstpca cert issue server router --dns vpn.example.com --ip 203.0.113.5
        sstpca cert issue server server --replace --key-type ecdsa
        sstpca cert issue server server/ecdsa
    """
    kind = None if how.key_type is None else KeyType(how.key_type)
    wish = context.vpn.certificates.wish_for_server(
        name, hosts, addresses, kind, days=how.days, cdp=_checked(how.cdp)
    )
    _issue(context, [wish], Existing.REFUSE, how)


@issue.command()
@click.argument("name", required=False)
@click.option("--upn", metavar="UPN", help="How Windows names the user.  [default: NAME@HOST]")
@click.option("--from", "source", metavar="FILE", help="Names, one a line; - is standard input.")
@key_type_option("rsa")
@_days_option(AUTHORITY_DAYS)
@_cdp_option
@_replace_option
@passphrase_option
@click.pass_obj
@gathered(_How, "how")
def user(
    context: Context, name: str | None, upn: str | None, source: str | None, how: _How
) -> None:
    """Issue a certificate that proves who the user NAME is.

    With --from, for many users; who has one already keeps it, so that an interrupted run can be
    started again.

    \b
        sstpca cert issue user alice
        sstpca cert issue user alice --upn alice@example.com --days 90
        sstpca cert issue user --from names.txt --key-type ecdsa
    """
    if (name is None) is (source is None):
        raise InvalidInput("give either NAME or --from FILE")
    if source is not None and upn is not None:
        raise InvalidInput("--upn is one user's; --from is for many")
    names = [name] if name is not None else ask.names(source or "")
    wishes = context.vpn.certificates.wishes_for_users(
        names, KeyType(how.key_type or "rsa"), upn=upn, days=how.days, cdp=_checked(how.cdp)
    )
    _issue(context, wishes, Existing.REFUSE if source is None else Existing.SKIP, how)


def _checked(cdp: str | None) -> str:
    if cdp is None:
        return ""
    warn(
        "with --cdp, Windows fetches the revocation list before it connects, and fails with "
        "0x80092013 when it cannot; renew the list in time with '",
        command("ca crl"),
        "'",
    )
    return check_cdp(cdp)


def _issue(
    context: Context, wishes: Sequence[CertificateWish], existing: Existing, how: _How
) -> None:
    certificates, made = context.vpn.certificates, _Made(context)
    existing = Existing.REPLACE if how.replace else existing
    issued = certificates.issue(wishes, ask.passphrase(how.passphrase_file), existing=existing)
    made.follow(issued, len(wishes))
    if len(made.names) < len(wishes):
        talk(f"{len(wishes) - len(made.names)} had one already")
    made.report("issued")


class _Made:
    """What was made: said once, with a bar while it lasts."""

    def __init__(self, context: Context) -> None:
        self._certificates = context.vpn.certificates
        self._home = context.vpn.home
        self._last: Pair | None = None
        # no certificate ends after its authority: the latest end tells whether one was cut short
        self._latest: datetime | None = None
        self.names: list[str] = []

    def follow(self, pairs: Iterator[Pair], count: int) -> None:
        """Count each of ``pairs``, which is in place then."""
        with progress(count) as step:
            for pair in pairs:
                self.add(pair)
                step(1)

    def add(self, pair: Pair) -> None:
        """Count ``pair``, which is in place."""
        self._last = pair
        end = pair.leaf.not_valid_after_utc
        self._latest = end if self._latest is None else max(end, self._latest)
        self.names.append(pair.name)

    def report(self, done: str) -> None:
        """Print the files, and say what was done."""
        for name in self.names:
            click.echo(self._home.pair(name))
        if self._last is not None and len(self.names) == 1:
            talk(_done(self._last, done))
        else:
            talk(f"{len(self.names)} certificates {done}")
        end = self._certificates.authority_ends()
        if self._latest == end:
            warn(f"the authority ends on {end:%Y-%m-%d}, and all that it issues with it")
        if {*SERVERS} & {*self.names}:
            talk(RUNNING)


def _done(pair: Pair, done: str) -> str:
    end = f"{pair.leaf.not_valid_after_utc:%Y-%m-%d}"
    return f"certificate '{pair.name}' {done}, until {end}, serial {pair.leaf.serial_number:x}"


@cert.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--due",
    metavar="TIME",
    help="All that end within that time (30d, 4w), or in the last third of a short life.",
)
@_days_option(AUTHORITY_DAYS)
@passphrase_option
@click.pass_obj
def renew(
    context: Context,
    names: tuple[str, ...],
    due: str | None,
    days: int | None,
    passphrase_file: Path | None,
) -> None:
    """Renew certificates: the same keys and names, new dates.

    For a timer: with --due and nothing to do, it says so and succeeds. Those that are revoked, or
    that another authority issued, are left out.

    \b
        sstpca cert renew server
        sstpca cert renew --due 30d --passphrase-file /root/passphrase
    """
    if bool(names) is (due is not None):
        raise InvalidInput("give either NAME or --due TIME, for example --due 30d")
    certificates, broken = context.vpn.certificates, _Broken(strict=due is None)
    wanted = certificates.names(names) if due is None else certificates.due(_age(due))
    if not wanted:
        talk(f"nothing to do: no certificate ends within {due}")
        return
    made = _Made(context)
    passphrase = ask.passphrase(passphrase_file)
    made.follow(certificates.renew(wanted, passphrase, days=days, broken=broken), len(wanted))
    made.report("renewed")
    if broken.count:
        raise SstpcaError(f"{broken.count} of {len(wanted)} certificates could not be renewed")


class _Broken:
    """What to do with one that cannot be renewed: a timer goes on with the others."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self.count = 0

    def __call__(self, error: SstpcaError) -> None:
        if self._strict:
            raise error
        self.count += 1
        warn(str(error))


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{quoted(text)} is no time", "give days or weeks: 30d, 4w")
    return timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))


@cert.command()
@click.argument("name")
@key_type_option(None)
@_days_option(AUTHORITY_DAYS)
@passphrase_option
@click.pass_obj
def rekey(
    context: Context,
    name: str,
    key_type: str | None,
    days: int | None,
    passphrase_file: Path | None,
) -> None:
    """Give the pair NAME a new key, and a certificate for the same names.

    The old certificate stays valid; revoke it if its key is lost.

    \b
        sstpca cert rekey server
        sstpca cert rekey alice --key-type ecdsa
    """
    certificates, made = context.vpn.certificates, _Made(context)
    old = certificates.current(name)
    kind = None if key_type is None else KeyType(key_type)
    made.add(certificates.rekey(name, ask.passphrase(passphrase_file), kind=kind, days=days))
    made.report("made anew")
    if old.revoked is None:
        how = command("cert revoke {} --reason keyCompromise", old.serial)
        talk("if the old key is lost: ", how)


@cert.command()
@click.argument("name")
@click.option(
    "--reason",
    type=click.Choice(REASONS, case_sensitive=False),
    default=REASONS[0],
    show_default=True,
    help="Why.",
)
@yes_option
@click.pass_obj
def revoke(context: Context, name: str, reason: str, yes: bool) -> None:
    """Revoke the certificate NAME, for good.

    NAME may also be a serial number or a fingerprint. A user's certificate is refused by this
    home's server from then on. A server's certificate is believed until it ends: Windows looks for a
    revocation list only where a certificate names one.

    \b
        sstpca cert revoke alice --reason keyCompromise
        sstpca cert revoke 5f0c9d21 --yes
    """
    certificates = context.vpn.certificates
    entry = certificates.find(name)
    certificates.check_revocable(entry)
    if entry.name == SERVER and entry.replaced is None:
        warn(
            "this is the certificate that this home's server shows; clients go on believing it "
            "until it ends, and revoking it does not give the server another"
        )
    shown = entry.name == SERVER_ECDSA and entry.replaced is None
    if not ask.confirm(f"Revoke the certificate {entry.serial} of '{entry.name}'?", yes=yes):
        talk("nothing was changed")
        return
    for one in certificates.revoke(entry, reason):
        talk(f"certificate {one.serial} of '{one.name}' revoked")
    if shown:
        talk("its file is removed; a running server shows it to no new connection in a moment")
    if entry.replaced is None:
        own = command("cert rekey {}", entry.name)
        talk("for a new pair: ", own if entry.issuer_sha256 else command("cert import FILE..."))
    if certificates.has_revocation_list:
        talk("next: ", command("ca crl"), ", which makes the revocation list anew")
