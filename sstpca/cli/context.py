"""What commands have in common: the VPN they are about, opened when it is first asked for."""

from functools import cached_property
from pathlib import Path

from ..vpn.vpn import Vpn


class Context:
    """The home named by ``--home``; click's ``ctx.obj``.

    :param home_path: the folder, which need not exist.
    """

    def __init__(self, home_path: Path) -> None:
        self.home_path = home_path

    @cached_property
    def vpn(self) -> Vpn:
        """The VPN of that home.

        :raises SstpcaError: if there is none, or it cannot be read.
        """
        return Vpn.open(self.home_path)

    def close(self) -> None:
        """Close what was opened."""
        vpn = self.__dict__.pop("vpn", None)
        if vpn is not None:
            vpn.close()
