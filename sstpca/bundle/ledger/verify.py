"""Proving that a bundle still fits: the home, its server, the user and the access profile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from ...access.connection_settings import SignIn
from ...errors import SstpcaError
from ...home import Home
from ...names import quoted, some, user_key
from ...secrets import Sealer
from ...settings import Settings
from ...store import Store, bundles, profiles
from ...store.bundles import Made
from ...store.users import User
from ...x509.certificates import Certificate, digest
from ...x509.extensions import UNREADABLE
from ..content import user_certificate
from ..content.sums import SUMS
from ..platforms import systems
from ..workshop import BundleWish, Order, Workshop
from . import unpacking
from .comparing import compare
from .freshness import Present

_NAMED_MAX: Final = 8
_UNRECORDED: Final = (
    "there is a secret in it, and it is not as any bundle that was made here: whose it is, and "
    "who has seen it, nobody knows"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    :param check: what, for programs.
    :param text: one line for people; where it is not ok, what to do is in it.
    """

    check: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one bundle.

    :param user: whose it is; None if nobody knows.
    """

    path: Path
    user: str | None
    findings: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing speaks against it."""
        return all(finding.ok for finding in self.findings)

    @property
    def may_log_in(self) -> bool:
        """Whether there is such a user, who is not disabled: a new bundle would be of use."""
        return any(finding.check == "user" and finding.ok for finding in self.findings)


class Verifier:
    """Compares bundles with what the home says now, which is read once."""

    def __init__(self, home: Home, store: Store, sealer: Sealer, settings: Settings) -> None:
        self._home = home
        self._store = store
        self._sealer = sealer
        self._settings = settings
        self._profiles = {one.name: one for one in profiles.list_all(store)}
        self._present: Present | None = None
        self._server = Check("server", True, "the certificate of the server fits its settings")
        try:
            self._present = Present.load(home, store, settings)
        except SstpcaError as error:
            self._server = _failure("server", error)

    def verify(self, path: Path) -> Verdict:
        """Return what is to be said of the bundle ``path``, a zip or a folder."""
        try:
            found = unpacking.read(path)
        except SstpcaError as error:
            return Verdict(path, None, (_failure("file", error),))
        findings = [Check("sums", False, text) for text in unpacking.check_sums(found.files)]
        if not findings:
            text = f"all {len(found.files) - 1} files are as {SUMS} says"
            findings.append(Check("sums", True, text))
        findings.append(self._server)
        made = bundles.find(self._store, self._sealer, found.sha256)
        name = path.name.removesuffix(".zip") if made is None else made.user
        user = None if self._present is None else self._present.users.get(user_key(name))
        findings += self._of_user(name, user)
        if self._present is not None and user is not None:
            findings += self._of_home(self._present, user, made, found.files)
        return Verdict(path, name if user is None else user.name, tuple(findings))

    def _of_user(self, name: str, user: User | None) -> Iterator[Check]:
        if self._present is None:
            return
        if user is None:
            yield Check("user", False, f"there is no user {quoted(name)}")
        elif not user.enabled:
            yield Check("user", False, f"the user {quoted(name)} is disabled")
        else:
            yield Check("user", True, f"the user {quoted(name)} may log in")

    def _of_home(
        self, present: Present, user: User, made: Made | None, files: Mapping[str, bytes]
    ) -> Iterator[Check]:
        if made is None:
            yield Check("record", True, "it is not recorded here; its name says whose it is")
        else:
            yield Check("record", True, f"it was made here by {made.made_by}")
            for check, text in present.faults(made):
                if check != "authority":
                    yield Check(check, False, text)
        yield from _of_authorities(present, files)
        yield from _of_certificate(present, user)
        try:
            yield from self._of_files(present, user, made, files)
        except SstpcaError as error:
            yield _failure("files", error)

    def _of_files(
        self, present: Present, user: User, made: Made | None, files: Mapping[str, bytes]
    ) -> Iterator[Check]:
        """Compare with the bundle that would be made now."""
        workshop = Workshop(self._home, self._settings, self._wish(user, made, files))
        order = Order(user, self._profiles[user.profile])
        found = compare(workshop, order, present, files)
        for what, names in (
            ("would be different now", found.differing),
            ("would not be there now", found.strange),
        ):
            if names:
                yield Check("files", False, f"{_several(names)} {what}")
        if found.same:
            text = f"a bundle made now would be the same{_aside(found.secret)}"
            yield Check("files", True, text)
        if found.secret and made is None:
            yield Check("record", False, _UNRECORDED)
        if found.secret and made is not None and made.certificate is None:
            yield from _of_password(user, made)

    def _wish(self, user: User, made: Made | None, files: Mapping[str, bytes]) -> BundleWish:
        """Return what the bundle was made for; not recorded, as the user's last one, if any."""
        last = made or next(iter(bundles.history(self._store, user.name)), None)
        systems = _platforms_in(files) if made is None else made.platforms
        if last is None:
            return BundleWish(systems)
        return BundleWish(
            systems, last.language, None if last.templates is None else Path(last.templates)
        )


def _of_authorities(present: Present, files: Mapping[str, bytes]) -> Iterator[Check]:
    """Look at the certificates of authorities that are in the bundle."""
    found = {digest(one) for one in _authorities_in(files)}
    faults = list(present.of_authorities(found))
    for check, text in faults:
        yield Check(check, False, text)
    if not faults:
        text = (
            f"the {len(found)} authorities in it are"
            if len(found) > 1
            else "the authority in it is"
        )
        none = "it needs no authority, and has none"
        yield Check("authority", True, f"{text} trusted now" if found else none)


def _authorities_in(files: Mapping[str, bytes]) -> Iterator[x509.Certificate]:
    for content in files.values():
        try:
            if b"-----BEGIN CERTIFICATE-----" in content:
                found = x509.load_pem_x509_certificates(content)
            elif content[:1] == b"\x30":
                found = [x509.load_der_x509_certificate(content)]
            else:
                continue
            yield from (one for one in found if Certificate.of(one).authority)
        except UNREADABLE:
            continue  # no certificate, or none that anybody would take


def _of_password(user: User, made: Made) -> Iterator[Check]:
    """Say whether the password that is saved in the bundle can still be the user's."""
    if user.password_set > made.made:
        yield Check("password", False, "the user got another password after it was made")


def _of_certificate(present: Present, user: User) -> Iterator[Check]:
    if present.sign_in[user.profile] is not SignIn.EAP_TLS:
        return
    if user_certificate.without_valid([user], present.certificates):
        yield Check("certificate", False, "the user has no valid certificate to sign in with")
    else:
        yield Check("certificate", True, "the user's certificate is valid")


def _platforms_in(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return what a bundle is for: each platform has a folder, but Windows the top level."""
    first, *others = systems.PLATFORMS
    folders = {name.partition("/")[0] for name in files if "/" in name}
    on_top = any("/" not in name for name in files if name != SUMS)
    return ((first,) if on_top else ()) + tuple(one for one in others if one in folders)


def _several(names: Sequence[str]) -> str:
    return some(list(map(quoted, names)), _NAMED_MAX)


def _aside(secret: Sequence[str]) -> str:
    return f", but for the secret in {_several(secret)}" if secret else ""


def _failure(check: str, error: SstpcaError) -> Check:
    return Check(check, False, f"{error} ({error.hint})" if error.hint else str(error))
