"""``sstpca connect``: this machine as the client of an SSTP server."""

from pathlib import Path

import click

from ..errors import InvalidInput
from ..vpn import connecting, kept
from ..vpn.connecting import Certificate, Credentials, Destination, Wishes
from .ask import from_file, interactive, login_password, visible
from .connect_screen import Screen
from .output import talk


@click.command("connect")
@click.argument("target", metavar="HOST[:PORT]|BUNDLE", required=False)
@click.option("--user", metavar="NAME", help="Who logs in; a bundle says that itself.")
@click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, readable=False),
    help="Read the password from a file.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, readable=False),
    help="Log in by this certificate (EAP-TLS): PEM, or PKCS#12 with its key.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, readable=False),
    help="The certificate's key, where that is in a file of its own.",
)
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, readable=False),
    help="The authority to believe; by default this home's, or where there is none, the machine's.",
)
@click.option("--system-trust", is_flag=True, help="Believe this machine's authorities.")
@click.option("--pin", metavar="SHA256", help="Believe the certificate with this SHA-256 alone.")
@click.option("--name", metavar="HOST", help="What the certificate is for, if not HOST.")
@click.option(
    "--route",
    "routes",
    metavar="NETWORK",
    multiple=True,
    help="Send this network through the tunnel, and no other; may be given several times.",
)
@click.option("--full-tunnel", is_flag=True, help="Send everything through it, whatever is pushed.")
@click.option("--no-dns", is_flag=True, help="Leave the machine's resolver alone.")
@click.option("--no-ipv6", is_flag=True, help="Ask for no IPv6.")
@click.option("--allow-pap", is_flag=True, help="Show the password to a server that asks for it.")
@click.option(
    "--proxy",
    metavar="URL",
    envvar=kept.PROXY,
    help="Through an HTTP proxy: http://[USER:PASSWORD@]HOST:PORT. With a password, rather say it by "
    f"{kept.PROXY} in the environment, which no list of processes shows.",
)
@click.option(
    "--interface",
    metavar="NAME",
    default="vpn%d",
    show_default=True,
    help="What the interface is called; %d is the next free number.",
)
@click.option("--kill-switch", is_flag=True, help="Let nothing pass beside the tunnel.")
@click.option(
    "--up",
    metavar="PROGRAM",
    default="",
    help="Run this when it is up; it gets SSTPCA_INTERFACE, _SERVER, _ADDRESS, _GATEWAY, _DNS and _ROUTES.",
)
@click.option(
    "--down", metavar="PROGRAM", default="", help="Run this when it is lost, with the same."
)
@click.option("--once", is_flag=True, help="End when the connection is lost, or there is none.")
@click.option(
    "--keep-trying", is_flag=True, help="Try again where the server refuses, each 10 to 20 minutes."
)
@click.option(
    "--install",
    metavar="NAME",
    help="Have the machine do this from its start on, as the service NAME; passwords are kept for root.",
)
@click.option("--dry-run", is_flag=True, help="Only print the files that --install would write.")
@click.option("--uninstall", metavar="NAME", help="End the service NAME, and remove its files.")
@click.pass_context
def connect(
    ctx: click.Context,
    target: str | None,
    user: str | None,
    from_stdin: bool,
    password_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    ca_file: Path | None,
    system_trust: bool,
    pin: str | None,
    name: str | None,
    routes: tuple[str, ...],
    full_tunnel: bool,
    no_dns: bool,
    no_ipv6: bool,
    allow_pap: bool,
    proxy: str | None,
    interface: str,
    kill_switch: bool,
    up: str,
    down: str,
    once: bool,
    keep_trying: bool,
    install: str | None,
    dry_run: bool,
    uninstall: str | None,
) -> None:
    """Connect this machine to an SSTP server, and keep it connected until Ctrl-C.

    HOST is any SSTP server; BUNDLE is what 'bundle --for linux' made, a zip or a folder, as it is. The
    server is always verified. When the connection is lost, it comes back by itself, and the interface
    stays meanwhile.

    \b
        sstpca connect alice.zip
        sstpca connect vpn.example.com --user alice --ca ca.crt
        sstpca connect router.example.com --user office-b --route 192.168.88.0/24
        sstpca connect office-b.zip --install office
        sstpca connect --uninstall office
    """
    if uninstall is not None:
        _uninstall(uninstall)
        return
    if target is None:
        raise InvalidInput("it is not said what to connect to", "name a server, or a bundle")
    if dry_run and install is None:
        raise InvalidInput("--dry-run is for --install", "leave it out")
    if install is not None and once:
        raise InvalidInput("--install and --once exclude each other")
    if full_tunnel and routes:
        raise InvalidInput("--full-tunnel and --route exclude each other")
    if once and keep_trying:
        raise InvalidInput("--once and --keep-trying exclude each other")
    if sum((ca_file is not None, system_trust, pin is not None)) > 1:
        raise InvalidInput("--ca, --system-trust and --pin exclude each other")
    if Path(target).exists():
        destination = connecting.by_bundle(Path(target))
    else:
        destination = connecting.by_name(
            ctx.obj.home_path,
            target,
            ca_file=ca_file,
            system_trust=system_trust,
            pin=connecting.parse_pin(pin) if pin else b"",
            name=name,
        )
    if proxy:
        destination = connecting.with_proxy(destination, proxy)
    wanted = tuple(map(connecting.parse_network, routes)) or None
    wishes = Wishes(
        routes=connecting.EVERYWHERE if full_tunnel else wanted,
        dns=not no_dns,
        ipv6=not no_ipv6,
        interface=interface,
        kill_switch=kill_switch,
        up=up,
        down=down,
        once=once,
        keep_trying=keep_trying,
    )
    secret = _Password(password_file, from_stdin=from_stdin)
    if files := _certificate_files(certificate, key) or destination.certificate:
        opened = connecting.put_together(files, user or destination.user, secret.of_file)
        credentials: Certificate | Credentials = opened
    else:
        credentials = _credentials(destination, user, secret)
    if install is None:
        with Screen() as screen:
            connecting.connect(destination, credentials, wishes, screen.show, allow_pap=allow_pap)
        return
    verb = kept.plan if dry_run else kept.install
    _report(verb(install, destination, credentials, wishes, allow_pap=allow_pap, proxy=proxy or ""))


def _uninstall(name: str) -> None:
    for path in kept.uninstall(name):
        click.echo(path)
    talk("the service is gone")


def _report(made: kept.Installed) -> None:
    for file in made.written:
        if made.state:
            click.echo(file.path)
        else:
            click.echo(f"# {file.path}")
            click.echo(kept.shown(file))
    if made.state:
        talk(f"the service starts with this machine by {made.manager}; now: {made.state}")
    else:
        talk(f"nothing was changed; it would be started by {made.manager}")


def _certificate_files(certificate: Path | None, key: Path | None) -> tuple[connecting.Read, ...]:
    if certificate is None:
        if key is not None:
            raise InvalidInput("--key is for a certificate", "say --certificate FILE as well")
        return ()
    return connecting.read_files([certificate, *([] if key is None else [key])])


class _Password:
    """Where the password comes from: a file, standard input, or whoever types it."""

    def __init__(self, file: Path | None, *, from_stdin: bool) -> None:
        self._file = file
        self._from_stdin = from_stdin

    @property
    def is_given(self) -> bool:
        """Whether it was said where it is."""
        return self._file is not None or self._from_stdin

    def of(self, name: str) -> str:
        """Return that of a user, or of a file."""
        if self._file is not None:
            return from_file(self._file, "the password")
        return login_password(name, from_stdin=self._from_stdin)

    def of_file(self, path: Path) -> bytes:
        """Return that of a file with a key."""
        return self.of(str(path)).encode()


def _credentials(destination: Destination, user: str | None, secret: _Password) -> Credentials:
    who = user or destination.user
    if not who:
        if not interactive():
            raise InvalidInput("it is not said who logs in", "say --user NAME")
        who = visible("User name: ").strip()
    if destination.password and not user and not secret.is_given:
        return Credentials(who, destination.password)
    return Credentials(who, secret.of(who))
