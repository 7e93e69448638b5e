"""Forwarding, source NAT and MSS clamping, in an nftables table of our own.

The rules name the sessions' interfaces, never addresses, so an access profile made while the
server runs needs no new rule. Matching the input interface after routing needs Linux 5.7.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from ..errors import ServerError

_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")

# IPv4 and TCP headers without options
_HEADERS: Final = 40

_RULES: Final = """\
table inet {table} {{
    chain forward {{
        type filter hook forward priority mangle; policy accept;
        iifname "{prefix}*" tcp flags & (syn | rst) == syn tcp option maxseg size > {mss} tcp option maxseg size set {mss}
        oifname "{prefix}*" tcp flags & (syn | rst) == syn tcp option maxseg size > {mss} tcp option maxseg size set {mss}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        {nat}
    }}
}}
"""


def _nft(script: str) -> None:
    program = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        raise ServerError(
            "the program nft is missing, which sets up NAT and forwarding",
            "install it: apt install nftables",
        )
    done = subprocess.run([program, "-f", "-"], input=script, capture_output=True, text=True)
    if done.returncode != 0:
        reason = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
        raise ServerError(
            f"nft refuses the rules: {reason}",
            "run the same command as root (sudo), on a kernel with nftables",
        )


def set_up(table: str, *, prefix: str, mtu: int, nat: bool) -> bool:
    """Make ``table`` for the interfaces that begin with ``prefix``; what an earlier run left goes.

    :param mtu: the tunnel's, in bytes; TCP is told to stay below it.
    :returns: whether IPv4 forwarding was off on this machine, and is on now.
    :raises ServerError: if nft is missing or refuses.
    """
    masquerade = f'iifname "{prefix}*" oifname != "{prefix}*" masquerade' if nat else ""
    rules = _RULES.format(table=table, prefix=prefix, mss=mtu - _HEADERS, nat=masquerade)
    # Naming the table first makes the deletion hold whether or not it is there; one transaction.
    _nft(f"table inet {table}\ndelete table inet {table}\n{rules}")
    try:
        if _FORWARDING.read_text().strip() != "0":
            return False
        _FORWARDING.write_text("1")
    except OSError as error:
        raise ServerError(
            f"IPv4 forwarding cannot be turned on: {error.strerror}",
            "turn it on for this machine or container: sysctl net.ipv4.ip_forward=1",
        ) from error
    return True


def take_down(table: str) -> None:
    """Remove ``table``, if it is there.

    :raises ServerError: if nft refuses.
    """
    _nft(f"table inet {table}\ndelete table inet {table}\n")
