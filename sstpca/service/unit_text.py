"""What the units say: systemd.service(5), systemd.exec(5), systemd.timer(5), systemd.socket(5)."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ..settings import Settings
from . import escaping
from .program import Program, Reach

_Lines = Iterable[tuple[str, str]]

# What the server needs of root's power, and nothing else of it:
_CAPABILITIES: Final = (
    # interfaces, addresses, routes, nftables, /proc/sys/net
    "CAP_NET_ADMIN",
    # ports below 1024
    "CAP_NET_BIND_SERVICE",
    # workers become a user of their own, without groups, and give up the rest
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_SETPCAP",
    # and are ended by the supervisor, which is another user then
    "CAP_KILL",
)
# where it is not the modes that let root in, as in the folder of a user
_READ_ANYTHING: Final = "CAP_DAC_READ_SEARCH"

#: the same for all that is started
CONFINED: Final = (
    ("NoNewPrivileges", "yes"),
    ("UMask", "0077"),
    ("ProtectSystem", "strict"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("PrivateMounts", "yes"),
    ("KeyringMode", "private"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallErrorNumber", "EPERM"),
)

# Beside systemd's list for services: what workers close themselves in with (landlock(7)), which is in
# no list of each version. What comes last counts.
_CALLS: Final = (
    "@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "~@privileged @resources @keyring @obsolete",
    # workers become another user; a server with many sessions raises its limit of descriptors
    "@setuid capset prlimit64 setrlimit",
)

# a timer's work needs no network and no power of root's
_WORK: Final = (
    # not of the server: pyOpenSSL, by which it checks clients' certificates, makes its callbacks so
    ("MemoryDenyWriteExecute", "yes"),
    ("PrivateNetwork", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateIPC", "yes"),
    ("IPAddressDeny", "any"),
    ("RestrictAddressFamilies", "AF_UNIX"),
    ("ProcSubset", "pid"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged @resources @obsolete"),
)


def server(program: Program, *, socket: bool) -> str:
    """Return the unit of the server.

    :param socket: whether a socket unit listens for it.
    """
    capabilities = [one for one in _CAPABILITIES if not (socket and "BIND" in one)]
    return unit(
        Unit=[
            ("Description", f"SSTP VPN server of {escaping.text(str(program.home))}"),
            ("Documentation", "man:sstpca(1)"),
            ("Wants", "network-online.target"),
            # whoever loads rules of his own clears ours: they are put back, but better not needed
            ("After", "network-online.target nftables.service firewalld.service ufw.service"),
            _mounts(program),
            # a port that is taken may become free, a certificate be renewed
            ("StartLimitIntervalSec", "0"),
        ],
        Service=[
            ("Type", "notify"),
            ("NotifyAccess", "main"),
            ("ExecStart", escaping.command(program.serve)),
            ("ExecReload", escaping.command(program.reload)),
            ("Restart", "always"),
            ("RestartSec", "5"),
            # the supervisor ends the workers, each of which ends its sessions
            ("KillMode", "mixed"),
            ("TimeoutStopSec", "30"),
            ("WatchdogSec", "60"),
            # a worker that is killed is replaced; the others and their sessions go on
            ("OOMPolicy", "continue"),
            ("LimitNOFILE", "524288"),
            ("CapabilityBoundingSet", " ".join(with_reading(program, capabilities))),
            *CONFINED,
            *reach(program, _written(program)),
            # the sessions' interfaces; PrivateDevices= would hide it
            ("DevicePolicy", "closed"),
            ("DeviceAllow", "/dev/net/tun rw"),
            ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
            *(("SystemCallFilter", calls) for calls in _CALLS),
        ],
        Install=[("WantedBy", "multi-user.target")],
    )


def _written(program: Program) -> list[Path]:
    """Return what the server writes; ufw keeps its rules in /etc, and locks in /run, as iptables does."""
    others = [Path("/etc/ufw"), Path("/run")] if program.open_firewall else []
    return [program.home, Path("/proc/sys/net"), *others]


def listening(program: Program, settings: Settings, service: str) -> str:
    """Return the socket unit that listens where the settings say, for the unit ``service``."""
    port = settings.server.port
    addresses = [f"[{one}]" if ":" in one else one for one in settings.server.listen]
    return unit(
        Unit=[
            ("Description", f"Port of the SSTP VPN server of {escaping.text(str(program.home))}")
        ],
        Socket=[
            *(("ListenStream", f"{one}:{port}") for one in addresses),
            ("BindIPv6Only", "ipv6-only"),
            ("Backlog", "1024"),
            ("Service", service),
        ],
        Install=[("WantedBy", "sockets.target")],
    )


def renewal(program: Program) -> str:
    """Return the unit that renews what ends soon."""
    return _work(program, "Renewal of certificates", program.renew, [program.home])


def backup(program: Program) -> str:
    """Return the unit that makes a backup."""
    writable = [program.home, program.backups]
    return _work(program, "Backup", program.back_up, writable)


def timer(program: Program, what: str, when: str) -> str:
    """Return the timer of one of those.

    :param when: of systemd.time(7).
    """
    return unit(
        Unit=[("Description", f"{what} of {escaping.text(str(program.home))}, by time")],
        Timer=[
            ("OnCalendar", when),
            # not all machines of a company at once; and what was missed while it was off is made up for
            ("RandomizedDelaySec", "2h"),
            ("Persistent", "yes"),
        ],
        Install=[("WantedBy", "timers.target")],
    )


def _work(program: Program, what: str, words: Sequence[str], writable: Sequence[Path]) -> str:
    return unit(
        Unit=[
            ("Description", f"{what} of {escaping.text(str(program.home))}"),
            ("Documentation", "man:sstpca(1)"),
            _mounts(program),
        ],
        Service=[
            ("Type", "oneshot"),
            ("ExecStart", escaping.command(words)),
            ("Nice", "10"),
            ("TimeoutStartSec", "1h"),
            ("CapabilityBoundingSet", " ".join(with_reading(program, []))),
            *CONFINED,
            *reach(program, writable),
            *_WORK,
        ],
    )


def _mounts(program: Program) -> tuple[str, str]:
    return "RequiresMountsFor", " ".join(
        map(escaping.word, map(str, (program.home, *program.code)))
    )


def with_reading(program: Reach, capabilities: Sequence[str]) -> list[str]:
    """Return the capabilities, and what it takes to read the program's files where they are."""
    return [*capabilities, *([] if program.is_open_to_root else [_READ_ANYTHING])]


def reach(program: Reach, writable: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield what of the file system is in reach: what is used in users' folders, and what is written."""
    yield "ProtectHome", "read-only" if program.needs_homes else "yes"
    yield "PrivateTmp", "no" if program.needs_temporary else "yes"
    # a folder of backups that somebody has removed is a line of the backup, not of systemd
    yield "ReadWritePaths", " ".join(escaping.word(f"-{path}") for path in writable)


def unit(*, by: str = "sstpca service install", **sections: _Lines) -> str:
    """Return the text of a unit file.

    :param by: the command that has written it.
    """
    head = f"# Written by '{by}': what is changed here, it writes anew. Changes go into a\n"
    head += "# drop-in: systemctl edit.\n"
    parts = (
        f"\n[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines)
        for name, lines in sections.items()
    )
    return head + "".join(parts)
