"""``sstpca cert issue``, ``renew``, ``rekey`` and ``revoke``: what changes pairs and inventory."""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from ..authority import issuing, revocation
from ..authority.authority import Authority
from ..authority.issuing import Existing, Wish
from ..errors import InvalidInput, SstpcaError
from ..home import SERVER, Home
from ..names import quoted, user_key
from ..store import certificates
from ..store.certificates import Entry
from ..store.users import holders_of
from ..x509.certificate_profiles import AUTHORITY_DAYS, SERVER_DAYS
from ..x509.keys import KEY_TYPES, KeyType
from ..x509.pair import Pair
from . import ask
from .cert import cert, opened
from .context import Context
from .output import progress, talk, warn

_AGE: Final = re.compile(r"([1-9][0-9]{0,3})([dw])")

#: what a server that is running does about its new certificate
RUNNING: Final = "a running server shows it to new connections in a moment; sessions go on"

Command = Callable[..., Any]

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the passphrase of the authority's key.",
)


def _key_type_option(default: str | None) -> Callable[[Command], Command]:
    return click.option(
        "--key-type",
        type=click.Choice(KEY_TYPES),
        default=default,
        show_default=default is not None,
        help="The kind of key: rsa is rsa-2048, ecdsa is ecdsa-p256."
        + ("" if default else "  [default: as before]"),
    )


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
@_key_type_option("rsa")
@_days_option(SERVER_DAYS)
@_cdp_option
@_replace_option
@passphrase_option
@click.pass_obj
def server(
    context: Context,
    name: str,
    hosts: tuple[str, ...],
    addresses: tuple[str, ...],
    key_type: str,
    days: int | None,
    cdp: str | None,
    replace: bool,
    passphrase_file: Path | None,
) -> None:
    """Issue a certificate for another server, which is called NAME.

    Without --dns and --ip, NAME is its host name. The authority can issue for the hosts it was
    made for, and for names below them. The NAME "server" is this home's own, for the hosts of the
    settings; with --replace it gets others.

    \b
        sstpca cert issue server eu.vpn.example.com
        sstpca cert issue server router --dns vpn.example.com --ip 203.0.113.5
        sstpca cert issue server server --replace --key-type ecdsa
    """
    wish = issuing.server_wish(
        context.home(), name, hosts, addresses, KeyType(key_type), days=days, cdp=_checked(cdp)
    )
    existing = Existing.REPLACE if replace else Existing.REFUSE
    _issue(context, [wish], existing, passphrase_file)


@issue.command()
@click.argument("name", required=False)
@click.option("--upn", metavar="UPN", help="How Windows names the user.  [default: NAME@HOST]")
@click.option("--from", "source", metavar="FILE", help="Names, one a line; - is standard input.")
@_key_type_option("rsa")
@_days_option(AUTHORITY_DAYS)
@_cdp_option
@_replace_option
@passphrase_option
@click.pass_obj
def user(
    context: Context,
    name: str | None,
    upn: str | None,
    source: str | None,
    key_type: str,
    days: int | None,
    cdp: str | None,
    replace: bool,
    passphrase_file: Path | None,
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
    kind, url, host = KeyType(key_type), _checked(cdp), context.settings().host
    names = [name] if name is not None else ask.names(source or "")
    holders = holders_of(context.store(), names)
    wishes = [
        issuing.user_wish(
            one,
            upn or issuing.default_upn(one, host),
            kind,
            days=days,
            cdp=url,
            holder=holders.get(user_key(one)),
        )
        for one in names
    ]
    existing = Existing.REFUSE if source is None else Existing.SKIP
    _issue(context, wishes, Existing.REPLACE if replace else existing, passphrase_file)


def _checked(cdp: str | None) -> str:
    if cdp is None:
        return ""
    warn(
        "with --cdp, Windows fetches the revocation list before it connects, and fails with "
        "0x80092013 when it cannot; renew the list in time with 'sstpca ca crl'"
    )
    return issuing.check_cdp(cdp)


def _issue(
    context: Context, wishes: Sequence[Wish], existing: Existing, passphrase_file: Path | None
) -> None:
    home, store = opened(context)
    authority = _authority(context, passphrase_file)
    with progress(len(wishes)) as step:
        made = _Made(home, authority, step)
        issuing.issue(
            home, store, authority, wishes, datetime.now(UTC), existing=existing, progress=made.add
        )
    if len(made.names) < len(wishes):
        talk(f"{len(wishes) - len(made.names)} had one already")
    made.report("issued")


def _authority(context: Context, passphrase_file: Path | None) -> Authority:
    home = context.home()
    return Authority.load(home, ask.passphrase(home, passphrase_file))


class _Made:
    """What was made: said once, with a bar while it lasts."""

    def __init__(self, home: Home, authority: Authority, step: Callable[[int], None]) -> None:
        self._home = home
        self._end = authority.certificate.not_valid_after_utc
        self._step = step
        self._last: Pair | None = None
        self._cut_short = False
        self.names: list[str] = []

    def add(self, pair: Pair) -> None:
        """Count ``pair``, which is in place."""
        self._last = pair
        self._cut_short |= pair.leaf.not_valid_after_utc == self._end
        self.names.append(pair.name)
        self._step(1)

    def report(self, done: str) -> None:
        """Print the files, and say what was done."""
        for name in self.names:
            click.echo(self._home.pair(name))
        if self._last is not None and len(self.names) == 1:
            talk(_done(self._last, done))
        else:
            talk(f"{len(self.names)} certificates {done}")
        if self._cut_short:
            warn(f"the authority ends on {self._end:%Y-%m-%d}, and all that it issues with it")
        if SERVER in self.names:
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
    home, store = opened(context)
    now, broken = datetime.now(UTC), _Broken(strict=due is None)
    if due is None:
        names = _distinct(certificates.current(store, name) for name in names)
    else:
        names = _distinct(issuing.due(home, store, _age(due), now))
    if not names:
        talk(f"nothing to do: no certificate ends within {due}")
        return
    authority = _authority(context, passphrase_file)
    with progress(len(names)) as step:
        made = _Made(home, authority, step)
        issuing.renew(
            home, store, authority, names, now, days=days, progress=made.add, broken=broken
        )
    made.report("renewed")
    if broken.count:
        raise SstpcaError(f"{broken.count} of {len(names)} certificates could not be renewed")


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


def _distinct(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.name for entry in entries))


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{quoted(text)} is no time", "give days or weeks: 30d, 4w")
    return timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))


@cert.command()
@click.argument("name")
@_key_type_option(None)
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
    home, store = opened(context)
    old = certificates.current(store, name)
    user = old.profile == certificates.USER
    holder = holders_of(store, [old.name]).get(user_key(old.name)) if user else None
    authority = _authority(context, passphrase_file)
    kind = None if key_type is None else KeyType(key_type)
    made = _Made(home, authority, lambda _steps: None)
    now = datetime.now(UTC)
    pair = issuing.rekey(home, store, authority, name, now, kind=kind, days=days, holder=holder)
    made.add(pair)
    made.report("made anew")
    if old.revoked is None:
        talk(f"if the old key is lost: sstpca cert revoke {old.serial} --reason keyCompromise")


@cert.command()
@click.argument("name")
@click.option(
    "--reason",
    type=click.Choice(revocation.REASONS, case_sensitive=False),
    default=revocation.REASONS[0],
    show_default=True,
    help="Why.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
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
    home, store = opened(context)
    entry = certificates.find(store, name)
    certificates.check_not_revoked(entry)
    if entry.profile == certificates.AUTHORITY:
        raise InvalidInput(
            "an authority cannot revoke itself",
            "remove its certificate from the machines that trust it (the bundle's uninstall)",
        )
    if entry.name == SERVER and entry.replaced is None:
        warn(
            "this is the certificate that this home's server shows; clients go on believing it "
            "until it ends, and revoking it does not give the server another"
        )
    if not ask.confirm(f"Revoke the certificate {entry.serial} of '{entry.name}'?", yes=yes):
        talk("nothing was changed")
        return
    for one in revocation.revoke(home, store, entry, reason, datetime.now(UTC)):
        talk(f"certificate {one.serial} of '{one.name}' revoked")
    if entry.replaced is None:
        how = f"rekey {shlex.quote(entry.name)}" if entry.issuer_sha256 else "import FILE..."
        talk(f"for a new pair: sstpca cert {how}")
    if (home.root / revocation.DER_NAME).exists():
        talk("next: sstpca ca crl, which makes the revocation list anew")
