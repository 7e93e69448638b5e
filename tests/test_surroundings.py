"""Networks and resolvers around the machine."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca import surroundings
from sstpca.surroundings import networks, parse_resolvers, parse_routes, resolvers

# /proc/net/route of a machine with an Ethernet card and a bridge
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
br0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_routes_of_proc() -> None:
    assert parse_routes(ROUTES) == [
        IPv4Network("0.0.0.0/0"),
        IPv4Network("192.168.1.0/24"),
        IPv4Network("172.17.0.0/16"),
    ]


@given(st.text())
def test_garbage_in_files_is_left_out(text: str) -> None:
    assert all(isinstance(network, IPv4Network) for network in parse_routes("\n" + text))
    assert all(isinstance(address, IPv4Address) for address in parse_resolvers(text))


def test_this_machine_has_its_loopback_and_no_default_route() -> None:
    found = networks()
    assert IPv4Network("127.0.0.0/8") in found
    assert IPv4Network("0.0.0.0/0") not in found


def test_without_netlink_proc_is_read_and_without_that_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(surroundings, "_from_netlink", lambda: None)
    monkeypatch.setattr(surroundings, "_ROUTES", tmp_path / "route")
    assert networks() == []
    (tmp_path / "route").write_text(ROUTES)
    assert networks() == [IPv4Network("172.17.0.0/16"), IPv4Network("192.168.1.0/24")]


def test_a_refusing_kernel_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError("no netlink here")

    monkeypatch.setattr("pyroute2.IPRoute", refuse)
    assert surroundings._from_netlink() is None


def test_resolvers_that_others_cannot_ask_are_left_out() -> None:
    text = "# local\nnameserver 127.0.0.53\nnameserver 10.1.0.53 # office\nnameserver\n"
    text += "nameserver fe80::1\nsearch corp\nnameserver 10.1.0.53\nnameserver 10.1.0.54\n"
    assert parse_resolvers(text) == [IPv4Address("10.1.0.53"), IPv4Address("10.1.0.54")]


def test_the_first_file_with_a_usable_resolver_counts(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    assert resolvers([tmp_path / "missing", stub, real]) == []
    real.write_bytes(b"nameserver 10.1.0.53\n\xff\xfe\n")
    assert resolvers([tmp_path / "missing", stub, real]) == [IPv4Address("10.1.0.53")]
