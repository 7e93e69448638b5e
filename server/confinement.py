"""What a process gives up before it speaks to strangers.

A worker that strangers have taken over is to find nothing: it is nobody's user, has no capability
and gets none, sees none of the files that were open, and where the kernel has Landlock, it opens
only what Python itself needs, connects nowhere, and signals nobody. What is not to be had on a
machine is said, and the rest is done.
"""

import codecs
import contextlib
import ctypes
import errno
import grp
import os
import pwd
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from .log import LOGGER
from .ppp import mschapv2

#: Who workers are, if there is such a user.
USER: Final = "sstpca"

#: Numbers of users that no file has and no package gives (systemd's DynamicUser= takes them as well,
#: systemd.exec(5)).
_NUMBERS: Final = range(61184, 65520)

# Linux uapi: linux/prctl.h, linux/capability.h
_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_CAPBSET_DROP = 4, 15, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3: Final = 0x20080522
_CAPABILITIES: Final = range(64)

# Linux uapi, linux/landlock.h: the numbers of its calls are the same on all machines
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: By version: how many kinds of access to files there are; bytes of the attributes.
_FILE_ACCESS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_FILE_ACCESS_NOW: Final = 16
_NO_TCP: Final = 0b11  # bind, connect: since 4
_NO_SOCKETS_NO_SIGNALS: Final = 0b11  # of processes outside: since 6
#: What is read after the start: Python's own files, and the C library's.
_READABLE: Final = (
    "/usr/lib",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/localtime",
    "/usr/share/zoneinfo",
)

_ENCODINGS: Final = ("ascii", "latin-1", "utf-8", "utf-16-le", "cp1252", "idna")

_libc = ctypes.CDLL(None, use_errno=True)


def user_of(table: str) -> int:
    """Return the user of the workers of one server.

    :param table: the name of its nftables table, which no other home's server has.
    """
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(USER).pw_uid
    beginning = zlib.crc32(table.encode())
    for step in range(len(_NUMBERS)):
        number = _NUMBERS[(beginning + step) % len(_NUMBERS)]
        if not _is_somebody(number):
            return number
    return _NUMBERS[0]


def _is_somebody(number: int) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwuid(number)
        return True
    with contextlib.suppress(KeyError):
        grp.getgrgid(number)
        return True
    return False


def confine(user: int, keep: Iterable[int]) -> list[str]:
    """Give up everything; for a process of one thread.

    :param keep: the descriptors that stay open, beside those of the log.
    :returns: what could not be given up, and why.
    """
    _close_all_but({0, 1, 2, *keep})
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("", _drop_bounding_set),
        ("they run as the user who started the server", lambda: _become(user)),
        ("they have its capabilities", _drop_capabilities),
        ("they can gain privileges", lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
        ("they can be looked into", lambda: _prctl(_PR_SET_DUMPABLE, 0)),
        ("they read files of others", _restrict),
    )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.chdir("/")
    missing = []
    for what, step in steps:
        try:
            step()
        except OSError as error:
            if what:
                missing.append(f"{what} ({error.strerror})")
    return missing


def rehearse(user: int) -> None:
    """Say once, for all workers to come, what they will not be able to give up."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, "; ".join(confine(user, {writer})).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        missing = told.read()
    os.waitpid(pid, 0)
    if missing:
        LOGGER.warning("the processes that speak to strangers are not all apart: %s", missing)


def load() -> None:
    """Load what Python and its libraries load when it is first used.

    Afterwards a worker may not be able to: its own user cannot look into a home directory that has
    the program's files.
    """
    mschapv2.responder(bytes(16))(bytes(8))
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    time.localtime()


def name(text: str) -> None:
    """Have ``ps`` tell this process from the others."""
    _libc.prctl(_PR_SET_NAME, text.encode(), 0, 0, 0)


def _close_all_but(keep: set[int]) -> None:
    for descriptor in [int(one.name) for one in Path("/proc/self/fd").iterdir()]:
        if descriptor not in keep:
            with contextlib.suppress(OSError):  # that of the listing
                os.close(descriptor)


def _become(user: int) -> None:
    if os.geteuid() != 0:
        raise OSError(errno.EPERM, "it is not root")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _drop_bounding_set() -> None:
    for capability in _CAPABILITIES:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def _drop_capabilities() -> None:
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    head = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(head, bytes(24)))


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0))


def _restrict() -> None:
    """Have Landlock (landlock(7)) refuse all that is not needed."""
    version = _libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        raise OSError(ctypes.get_errno(), "the kernel has no Landlock")
    every = (1 << _FILE_ACCESS.get(version, _FILE_ACCESS_NOW)) - 1
    attributes = struct.pack("=QQQ", every, _NO_TCP, _NO_SOCKETS_NO_SIGNALS)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _check(_libc.syscall(_CREATE_RULESET, attributes, size, 0))
    try:
        for path in {*_READABLE, sys.prefix, sys.base_prefix, *sys.path}:
            _allow(rules, Path(path))
        _check(_libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _allow(rules: int, path: Path) -> None:
    """Let ``path`` be read, with all below it, if there is such a path."""
    if not path.is_absolute() or path == path.parent:
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        access = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        _libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
        os.close(descriptor)


def _check(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
