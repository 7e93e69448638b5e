"""What a login consists of, each step by itself, in milliseconds of processor time: one thread of this
process does what a worker does. As root, in a network namespace of its own.
"""

import os
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from sstpca import Vpn as Toolkit
from sstpca.server.net import tun
from sstpca.server.ppp import mschapv2
from sstpca.serving.backend import StoreBackend
from sstpca.vpn.users import NewUser
from tests.support.handshake import certificates_of, shake
from tests.support.netns import Namespace
from tests.support.server import Home, make_home

_TIMES = 200
_LOCAL, _ADDRESS = IPv4Address("10.98.0.1"), IPv4Address("10.98.0.10")


def measure(key: str) -> dict[str, float]:
    """Return the milliseconds of each step, the median of many.

    :param key: type of the server's.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder) / "home", IPv4Address("192.0.2.1"), key_type=key)
        return {"TLS, both ends": _tls(home), "MS-CHAPv2": _mschapv2(), **_database(home), **_tun()}


def _median(step: Callable[[], object], times: int = _TIMES) -> float:
    found = []
    for _ in range(times):
        began = time.thread_time()
        step()
        found.append(1000 * (time.thread_time() - began))
    return statistics.median(found)


def _tls(home: Home) -> float:
    certificates = certificates_of(home.path / "server.pem")
    client = ssl.create_default_context(cadata=home.authority("alice"))
    return _median(lambda: shake(certificates, client))


def _mschapv2() -> float:
    hash_, response = mschapv2.nt_hash("secret"), bytes(24)

    def step() -> None:
        challenge = mschapv2.challenge_hash(bytes(16), bytes(16), b"alice")
        mschapv2.nt_response(challenge, hash_)
        mschapv2.authenticator_response(hash_, response, challenge)
        mschapv2.hlak(hash_, response)

    return _median(step)


def _database(home: Home) -> dict[str, float]:
    """Look up, promise, bind and forget: four calls of the store."""
    with Toolkit.open(home.path) as toolkit:
        added = toolkit.users.add_all(
            [NewUser(f"u{number}", "secret secret") for number in range(50)]
        )
    people = iter([one.user.name for one in added] * (_TIMES // len(added)))
    with StoreBackend(toolkit.home).join(os.getpid()) as (directory, sessions):

        def step() -> None:
            found = directory.account(next(people))
            assert found is not None
            lease = sessions.promise(found[0], peer="192.0.2.2:1", client="")
            assert lease is not None
            sessions.bind(lease.session, "sstp1")
            sessions.close(lease.session, "over", (0, 0))

        return {"database": _median(step)}


def _tun() -> dict[str, float]:
    found: dict[str, list[float]] = {"TUN": [], "netlink": [], "TUN's end": []}
    with Namespace("steps") as namespace, namespace.entered():
        kernel = tun.open_kernel()
        made: list[tun.Tun] = []

        def configure() -> None:
            name = made[-1].name
            tun.configure(
                name, local=_LOCAL, peer=_ADDRESS, mtu=1400, group=0x53535400, kernel=kernel
            )

        steps: dict[str, Callable[[], object]] = {
            "TUN": lambda: made.append(tun.open_tun("sstp7")),
            "netlink": configure,
            "TUN's end": lambda: os.close(made.pop().descriptor),
        }
        for _ in range(_TIMES // 4):
            for name, step in steps.items():
                found[name].append(_median(step, 1))
        kernel.close()
    return {name: statistics.median(times) for name, times in found.items()}
