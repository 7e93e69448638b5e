"""sstpca profile."""

import json
import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address

import pytest
from click.testing import Result

from sstpca import surroundings
from sstpca.access.reach import Reach
from sstpca.home import Home
from sstpca.server.contracts import Account
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, users

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]
Rows = Callable[[], list[object]]

OFFICE = ["--local", "10.98.0.1", "--pool", "10.98.0.10-10.98.0.20"]


def test_add_and_show(run: Run) -> None:
    options = ["--dns", "10.1.0.53", "--dns", "10.1.0.54", "--route", "10.1.0.0/16"]
    options += ["--dns-suffix", "corp.example", "--split-tunnel", "--pool", "10.98.1.5"]
    result = run("profile", "add", "office", *OFFICE, *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "access profile 'office' added\n"
    assert run("profile", "show", "office").stdout == (
        "name           office\n"
        "local address  10.98.0.1\n"
        "pools          10.98.0.10-10.98.0.20, 10.98.1.5\n"
        "sessions       10 of each user\n"
        "IPv6           none\n"
        "DNS servers    10.1.0.53, 10.1.0.54\n"
        "DNS suffix     corp.example\n"
        "tunnel         split\n"
        "routes         10.1.0.0/16\n"
        "reaches        the networks behind the server\n"
        "               ping to the server\n"
        "               its DNS servers\n"
        "closed         other clients (clients)\n"
        "               the server's own services (server)\n"
        "               link-local addresses, cloud metadata (link-local)\n"
        "               multicast and broadcast (multicast)\n"
        "inbound        closed: only answers come in\n"
        "sign-in        mschapv2\n"
    )


def test_show_says_that_ipv6_goes_past_a_full_tunnel(run: Run) -> None:
    assert "tunnel         full\n               IPv6" in run("profile", "show", "default").stdout
    run("profile", "set", "default", "--split-tunnel")
    assert "IPv6 of the clients" not in run("profile", "show", "default").stdout
    run("profile", "set", "default", "--full-tunnel", "--ipv6", "2001:db8:98::/48")
    assert "IPv6 of the clients" not in run("profile", "show", "default").stdout


def test_ipv6_is_given_shown_and_taken_away(run: Run, refused: Refused) -> None:
    given = ["--ipv6", "2001:db8:98::/48", "--dns", "10.1.0.53", "--dns", "2001:db8:1::53"]
    given += ["--split-tunnel", "--route", "10.1.0.0/16", "--route", "2001:db8:1::/48"]
    assert run("profile", "add", "office", *OFFICE, *given).exit_code == 0
    shown = run("profile", "show", "office").stdout
    assert "IPv6           a /64 of 2001:db8:98::/48 for each session; the server is " in shown
    assert "DNS servers    10.1.0.53, 2001:db8:1::53\n" in shown
    assert "routes         10.1.0.0/16, 2001:db8:1::/48\n" in shown
    assert json.loads(run("profile", "show", "office", "--json").stdout)["ipv6"] == {
        "prefix": "2001:db8:98::/48",
        "dns": ["2001:db8:1::53"],
        "routes": ["2001:db8:1::/48"],
    }
    # what can be repeated replaces what was there, of both families
    run("profile", "set", "office", "--dns", "10.1.0.53")
    assert "DNS servers    10.1.0.53\n" in run("profile", "show", "office").stdout
    assert "exclude each other" in refused(
        run("profile", "set", "office", "--no-ipv6", "--ipv6", "fd00::/48"), 2
    )
    assert run("profile", "set", "office", "--no-ipv6").exit_code == 0
    shown = run("profile", "show", "office").stdout
    assert "IPv6           none\n" in shown
    assert "routes         10.1.0.0/16\n" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ipv6", ""], "--ipv6 is empty"),
        (["--ipv6", "10.0.0.0/8"], "'10.0.0.0/8' is not an IPv6 prefix"),
        (["--ipv6", "2001:db8::1/48"], "'2001:db8::1/48' has bits set beyond its length"),
        (["--ipv6", "2001:db8::/64"], "has 32 to 63 bits, not 64"),
        (["--ipv6", "fe80::/48"], "the prefix fe80::/48 is not of unicast addresses"),
        (["--ipv6", "ff02::/48"], "the prefix ff02::/48 is not of unicast addresses"),
        (["--dns", "2001:db8::53"], "is of IPv6, and the access profile has no prefix for it"),
        (["--route", "2001:db8::/32"], "is of IPv6, and the access profile has no prefix for it"),
        (["--ipv6", "fd00::/48", "--dns", "fe80::1%eth0"], "has a zone"),
        (["--ipv6", "fd00::/48", "--dns", "fe80::1"], "the DNS server fe80::1 is not the address"),
        (["--ipv6", "fd00::/48", "--route", "::/0"], "a route to everything is a full tunnel"),
        (["--ipv6", "fd00::/48", "--dns", "fd00:"], "'fd00:' is not an IPv6 address"),
    ],
)
def test_what_cannot_be_ipv6(run: Run, refused: Refused, options: list[str], said: str) -> None:
    assert said in refused(run("profile", "set", "default", *options), 2)


def test_no_two_profiles_have_one_prefix(run: Run, refused: Refused) -> None:
    run("profile", "set", "default", "--ipv6", "2001:db8:98::/48")
    said = refused(run("profile", "add", "office", *OFFICE, "--ipv6", "2001:db8:98:8000::/49"), 2)
    assert "of the access profiles 'office' and 'default' overlap" in said


def test_the_lists(run: Run) -> None:
    assert run("profile", "list").stdout == (
        "NAME     LOCAL      POOLS                   IPV6  DNS               TUNNEL\n"
        "default  10.99.0.1  10.99.0.10-10.99.0.250  no    9.9.9.9, 1.1.1.1  full\n"
    )
    shown = json.loads(run("profile", "show", "default", "--json").stdout)
    assert json.loads(run("profile", "list", "--json").stdout) == [shown]
    assert shown == {
        "name": "default",
        "local": "10.99.0.1",
        "pools": [["10.99.0.10", "10.99.0.250"]],
        "dns": ["9.9.9.9", "1.1.1.1"],
        "routes": [],
        "dns_suffix": "",
        "full_tunnel": True,
        "sessions": 10,
        "reach": [],
        "inbound": False,
        "allow": [],
        "ipv6": {"prefix": None, "dns": [], "routes": []},
        "limits": {},
        "weak_sign_ins": [],
        "sign_in": "mschapv2",
        "name_rules": [],
        "proxy": "",
        "proxy_bypass": [],
        "trigger_apps": [],
        "trusted_networks": [],
        "routes_at_login": False,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["add", "office", "--pool", "10.98.0.10-10.98.0.20"], 2, "--local is missing"),
        (["add", "office", "--local", "10.98.0.1"], 2, "--pool is missing"),
        (["add", "default", *OFFICE], 2, "'default' already"),
        (["add", "a b", *OFFICE], 2, "cannot be the name"),
        (["add", "office", *OFFICE, "--pool", "10.98.0.15"], 2, "overlap"),
        (["add", "office", *OFFICE, "--pool", "10.99.0.15"], 2, "overlap"),
        (["add", "office", *OFFICE, "--pool", "10.98.0.1"], 2, "contains 10.98.0.1"),
        (["add", "office", *OFFICE, "--pool", "10.98.0.9-10.98.0.8"], 2, "ends before"),
        (["add", "office", *OFFICE, "--pool", "10.98.0.0/24"], 2, "not a range of IPv4"),
        (["add", "office", *OFFICE, "--pool", "11.0.0.1-12.0.0.1"], 2, "more than 1048576"),
        (["add", "office", *OFFICE, "--dns", "127.0.0.1"], 2, "the client itself"),
        (["add", "office", *OFFICE, "--dns", "dns.example"], 2, "not an IPv4 address"),
        (["add", "office", *OFFICE, "--route", "10.1.0.1/16"], 2, "bits set beyond"),
        (["add", "office", *OFFICE, "--route", "0.0.0.0/0"], 2, "full tunnel"),
        (["add", "office", *OFFICE, "--route", "0.0.0.0"], 2, "full tunnel"),
        (["add", "office", *OFFICE, "--dns-suffix", "a b"], 2, "not a host name"),
        (["set", "default"], 2, "nothing to change"),
        (["set", "default", "--local", "10.99.0.99"], 2, "contains 10.99.0.99"),
        (["set", "default", "--dns", "9.9.9.9", "--no-dns"], 2, "--dns and --no-dns"),
        (["set", "default", "--route", "10.0.0.0/8", "--no-routes"], 2, "--route and --no-routes"),
        (["set", "office", "--no-dns"], 1, "no access profile 'office'"),
        (["set", "default", "--sessions", "0"], 2, "1 to 10000 sessions, not 0"),
        (["set", "default", "--sessions", "10001"], 2, "1 to 10000 sessions"),
        (["set", "default", "--reach", "clients,all"], 2, "not what a client could reach"),
        (["set", "default", "--allow", "10.0.0.1:https"], 2, "neither a port nor a range"),
        (["set", "default", "--allow", "10.0.0.1/8"], 2, "bits set beyond"),
        (["set", "default", "--allow", "intranet"], 2, "not a destination"),
        (["set", "default", "--proxy", "proxy"], 2, "is not a proxy"),
        (["set", "default", "--name-rule", "a b=10.0.0.1"], 2, "not a rule for names"),
        (["set", "default", "--split-tunnel", "--trigger-app", "mail"], 2, "neither the path"),
        (["show", "office"], 1, "no access profile 'office'"),
        (["remove", "office"], 1, "no access profile 'office'"),
        (["remove", "default"], 1, "in use: alice, bob"),
    ],
)
def test_bad_input_changes_nothing(
    run: Run, refused: Refused, rows: Rows, arguments: list[str], code: int, why: str
) -> None:
    for name in ("alice", "bob"):
        assert run("user", "add", name, "--generate").exit_code == 0
    before = rows()
    assert why in refused(run("profile", *arguments), code)
    assert rows() == before


def test_set_replaces_only_what_is_given(run: Run, store: Store) -> None:
    before = profiles.get(store, "default")
    result = run("profile", "set", "default", "--dns", "10.1.0.53", "--dns-suffix", "Corp")
    assert result.stderr == "access profile 'default' changed\n"
    after = profiles.get(store, "default")
    assert list(map(str, after.dns)) == ["10.1.0.53"]
    assert after.dns_suffix == "corp"
    assert (after.pools, after.full_tunnel) == (before.pools, True)
    assert run("profile", "set", "default", "--no-dns", "--dns-suffix", "").exit_code == 0
    assert profiles.get(store, "default").dns == ()
    assert profiles.get(store, "default").dns_suffix == ""


def test_the_number_of_sessions(run: Run, store: Store) -> None:
    assert run("profile", "add", "office", *OFFICE, "--sessions", "3").exit_code == 0
    assert profiles.get(store, "office").sessions == 3
    result = run("profile", "set", "office", "--sessions", "1")
    assert "bundle" not in result.stderr
    assert "sessions       1 of each user\n" in run("profile", "show", "office").stdout


def test_what_clients_reach(run: Run, store: Store) -> None:
    def access() -> tuple[set[str], bool]:
        one = profiles.get(store, "default")
        return {reach.value for reach in one.reach}, one.inbound

    result = run("profile", "set", "default", "--reach", "clients, server", "--reach", "multicast")
    assert (result.exit_code, result.stderr) == (0, "access profile 'default' changed\n")
    assert access() == ({"clients", "server", "multicast"}, False)
    assert run("profile", "set", "default", "--inbound").exit_code == 0
    assert access() == ({"clients", "server", "multicast"}, True)
    shown = run("profile", "show", "default").stdout
    assert "               other clients (clients)\n" in shown
    assert "closed         link-local addresses, cloud metadata (link-local)\n" in shown
    assert "inbound        open: other hosts reach its clients\n" in shown
    assert run("profile", "set", "default", "--reach", "", "--no-inbound").exit_code == 0
    assert access() == (set(), False)
    assert run("profile", "add", "it", *OFFICE, "--reach", "clients", "--inbound").exit_code == 0
    added = profiles.get(store, "it")
    assert (added.reach, added.inbound) == (frozenset({Reach.CLIENTS}), True)


def test_where_clients_may_go(run: Run, store: Store) -> None:
    options = ["--allow", "10.0.0.0/8", "--allow", "192.168.7.5:443/TCP", "--allow", "10.0.0.0/8"]
    result = run("profile", "set", "default", *options)
    assert result.stderr == (
        "access profile 'default' changed\n"
        "--allow counts within 5 seconds, for sessions that are there as well; connections that are "
        "open go on\n"
    )
    assert list(map(str, profiles.get(store, "default").allow)) == [
        "10.0.0.0/8",
        "192.168.7.5:443/tcp",
    ]
    shown = run("profile", "show", "default").stdout
    assert (
        "reaches        10.0.0.0/8, behind the server\n"
        "               192.168.7.5:443/tcp, behind the server\n"
        "               ping to the server\n"
        "               its DNS servers\n"
        "closed         whatever else is behind the server (--allow)\n"
    ) in shown
    as_json = json.loads(run("profile", "show", "default", "--json").stdout)
    assert as_json["allow"] == ["10.0.0.0/8", "192.168.7.5:443/tcp"]
    # with the DNS servers, for the rules
    [found] = profiles.destinations(store).values()
    assert list(map(str, found))[2:] == ["9.9.9.9:53", "1.1.1.1:53"]
    assert run("profile", "set", "default", "--allow", "").exit_code == 0
    assert profiles.destinations(store) == {}
    assert "the networks behind the server\n" in run("profile", "show", "default").stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--allow", "2001:db8::/32"], "is of IPv6, and the access profile gives none"),
        (
            ["--split-tunnel", "--route", "10.1.0.0/16", "--allow", "10.2.0.0/16"],
            "10.1.0.0/16 goes into the tunnel, and no further: nothing of it is in --allow\n",
        ),
        (
            [
                "--split-tunnel",
                "--route",
                "10.1.0.0/16",
                "--allow",
                "10.1.0.5",
                "--allow",
                "10.2.0.5",
            ],
            "--allow 10.2.0.5/32: no route of the split tunnel leads there (--route)\n",
        ),
        (["--allow", "10.99.0.1"], "--allow 10.99.0.1/32 stays closed without --reach server\n"),
        (["--allow", "10.99.0.16/28"], "10.99.0.16/28 stays closed without --reach clients\n"),
        (["--allow", "169.254.169.254"], "stays closed without --reach link-local\n"),
    ],
)
def test_a_list_that_may_not_be_meant(run: Run, options: list[str], said: str) -> None:
    result = run("profile", "set", "default", *options)
    assert result.exit_code == 0
    assert any(
        line.startswith("warning: ") and said in line for line in result.stderr.splitlines(True)
    )


def test_a_list_that_fits_is_not_doubted(run: Run) -> None:
    options = ["--split-tunnel", "--route", "10.1.0.0/16", "--allow", "10.1.0.5:443"]
    assert "warning" not in run("profile", "set", "default", *options).stderr
    options = ["--full-tunnel", "--no-routes", "--allow", "0.0.0.0/0:443/tcp"]
    assert "warning" not in run("profile", "set", "default", *options).stderr


def test_set_says_who_keeps_what_it_was_given(run: Run, home: Home, store: Store) -> None:
    assert run("user", "add", "alice", "--generate").exit_code == 0
    (alice,) = users.list_all(store)
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        account = Account(alice.id, alice.name, True)
        lease = sessions.promise(account, peer="203.0.113.9:1", client="")
        assert lease is not None
        sessions.bind(lease.session, "sstp1")
        for option in (["--inbound"], ["--reach", "server"], ["--dns", "10.1.0.53"]):
            said = run("profile", "set", "default", *option).stderr
            assert (
                "it counts from the next login; until then, 1 session goes on as before\n" in said
            )
            assert said.endswith(" session kill --user alice\n")
        assert "next login" not in run("profile", "set", "default", "--dns-suffix", "corp").stderr


def test_what_clients_are_told(run: Run, store: Store) -> None:
    options = ["--split-tunnel", "--sign-in", "eap-tls", "--trusted-network", "Office.example"]
    options += [
        "--name-rule",
        "corp.example=10.1.0.53,10.1.0.54",
        "--name-rule",
        "www.corp.example",
    ]
    options += ["--trigger-app", r"C:\Tools\mail.exe"]
    assert run("profile", "set", "default", *options).exit_code == 0
    assert run("profile", "show", "default").stdout.splitlines()[-4:] == [
        "sign-in        eap-tls",
        "names          corp.example = 10.1.0.53, 10.1.0.54; www.corp.example not",
        r"started by     C:\Tools\mail.exe",
        "but not in     office.example",
    ]
    assert run("profile", "set", "default", "--trigger-app", "").exit_code == 0
    client = profiles.get(store, "default").client
    assert (client.trigger_apps, client.trusted_networks) == ((), ("office.example",))
    assert len(client.name_rules) == 2
    assert run("profile", "set", "default", "--name-rule", "", "--full-tunnel").exit_code == 0
    proxy = ["--proxy", "proxy.example:3128", "--proxy-bypass", "*.example"]
    assert run("profile", "set", "default", *proxy).exit_code == 0
    shown = json.loads(run("profile", "show", "default", "--json").stdout)
    assert (shown["proxy"], shown["proxy_bypass"]) == ("proxy.example:3128", ["*.example"])
    assert shown["sign_in"] == "eap-tls"


def test_a_split_tunnel_without_routes_is_warned_about(run: Run) -> None:
    result = run("profile", "set", "default", "--split-tunnel")
    assert result.stderr.startswith("warning: a split tunnel without --route")
    result = run("profile", "set", "default", "--route", "10.1.0.0/16")
    assert "warning" not in result.stderr
    result = run("profile", "set", "default", "--full-tunnel")
    assert result.stderr.startswith("warning: the routes matter only with --split-tunnel")


def test_set_names_the_bundles_that_no_longer_fit(run: Run) -> None:
    for name in ("alice", "bob b"):
        assert run("user", "add", name, "--generate").exit_code == 0
    for options in (["--split-tunnel"], ["--route", "10.1.0.0/16"], ["--dns-suffix", "corp"]):
        result = run("profile", "set", "default", *options)
        assert "for 2 to install again" in result.stderr
        assert result.stderr.endswith(" bundle --profile default\n")
    assert "bundle" not in run("profile", "set", "default", "--dns", "10.1.0.53").stderr
    run("profile", "set", "default", "--name-rule", "corp.example.com=10.1.0.54")
    assert "for 2 to install again" in run("profile", "set", "default", "--no-dns").stderr


SURROUNDINGS = "10.50.0.0/16"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--split-tunnel", "--route", "192.168.10.0"],
            "the route 192.168.10.0 is this one address; the network: --route 192.168.10.0/24",
        ),
        (["--split-tunnel", "--route", "10.0.0.0"], "the network: --route 10.0.0.0/8"),
        (["--split-tunnel", "--route", "10.20.0.0"], "the network: --route 10.20.0.0/16"),
        (["--local", "8.8.4.4"], "--local 8.8.4.4 is a public address"),
        (["--pool", "8.8.8.10-8.8.8.20"], "the pool 8.8.8.10-8.8.8.20 has public addresses"),
        (["--pool", "10.50.3.1-10.50.3.9"], "the pool 10.50.3.1-10.50.3.9 is in 10.50.0.0/16, a"),
        (["--pool", "10.49.0.1-10.51.0.9"], "10.51.0.9 is in 10.50.0.0/16, a network of this"),
        (["--local", "10.50.0.77"], "--local 10.50.0.77 is in 10.50.0.0/16, a network of this"),
        (["--no-dns"], "a full tunnel without DNS"),
        (["--ipv6", "2001:db8:98::/60"], "has a /64 for 15 sessions, and the pools have"),
        (["--ipv6", "2001:db8:50::/48"], "has the address 2001:db8:50:7::1 already, which is in"),
    ],
)
def test_what_may_not_be_meant_is_a_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    around = [IPv4Network(SURROUNDINGS), IPv4Network("10.98.0.12/32")]
    monkeypatch.setattr(surroundings, "networks", lambda: around)
    monkeypatch.setattr(surroundings, "addresses_ipv6", lambda: [IPv6Address("2001:db8:50:7::1")])
    result = run("profile", "set", "default", *options)
    assert result.exit_code == 0
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert said in warnings[0]


@pytest.mark.parametrize(
    "options",
    [
        [*OFFICE, "--dns", "10.1.0.53"],
        [*OFFICE, "--split-tunnel", "--route", "192.168.10.0/32", "--route", "10.1.0.5"],
        ["--local", "100.64.0.1", "--pool", "100.64.0.2-100.64.0.9", "--dns", "10.1.0.53"],
    ],
)
def test_what_is_as_it_should_be_is_no_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    around = [IPv4Network(SURROUNDINGS), IPv4Network("10.98.0.12/32")]
    monkeypatch.setattr(surroundings, "networks", lambda: around)
    assert run("profile", "add", "office", *options).stderr == "access profile 'office' added\n"


def many(count: int) -> list[str]:
    networks = (IPv4Network((0x0A000000 + 512 * n, 24)) for n in range(count))
    return [word for network in networks for word in ("--route", str(network))]


def test_more_routes_than_a_client_can_be_told_are_warned_about(run: Run) -> None:
    result = run("profile", "set", "default", "--split-tunnel", "--no-dns", *many(130))
    assert "warning" not in result.stderr
    result = run("profile", "set", "default", *many(200))
    assert "is told 137 of 200: more do not go into one message of DHCP" in result.stderr
    options = ("--full-tunnel", "--no-routes", "--dns", "10.1.0.53")
    assert "warning" not in run("profile", "set", "default", *options).stderr


def test_windows_has_its_routes_at_login_if_the_profile_says_so(run: Run) -> None:
    assert run("user", "add", "alice", "--generate").exit_code == 0
    split = ["--split-tunnel", "--route", "10.1.0.0/16", "--no-dns"]
    assert "Windows has the routes" not in run("profile", "set", "default", *split).stderr
    result = run("profile", "set", "default", "--routes-at-login")
    assert "next, as this is in the bundles, for 1 to install again" in result.stderr
    assert "Windows has the routes" not in result.stderr
    assert json.loads(run("profile", "show", "default", "--json").stdout)["routes_at_login"] is True
    shown = run("profile", "show", "default").stdout
    assert "10.1.0.0/16\n               Windows has them of the server, at each login\n" in shown
    result = run("profile", "set", "default", "--route", "10.2.0.0/16")
    assert "Windows has the routes of the server from its next login on" in result.stderr
    assert "as this is in the bundles for other systems, for 1" in result.stderr
    result = run("profile", "set", "default", "--route", "10.3.0.0/16", "--dns-suffix", "corp")
    assert "as this is in the bundles, for 1" in result.stderr
    result = run("profile", "set", "default", "--full-tunnel", "--no-routes")
    assert "--routes-at-login matters only with --split-tunnel" in result.stderr
    assert "Windows has" not in run("profile", "show", "default").stdout
    assert run("profile", "set", "default", "--routes-in-bundle").exit_code == 0
    assert (
        json.loads(run("profile", "show", "default", "--json").stdout)["routes_at_login"] is False
    )


def test_dns_outside_the_routes_is_told(run: Run) -> None:
    options = ["--split-tunnel", "--route", "10.1.0.0/16", "--dns", "10.1.0.53"]
    assert "DNS" not in run("profile", "set", "default", *options).stderr
    result = run("profile", "set", "default", "--dns", "10.2.0.53", "--dns", "10.1.0.53")
    assert "DNS outside the routes: 10.2.0.53/32. Bundles have a route to each" in result.stderr


def add_staff(run: Run) -> None:
    for name in ("alice", "bob", "carol"):
        assert run("user", "add", name, "--generate").exit_code == 0
    run("user", "disable", "carol")


def test_nobody_is_shut_out_unasked(run: Run, refused: Refused, rows: Rows) -> None:
    add_staff(run)
    before = rows()
    result = run("profile", "set", "default", "--sign-in", "eap-tls")
    assert refused(result, 2) == (
        "from then on, 2 users cannot log in by password any more: 'alice', 'bob'"
    )
    assert result.stderr.endswith(" bundle --profile default --issue\n")
    assert rows() == before
    # what shuts out nobody is not asked about
    assert run("profile", "set", "default", "--sign-in", "eap-mschapv2").exit_code == 0


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "sign_in"), [("n\n", "mschapv2"), ("y\n", "eap-tls")])
def test_who_is_shut_out_is_shown_and_asked_about(
    run: Run, store: Store, answer: str, sign_in: str
) -> None:
    add_staff(run)
    result = run("profile", "set", "default", "--sign-in", "eap-tls", stdin=answer)
    assert result.exit_code == 0
    assert "2 users cannot log in by password any more: 'alice', 'bob'." in result.stderr
    assert profiles.get(store, "default").client.sign_in.value == sign_in


def test_the_command_named_next_works(run: Run, home: Home) -> None:
    add_staff(run)
    result = run("profile", "set", "default", "--sign-in", "eap-tls", "--yes")
    named = result.stderr.splitlines()[-1].split()
    assert named[:3] == ["sstpca", "--home", str(home.root)]
    assert named[3:] == ["bundle", "--profile", "default", "--issue"]
    assert run(*named[3:]).exit_code == 0
    # one who comes later
    run("profile", "add", "office", *OFFICE)
    assert run("user", "add", "dave", "--profile", "office", "--generate").exit_code == 0
    result = run("user", "set", "dave", "--profile", "default")
    assert "a password does not get in" in result.stderr
    named = result.stderr.splitlines()[-1].split("sstpca")[-1].split()
    assert named[2:] == ["bundle", "dave", "--issue"]
    assert run(*named[2:]).exit_code == 0


def test_remove(run: Run, store: Store) -> None:
    assert run("profile", "remove", "default").stderr == "access profile 'default' removed\n"
    assert profiles.list_all(store) == []
    assert run("profile", "list").stdout == "there are no access profiles\n"


def test_weaker_ways_to_log_in(run: Run, refused: Refused) -> None:
    result = run("profile", "set", "default", "--weak-sign-in", "pap,chap-md5")
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())
    assert "chap-md5 and pap: weaker than mschapv2. The crypto binding then proves" in said
    assert "of this profile's users they are kept, encrypted" in said
    shown = run("profile", "show", "default")
    assert re.search(r"weaker sign-in +chap-md5, pap", shown.stdout)
    found = json.loads(run("profile", "show", "default", "--json").stdout)
    assert found["weak_sign_ins"] == ["chap-md5", "pap"]
    assert run("profile", "set", "default", "--weak-sign-in", "").exit_code == 0
    found = json.loads(run("profile", "show", "default", "--json").stdout)
    assert found["weak_sign_ins"] == []
    assert "weaker" not in run("profile", "show", "default").stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--weak-sign-in", "mschap"), "'mschap' is not a weaker way to log in"),
        (("--weak-sign-in", "pap", "--sign-in", "eap-tls"), "have no weaker way to log in"),
    ],
)
def test_weaker_ways_that_cannot_be(
    run: Run, refused: Refused, options: tuple[str, ...], why: str
) -> None:
    assert why in refused(run("profile", "set", "default", *options), 2)
