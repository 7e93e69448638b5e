"""Certificates and keys that leave or enter the home: export, import, requests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from ..errors import InvalidInput, command
from ..names import quoted
from ..secrets import generate_password
from ..vpn.certificates import KEY_TYPES, CertificateState, Entry, KeyType, Pair
from ..vpn.transfer import (
    Format,
    Import,
    Password,
    describe_key,
    file_stem,
    refuse_existing,
    routeros_steps,
    write_secret,
)
from . import ask, usage
from .ca import ca
from .ca_files import COMMANDS, put_out
from .cert import cert
from .cert_change import RUNNING
from .context import Context
from .options import force_option, gathered, output_option, password_file_option, yes_option
from .output import pairs as lines_of
from .output import talk, warn

# which of the options that not all formats have go with which
_GOES_WITH: Final = {
    "--with-key": {Format.PEM, Format.CHAIN, Format.P12, Format.ROUTEROS},
    "--root": {Format.CHAIN},
    "--legacy": {Format.P12},
    "--generate": {Format.P12},
    "--password-file": {Format.P12},
}


@dataclass(frozen=True, slots=True)
class _As:
    """What a certificate is to be exported as."""

    format_: str
    with_key: bool
    root: bool
    legacy: bool
    password_file: Path | None
    generate: bool

    @property
    def kind(self) -> Format:
        """The format."""
        return Format(self.format_)

    def check(self) -> None:
        """Make sure that the options go with each other.

        :raises InvalidInput: if they do not.
        """
        given = {
            "--with-key": self.with_key,
            "--root": self.root,
            "--legacy": self.legacy,
            "--generate": self.generate,
            "--password-file": self.password_file is not None,
        }
        for name in (name for name, is_given in given.items() if is_given):
            if self.kind not in _GOES_WITH[name]:
                formats = ", ".join(one.value for one in Format if one in _GOES_WITH[name])
                raise InvalidInput(
                    f"{name} does not go with --format {self.format_}", f"it goes with {formats}"
                )
        if self.generate and self.password_file is not None:
            raise InvalidInput("--password-file and --generate exclude each other")

    def new_password(self, target: Path) -> str:
        """Return the password for the file ``target``: made, read, or asked for.

        :raises InvalidInput: if there is nobody to ask.
        """
        if self.generate:
            return generate_password()
        if self.password_file is not None:
            return ask.from_file(self.password_file, "the password")
        if not ask.interactive():
            raise InvalidInput(
                "there is no terminal to ask for a password",
                "give it with --password-file FILE, or let --generate make one",
            )
        return ask.secret(f"Password for {target}", twice=True)


@cert.command()
@click.argument("name")
@click.option(
    "--format",
    "format_",
    type=click.Choice([one.value for one in Format]),
    default=Format.PEM.value,
    show_default=True,
    help="What to make of it.",
)
@output_option
@click.option("--with-key", is_flag=True, help="The private key as well (pem, chain).")
@click.option("--root", is_flag=True, help="The authority's certificate as well (chain).")
@click.option("--legacy", is_flag=True, help="3DES and SHA-1, for Windows before 10 1809 (p12).")
@password_file_option("A file with the password for the p12 file.")
@click.option("--generate", is_flag=True, help="Make the p12 file's password, and print it once.")
@force_option
@click.pass_obj
@gathered(_As, "how")
def export(context: Context, name: str, output: Path | None, force: bool, how: _As) -> None:
    """Write the certificate NAME for another program.

    pem, der (what Windows calls .cer) and chain (with intermediates) have no key in them, and go to
    standard output unless --output says where. p12 (PKCS#12, .pfx) and routeros (a folder with a
    script) have the key, and come into the current folder otherwise.

    \b
        sstpca cert export server --format chain --output fullchain.pem
        sstpca cert export alice --format p12 --generate
        sstpca cert export server --format routeros
    """
    how.check()
    transfer, entry = context.vpn.transfer, context.vpn.certificates.find(name)
    kind, stem = how.kind, file_stem(entry)
    _warn_of(entry)
    if kind is Format.P12:
        target = output or Path(f"{stem}.p12")
        password = transfer.export_p12(
            entry, target, lambda: how.new_password(target), legacy=how.legacy, force=force
        )
        click.echo(target)
        if how.generate:
            click.echo(password)
            talk("the second line is its password, which is not kept anywhere")
    elif kind is Format.ROUTEROS:
        target = output or Path(f"{stem}-routeros")
        _say_routeros(target, transfer.export_routeros(entry, target, force=force))
    elif how.with_key:
        target = output or Path(f"{stem}.pem")
        content = transfer.exported_with_key(entry, kind, root=how.root)
        write_secret(content, target, force=force)
        click.echo(target)
    else:
        put_out(transfer.exported(entry, kind, root=how.root), output, force=force)


def _warn_of(entry: Entry) -> None:
    state = entry.state(datetime.now(UTC).timestamp())
    if state is not CertificateState.VALID:
        warn(f"the certificate {entry.serial} of '{entry.name}' is {state.value}")


def _say_routeros(target: Path, pair: Pair) -> None:
    importing, using = routeros_steps(pair)
    click.echo(target)
    talk(
        "the private key in it is not encrypted: delete the folder when the router has it\n"
        f"next, on the router: {importing}\n"
        f"then {using}"
    )


@cert.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, readable=False),
)
@click.option(
    "--beside",
    is_flag=True,
    help="Another one, with an ECDSA key, beside the one with an RSA key; later, it is known by that.",
)
@password_file_option("A file with the password of encrypted files.")
@yes_option
@click.pass_obj
def import_(
    context: Context,
    files: tuple[Path, ...],
    beside: bool,
    password_file: Path | None,
    yes: bool,
) -> None:
    """Take a certificate made elsewhere as the server's, for example a publicly trusted one.

    The FILEs have the server's certificate, its key and those of the authorities in between, in
    any order and format: PEM, DER, PKCS#12 or PKCS#7. The key may be missing if the request for
    the certificate was made here. The one before is kept.

    \b
        sstpca cert import fullchain.pem privkey.pem
        sstpca cert import vpn.pfx --password-file FILE
        sstpca cert import answer.cer intermediate.cer
        sstpca cert import ecdsa-fullchain.pem ecdsa-key.pem --beside
    """
    transfer = context.vpn.transfer
    found = transfer.prepare_import(files, _password_of(password_file), beside=beside)
    _describe(found)
    if not ask.confirm("Make it the server's certificate?", yes=yes):
        talk("nothing was changed")
        return
    kept = transfer.install(found)
    click.echo(context.vpn.home.pair(found.pair.name))
    if kept is not None:
        talk(f"the one before is kept as {kept}")
    talk(RUNNING)


def _password_of(file: Path | None) -> Password:
    def password(path: Path) -> bytes:
        if file is not None:
            return ask.from_file(file, "the password").encode()
        if not ask.interactive():
            raise InvalidInput(
                f"{path} is encrypted, and there is no terminal to ask for its password",
                "give it with --password-file FILE",
            )
        return ask.secret(f"Password of {path}", twice=False).encode()

    return password


def _describe(found: Import) -> None:
    leaf, *chain = found.pair.certificates
    rows = [
        ("certificate", leaf.subject.rfc4514_string()),
        ("issuer", leaf.issuer.rfc4514_string()),
        *(("then", one.issuer.rfc4514_string()) for one in chain),
        ("ends", f"{leaf.not_valid_after_utc:%Y-%m-%d}"),
        ("key", describe_key(leaf.public_key())),
    ]
    talk(lines_of(rows, indent="  "))
    if not found.own:
        talk("users' machines have to trust that authority already: bundles have none then")
    if found.revocation:
        talk(
            "Windows asks, before it connects, whether it is revoked (else 0x80092013); so clients "
            "have to reach:\n  " + "\n  ".join(map(ascii, dict.fromkeys(found.revocation)))
        )
    for one in found.unused:
        warn(f"the certificate of {quoted(one.subject.rfc4514_string())} has no part in the chain")


@click.command(cls=usage.Command)
@output_option
@click.option(
    "--key-type",
    type=click.Choice(KEY_TYPES),
    default=None,
    help="The kind of key: rsa is rsa-2048, ecdsa is ecdsa-p256.  [default: rsa]",
)
@click.option("--new-key", is_flag=True, help="Forget the key of an earlier request.")
@force_option
@click.pass_obj
def csr(
    context: Context, output: Path | None, key_type: str | None, new_key: bool, force: bool
) -> None:
    """Write a request for a certificate with the names of the settings.

    Its key stays here, and waits: 'sstpca cert import' of the answer finds it. Until then, a second
    request is for the same key.

    \b
        sstpca server csr
        sstpca server csr --key-type ecdsa --output server.csr
    """
    if output is not None:
        refuse_existing(output, force=force)
    kind = None if key_type is None else KeyType(key_type)
    request = context.vpn.transfer.request(kind, new_key=new_key)
    if request.again:
        talk(f"for the key of the earlier request, {request.key}")
    else:
        talk(f"the key waits in {request.key}")
    put_out(request.pem, output, force=force)
    talk("next, with the authority's answer: ", command("cert import FILE..."))


for _command in COMMANDS:
    ca.add_command(_command)
