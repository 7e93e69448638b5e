"""sstpca: a certificate authority, client bundles and a VPN server for SSTP.

``from sstpca import Vpn`` is what programs begin with; docs/api.md lists what else is public.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import SstpcaError as SstpcaError
    from .vpn.vpn import Vpn as Vpn

__version__ = "0.1.0"
__all__ = ["SstpcaError", "Vpn"]


def __getattr__(name: str) -> Any:
    """Load what is asked for: most of the command line needs none of it (PEP 562)."""
    if name == "Vpn":
        from .vpn.vpn import Vpn

        return Vpn
    if name == "SstpcaError":
        from .errors import SstpcaError

        return SstpcaError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
