"""Files of accounts of other programs."""

import csv
import dataclasses
from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access.limits import NOTHING_OWN, Limits, parse_end
from sstpca.errors import InvalidInput
from sstpca.imports import chap_secrets, routeros, softether, table
from sstpca.imports.accounts import Account, Found
from sstpca.imports.reading import read

TABLE = """Name;Password;Address;Enabled;Profile
alice;correct horse;10.99.0.20;;staff
bob;short;;no;

"carol";"semi;colon ""x""
and more";;yes;
"""

CHAP_SECRETS = r"""# client server secret addresses
frank * "my secret # pass" 10.99.0.33   # home
DOM\\gina sstp-server it\'s-fine *
hal	*	password8	-	1024/2048
ida * 'two words' 10.99.0.1 10.99.0.2 -- mtu 1400
jan * con\
tinued
* * everybody *
kim * @/etc/kim *
lea * "" *
"""

ROUTEROS = r"""# nov/30/2026 12:00:00 by RouterOS 7.12
# software id = \
/ip pool
add name=vpn ranges=10.77.0.10-10.77.0.99,10.77.0.120
/ipv6 pool
add name=six prefix=2001:db8:98::/48 prefix-length=64
/ppp profile
add dns-server=10.77.0.1,1.1.1.1 local-address=10.77.0.1 name="VPN USERS" only-one=yes \
    rate-limit="2M/10M 4M/20M" session-timeout=1d2h idle-timeout=10m on-up=x remote-address=vpn remote-ipv6-prefix-pool=six
add name=bare
add local-address=10.77.0.1 name=odd remote-address=vpn remote-ipv6-prefix-pool=gone
/ppp/secret
add comment="from \"sales\"" name=dora password="p\$ss\\word\_1 \C3\A4" profile=\
    "VPN USERS" remote-address=10.77.0.50 service=sstp
add disabled=yes name=erik password=12345678 profile=default-encryption
add name=line password=abcdefghi service=pppoe
add name=hidden remote-ipv6-prefix=2001:db8:98:7::/64
/ppp secret add name=one-line password=12345678 remote-address=vpn routes="192.168.5.0/24 10.0.0.1 1,192.168.6.0/24,office"
/interface sstp-client
add name=out password=other user=else
"""

SOFTETHER = """declare root
{
	declare DEFAULT
	{
		declare UserList
		{
			declare test$20user
			{
				byte AuthNtLmSecureHash CGfMuyzpIC50xHVGA4y+7Q==
				byte AuthPassword 2HYcRAAci1w/8AxcVZHJ1MPGXKw=
				uint AuthType 1
				uint64 ExpireTime 1554715032217
				string GroupName sales
				string Note $
				string RealName Rosa$20Lu

				declare Traffic
				{
					uint AuthType 7
				}
			}
			declare old
			{
				byte AuthPassword 2HYcRAAci1w/8AxcVZHJ1MPGXKw=
				uint AuthType 1
			}
			declare radius
			{
				uint AuthType 4
			}
		}
	}
}
"""


def accounts(text: str) -> dict[str, Account]:
    return {account.name: account for account in read(text).accounts}


def test_a_table_of_a_spreadsheet() -> None:
    found = accounts(TABLE)
    assert list(found) == ["alice", "bob", "carol"]
    alice, bob, carol = found.values()
    assert (alice.password, alice.profile, alice.enabled) == ("correct horse", "staff", True)
    assert (alice.static_address, alice.line) == (IPv4Address("10.99.0.20"), 2)
    assert (bob.password, bob.enabled, bob.static_address) == ("short", False, None)
    assert (carol.password, carol.line) == ('semi;colon "x"\nand more', 5)


NAMES = st.text(
    st.sampled_from("=+-@'ab \t\"\n,;\u00e4").filter(lambda sign: sign not in "\t\n"), min_size=1
).filter(lambda name: name == name.strip())
WRITTEN = st.builds(
    Account,
    st.just(0),
    NAMES,
    enabled=st.booleans(),
    profile=st.sampled_from(["default", "-staff", "x"]),
    static_address=st.none() | st.ip_addresses(v=4),
    static_prefix=st.none() | st.just(IPv6Network("2001:db8:98:a11c::/64")),
    ends=st.sampled_from([None, parse_end("2026-12-31")]),
    networks=st.sampled_from(
        [(), (IPv4Network("192.168.50.0/24"), IPv6Network("2001:db8:50::/48"))]
    ),
)


@given(st.lists(WRITTEN, min_size=1, max_size=5))
def test_a_table_that_is_written_is_read_again(wanted: list[Account]) -> None:
    text = table.write(wanted)
    found = table.read(text).accounts
    assert [dataclasses.replace(one, line=0) for one in found] == wanted


@given(st.lists(WRITTEN, min_size=1, max_size=5))
def test_no_cell_is_a_formula(wanted: list[Account]) -> None:
    rows = list(csv.reader(table.write(wanted).splitlines()))
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@\t\r")]
    assert {row[1] for row in rows[1:]} == {""}, "passwords"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_separates_the_columns(delimiter: str) -> None:
    text = delimiter.join(["USERNAME", "password"]) + "\r\n" + delimiter.join(["al", "secret"])
    assert [(one.name, one.password) for one in table.read(text).accounts] == [("al", "secret")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("al,secret,10.9.0.300,yes", "no IPv4 address"),
        ("al,secret,,perhaps", "yes or no"),
        ("al,secret,,yes,2001:db8::/48", "64 bits"),
        ("al,secret,,yes,,office", "not a network"),
        ("al,secret,,yes,,,soon", "not the date"),
        ("al,secret,,yes,,,,more", "8 columns"),
    ],
)
def test_what_is_wrong_in_a_line_of_a_table(line: str, problem: str) -> None:
    [found] = table.read(f"name,password,address,enabled,prefix,networks,ends\n{line}\n").accounts
    assert problem.replace("no IPv4", "not an IPv4") in found.problem


@pytest.mark.parametrize("first", ["name,secret", "password,profile", "name,name", "name,"])
def test_the_first_line_names_the_columns(first: str) -> None:
    with pytest.raises(InvalidInput, match="first line"):
        table.read(f"{first}\nal,b\n")


def test_an_open_quote_is_no_line_of_a_table() -> None:
    with pytest.raises(InvalidInput, match="line"):
        table.read('name,password\nal,"open\n')


def test_chap_secrets() -> None:
    found = accounts(CHAP_SECRETS)
    frank, gina, hal, ida, jan, *others = found.values()
    assert (frank.password, frank.static_address) == ("my secret # pass", IPv4Address("10.99.0.33"))
    assert (gina.name, gina.password) == ("DOM\\gina", "it's-fine")
    assert gina.lost == ("the name of the server",)
    assert (hal.password, hal.static_address) == ("password8", None)
    assert (hal.lost, hal.limits.values()["rate_down"] > 0) == ((), True), "accel-ppp's rate"
    assert (ida.password, ida.static_address) == ("two words", IPv4Address("10.99.0.1"))
    assert ida.lost == ("what is behind the address", "the options")
    assert (jan.password, jan.line) == ("continued", 6)
    assert [(one.name, one.problem) for one in others] == [
        ("*", "it is for everybody, not for one user"),
        ("kim", "its secret is in another file"),
        ("lea", "it has no secret"),
    ]
    assert not any(one.problem for one in (frank, gina, hal, ida, jan))


def test_an_export_of_routeros() -> None:
    found = read(ROUTEROS)
    dora, erik, line, hidden, last = found.accounts
    assert (dora.password, dora.profile, dora.line) == ("p$ss\\word 1 ä", "VPN-USERS", 13)
    assert (dora.static_address, dora.lost) == (IPv4Address("10.77.0.50"), ("the comment",))
    assert (erik.enabled, erik.profile, erik.problem) == (False, "default", "")
    assert line.other
    assert line.problem == "it is for pppoe alone"
    assert hidden.problem == "it has no password: export with show-sensitive"
    assert hidden.static_prefix == IPv6Network("2001:db8:98:7::/64")
    assert (last.name, last.static_address) == ("one-line", None)
    assert last.lost == ("the pool vpn for this user alone", "the route office")
    assert list(map(str, last.networks)) == ["192.168.5.0/24", "192.168.6.0/24"]
    staff, bare, odd = found.profiles
    assert staff.made is not None
    assert (staff.name, str(staff.made.local_address)) == ("VPN-USERS", "10.77.0.1")
    assert [f"{first}-{last}" for first, last in staff.made.pools] == [
        "10.77.0.10-10.77.0.99",
        "10.77.0.120-10.77.0.120",
    ]
    assert [str(one) for one in staff.made.dns] == ["10.77.0.1", "1.1.1.1"]
    assert staff.made.ipv6.prefix == IPv6Network("2001:db8:98::/48")
    assert (staff.made.sessions, staff.lost) == (1, ("the scripts", "what is said of bursts"))
    assert staff.made.limits == Limits(10_000_000, 2_000_000, 93_600, 600)
    assert odd.made is not None
    assert odd.made.ipv6.prefix is None
    assert "IPv6" in odd.lost[0]
    assert (bare.made, bare.problem) == (None, "the file has no local address for it")


def test_a_configuration_of_softether() -> None:
    found = accounts(SOFTETHER)
    test, old, radius = found.values()
    assert test.name == "test user"
    # MD4 of the UTF-16 of that password, as published with the server it is from
    assert test.nt_hash == bytes.fromhex("0867ccbb2ce9202e74c47546038cbeed")
    assert test.lost == ("the group sales", "the note")
    assert (test.ends, old.ends) == (1554715032.217, None)
    assert test.problem == ""
    assert "no NT hash" in old.problem
    assert radius.problem == "its password is with a RADIUS server"


@pytest.mark.parametrize("secret", ["correct horse", "0867ccbb"])
def test_no_secret_is_in_a_repr(secret: str) -> None:
    account = Account(1, "alice", password=secret, nt_hash=secret.encode())
    assert secret not in repr(Found("a table", (account,)))


@pytest.mark.parametrize("text", ["", "junk", "one two", "\n\n", "{}", "/ip address\nadd x=1"])
def test_other_files(text: str) -> None:
    with pytest.raises(InvalidInput, match="no file of accounts"):
        read(text)


@pytest.mark.parametrize("text", ["name,password\n", "/ppp profile\nadd name=x\n"])
def test_files_without_accounts(text: str) -> None:
    with pytest.raises(InvalidInput, match="without accounts"):
        read(text)


PIECES = st.sampled_from(
    [
        *TABLE,
        *CHAP_SECRETS,
        *ROUTEROS,
        *SOFTETHER,
        "\n",
        "\\",
        '"',
        "/ppp secret\nadd ",
        "name=",
        "$",
    ]
)


@given(st.lists(PIECES, max_size=80).map("".join))
def test_whatever_is_in_it_nothing_breaks(text: str) -> None:
    for one in (chap_secrets.read, routeros.read, softether.read):
        one(text)
        one(f"declare UserList\n{text}")
    for reader in (table.read, read):
        try:
            reader(f"name,password\n{text}")
        except InvalidInput:
            continue


@pytest.mark.parametrize(
    ("word", "down", "up"),
    [
        ("2048", 2_048_000, 2_048_000),
        ("2048/1024", 2_048_000, 1_024_000),
        ("5M:512k", 5_000_000, 512_000),
        ("0/1024", None, 1_024_000),
        ("1G", 1_000_000_000, 1_000_000_000),
    ],
)
def test_the_rates_of_accel_ppp(word: str, down: int | None, up: int) -> None:
    """accel-pppd/shaper/shaper.c: kbit/s, to the client first."""
    [found] = chap_secrets.read(f"alice * Wonderland 10.99.0.20 {word}\n").accounts
    limits = found.limits.limits
    assert (limits.rate_down, limits.rate_up, found.lost) == (down, up, ())


@pytest.mark.parametrize("word", ["fast", "1/2/3", "1b", "10.99.0.21", "999999999G"])
def test_what_is_no_rate_is_said_to_be_lost(word: str) -> None:
    [found] = chap_secrets.read(f"alice * Wonderland 10.99.0.20 {word}\n").accounts
    assert found.limits == NOTHING_OWN
    assert found.lost == ("what is behind the address",)
