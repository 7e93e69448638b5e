"""Names people type."""

import string
import unicodedata
from ipaddress import ip_address

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sstpca.errors import InvalidInput
from sstpca.names import (
    Hosts,
    check_address,
    check_connection_name,
    check_host_name,
    check_profile_name,
    check_user_name,
    login_names,
    parse_hosts,
    quoted,
    user_key,
)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("vpn.example.com", "vpn.example.com"),
        ("VPN.Example.COM.", "vpn.example.com"),
        ("vpn", "vpn"),
        ("3com.com", "3com.com"),
        ("büro.example", "xn--bro-hoa.example"),
        ("BÜRO.example", "xn--bro-hoa.example"),
        ("xn--bro-hoa.example", "xn--bro-hoa.example"),
        # what IDNA 2008 makes of "straße", which Python's codec cannot: taken as it is
        ("xn--strae-oqa.de", "xn--strae-oqa.de"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_host_names_become_a_labels(typed: str, name: str) -> None:
    assert check_host_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("", "vpn.example.com"),
        (".", "between two dots"),
        ("a..b", "between two dots"),
        (".a", "between two dots"),
        ("a" * 64, "63"),
        ("a_b.example", "underscore"),
        ("-a.example", "hyphen"),
        ("a-.example", "hyphen"),
        ("a b.example", "letters"),
        ("a\nb.example", "letters"),
        ("a/b", "letters"),
        ("http://vpn.example.com/path", "vpn.example.com"),
        ("https://vpn.example.com", "0x800B010F"),
        ("vpn.example.com:4443", "vpn.example.com --port 4443"),
        ("[2001:db8::1]:443", "2001:db8::1 --port 443"),
        ("[2001:db8::1]", "leave them out: 2001:db8::1"),
        ("*.example.com", "each name"),
        ("10.1", "four numbers"),
        ("10.0.0.256", "four numbers"),
        ("straße.de", "xn--"),
        ("a\u200db.example", "xn--"),
        ("\u2100.example", ""),  # its compatibility form has a slash in it
        ("xn--\x80.example", ""),
        ("ab--c.example", ""),
        ("xn--a.example", ""),
        ("\udc80.example", ""),
        (".".join(["a" * 60] * 5), ""),
    ],
)
def test_what_is_no_host_name_is_refused_with_a_hint(typed: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_host_name(typed)
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value) + caught.value.hint


@given(st.text(max_size=80))
@example("\uff41\uff0e\uff42")
@example("\u0130.example")
def test_a_host_name_that_passes_is_stable_and_plain(text: str) -> None:
    try:
        name = check_host_name(text)
    except InvalidInput:
        return
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-.")
    assert check_host_name(name) == name


def test_hosts_are_sorted_into_names_and_addresses_without_repetitions() -> None:
    hosts = parse_hosts(
        ["203.0.113.5", "vpn.example.com", "VPN.example.com"], ["2001:DB8::1", "203.0.113.5"]
    )
    assert hosts == Hosts(
        ("vpn.example.com",), (ip_address("203.0.113.5"), ip_address("2001:db8::1"))
    )
    assert hosts.first == "vpn.example.com"
    assert Hosts((), hosts.addresses).first == "203.0.113.5"


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1"),
        *("fe80::1%eth0", "::ffff:192.0.2.1", "::ffff:0.0.0.1", "::192.0.2.1", "0.0.0.1"),
        *("2001:db8::1%eth0", "4000::1", "100::1", "fec0::1"),
        *("vpn.example.com", "192.0.2.1/32", "192.0.2.01", "", "192.0.2.1:443"),
    ],
)
def test_addresses_that_no_machine_is_reached_by(address: str) -> None:
    with pytest.raises(InvalidInput):
        check_address(address)


def test_a_first_name_too_long_for_a_common_name_is_refused_but_not_a_second() -> None:
    long = "a" * 60 + ".example"
    with pytest.raises(InvalidInput, match="68 characters"):
        parse_hosts([long])
    assert parse_hosts(["vpn.example.com", long]).names[1] == long


def test_none_and_too_many_hosts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no host name"):
        parse_hosts([])
    with pytest.raises(InvalidInput, match="101"):
        parse_hosts([f"a{number}.example" for number in range(101)])


@pytest.mark.parametrize(
    "name", ["alice", "Bob Smith", "a@example.com", "o'brien", "jörg", "console", "x" * 64, "名前"]
)
def test_good_user_names(name: str) -> None:
    assert check_user_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * 65, "64"),
        (" a", "blank"),
        ("a ", "blank"),
        ("a\tb", "control"),
        ("a\x00b", "control"),
        ("a\u200bb", "invisible"),
        ("a\u202eb", "invisible"),
        ("a\udc80b", "control"),
        ("-rf", "hyphen"),
        (".", "dot"),
        ("a.", "dot"),
        ("NUL", "device"),
        ("con.txt", "device"),
        ("com\u00b2", "device"),
        *((f"a{sign}b", "may be in it") for sign in '\\/:*?"<>|'),
    ],
)
def test_bad_user_names_say_why(name: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        check_user_name(name)
    assert str(caught.value).isprintable()


def test_names_are_stored_composed() -> None:
    assert check_user_name("jo\u0308rg") == "jörg"


@pytest.mark.parametrize(
    ("one", "other"), [("Alice", "aLICE"), ("JÖRG", "jo\u0308rg"), ("STRASSE", "straße")]
)
def test_users_are_compared_without_case(one: str, other: str) -> None:
    assert user_key(one) == user_key(other)


@given(st.text(max_size=64))
@example("\u0345\u0390")
def test_comparison_keys_do_not_depend_on_case_or_composition(name: str) -> None:
    key = user_key(name)
    assert user_key(key) == key
    assert user_key(name.casefold()) == key
    assert user_key(unicodedata.normalize("NFD", name)) == key
    assert len(key) <= 192


@given(st.text(max_size=70))
def test_a_user_name_that_passes_is_a_file_name_on_windows(name: str) -> None:
    try:
        name = check_user_name(name)
    except InvalidInput:
        return
    assert 1 <= len(name) <= 64
    assert name.isprintable()
    assert not set(name) & set('\\/:*?"<>|')
    assert name[0] not in " .-"
    assert name[-1] not in " ."


@pytest.mark.parametrize("name", ["", " a", "a]", "[a", "a;b", "a:b", "a\nb", "x" * 256, ".a"])
def test_bad_connection_names(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_connection_name(name)


def test_a_connection_name_is_measured_in_utf_16() -> None:
    assert check_connection_name("\U0001f512" * 127)
    with pytest.raises(InvalidInput):
        check_connection_name("\U0001f512" * 128)


@pytest.mark.parametrize("name", ["", "a b", "-a", "ü", "x" * 65, "a\n"])
def test_bad_profile_names(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_profile_name(name)


@given(st.text(max_size=200))
def test_quoted_text_is_harmless_in_a_terminal(text: str) -> None:
    assume(text)
    assert quoted(text).isprintable()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("alice", ("alice",)),
        ("OFFICE\\alice", ("alice",)),
        ("office.example.com\\ alice ", ("alice",)),
        ("A\\B\\alice", ("alice",)),
        ("alice@office.example.com", ("alice@office.example.com", "alice")),
        ("OFFICE\\alice@realm", ("alice@realm", "alice")),
        ("a@b@realm", ("a@b@realm", "a@b")),
        ("alice @realm ", ("alice @realm", "alice")),
        ("@realm", ("@realm", "")),
        (" \t alice \r\n", ("alice",)),
        ("alice. ", ("alice",)),
        ("alice...", ("alice",)),
        (".alice", (".alice",)),
        ("alice\u00a0", ("alice",)),
        ("\u3000alice", ("alice",)),
        ("anna\u00a0maria", ("anna maria",)),
        ("\ufeffali\u200bce\u200e", ("alice",)),
        ("\u202dalice\u202c", ("alice",)),
        ("", ("",)),
        ("\\", ("",)),
    ],
)
def test_names_as_people_type_them(typed: str, meant: tuple[str, ...]) -> None:
    assert login_names(typed) == meant


@given(st.text(max_size=40))
def test_every_user_name_is_found_as_it_is_and_with_what_keyboards_add(name: str) -> None:
    try:
        name = check_user_name(name)
    except InvalidInput:
        return
    for typed in (name, f"DOMAIN\\{name}", f" {name}. ", f"{name}\u00a0", f"{name}@realm"):
        assert name in login_names(typed)
