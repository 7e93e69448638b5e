"""An opened home: what all use cases share, each part read when it is first asked for."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import InvalidInput
from ..home import Home, read_own
from ..secrets import Sealer
from ..store import Store

# they take their time to import, and not every use case needs them
if TYPE_CHECKING:
    from ..authority.authority import Authority
    from ..settings import Settings

#: The passphrase of an authority's key, or who is asked for it, once the key turns out to have one.
Passphrase: TypeAlias = bytes | Callable[[], bytes] | None


class Opened:
    """The home in ``root``, which need not exist before something of it is asked for.

    Each part is opened once. A use case that needs only one does not fail for another's sake.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def home(self) -> Home:
        """The home.

        :raises SstpcaError: if there is none, or it cannot be read.
        """
        return Home.open(self.root)

    @cached_property
    def settings(self) -> "Settings":
        """The settings.

        :raises SstpcaError: if there is no home, or they are wrong.
        """
        from ..settings import load

        return load(self.home.settings)

    @cached_property
    def store(self) -> Store:
        """The database.

        :raises SstpcaError: if there is no home, or no database of ours in it.
        """
        return Store.open(self.home.database)

    @cached_property
    def sealer(self) -> Sealer:
        """What opens the users' NT hashes.

        :raises SstpcaError: if there is no home, or no usable key.
        """
        return Sealer.load(self.home)

    def recovered(self) -> tuple[Home, Store]:
        """Return home and database, once what an interrupted command left is finished or undone.

        :raises SstpcaError: if one of them cannot be read.
        """
        from ..authority import pairs

        home, store = self.home, self.store
        pairs.tidy(home, store)
        return home, store

    def authority(self, passphrase: Passphrase, *, following: bool = False) -> "Authority":
        """Return the authority with its key.

        :param passphrase: of its key; it is not asked for where the key has none.
        :param following: whether the next authority is meant.
        :raises SstpcaError: if a file is missing or damaged, or the passphrase is missing or wrong.
        """
        from ..authority.authority import Authority
        from ..x509.keys import is_encrypted

        home = self.home
        given: bytes | None = None
        key = home.next_ca_key if following else home.ca_key
        if is_encrypted(read_own(key, "the authority's key")):
            given = passphrase() if callable(passphrase) else passphrase
            if given is None:
                raise InvalidInput("the authority's key has a passphrase, and none was given")
        return Authority.load_next(home, given) if following else Authority.load(home, given)

    def close(self) -> None:
        """Close what was opened."""
        store = self.__dict__.pop("store", None)
        if store is not None:
            store.close()
