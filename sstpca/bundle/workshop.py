"""Making bundles: from users to zips on disk, one or ten thousand."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..access.profiles import AccessProfile
from ..disk.writing import SECRET, write_file
from ..errors import SstpcaError
from ..home import Home
from ..secrets import Sealer
from ..settings import Settings
from ..store.bundles import Made
from ..store.certificates import Entry
from ..store.users import User
from ..x509.certificates import digest, sha256_fingerprint
from . import archive, sheet
from .archive import Written
from .authenticode import Signer, signed
from .content import logo, trust, user_certificate
from .content.bundle import Bundle, Deployment, Secrets, address_of, bundle_for, deployment_for
from .content.render import Renderer
from .content.told import WINDOWS, told
from .platforms import systems


@dataclass(frozen=True, slots=True)
class Order:
    """One bundle to make.

    :param certificate: the user's, with the sign-in EAP-TLS.
    :param password: the user's, if this is the moment in which it is known.
    :param certificate_password: for the .p12 file, with a certificate.
    """

    user: User
    profile: AccessProfile
    certificate: Entry | None = None
    password: str | None = field(default=None, repr=False)
    certificate_password: str | None = field(default=None, repr=False)


#: what became of an order: on disk, or why it is not
Result = Written | SstpcaError


@dataclass(frozen=True, slots=True)
class BundleWish:
    """How bundles are to be made.

    :param language: of the texts; None: that of the settings.
    :param templates: a folder of the administrator's, whose templates win.
    :param output: where to write them; None: ``bundles`` in the home.
    :param sheets: where to write a sheet with the secrets of each user; None: nowhere.
    :param save_password: whether the password goes into the bundle.
    :param legacy: .p12 files for old Windows.
    :param signer: signs the scripts; None: nobody does.
    """

    platforms: tuple[str, ...] = (systems.PLATFORMS[0],)
    language: str | None = None
    templates: Path | None = None
    output: Path | None = None
    sheets: Path | None = None
    save_password: bool = False
    legacy: bool = False
    signer: Signer | None = None


class Workshop:
    """What all bundles of one run have in common, read once.

    :raises SstpcaError: if something cannot be read, or Windows would refuse the server's
        certificate.
    """

    def __init__(self, home: Home, settings: Settings, wish: BundleWish) -> None:
        self._home = home
        self._settings = settings
        self.wish = wish
        self._trust = trust.load(home)
        self._logo = logo.of_home(home, settings)
        self._language = wish.language or settings.bundle.language
        self._renderer = Renderer(self._language, wish.templates)
        self._sealer = Sealer.load(home)
        self.output = wish.output or home.bundles
        self._deployments: dict[AccessProfile, Deployment] = {}

    @property
    def fingerprints(self) -> list[str]:
        """Return the SHA-256 of the authorities in the bundles, as ``AB:CD:...``."""
        return [sha256_fingerprint(one) for one in self._trust.authorities]

    def bundle(self, order: Order, secrets: Secrets) -> Bundle:
        """Return what the bundle of ``order`` says.

        :raises SstpcaError: see content.bundle.bundle_for and deployment_for.
        """
        return bundle_for(
            order.user,
            self._deployment(order.profile),
            language=self._language,
            secrets=secrets,
            logo=self._logo,
        )

    def _deployment(self, profile: AccessProfile) -> Deployment:
        """Return what the users of ``profile`` are told alike; it is put together once."""
        if profile not in self._deployments:
            self._deployments[profile] = deployment_for(profile, self._settings, self._trust)
        return self._deployments[profile]

    def files(self, bundle: Bundle) -> dict[str, bytes]:
        """Return the files of ``bundle`` by name.

        :raises SstpcaError: if a platform cannot do what it takes, a template is wrong, or the
            scripts cannot be signed.
        """
        systems.check(bundle, self.wish.platforms)
        files = systems.files(self._renderer, bundle, self.wish.platforms)
        return signed(files, self.wish.signer)

    def secrets(self, order: Order) -> Secrets:
        """Return what goes into the bundle of ``order`` because somebody asked for it.

        :raises SstpcaError: if the pair of the user cannot be read.
        """
        password = order.password if self._saves_password(order) else None
        if order.certificate is None:
            return Secrets(password)
        made = user_certificate.make(
            self._home,
            order.certificate,
            order.certificate_password or "",
            legacy=self.wish.legacy,
        )
        return Secrets(password, made)

    def _saves_password(self, order: Order) -> bool:
        return self.wish.save_password and order.password is not None

    def unused_templates(self) -> list[str]:
        """Return the files among the administrator's templates that have no use, by name."""
        return self._renderer.unused()

    def check_profiles(self, profiles: Iterable[AccessProfile]) -> None:
        """Find out whether anybody with ``profiles`` can have a bundle, before it takes anything.

        :raises SstpcaError: see content.bundle.deployment_for and platforms.check.
        """
        for one in {profile.name: profile for profile in profiles}.values():
            systems.check(self._deployment(one), self.wish.platforms)

    def check(self, orders: Iterable[Order]) -> None:
        """Find out what would go wrong before anything is written.

        All that is said to each user is looked at, and a whole bundle made in memory for one of
        each access profile.

        :raises SstpcaError: if something is wrong.
        """
        tried: set[str] = set()
        for order in orders:
            if self.wish.sheets is not None:
                sheet.check_free(self.wish.sheets, order.user.name, self.output)
            pretended = self.bundle(order, self._pretended(order))
            systems.check(pretended, self.wish.platforms)
            if order.profile.name not in tried:
                tried.add(order.profile.name)
                bundle = self.bundle(order, self.secrets(order))
                self.files(bundle)
                if self.wish.sheets is not None:
                    sheet.render(self._renderer, bundle, order.password)

    def _pretended(self, order: Order) -> Secrets:
        """Return secrets for a bundle that nobody gets; encrypting a real key takes its time."""
        password = order.password if self._saves_password(order) else None
        pretended = user_certificate.pretended() if order.certificate is not None else None
        return Secrets(password, pretended)

    def work(self, orders: Sequence[Order]) -> list[Result]:
        """Make the bundles of ``orders``; the caller is archive.holding the folder.

        :returns: for each of them, in their order, what became of it.
        """
        failed: dict[str, SstpcaError] = {}
        bundles: dict[str, Bundle] = {}
        try:
            with archive.writing(self.output) as batch:
                for order in orders:
                    try:
                        bundles[order.user.name] = self._add(batch, order)
                    except SstpcaError as error:
                        failed[order.user.name] = error
                written = batch.put_in_place()
        except SstpcaError as error:
            return [failed.get(order.user.name, error) for order in orders]
        return [
            failed.get(name) or self._with_sheet(order, bundles[name], written[name])
            for order in orders
            for name in [order.user.name]
        ]

    def _add(self, batch: archive.Batch, order: Order) -> Bundle:
        bundle = self.bundle(order, self.secrets(order))
        batch.add(order.user.name, self.files(bundle))
        return bundle

    def _with_sheet(self, order: Order, bundle: Bundle, written: Written) -> Result:
        """Write what the user has to type, if that is asked for, once the bundle is there."""
        folder = self.wish.sheets
        if folder is None or not self.has_sheet(order):
            return written
        try:
            page = sheet.render(self._renderer, bundle, order.password)
            write_file(sheet.path(folder, order.user.name), page, SECRET)
        except SstpcaError as error:
            return SstpcaError(f"{error}; the bundle is there: {written.path}", *error.remedy)
        return written

    def has_sheet(self, order: Order) -> bool:
        """Return whether ``order`` leaves anything to type, and a place to write it was named."""
        secret = order.password is not None or order.certificate is not None
        return self.wish.sheets is not None and secret

    def discard(self, order: Order, written: Written) -> None:
        """Take back a bundle, and its sheet, that came to nothing.

        :raises SstpcaError: if the file system refuses.
        """
        if self.wish.sheets is not None:
            sheet.remove(self.wish.sheets, order.user.name)
        archive.discard(written)

    def record(self, order: Order, written: Written, made_by: str) -> Made:
        """Return what is to be remembered of a bundle that is on disk."""
        templates = self.wish.templates
        return Made(
            user=order.user.name,
            profile=order.profile.name,
            made=time.time(),
            made_by=made_by,
            platforms=self.wish.platforms,
            authorities=tuple(map(digest, self._trust.authorities)),
            server=address_of(self._settings),
            connection=self._settings.connection,
            language=self._language,
            templates=None if templates is None else str(templates.resolve()),
            told=told(
                order.profile,
                self._settings,
                self._logo,
                windows=self.wish.platforms == WINDOWS,
            ),
            certificate=None if order.certificate is None else order.certificate.sha256,
            sha256=None if self._saves_password(order) else written.sha256,
            mark=self._sealer.mark(written.sha256),
            path=str(written.path.resolve()),
        )
