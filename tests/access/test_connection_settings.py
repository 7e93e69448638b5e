"""What an access profile tells a client beside addresses."""

import json
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access import connection_settings
from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn, parse_name_rule
from sstpca.errors import InvalidInput

SERVERS = (IPv4Address("10.0.0.53"), IPv4Address("10.0.0.54"))
PROGRAM = r"C:\Program Files\Office Suite\mail.exe"
PACKAGE = "Contoso.Mail_8wekyb3d8bbwe"

labels = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
names = st.builds("{}.{}".format, labels, labels)
rules = st.lists(
    st.builds(NameRule, names, st.tuples() | st.just(SERVERS)),
    max_size=4,
    unique_by=lambda r: r.suffix,
).map(tuple)
some_clients = st.builds(
    ConnectionSettings,
    sign_in=st.sampled_from(SignIn),
    name_rules=rules,
    trigger_apps=st.sampled_from([(), (PROGRAM,), (PROGRAM, PACKAGE)]),
    trusted_networks=st.lists(names, max_size=3, unique=True).map(tuple),
)


@given(some_clients)
def test_json_tells_all(client: ConnectionSettings) -> None:
    checked = connection_settings.checked(client, full_tunnel=False)
    assert checked == client
    assert (
        connection_settings.from_json(json.loads(json.dumps(connection_settings.to_json(client))))
        == client
    )


def test_what_an_older_release_wrote_is_the_default() -> None:
    assert connection_settings.from_json({}) == ConnectionSettings()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("corp.example.com=10.0.0.53", NameRule("corp.example.com", SERVERS[:1])),
        (".Corp.example.com = 10.0.0.53, 10.0.0.54", NameRule("corp.example.com", SERVERS)),
        ("b\u00fcro.example", NameRule("xn--bro-hoa.example")),
    ],
)
def test_rules_for_names(text: str, rule: NameRule) -> None:
    assert parse_name_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["", "=10.0.0.53", "corp=", "corp=dns", "corp=1.2.3.4,", "a b=1.2.3.4"]
)
def test_what_is_no_rule_for_names(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a rule for names"):
        parse_name_rule(text)


@pytest.mark.parametrize(
    "proxy",
    [
        *("proxy.example.com:3128", "10.0.0.8:8080", "[2001:db8::8]:8080"),
        *("http://proxy.example.com/proxy.pac", "https://proxy.example.com:8443/a?b=c"),
    ],
)
def test_proxies(proxy: str) -> None:
    bypass = ("*.example.com", "10.0.0.1")
    given_ = ConnectionSettings(proxy=proxy, proxy_bypass=bypass)
    assert connection_settings.checked(given_, full_tunnel=True) == given_


@pytest.mark.parametrize(
    "proxy",
    [
        *("proxy", "proxy:port", "proxy:70000", "user:secret@proxy:80", "ftp://proxy/x", ":3128"),
        *("proxy:80/path", "http://user@proxy/x", "http://", "pro xy:80", "proxy:80\n", "[::1:80"),
        *("a_b:80", "x" * 600 + ":80", "[1.2.3.4]:80"),
    ],
)
def test_what_is_no_proxy(proxy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        connection_settings.checked(ConnectionSettings(proxy=proxy), full_tunnel=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "app", ["mail.exe", "C:mail.exe", r"C:\a|b.exe", r"\\server\mail.exe", "Contoso.Mail", "", "'"]
)
def test_what_is_no_program(app: str) -> None:
    with pytest.raises(InvalidInput, match="neither the path"):
        connection_settings.checked(ConnectionSettings(trigger_apps=(app,)), full_tunnel=False)


@pytest.mark.parametrize(
    ("client", "full", "why"),
    [
        (ConnectionSettings(proxy="proxy:80"), False, "only in a full tunnel"),
        (ConnectionSettings(proxy_bypass=("a.example",)), True, "without --proxy"),
        (ConnectionSettings(trigger_apps=(PROGRAM,)), True, "only with a split tunnel"),
        (
            ConnectionSettings(name_rules=(NameRule("a", SERVERS),)),
            True,
            "only with a split tunnel",
        ),
        (ConnectionSettings(name_rules=(NameRule("a"), NameRule("a"))), False, "two rules"),
        (ConnectionSettings(trusted_networks=("a b",)), False, "host name"),
        (ConnectionSettings(trusted_networks=("a",) * 65), False, "are more than 64"),
    ],
)
def test_what_windows_would_not_take(client: ConnectionSettings, full: bool, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        connection_settings.checked(client, full_tunnel=full)
