"""A real DHCP client inside the tunnel: dhcpcd asks by DHCPINFORM, and makes its routes of the answer.

It wants Ethernet, so it is given a TAP interface; what it sends there goes through the tunnel of a test
client, and what comes back is put into a frame.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import dhcp, packets, tuns
from tests.support.client import Client
from tests.support.netns import Process
from tests.support.packets import Packet
from tests.support.requirements import require
from tests.support.server import Vpn
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.root

_IPV4 = b"\x08\x00"
_ROUTER = bytes.fromhex("020000000001")
_SETTINGS = """\
option domain_name_servers, domain_name, domain_search, classless_static_routes
option ms_classless_static_routes
ipv4only
"""
_HOOK = """\
#!/bin/sh
[ "$reason" = INFORM ] && env | grep ^new_ >{said}
exit 0
"""


@contextlib.contextmanager
def asking(vpn: Vpn, client: Client, folder: Path) -> Iterator[tuple[Process, int]]:
    """Start dhcpcd on an interface that has the client's address; yield it, and the interface."""
    namespace = vpn.network.client
    hook, settings = folder / "hook", folder / "settings"
    hook.write_text(_HOOK.format(said=folder / "said"))
    hook.chmod(0o755)
    settings.write_text(_SETTINGS)
    with tuns.tap(namespace, "tap0", f"{client.address}/24") as tap:
        # once, in the foreground, and with no hook of the machine's own
        options = ("-4", "-1", "-B", "-t", "60", "-f", str(settings), "-c", str(hook))
        command = ("dhcpcd", *options, f"-s{client.address}", "tap0")
        started = namespace.start(*command, log=folder / "dhcpcd.log")
        try:
            yield started, tap
        finally:
            started.stop()


def pass_on(tap: int, client: Client, process: Process) -> None:
    """Have what dhcpcd asks answered, until it ends.

    :raises TimeoutError: if it does not.
    """
    end = time.monotonic() + PATIENCE
    while process.ended() is None:
        if time.monotonic() > end:
            raise TimeoutError(process.output)
        try:
            frame = os.read(tap, 2000)
        except BlockingIOError:
            time.sleep(0.05)
            continue
        if frame[12:14] == _IPV4 and frame[23] == packets.UDP:
            client.send_packet(packets.parse(frame[14:]))
            answer = client.receive_packet(_is_answer)
            os.write(tap, frame[6:12] + _ROUTER + _IPV4 + answer.encode())


def _is_answer(packet: Packet) -> bool:
    return dhcp.answer(packet) is not None


def test_it_takes_what_it_is_told(fresh: Vpn, tmp_path: Path) -> None:
    require("dhcpcd")
    routes = ("10.1.0.0/16", "10.2.3.0/25", "172.16.0.0/12", "128.0.0.0/2")
    options = (word for route in routes for word in ("--route", route))
    fresh.home.run("profile", "set", "default", "--split-tunnel", *options)
    fresh.home.run("profile", "set", "default", "--dns", "10.1.0.53", "--dns-suffix", "corp.test")
    with fresh.client().login() as client, asking(fresh, client, tmp_path) as (process, tap):
        server = client.server_address
        pass_on(tap, client, process)
        assert process.ended() == 0, process.output
        found = dict(line.split("=", 1) for line in (tmp_path / "said").read_text().splitlines())
        assert found["new_dhcp_message_type"] == str(dhcp.ACK)
        assert found["new_dhcp_server_identifier"] == str(server)
        assert found["new_domain_name_servers"] == "10.1.0.53"
        assert found["new_domain_name"] == found["new_domain_search"] == "corp.test"
        told = found["new_classless_static_routes"].split()
        assert sorted(told[::2]) == sorted(routes)
        assert set(told[1::2]) == {str(server)}
        assert found["new_ms_classless_static_routes"].split() == told
        made = fresh.network.client.ip("route", "show", "dev", "tap0")
        assert all(f"{route} via {server} " in made for route in routes)
