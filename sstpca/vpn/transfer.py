"""Certificates to and from elsewhere: requests, imports, and files for other programs."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..authority import importing, pairs, requests
from ..authority.authority import issuer_of
from ..authority.identity import served_hosts
from ..authority.importing import Import
from ..disk.folders import write_new_folder
from ..disk.writing import PUBLIC, SECRET, refuse_existing, write_new
from ..errors import InvalidInput, NotFound, Refused, command, option
from ..store.certificates import AUTHORITY, Entry
from ..x509 import exporting
from ..x509.certificates import certificate_to_der, certificate_to_pem
from ..x509.keys import KeyType, describe_key
from ..x509.pair import Pair
from ..x509.parsing import Password
from .opened import Opened

__all__ = [
    "CertificateRequest",
    "Format",
    "Import",
    "Password",
    "Transfer",
    "describe_key",
    "refuse_existing",
]


@enum.unique
class Format(enum.Enum):
    """What a certificate can be written as."""

    PEM = "pem"
    DER = "der"
    CHAIN = "chain"
    P12 = "p12"
    ROUTEROS = "routeros"


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request for a certificate of another authority.

    :param pem: PKCS#10 (RFC 2986).
    :param key: where its key waits for the answer.
    :param again: whether it is for the key of an earlier request.
    """

    pem: bytes
    key: Path
    again: bool


class Transfer:
    """What leaves or enters the home of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def prepare_import(
        self, files: Sequence[Path], password: Password, *, beside: bool = False
    ) -> Import:
        """Put a server's certificate made elsewhere, its key and its chain together.

        :param files: PEM, DER, PKCS#12 or PKCS#7, in any order.
        :param password: is asked for that of a file.
        :param beside: whether it is to be another one, with an ECDSA key beside one with RSA.
        :raises SstpcaError: saying what does not fit, with Windows' error code where there is one.
        """
        home, _ = self._opened.recovered()
        contents = importing.read_files(files, password)
        return importing.prepare(home, contents, datetime.now(UTC), beside=beside)

    def install(self, found: Import) -> Path | None:
        """Make ``found`` the server's certificate, and return where the one before is kept, if any.

        :raises SstpcaError: if something cannot be written; the server's pair has not changed then.
        """
        return importing.install(self._opened.home, self._opened.store, found, datetime.now(UTC))

    def request(self, kind: KeyType | None = None, *, new_key: bool = False) -> CertificateRequest:
        """Return a request for a certificate with the names of the settings.

        Its key stays in the home, and waits: the import of the answer finds it. Until then, a
        second request is for the same key.

        :param kind: of a new key; by default RSA.
        :param new_key: forget the key of an earlier request.
        :raises InvalidInput: if an earlier request has a key, and ``kind`` is given.
        """
        home = self._opened.home
        hosts = served_hosts(home)
        with home.changing_certificates():
            key = None if new_key else requests.load_next_key(home)
            again = key is not None
            if key is None:
                key = requests.make_next_key(home, kind or KeyType.RSA)
            elif kind is not None:
                raise InvalidInput(
                    "an earlier request has a key already, and its answer needs that one",
                    "leave ",
                    option("--key-type"),
                    " out, or say ",
                    option("--new-key"),
                    " if there will be no answer",
                )
        pem = requests.request_to_pem(requests.make_request(key, hosts))
        return CertificateRequest(pem, requests.next_key_path(home), again)

    def exported(self, entry: Entry, kind: Format, *, root: bool = False) -> bytes:
        """Return ``entry`` without its key.

        :param kind: PEM, DER or CHAIN.
        :param root: whether the authority's certificate ends the chain.
        :raises SstpcaError: if its pair cannot be read, or ``root`` is another authority's.
        """
        if kind is Format.DER:
            return certificate_to_der(entry.certificate)
        if kind is Format.PEM or entry.profile == AUTHORITY:
            return certificate_to_pem(entry.certificate)
        pair = self.pair(entry)
        issuer = issuer_of(self._opened.home, entry.certificate) if root else None
        if root and issuer is None:
            raise NotFound(
                f"the certificate of '{entry.name}' is another authority's, and its root is not "
                "here",
                "leave ",
                option("--root"),
                " out",
            )
        return exporting.to_chain(pair, issuer)

    def exported_with_key(self, entry: Entry, kind: Format, *, root: bool = False) -> bytes:
        """Return ``entry`` with its key in front, which is not encrypted.

        :param kind: PEM or CHAIN.
        :raises SstpcaError: if its pair cannot be read, or has to stay here.
        """
        key = exporting.key_of(self.pair(entry))
        return key + self.exported(entry, kind, root=root)

    def export_p12(
        self,
        entry: Entry,
        target: Path,
        password: Callable[[], str],
        *,
        legacy: bool = False,
        force: bool = False,
    ) -> str:
        """Write ``entry`` with its key as PKCS#12 into ``target``; return its password.

        :param password: is asked for it once it is clear that the file can be written.
        :param legacy: 3DES and SHA-1, for Windows before 10 1809 and Server 2019.
        :param force: whether a file that is there may be replaced.
        :raises SstpcaError: if its pair cannot be read, or the file exists or cannot be written.
        """
        pair = self.pair(entry)
        refuse_existing(target, force=force)
        given = password()
        content = exporting.to_pkcs12(
            pair, entry.name, exporting.check_password(given), legacy=legacy
        )
        write_new(target, content, SECRET, force=force)
        return given

    def export_routeros(self, entry: Entry, target: Path, *, force: bool = False) -> Pair:
        """Write ``entry`` with its key and a script for a RouterOS router into the folder ``target``.

        :raises SstpcaError: if its pair cannot be read, or the folder exists or cannot be written.
        """
        pair, authority = self.pair(entry), issuer_of(self._opened.home, entry.certificate)
        files = {
            name: (one.content, SECRET if one.secret else PUBLIC)
            for name, one in exporting.to_routeros(pair, authority).items()
        }
        write_new_folder(target, files, force=force)
        return pair

    def pair(self, entry: Entry) -> Pair:
        """Return ``entry`` with its key.

        :raises SstpcaError: if the key has to stay here, is gone, or cannot be read.
        """
        if entry.profile == AUTHORITY:
            raise Refused(
                "the authority's key is not exported",
                "to keep it elsewhere: ",
                command("ca backup FILE"),
            )
        if entry.replaced is not None:
            raise NotFound(
                f"the certificate {entry.serial} of '{entry.name}' was replaced, and its key with it",
                "export the present one: ",
                command("cert export {}", entry.name),
            )
        return pairs.load(self._opened.home, entry.name, entry.profile)


def file_stem(entry: Entry) -> str:
    """Return what a file with ``entry`` is called, without its ending."""
    return exporting.file_stem(entry.name)


def routeros_steps(pair: Pair) -> tuple[str, str]:
    """Return the commands on the router that take in what :meth:`Certificates.export_routeros` wrote."""
    stem = exporting.routeros_stem(pair)
    return f"/import file-name={stem}.rsc", exporting.routeros_use(pair)


def write_public(content: bytes, target: Path, *, force: bool) -> None:
    """Write a certificate, or what else is no secret, into the file ``target``.

    :raises SstpcaError: if it exists, or cannot be written.
    """
    write_new(target, content, PUBLIC, force=force)


def write_secret(content: bytes, target: Path, *, force: bool) -> None:
    """Write a key into the file ``target``, readable by its owner alone.

    :raises SstpcaError: if it exists, or cannot be written.
    """
    write_new(target, content, SECRET, force=force)
