"""``sstpca ca export``, ``backup`` and ``restore``: the authority and its home as files."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from ..errors import InvalidInput, command
from ..secrets import check_new_passphrase, check_passphrase
from ..vpn.authority import Summary
from ..vpn.authority import restore as restored
from ..vpn.transfer import write_public
from . import ask, usage
from .context import Context
from .options import force_option, output_option
from .output import talk, warn

PASSPHRASE_VARIABLE: Final = "SSTPCA_BACKUP_PASSPHRASE"  # noqa: S105 a name, not a secret

_MIB: Final = 1 << 20

Command = Callable[..., Any]

_passphrase_option: Callable[[Command], Command] = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the backup's passphrase.",
)


def put_out(content: bytes, output: Path | None, *, force: bool) -> None:
    """Write ``content`` to the file ``output`` and print its path, or to standard output.

    :raises SstpcaError: if the file exists or cannot be written, or a terminal would get binary.
    """
    if output is not None and str(output) != "-":
        write_public(content, output, force=force)
        click.echo(output)
        return
    if not content.isascii() and sys.stdout.isatty():
        raise InvalidInput("this is no text for a terminal", "say --output FILE")
    click.echo(content, nl=False)


@click.command(cls=usage.Command)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["pem", "der"]),
    default="pem",
    show_default=True,
    help="What to make of it; der is what Windows calls .cer.",
)
@click.option("--next", "next_", is_flag=True, help="The next authority's, during a rollover.")
@output_option
@force_option
@click.pass_obj
def export(context: Context, format_: str, next_: bool, output: Path | None, force: bool) -> None:
    """Write the authority's certificate, which clients have to trust.

    \b
        sstpca ca export --output ca.crt
        sstpca ca export --format der --output ca.cer
        sstpca ca export --next --output ca-next.crt
    """
    authority = context.vpn.authority
    content, fingerprint = authority.exported(der=format_ == "der", successor=next_)
    put_out(content, output, force=force)
    talk(f"its SHA-256 fingerprint: {fingerprint}")
    if not next_ and authority.has_successor:
        talk("clients are to trust the next authority as well: ", command("ca export --next"))


@click.command(cls=usage.Command)
@click.argument("file", required=False, type=click.Path(path_type=Path, readable=False))
@click.option(
    "--keep",
    type=click.IntRange(1, 10_000),
    help="FILE is a folder: write a dated backup into it, and keep so many there.",
)
@_passphrase_option
@force_option
@click.pass_obj
def backup(
    context: Context,
    file: Path | None,
    keep: int | None,
    passphrase_file: Path | None,
    force: bool,
) -> None:
    """Write the whole home into one encrypted FILE.

    Keys, database, settings and bundles are all in it. The VPN may be running. The passphrase is
    taken from --passphrase-file, SSTPCA_BACKUP_PASSPHRASE, or a question.

    Without FILE it does what the backup timer does: a dated backup in the folder of settings.toml,
    under the passphrase of the file named there, and as many are kept as it says there. A backup
    counts once it was read back to its end; before that, no older one goes.

    \b
        sstpca ca backup vpn.backup
        sstpca ca backup /mnt/nas/vpn --keep 14 --passphrase-file /root/backup-passphrase
        sstpca ca backup
    """
    authority = context.vpn.authority
    if file is not None and keep is None:
        if file.is_dir():
            raise InvalidInput(
                f"{file} is a folder", "name a file, or say how many backups stay there: --keep 14"
            )
        made = authority.back_up(file, lambda: _passphrase(passphrase_file, new=True), force=force)
        removed: tuple[Path, ...] = ()
    else:
        if force:
            raise InvalidInput("--force is for one FILE: a dated backup replaces nothing")
        given = passphrase_file is not None or file is not None or _in_environment()
        kept = authority.keep_backup(
            (lambda: _passphrase(passphrase_file, new=True)) if given else None, file, keep
        )
        file, made, removed = kept.path, kept.summary, kept.removed
    click.echo(file)
    for path in made.skipped:
        warn(f"{path} is neither a file nor a folder, and was left out")
    talk(
        f"{_amount(made)}. Whoever has it and the passphrase has every key of the VPN; without the "
        "passphrase, nobody can open it"
    )
    if removed:
        talk(f"removed the oldest: {', '.join(path.name for path in removed)}")


@click.command(cls=usage.Command)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@_passphrase_option
@click.pass_obj
def restore(context: Context, file: Path, passphrase_file: Path | None) -> None:
    """Make the home from FILE, which 'sstpca ca backup' wrote.

    The home must be empty, or not be there. All of FILE is checked before anything is written.

    \b
        sstpca --home /srv/vpn ca restore vpn.backup
    """
    root = context.home_path
    made = restored(file, root, lambda: _passphrase(passphrase_file, new=False))
    click.echo(root)
    talk(
        f"{_amount(made)} restored. What was issued, or changed for users, since the backup is not "
        "in it"
    )


def _amount(made: Summary) -> str:
    return f"{made.files} files, {max(made.size / _MIB, 0.1):.1f} MiB"


def _in_environment() -> bool:
    return PASSPHRASE_VARIABLE in os.environ


def _passphrase(file: Path | None, *, new: bool) -> bytes:
    text = os.environ.get(PASSPHRASE_VARIABLE)
    if file is not None:
        text = ask.from_file(file, "the passphrase")
    elif text is None:
        if not ask.interactive():
            raise InvalidInput(
                "there is no passphrase for the backup",
                f"set {PASSPHRASE_VARIABLE}, or say --passphrase-file FILE",
            )
        text = ask.secret(f"Passphrase {'for' if new else 'of'} the backup", twice=new)
    if not text:
        raise InvalidInput("the passphrase for the backup is empty")
    return check_new_passphrase(text) if new else check_passphrase(text)


#: what registers on ``ca``
COMMANDS: Final[tuple[click.Command, ...]] = (export, backup, restore)
