"""What commands have in common: the home they work on, opened when it is first asked for."""

from functools import cached_property
from pathlib import Path

from ..home import Home
from ..secrets import Sealer
from ..settings import Settings, load
from ..store import Store


class Context:
    """The home named by ``--home``; click's ``ctx.obj``.

    Each part is opened once. A command that needs only one does not fail for another's sake.

    :param home_path: the folder, which need not exist.
    """

    def __init__(self, home_path: Path) -> None:
        self.home_path = home_path

    def home(self) -> Home:
        """Return the home.

        :raises SstpcaError: if there is none, or it cannot be read.
        """
        return Home.open(self.home_path)

    def settings(self) -> Settings:
        """Return the settings.

        :raises SstpcaError: if there is no home, or they are wrong.
        """
        return self._settings

    def store(self) -> Store:
        """Return the database.

        :raises SstpcaError: if there is no home, or no database of ours in it.
        """
        return self._store

    def sealer(self) -> Sealer:
        """Return what opens the users' NT hashes.

        :raises SstpcaError: if there is no home, or no usable key.
        """
        return self._sealer

    def close(self) -> None:
        """Close what was opened."""
        opened = self.__dict__.pop("_store", None)
        if opened is not None:
            opened.close()

    @cached_property
    def _settings(self) -> Settings:
        return load(self.home().settings)

    @cached_property
    def _store(self) -> Store:
        return Store.open(self.home().database)

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer.load(self.home())
