"""The programs of other firewalls: what they say, and that nobody waits for them for long."""

import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..log import LOGGER
from . import iptables, nftables
from .nftables import Table

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds for one of them: firewalld answers over D-Bus, ufw is a program of Python.
_PATIENCE: Final = 20.0
#: What the kernel still has of iptables as it was before nftables.
_LEGACY: Final = {
    "iptables": Path("/proc/net/ip_tables_names"),
    "ip6tables": Path("/proc/net/ip6_tables_names"),
}
_FAMILIES: Final = {"iptables": "ip", "ip6tables": "ip6"}
#: The zone of firewalld in which all passes.
TRUSTED: Final = "trusted"


@dataclass(frozen=True, slots=True)
class Said:
    """What the programs have said; what is missing has said nothing.

    :param nft: ``nft --json list ruleset``.
    :param iptables: ``-S`` of the table filter, by the program that lists it.
    :param ufw: ``ufw show added``.
    :param zone: the zone of firewalld that strangers come from.
    :param rich_rules: of that zone, as it is now.
    :param trusted: the interfaces that are in the trusted zone until firewalld starts anew.
    """

    nft: str = ""
    iptables: Mapping[str, str] = field(default_factory=dict)
    ufw: str = ""
    zone: str = ""
    rich_rules: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


def hear(interface: str, *, ours: bool = False) -> Said:
    """Ask all that are here.

    :param interface: through which strangers come.
    :param ours: whether to ask as well for what only an earlier step of ours has changed: these
        programs take their time.
    """
    nft = run("nft", "--json", "list", "ruleset") or ""
    tables = nftables.read(nft)
    listings = {}
    for name in _LEGACY:
        for program in _programs(name, tables):
            listing = run(program, "-S")
            if listing and iptables.read(listing):
                listings[program] = listing
    said = Said(nft, listings, (run("ufw", "show", "added") or "") if ours else "")
    if ("inet", "firewalld") in tables:
        return _with_firewalld(said, interface, ours=ours)
    return said


def _programs(name: str, tables: Mapping[Table, object]) -> list[str]:
    """Return by which programs to ask for the rules that iptables has, of one family."""
    found = []
    if (_FAMILIES[name], "filter") in tables:
        found.append(_variant(name, "nf_tables", f"{name}-nft"))
    try:
        legacy = "filter" in _LEGACY[name].read_text().split()
    except OSError:
        legacy = False
    if legacy:  # only then: asking would load the module
        found.append(_variant(name, "legacy", f"{name}-legacy"))
    return found


def _variant(name: str, kind: str, other: str) -> str:
    """Return ``name`` if it is of that kind, as it is for whoever types it, else the other."""
    return name if f"({kind})" in (run(name, "--version") or "") else other


def _with_firewalld(said: Said, interface: str, *, ours: bool) -> Said:
    zone = run("firewall-cmd", f"--get-zone-of-interface={interface}") or run(
        "firewall-cmd", "--get-default-zone"
    )
    if not zone or not zone.strip():
        return said
    if not ours:
        return replace(said, zone=zone.strip())
    rules = run("firewall-cmd", f"--zone={zone.strip()}", "--list-rich-rules") or ""
    now = run("firewall-cmd", f"--zone={TRUSTED}", "--list-interfaces") or ""
    ever = run("firewall-cmd", "--permanent", f"--zone={TRUSTED}", "--list-interfaces") or ""
    return replace(
        said,
        zone=zone.strip(),
        rich_rules=tuple(rules.splitlines()),
        trusted=tuple(sorted(set(now.split()) - set(ever.split()))),
    )


def run(program: str, *arguments: str) -> str | None:
    """Run a program to its end; return what it prints, None if it is missing or fails."""
    path = shutil.which(program, path=_PATH)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        LOGGER.warning("%s does not answer: %s", program, error)
        return None
    return done.stdout if done.returncode == 0 else None


def outer_interface(prefix: str) -> str:
    """Return the interface of the default route, else some other than those of sessions."""
    for line in _lines(Path("/proc/net/route"))[1:]:
        columns = line.split()
        if len(columns) > 7 and columns[1] == columns[7] == "00000000":
            return columns[0]
    names = [name for _, name in socket.if_nameindex()]
    return next((one for one in names if one != "lo" and not one.startswith(prefix)), "lo")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
