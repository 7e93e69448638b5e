"""What would pass beside the tunnel is dropped, also while it is down: a table of nftables.

It stays when the program dies, as it is for then; the next orderly end takes it away.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from sstpca.server.errors import ServerError
from sstpca.server.net.nft import nft

from .network import NetworkError


class KillSwitch:
    """Lets out what goes through the interface, or to the server; and what gives addresses.

    :param interface: the tunnel's.
    """

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._table = f"sstpca_client_{interface}"

    def close(self, servers: Iterable[str], port: int) -> None:
        """Drop the rest from now on.

        :param servers: the addresses of the server, or of its proxy.
        :raises NetworkError: if the machine does not let us.
        """
        allowed = [
            f"ip{'6' if ip_address(one).version == 6 else ''} daddr {one} tcp dport {port} accept"
            for one in servers
        ]
        rules = [
            'oifname "lo" accept',
            f'oifname "{self._interface}" accept',
            *allowed,
            # who has no address on the outer network any more gets none without these
            "udp sport 68 udp dport 67 accept",
            "udp sport 546 udp dport 547 accept",
            "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept",
        ]
        hooks = (("output", "filter"), ("forward", "filter"))
        chains = "".join(
            f"chain {name} {{ type filter hook {name} priority {priority} - 5; policy drop;\n"
            + "\n".join(rules)
            + (f'\niifname "{self._interface}" accept' if name == "forward" else "")
            + "\n}\n"
            for name, priority in hooks
        )
        script = f"table inet {self._table}\ndelete table inet {self._table}\n"
        self._run(f"{script}table inet {self._table} {{\n{chains}}}\n")

    @property
    def opened_by(self) -> str:
        """The command that opens it in place of :meth:`open`."""
        return f"nft delete table inet {self._table}"

    def open(self) -> None:
        """Let everything pass as before.

        :raises NetworkError: if the machine does not let us.
        """
        self._run(f"table inet {self._table}\ndelete table inet {self._table}\n")

    def _run(self, script: str) -> None:
        try:
            nft(script)
        except ServerError as error:
            raise NetworkError(f"the kill switch cannot be set: {error}", error.hint) from None
