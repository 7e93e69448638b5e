"""What administrators need: for many PCs, and for a RouterOS router as the server."""

from collections.abc import Mapping
from pathlib import Path

from ..access.profiles import DEFAULT
from ..authority import pairs
from ..authority.authority import issuer_of
from ..bundle import archive
from ..bundle.administrators import deployment, monitoring, router
from ..bundle.administrators.router import Router
from ..bundle.authenticode import Signer, signed
from ..bundle.content import trust
from ..bundle.content.bundle import deployment_for, host_of
from ..bundle.content.render import Renderer
from ..disk.folders import write_new_folder
from ..disk.writing import PUBLIC, refuse_existing
from ..home import SERVER
from ..secrets import generate_password
from ..store import certificates, profiles, users
from ..store.users import User
from .opened import Opened

__all__ = ["Administrators", "Router", "Signer"]


class Administrators:
    """What administrators of one VPN need; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def deploy(
        self, profile: str = DEFAULT, output: Path | None = None, signer: Signer | None = None
    ) -> Path:
        """Write what sets up the VPN on many PCs, for everybody with one access profile.

        :param output: the folder to write into; by default ``deploy`` in the home.
        :param signer: signs the scripts; None: nobody does.
        :returns: the zip, which has a folder with the same files beside it.
        :raises SstpcaError: if there is no such profile, or something cannot be written.
        """
        opened = self._opened
        home, found = opened.home, profiles.get(opened.store, profile)
        alike = deployment_for(found, opened.settings, trust.load(home))
        publisher = None if signer is None else signer.certificate
        files = deployment.files(Renderer(deployment.LANGUAGE), alike, publisher)
        made = signed(files, signer)
        where = output or home.root / "deploy"
        return archive.write(where, f"deploy-{found.name}", made).path

    def check_router(self, output: Path, *, force: bool = False) -> list[User]:
        """Make sure that :meth:`write_router` can write into ``output``; return whom it would set up.

        :raises SstpcaError: if it cannot.
        """
        refuse_existing(output, force=force)
        return [one for one in users.list_all(self._opened.store) if one.enabled]

    def write_router(
        self, output: Path, *, new_passwords: bool = False, force: bool = False
    ) -> tuple[Mapping[str, str], list[str]]:
        """Write what makes a RouterOS router the server, in place of this one.

        The files are on disk before the new passwords count.

        :param output: the folder.
        :param new_passwords: give all users new ones; otherwise they are for the owner to write in.
        :param force: whether a folder with such files may be replaced.
        :returns: the new passwords by user, of which this is the only copy; and what the router
            cannot do as this server does.
        :raises SstpcaError: if there is no user, or something cannot be written.
        """
        opened = self._opened
        listed = self.check_router(output, force=force)
        passwords = {one.name: generate_password() for one in listed} if new_passwords else {}
        made = self._router(listed, passwords)
        complaints = list(router.complaints(made))
        files = router.files(Renderer(opened.settings.bundle.language), made)
        write_new_folder(output, files, force=force)
        if passwords:
            sealer = opened.sealer
            with opened.store.writing(durable=True) as transaction:
                for name, password in passwords.items():
                    users.update_password(transaction, sealer, name, password)
        return passwords, complaints

    def write_monitoring(self, output: Path, *, force: bool = False) -> bool:
        """Write what Prometheus and Grafana need for this server.

        :param output: the folder.
        :param force: whether a folder with such files may be replaced.
        :returns: whether the settings have the server answer Prometheus.
        :raises SstpcaError: if something cannot be written.
        """
        listen = self._opened.settings.metrics.listen
        files = {name: (content, PUBLIC) for name, content in monitoring.files(listen).items()}
        write_new_folder(output, files, force=force)
        return bool(listen)

    def _router(self, listed: list[User], passwords: Mapping[str, str]) -> Router:
        home, store = self._opened.recovered()
        settings = self._opened.settings
        entry = certificates.find(store, SERVER)
        pair = pairs.load(home, entry.name, entry.profile)
        used = {one.profile for one in listed}
        needed = [one for one in profiles.list_all(store) if one.name in used]
        return Router(
            host=host_of(settings),
            port=settings.server.port,
            pair=pair,
            authority=issuer_of(home, pair.leaf),
            profiles=sorted(needed, key=lambda one: one.name != DEFAULT),
            users=listed,
            passwords=passwords,
        )
