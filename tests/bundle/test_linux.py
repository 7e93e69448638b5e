"""The files for Linux: what their own readers find in them is what the bundle says."""

import contextlib
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content import quoting
from sstpca.bundle.content.bundle import Bundle, Secrets, UserCertificate
from sstpca.bundle.platforms import systems
from sstpca.errors import SstpcaError
from tests.bundle import keyfile, pppd
from tests.bundle.samples import MakeBundle, files_of

PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))
NASTY = st.sampled_from([*"'\"\\$`#;[]{}()=~&|<>*?! ", "\u00fc", "\u2028"])
TEXTS = st.text(PRINTABLE, max_size=30) | st.text(NASTY, max_size=30)
HOSTILE = ("The $(reboot) 'VPN'", " [connection] ", "#=;\\s", '"; rm -rf / #', "a\\")


def linux(bundle: Bundle) -> dict[str, bytes]:
    """Return the files for Linux, without their folder."""
    found = files_of(bundle, "linux")
    return {
        name.removeprefix("linux/"): content
        for name, content in found.items()
        if name.startswith("linux/")
    }


def connection(bundle: Bundle) -> dict[str, dict[str, str]]:
    return keyfile.read(linux(bundle)["connection"].decode())


def peer(bundle: Bundle) -> dict[str, list[str]]:
    lines = pppd.read(linux(bundle)["peer"].decode())
    return {words[0]: words[1:] for words in lines}


@given(TEXTS)
@example(" a ")
@example("\\s")
def test_a_key_file_gives_the_very_value_back(value: str) -> None:
    assert keyfile.read(f"[a]\nb={quoting.keyfile(value)}\n") == {"a": {"b": value}}


@given(TEXTS)
@example("")
@example("@/etc/passwd")
def test_pppd_gives_the_very_word_back(value: str) -> None:
    assert pppd.read(f"name {quoting.pppd(value)} # {quoting.plain(value)}\nx\n") == [
        ["name", value],
        ["x"],
    ]


@given(TEXTS)
@example("$(reboot) `reboot` 'reboot'")
def test_the_shell_gives_the_very_word_back(value: str) -> None:
    assert shlex.split(quoting.shell(value)) == [value]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_names_stay_names(make_bundle: MakeBundle, value: str) -> None:
    bundle = make_bundle(connection=value, user=value)
    found = connection(bundle)
    assert found["connection"]["id"] == value
    assert found["vpn"]["user"] == value
    plain = make_bundle()
    assert found.keys() == connection(plain).keys()
    assert peer(bundle)["name"] == [value]
    assert peer(bundle).keys() == peer(plain).keys()
    for script, told in (
        ("install.sh", f"Password of {value}:"),
        ("install.sh", shlex.quote(value)),
        ("uninstall.sh", f"Removed: {value}"),
    ):
        check_shell(linux(bundle)[script])
        assert any(told in word for word in words(linux(bundle)[script])), script


def words(script: bytes) -> Iterator[str]:
    """Yield the words of those lines of a shell script that stand for themselves."""
    for line in script.decode().split("\n"):
        with contextlib.suppress(ValueError):
            yield from shlex.split(line, comments=True)


def check_shell(script: bytes) -> None:
    """Have the shell read a script, without running it."""
    done = subprocess.run(["sh", "-n"], input=script, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_connection_of_networkmanager(make_bundle: MakeBundle) -> None:
    rules = (NameRule("lab.example.com", (IPv4Address("10.1.1.53"),)), NameRule("example.org"))
    bundle = make_bundle(
        split_tunnel=True,
        routes=("10.0.0.0/8", "192.168.7.0/24"),
        dns_suffix="corp.example.com",
        client=ConnectionSettings(name_rules=rules),
        port=8443,
    )
    found = connection(bundle)
    assert uuid.UUID(found["connection"].pop("uuid")).version == 5
    assert found == {
        "connection": {"id": "VPN vpn.example.com", "type": "vpn", "autoconnect": "false"},
        "vpn": {
            "service-type": "org.freedesktop.NetworkManager.sstp",
            "gateway": "vpn.example.com:8443",
            "ca-cert": "/etc/sstpca/VPN-vpn-example-com/ca.pem",
            "tls-ext": "yes",
            "connection-type": "password",
            "user": "alice",
            "password-flags": "1",
            **{f"refuse-{way}": "yes" for way in ("pap", "chap", "mschap", "eap")},
            "nobsdcomp": "yes",
            "nodeflate": "yes",
            "lcp-echo-interval": "20",
            "lcp-echo-failure": "3",
        },
        "ipv4": {
            "method": "auto",
            "dns": "10.1.1.53;",
            "dns-search": "corp.example.com;~lab.example.com;",
            "never-default": "true",
            "route1": "10.0.0.0/8",
            "route2": "192.168.7.0/24",
        },
        "ipv6": {"method": "disabled"},
    }


def test_the_same_user_has_the_same_uuid(make_bundle: MakeBundle) -> None:
    of = [connection(make_bundle(user=user))["connection"]["uuid"] for user in "aab"]
    assert of[0] == of[1] != of[2]


def test_the_peer_of_pppd(make_bundle: MakeBundle) -> None:
    found = peer(make_bundle())
    assert shlex.split(found["pty"][0]) == [
        *("sstpc", "--nolaunchpppd", "--ipparam", "VPN-vpn-example-com"),
        *("--ca-cert", "/etc/sstpca/VPN-vpn-example-com/ca.pem"),
        *("--tls-ext", "--save-server-route", "vpn.example.com:443"),
    ]
    assert found["sstp-sock"] == ["/var/run/sstpc/sstpc-VPN-vpn-example-com"]
    assert {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-eap"} <= found.keys()
    # these would let the server choose, or forbid what it cannot do
    assert not {"require-mppe", "require-mschap-v2", "refuse-mschap-v2"} & found.keys()
    assert {"defaultroute", "replacedefaultroute"} <= found.keys()
    split = peer(make_bundle(split_tunnel=True))
    assert "nodefaultroute" in split
    assert "--save-server-route" not in split["pty"][0]


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_full_tunnel_says_that_ipv6_goes_past(
    make_bundle: MakeBundle, split: bool, language: str
) -> None:
    readme = linux(make_bundle(split_tunnel=split, language=language))["README.txt"].decode()
    assert ("sudo sysctl net.ipv6.conf.all.disable_ipv6=1" in readme) is not split


def test_eap_mschapv2_refuses_all_else(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2))
    found = peer(bundle)
    assert "refuse-eap" not in found
    assert {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschap-v2"} <= found.keys()
    vpn = connection(bundle)["vpn"]
    assert {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschapv2"} <= vpn.keys()
    assert "refuse-eap" not in vpn


def test_a_user_certificate_goes_along_but_its_password_does_not(make_bundle: MakeBundle) -> None:
    certificate = UserCertificate("alice.p12", b"\0p12", "AB", "its password")
    bundle = make_bundle(
        client=ConnectionSettings(sign_in=SignIn.EAP_TLS), secrets=Secrets(certificate=certificate)
    )
    found = linux(bundle)
    assert found["alice.p12"] == b"\0p12"
    assert not any(b"its password" in content for content in found.values())
    check_shell(found["install.sh"])
    assert b"alice.p12" in found["install.sh"]
    assert "connection" not in found
    options = peer(bundle)
    # pppd compares it with the name in the server's certificate
    assert options["remotename"] == ["vpn.example.com"]
    assert {"ca", "cert", "key", "need-peer-eap", "refuse-mschap-v2"} <= options.keys()
    assert "refuse-eap" not in options


def test_a_password_is_in_its_own_file_only(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(secrets=Secrets(password='p "a\\$s w'))
    found = linux(bundle)
    assert found.pop("password") == b'p "a\\$s w\n'
    assert found == linux(make_bundle())


def test_the_authorities_are_one_file(make_bundle: MakeBundle, authority: x509.Certificate) -> None:
    plain = make_bundle()
    both = make_bundle(authorities=(*plain.authorities, *plain.authorities))
    assert x509.load_pem_x509_certificates(linux(both)["ca.pem"]) == [authority, authority]
    assert "ca.pem" not in linux(make_bundle(authorities=()))
    check_shell(linux(make_bundle(authorities=()))["install.sh"])


def test_routes_come_up_with_this_connection_alone(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle(split_tunnel=True, routes=("10.0.0.0/8", "192.168.7.0/24"))
    fake = tmp_path / "ip"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)

    def run(parameter: str) -> str:
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PPP_IFACE": "ppp3"}
        done = subprocess.run(
            ["sh", "-s"],
            input=linux(bundle)["ip-up"],
            env=environment | {"PPP_IPPARAM": parameter},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    assert run("another") == ""
    assert run("VPN-vpn-example-com").splitlines() == [
        "route replace 10.0.0.0/8 dev ppp3",
        "route replace 192.168.7.0/24 dev ppp3",
    ]
    assert "ip-up" not in linux(make_bundle(split_tunnel=True))


def test_an_ipv6_address_is_not_for_linux(make_bundle: MakeBundle) -> None:
    with pytest.raises(SstpcaError, match="2001:db8::1"):
        systems.check(make_bundle(host="2001:db8::1"), ("linux",))


@pytest.mark.parametrize("language", ["en", "de"])
def test_all_say_who_they_are_for(make_bundle: MakeBundle, language: str) -> None:
    found = linux(make_bundle(language=language))
    for name in ("README.txt", "install.sh", "uninstall.sh", "peer", "connection"):
        assert "alice" in found[name].decode().splitlines()[1 if name[-3:] in (".sh", "txt") else 0]
        assert b"\r" not in found[name]
    check_shell(found["install.sh"])
    check_shell(found["uninstall.sh"])


def test_ipv6_follows_the_profile(make_bundle: MakeBundle) -> None:
    assert connection(make_bundle())["ipv6"] == {"method": "disabled"}
    full = make_bundle(ipv6=True)
    # its plug-in would end the connection: tests/interop/test_linux_bundle.py
    assert connection(full)["ipv6"] == {"method": "disabled"}
    assert b"without the IPv6" in linux(full)["README.txt"]
    assert b"\n+ipv6\n" in linux(full)["peer"]
    assert b"disable_ipv6" not in linux(full)["README.txt"]
    split = make_bundle(ipv6=True, split_tunnel=True, routes_ipv6=("2001:db8:1::/48",))
    assert connection(split)["ipv6"] == {"method": "disabled"}
    assert b"for network in 2001:db8:1::/48; do\n    ip -6 route replace" in linux(split)["ip-up"]
