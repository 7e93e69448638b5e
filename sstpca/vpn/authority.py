"""The authority: shown, its revocation list, and the whole home in one file."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ..authority import backup as backups
from ..authority import backup_folder, revocation, sealed
from ..authority.authority import (
    former_authorities,
    load_ca_certificate,
    load_next_certificate,
    note_on_purposes,
)
from ..authority.backup import Summary
from ..authority.backup_folder import Kept, LastBackup
from ..authority.revocation import RevocationList
from ..authority.rollover import following
from ..disk.reading import read_file
from ..disk.writing import refuse_existing
from ..errors import Remedy, SstpcaError
from ..store import certificates
from ..x509.certificates import (
    Certificate,
    certificate_to_der,
    certificate_to_pem,
    digest,
    sha256_fingerprint,
)
from ..x509.describe import Description, describe
from ..x509.keys import is_encrypted
from .opened import Opened, Passphrase

__all__ = [
    "DAYS",
    "Kept",
    "LastBackup",
    "RevocationList",
    "Role",
    "Summary",
    "TheAuthority",
    "common_name",
    "digest",
]

#: until when the next revocation list has to be there
DAYS = revocation.DAYS

#: "issues", "next" or "former", and the authority's certificate
Role = tuple[str, x509.Certificate]

fingerprint = sha256_fingerprint


def common_name(one: x509.Certificate) -> str:
    """Return what people call an authority."""
    return Certificate.of(one).common_name or one.subject.rfc4514_string()


class TheAuthority:
    """The authority of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def describe(self) -> Description:
        """Return what the authority's certificate says.

        :raises SstpcaError: if it is missing or damaged.
        """
        home, _ = self._opened.recovered()
        return describe(load_ca_certificate(home), datetime.now(UTC))

    def roles(self) -> list[Role]:
        """Return the authorities of the home, the one that issues first.

        :raises SstpcaError: if a file is damaged.
        """
        home = self._opened.home
        found = [("issues", load_ca_certificate(home))]
        successor = load_next_certificate(home)
        if successor is not None:
            found.append(("next", successor))
        return found + [("former", one) for one in former_authorities(home)]

    def key_state(self) -> str:
        """Return how the authority's key is kept: "encrypted", "NOT encrypted" or "not here"."""
        try:
            encrypted = is_encrypted(read_file(self._opened.home.ca_key, "the authority's key"))
        except SstpcaError:
            return "not here"
        return "encrypted" if encrypted else "NOT encrypted"

    def counts(self) -> dict[str, int]:
        """Return how many certificates were issued, by their state."""
        now = datetime.now(UTC).timestamp()
        leaves = [
            one
            for one in certificates.list_all(self._opened.store)
            if one.profile != certificates.AUTHORITY
        ]
        return dict(sorted(Counter(one.state(now).value for one in leaves).items()))

    def note(self) -> Remedy:
        """Return what is to be said of an authority that an earlier release made; mostly empty."""
        return note_on_purposes(self._opened.home)

    def exported(self, *, der: bool = False, successor: bool = False) -> tuple[bytes, str]:
        """Return a certificate that clients have to trust, and its SHA-256.

        :param der: as Windows' .cer has it, and not as PEM.
        :param successor: the next authority's, during a rollover.
        :raises SstpcaError: if there is none, or it is damaged.
        """
        home = self._opened.home
        one = following(home) if successor else load_ca_certificate(home)
        return certificate_to_der(one) if der else certificate_to_pem(one), sha256_fingerprint(one)

    @property
    def has_successor(self) -> bool:
        """Whether there is a next authority."""
        return load_next_certificate(self._opened.home) is not None

    def write_revocation_list(
        self, passphrase: Passphrase = None, *, days: int = DAYS, folder: Path | None = None
    ) -> RevocationList:
        """Write the revocation list, as DER and PEM.

        :param days: until when the next one has to be there.
        :param folder: by default the home.
        :raises SstpcaError: if it cannot be signed or written.
        """
        home, store = self._opened.recovered()
        authority = self._opened.authority(passphrase)
        now = datetime.now(UTC)
        return revocation.write_list(home, store, authority, now, days=days, folder=folder)

    def back_up(
        self, target: Path, passphrase: Callable[[], bytes], *, force: bool = False
    ) -> Summary:
        """Write the whole home into the encrypted file ``target``; the VPN may be running.

        :param passphrase: is asked for once it is clear that the file can be written.
        :param force: whether a file that is there may be replaced.
        :raises SstpcaError: if something cannot be read or written; there is no file then.
        """
        home, store = self._opened.recovered()
        refuse_existing(target, force=force)
        summary = backups.back_up(home, store, target, passphrase(), force=force)
        backup_folder.note(home, target)
        return summary

    def keep_backup(
        self,
        passphrase: Callable[[], bytes] | None = None,
        folder: Path | None = None,
        keep: int | None = None,
    ) -> Kept:
        """Write a dated backup into ``folder`` as :meth:`back_up` does, and remove the oldest ones there.

        The new one is read back first.

        :param passphrase: is asked for it; by default, the file that the settings name has it.
        :param folder: by default that of the settings.
        :param keep: how many stay, the new one among them; by default as the settings say.
        :raises SstpcaError: if something cannot be read or written; no backup has gone then.
        """
        home, store = self._opened.recovered()
        settings = self._opened.settings
        given = backup_folder.passphrase_of(home, settings) if passphrase is None else passphrase()
        return backup_folder.add(
            home,
            store,
            folder or backup_folder.folder_of(home, settings),
            given,
            keep=keep or settings.backup.keep,
            settings=settings,
        )

    def last_backup(self) -> LastBackup | None:
        """Return which backup of this home was made last; None if there was none."""
        return backup_folder.last(self._opened.home)


def restore(source: Path, root: Path, passphrase: Callable[[], bytes]) -> Summary:
    """Make the home ``root``, which is empty or not there, from the backup ``source``.

    :param passphrase: is asked for once it is clear that ``source`` is a backup.
    :raises SstpcaError: if it cannot be; nothing has changed then.
    """
    backups.refuse_occupied(root)
    sealed.check_header(source)
    return backups.restore(source, root, passphrase())
