import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.administrators import pbk
from sstpca.bundle.content.bundle import Bundle
from sstpca.errors import InvalidInput
from sstpca.names import check_connection_name
from tests.bundle.samples import MakeBundle, renderer


def read(content: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Return the name of the section, and its keys and values in their order."""
    header, *lines = content.decode().split("\r\n")
    assert lines.pop() == ""
    pairs = [tuple(line.split("=", 1)) for line in lines if line]
    return header, [(key, value) for key, value in pairs]


def content_of(bundle: Bundle) -> bytes:
    content = pbk.section(renderer(), bundle)
    assert content is not None
    return content


def section(bundle: Bundle) -> dict[str, str]:
    _, pairs = read(content_of(bundle))
    keys = [key for key, _ in pairs]
    # Windows tells DEVICE and Device apart
    assert len(set(keys)) == len(keys)
    return dict(pairs)


def test_the_section_says_sstp(make_bundle: MakeBundle) -> None:
    found = section(make_bundle(server="vpn.example.com:4443", dns_suffix="corp.example.com"))
    expected = {
        "Encoding": "1",
        "Type": "2",
        "VpnStrategy": "5",
        "DataEncryption": "256",
        "CustomAuthKey": "0",
        "AuthRestrictions": "512",
        "IpDnsSuffix": "corp.example.com",
        "MEDIA": "rastapi",
        "Device": "WAN Miniport (SSTP)",
        "PreferredDevice": "WAN Miniport (SSTP)",
        "DEVICE": "vpn",
        "PhoneNumber": "vpn.example.com:4443",
    }
    assert {key: found[key] for key in expected} == expected
    assert re.fullmatch(r"[0-9A-F]{32}", found["Guid"])


@pytest.mark.parametrize("split", [True, False])
def test_a_full_tunnel_is_one_for_both_protocols(make_bundle: MakeBundle, split: bool) -> None:
    found = section(make_bundle(split_tunnel=split))
    assert found["IpPrioritizeRemote"] == found["Ipv6PrioritizeRemote"] == "10"[split]


def test_media_and_device_come_last(make_bundle: MakeBundle) -> None:
    """Windows reads groups: after MEDIA the port, after DEVICE what to dial."""
    _, pairs = read(content_of(make_bundle()))
    keys = [key for key, _ in pairs]
    assert keys.index("MEDIA") + 1 == keys.index("Port")
    assert keys.index("DEVICE") + 1 == keys.index("PhoneNumber")
    assert keys.index("NETCOMPONENTS") < keys.index("MEDIA") < keys.index("DEVICE")


def test_the_number_is_that_of_name_and_server(make_bundle: MakeBundle) -> None:
    one = section(make_bundle())["Guid"]
    assert one == section(make_bundle(dns_suffix="other.example.com"))["Guid"]
    assert one != section(make_bundle(server="other.example.com"))["Guid"]
    assert one != section(make_bundle(connection="other"))["Guid"]


@pytest.mark.parametrize("sign_in", [SignIn.EAP_MSCHAPV2, SignIn.EAP_TLS])
def test_there_is_none_for_eap(make_bundle: MakeBundle, sign_in: SignIn) -> None:
    assert pbk.section(renderer(), make_bundle(client=ConnectionSettings(sign_in=sign_in))) is None


@settings(deadline=None)
@given(name=st.text(min_size=1, max_size=40))
def test_any_name_that_windows_takes_is_the_header(make_bundle: MakeBundle, name: str) -> None:
    try:
        check_connection_name(name)
    except InvalidInput:
        return
    content = content_of(make_bundle(connection=name))
    assert read(content)[0] == f"[{name}]"
    assert pbk.lines(content)[0] == f"[{name}]"
    assert "\r\n".join(pbk.lines(content)).encode() + b"\r\n" == content


def test_a_line_break_makes_no_section(make_bundle: MakeBundle) -> None:
    with pytest.raises(InvalidInput, match="control character"):
        pbk.section(renderer(), make_bundle(server="a\r\nPhoneNumber=b"))
