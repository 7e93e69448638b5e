"""IPv6 forwarding for clients where the kernel has one switch alone, for the whole machine.

That is so before Linux 6.17 (``force_forwarding``, see :mod:`.forwarding`). Turned on, the switch makes
a router of the machine: the kernel forwards between all networks, and no longer takes addresses and
routes of its own from router advertisements. So a rule drops what is neither from a client nor to one,
and interfaces that believe in advertisements are told to go on with that (``accept_ra`` 2 in place of 1)
before the switch is turned: at no time does the machine lose its own default route.

What was changed is remembered in the nftables table that has the rule, as :mod:`.forwarding` does.
"""

import re
import socket
from pathlib import Path
from typing import Final

from ..config import Config
from ..log import LOGGER
from .forwarding import (
    IPV6,
    NO_CLIENT,
    Forwarding,
    bridge_pairs,
    forget_tables,
    is_on,
    others_than,
    write_switch,
)
from .nft import NftError, nft
from .presence import is_present

_RULES: Final = f"""\
table inet {IPV6.table} {{
    set believing {{
        type iface_index
    }}
    set bridges {{
        type iface_index . iface_index
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
    }}
}}
flush chain inet {IPV6.table} forward
table inet {IPV6.table} {{
    chain forward {{
        iif . oif @bridges return
        meta nfproto ipv6 {NO_CLIENT} drop
    }}
}}
"""
#: accept_ra (Documentation/networking/ip-sysctl.rst): unless forwarding, and even then.
_UNLESS_FORWARDING, _EVEN_THEN = "1", "2"


def forwarding_of_ipv6(config: Config) -> "Forwarding | ForwardingEverywhere":
    """Return what turns it on: for each interface if this kernel can."""
    if (IPV6.interfaces / "all" / IPV6.switch).exists():
        return Forwarding(config.table, config.interface, IPV6)
    return ForwardingEverywhere(config.table, config.interface)


class ForwardingEverywhere:
    """Turns forwarding on as :class:`.forwarding.Forwarding` does, and takes it back."""

    def __init__(self, table: str, prefix: str) -> None:
        self._table = table
        self._prefix = prefix
        self._ours = False
        self._bridges = ""
        #: Numbers of interfaces whose setting we changed.
        self._changed: set[int] = set()

    def open(self) -> None:
        """Have packets from and to clients forwarded.

        :raises ServerError: if that cannot be.
        """
        if is_on(IPV6.everywhere) and _believing() is None:
            LOGGER.info(
                "IPv6 forwarding is on for the whole machine already: what it forwards between "
                "other networks is not filtered here"
            )
            return
        self._ours = True
        self._believe()
        write_switch(IPV6.everywhere, IPV6, on=True)
        LOGGER.info(
            "turned IPv6 forwarding on, and a rule that keeps it to clients; it is turned off at the end"
        )

    def reconcile(self) -> None:
        """See what has changed: new interfaces, or the switch.

        :raises ServerError: if what has to be done about it cannot.
        """
        if not is_on(IPV6.everywhere):
            self.open()
        elif self._ours:
            self._believe()

    def restore(self) -> None:
        """Have the rule and the record again if somebody took them away.

        :raises ServerError: if that cannot be.
        """
        if self._ours and _believing() is None:
            self._believe()
            LOGGER.warning(
                "another program took away the rule that keeps this machine from being an IPv6 "
                "router for others; it is in place again"
            )

    def close(self) -> None:
        """Turn off what was turned on, unless others need it.

        :raises ServerError: if that cannot be.
        """
        believing, others = _believing(), others_than(self._table)
        if believing is None or any(map(is_present, others)):
            return
        write_switch(IPV6.everywhere, IPV6, on=False)
        for name in believing:
            _set_belief(name, _EVEN_THEN, _UNLESS_FORWARDING)
        forget_tables(IPV6.table, *others)

    def _believe(self) -> None:
        """Have the rule, and every interface believe in advertisements that did until now."""
        known = _believing()
        here = socket.if_nameindex()
        changed = {
            number
            for number, name in here
            if not name.startswith(self._prefix)
            and _set_belief(name, _UNLESS_FORWARDING, _EVEN_THEN)
        }
        # of what others took away, the record has to have what was changed before as well
        self._changed = (self._changed | changed) & {number for number, _ in here}
        bridges = bridge_pairs(here)
        if changed or known is None or bridges != self._bridges:
            self._bridges = bridges
            numbers = ", ".join(map(str, self._changed))
            nft(_RULES + _added("believing", numbers) + _added("bridges", bridges))


def _added(name: str, elements: str) -> str:
    return f"add element inet {IPV6.table} {name} {{ {elements} }}\n" if elements else ""


def _believing() -> list[str] | None:
    """Return the interfaces whose setting we changed, or another run did; None if none of us."""
    try:
        listed = nft(f"list set inet {IPV6.table} believing")
        if "drop" not in nft(f"list chain inet {IPV6.table} forward"):
            return None
    except NftError:
        return None
    return re.findall(r'"([^"]+)"', listed)


def _set_belief(name: str, before: str, after: str) -> bool:
    """Change the setting of an interface if it is as expected; return whether it was."""
    setting = _setting(name)
    try:
        if setting.read_text().strip() != before:
            return False
        setting.write_text(after)
    except OSError:  # the interface has gone, or /proc may not be written: then the switch neither
        return False
    return True


def _setting(name: str) -> Path:
    return IPV6.interfaces / name / "accept_ra"
