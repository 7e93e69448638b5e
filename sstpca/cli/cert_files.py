"""Certificates and keys that leave or enter the home: export, import, requests."""

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509

from ..authority import importing, pairs, requests
from ..authority.authority import issuer_of
from ..authority.identity import served_hosts
from ..authority.importing import Import
from ..disk.folders import write_new_folder
from ..disk.writing import PUBLIC, SECRET, refuse_existing, write_new
from ..errors import InvalidInput, SstpcaError
from ..home import Home
from ..names import quoted
from ..secrets import generate_password
from ..store import certificates
from ..store.certificates import Entry, State
from ..x509 import exporting, parsing
from ..x509.certificates import certificate_to_der, certificate_to_pem
from ..x509.keys import KEY_TYPES, KeyType, describe_key
from ..x509.pair import Pair
from . import ask, ca_files, usage
from .ca import ca
from .cert import cert, opened
from .cert_change import RUNNING
from .context import Context
from .output import pairs as lines_of
from .output import talk, warn

Command = Callable[..., Any]


@enum.unique
class Format(enum.Enum):
    """What a certificate can be exported as."""

    PEM = "pem"
    DER = "der"
    CHAIN = "chain"
    P12 = "p12"
    ROUTEROS = "routeros"


# which of the options that not all formats have go with which
_FITTING: Final = {
    "--with-key": {Format.PEM, Format.CHAIN, Format.P12, Format.ROUTEROS},
    "--root": {Format.CHAIN},
    "--legacy": {Format.P12},
    "--generate": {Format.P12},
    "--password-file": {Format.P12},
}


def password_file_option(text: str) -> Callable[[Command], Command]:
    """Return the option that names a file with a password."""
    return click.option(
        "--password-file", type=click.Path(path_type=Path, readable=False), help=text
    )


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
@ca_files.output_option
@click.option("--with-key", is_flag=True, help="The private key as well (pem, chain).")
@click.option("--root", is_flag=True, help="The authority's certificate as well (chain).")
@click.option("--legacy", is_flag=True, help="3DES and SHA-1, for Windows before 10 1809 (p12).")
@password_file_option("A file with the password for the p12 file.")
@click.option("--generate", is_flag=True, help="Make the p12 file's password, and print it once.")
@ca_files.force_option
@click.pass_obj
def export(
    context: Context,
    name: str,
    format_: str,
    output: Path | None,
    with_key: bool,
    root: bool,
    legacy: bool,
    password_file: Path | None,
    generate: bool,
    force: bool,
) -> None:
    """Write the certificate NAME for another program.

    pem, der (what Windows calls .cer) and chain (with intermediates) have no key in them, and go to
    standard output unless --output says where. p12 (PKCS#12, .pfx) and routeros (a folder with a
    script) have the key, and come into the current folder otherwise.

    \b
        sstpca cert export server --format chain --output fullchain.pem
        sstpca cert export alice --format p12 --generate
        sstpca cert export server --format routeros
    """
    kind = Format(format_)
    given = {
        "--with-key": with_key,
        "--root": root,
        "--legacy": legacy,
        "--generate": generate,
        "--password-file": password_file is not None,
    }
    _refuse_unfitting(kind, [option for option, is_given in given.items() if is_given])
    home, store = opened(context)
    entry = certificates.find(store, name)
    _warn_of(entry)
    if kind is Format.P12:
        target = output or Path(f"{exporting.file_stem(entry.name)}.p12")
        _export_p12(home, entry, target, legacy, password_file, generate=generate, force=force)
    elif kind is Format.ROUTEROS:
        target = output or Path(f"{exporting.file_stem(entry.name)}-routeros")
        _export_routeros(home, entry, target, force=force)
    elif with_key:
        target = output or Path(f"{exporting.file_stem(entry.name)}.pem")
        content = _with_key(home, entry, kind, root=root)
        write_new(target, content, SECRET, force=force)
        click.echo(target)
    else:
        ca_files.put_out(_without_key(home, entry, kind, root=root), output, force=force)


def _refuse_unfitting(kind: Format, options: list[str]) -> None:
    for option in options:
        if kind not in _FITTING[option]:
            formats = ", ".join(one.value for one in Format if one in _FITTING[option])
            raise InvalidInput(
                f"{option} does not go with --format {kind.value}", f"it goes with {formats}"
            )
    if {"--generate", "--password-file"} <= set(options):
        raise InvalidInput("--password-file and --generate exclude each other")


def _warn_of(entry: Entry) -> None:
    state = entry.state(datetime.now(UTC).timestamp())
    if state is not State.VALID:
        warn(f"the certificate {entry.serial} of '{entry.name}' is {state.value}")


def _pair(home: Home, entry: Entry) -> Pair:
    if entry.profile == certificates.AUTHORITY:
        raise SstpcaError(
            "the authority's key is not exported", "to keep it elsewhere: sstpca ca backup FILE"
        )
    if entry.replaced is not None:
        raise SstpcaError(
            f"the certificate {entry.serial} of '{entry.name}' was replaced, and its key with it",
            f"export the present one: sstpca cert export {entry.name}",
        )
    return pairs.load(home, entry.name, entry.profile)


def _without_key(home: Home, entry: Entry, kind: Format, *, root: bool) -> bytes:
    if kind is Format.DER:
        return certificate_to_der(entry.certificate)
    if kind is Format.PEM or entry.profile == certificates.AUTHORITY:
        return certificate_to_pem(entry.certificate)
    return exporting.to_chain(_pair(home, entry), _root(home, entry) if root else None)


def _with_key(home: Home, entry: Entry, kind: Format, *, root: bool) -> bytes:
    pair = _pair(home, entry)
    if kind is Format.CHAIN:
        return exporting.key_of(pair) + _without_key(home, entry, kind, root=root)
    return exporting.key_of(pair) + certificate_to_pem(pair.leaf)


def _root(home: Home, entry: Entry) -> x509.Certificate:
    """Return the certificate of the authority of this home that issued ``entry``."""
    authority = issuer_of(home, entry.certificate)
    if authority is None:
        raise SstpcaError(
            f"the certificate of '{entry.name}' is another authority's, and its root is not here",
            "leave --root out",
        )
    return authority


def _export_p12(
    home: Home,
    entry: Entry,
    target: Path,
    legacy: bool,
    password_file: Path | None,
    *,
    generate: bool,
    force: bool,
) -> None:
    pair = _pair(home, entry)
    refuse_existing(target, force=force)
    password = _new_password(target, password_file, generate=generate)
    content = exporting.to_pkcs12(
        pair, entry.name, exporting.check_password(password), legacy=legacy
    )
    write_new(target, content, SECRET, force=force)
    click.echo(target)
    if generate:
        click.echo(password)
        talk("the second line is its password, which is not kept anywhere")


def _new_password(target: Path, file: Path | None, *, generate: bool) -> str:
    if generate:
        return generate_password()
    if file is not None:
        return ask.from_file(file, "the password")
    if not ask.interactive():
        raise InvalidInput(
            "there is no terminal to ask for a password",
            "give it with --password-file FILE, or let --generate make one",
        )
    return ask.secret(f"Password for {target}", twice=True)


def _export_routeros(home: Home, entry: Entry, target: Path, *, force: bool) -> None:
    pair, authority = _pair(home, entry), issuer_of(home, entry.certificate)
    files = {
        name: (file.content, SECRET if file.secret else PUBLIC)
        for name, file in exporting.to_routeros(pair, authority).items()
    }
    write_new_folder(target, files, force=force)
    click.echo(target)
    talk(
        "the private key in it is not encrypted: delete the folder when the router has it\n"
        f"next, on the router: /import file-name={exporting.routeros_stem(pair)}.rsc\n"
        f"then {exporting.routeros_use(pair)}"
    )


@cert.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, readable=False),
)
@password_file_option("A file with the password of encrypted files.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def import_(
    context: Context, files: tuple[Path, ...], password_file: Path | None, yes: bool
) -> None:
    """Take a certificate made elsewhere as the server's, for example a publicly trusted one.

    The FILEs have the server's certificate, its key and those of the authorities in between, in
    any order and format: PEM, DER, PKCS#12 or PKCS#7. The key may be missing if the request for
    the certificate was made here. The one before is kept.

    \b
        sstpca cert import fullchain.pem privkey.pem
        sstpca cert import vpn.pfx --password-file FILE
        sstpca cert import answer.cer intermediate.cer
    """
    home, store = opened(context)
    now = datetime.now(UTC)
    contents = importing.read_files(files, _password_of(password_file))
    found = importing.prepare(home, contents, now)
    _describe(found)
    if not ask.confirm("Make it the server's certificate?", yes=yes):
        talk("nothing was changed")
        return
    kept = importing.install(home, store, found, now)
    click.echo(home.server_identity)
    if kept is not None:
        talk(f"the one before is kept as {kept}")
    talk(RUNNING)


def _password_of(file: Path | None) -> parsing.Password:
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
@ca_files.output_option
@click.option(
    "--key-type",
    type=click.Choice(KEY_TYPES),
    default=None,
    help="The kind of key: rsa is rsa-2048, ecdsa is ecdsa-p256.  [default: rsa]",
)
@click.option("--new-key", is_flag=True, help="Forget the key of an earlier request.")
@ca_files.force_option
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
    home = context.home()
    hosts = served_hosts(home)
    if output is not None:
        refuse_existing(output, force=force)
    with home.changing_certificates():
        key = None if new_key else requests.load_next_key(home)
        if key is None:
            key = requests.make_next_key(home, KeyType(key_type or "rsa"))
            talk(f"the key waits in {requests.next_key_path(home)}")
        elif key_type is not None:
            raise InvalidInput(
                "an earlier request has a key already, and its answer needs that one",
                "leave --key-type out, or say --new-key if there will be no answer",
            )
        else:
            talk(f"for the key of the earlier request, {requests.next_key_path(home)}")
    request = requests.request_to_pem(requests.make_request(key, hosts))
    ca_files.put_out(request, output, force=force)
    talk("next, with the authority's answer: sstpca cert import FILE...")


for _command in ca_files.COMMANDS:
    ca.add_command(_command)
