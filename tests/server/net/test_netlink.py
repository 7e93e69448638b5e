"""Messages to the kernel: their form, and what it does about them."""

import contextlib
import errno
import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from sstpca.server.errors import ServerError
from sstpca.server.net import tun
from sstpca.server.net.netlink import ACK, REQUEST, Netlink, attribute, message, nest
from tests.support.netns import Namespace
from tests.support.requirements import require

LOCAL, PEER = IPv4Address("10.99.0.1"), IPv4Address("10.99.0.10")
GROUP = 0x53535411


@pytest.mark.parametrize("size", range(9))
def test_attributes_are_padded_to_four_bytes(size: int) -> None:
    made = attribute(3, bytes(size))
    assert len(made) % 4 == 0
    assert struct.unpack_from("=HH", made) == (4 + size, 3)
    assert nest(2, made) == struct.pack("=HH", 4 + len(made), 0x8002) + made


def test_a_message_has_the_length_of_all_of_it() -> None:
    assert message(16, REQUEST | ACK, bytes(8))[:16] == struct.pack("=IHHII", 24, 16, 5, 0, 0)


def test_an_address_is_what_pyroute2_reads_in_it() -> None:
    read = ifaddrmsg(tun._address(7, LOCAL, PEER))
    read.decode()
    assert (read["index"], read["prefixlen"], read["family"]) == (7, 32, socket.AF_INET)
    assert read.get_attr("IFA_LOCAL") == str(LOCAL)
    assert read.get_attr("IFA_ADDRESS") == str(PEER)


def test_a_link_is_what_pyroute2_reads_in_it() -> None:
    read = ifinfmsg(tun._link(7, {tun._MTU: 1400, tun._TXQLEN: 2000}, flags=tun._IFF_UP))
    read.decode()
    assert (read["index"], read["flags"], read["change"]) == (7, 1, 1)
    assert read.get_attr("IFLA_MTU") == 1400
    assert read.get_attr("IFLA_TXQLEN") == 2000


@pytest.fixture
def inside() -> Iterator[Namespace]:
    require("ip")
    with Namespace("netlink") as namespace, namespace.entered():
        yield namespace


@pytest.mark.root
def test_an_interface_gets_all_that_a_session_needs(inside: Namespace) -> None:
    made = tun.open_tun("sstp")
    name = made.name
    with contextlib.closing(tun.open_kernel()) as kernel, os.fdopen(made.descriptor):
        tun.configure(name, local=LOCAL, peer=PEER, mtu=1400, group=GROUP, kernel=kernel)
        [link] = json.loads(inside.ip("-j", "addr", "show", "dev", name))
        assert "UP" in link["flags"]
        assert (link["mtu"], link["group"]) == (1400, str(GROUP))
        [address] = [one for one in link["addr_info"] if one["family"] == "inet"]
        assert (address["local"], address["address"], address["prefixlen"]) == (
            str(LOCAL),
            str(PEER),
            32,
        )
        [route] = json.loads(inside.ip("-j", "route", "show", str(PEER)))
        assert route["dev"] == name
        assert [one for one in link["addr_info"] if one["family"] == "inet6"] == []

        tun.set_mtu(name, 1300, kernel=kernel)
        assert json.loads(inside.ip("-j", "link", "show", "dev", name))[0]["mtu"] == 1300
        with pytest.raises(ServerError, match=f"the interface {name} cannot take MTU 7: Invalid"):
            tun.set_mtu(name, 7, kernel=kernel)


@pytest.mark.root
@pytest.mark.usefixtures("inside")
def test_a_refusal_is_the_first_one_and_no_answer_is_left_for_later() -> None:
    with contextlib.closing(Netlink(socket.NETLINK_ROUTE)) as kernel:
        gone, small = tun._link(9999, {tun._MTU: 1400}), tun._link(1, {tun._GROUP: 5})
        with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
            kernel.do(small, gone, message(9999, REQUEST | ACK, b""))
        kernel.do(tun._link(1, {tun._MTU: 1500}))


@pytest.mark.root
@pytest.mark.usefixtures("inside")
def test_what_takes_an_interface_away_meanwhile_is_told() -> None:
    why = "the interface sstp9 cannot be set up: 'no interface with this name'"
    with (
        contextlib.closing(tun.open_kernel()) as kernel,
        pytest.raises(ServerError, match=re.escape(why)),
    ):
        tun.configure("sstp9", local=LOCAL, peer=PEER, mtu=1400, group=GROUP, kernel=kernel)
