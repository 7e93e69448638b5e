"""What other firewalls block, out of what their programs say."""

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.firewalls import iptables, nftables
from sstpca.server.firewalls.commands import Said
from sstpca.server.firewalls.findings import Vpn, findings, leftovers

VPN = Vpn(8443, "sstp", "eth0", "sstpca_0a1b2c3d")
PORT, CLIENTS = "TCP port 8443", "what clients send through this machine"

# as Docker 20 to 28 has it, shortened
DOCKER = """\
-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N DOCKER
-N DOCKER-ISOLATION-STAGE-1
-N DOCKER-ISOLATION-STAGE-2
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
"""

# as ufw 0.36 has it, shortened
UFW = """\
-P INPUT DROP
-P FORWARD DROP
-P OUTPUT ACCEPT
-N ufw-before-forward
-N ufw-before-input
-N ufw-logging-deny
-N ufw-not-local
-N ufw-user-forward
-N ufw-user-input
-A INPUT -j ufw-before-input
-A FORWARD -j ufw-before-forward
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-forward -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-forward -j ufw-user-forward
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -j ufw-user-input
-A ufw-logging-deny -m limit --limit 3/min -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j ufw-logging-deny
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT
"""
UFW_OPEN = """\
-A ufw-user-input -p tcp -m tcp --dport 8443 -j ACCEPT
-A ufw-user-forward -i sstp+ -j ACCEPT
-A ufw-user-forward -o sstp+ -j ACCEPT
"""


def found(*listings: tuple[str, str], vpn: Vpn = VPN) -> dict[tuple[str, str], list[str]]:
    some = findings(Said(iptables=dict(listings)), vpn)
    return {(one.blocker, one.what): list(map(shlex.join, one.commands)) for one in some}


def rules(*rules: str, policy: str = "DROP", hook: str = "FORWARD") -> str:
    others = {"FORWARD", "INPUT"} - {hook}
    heads = [f"-P {hook} {policy}", *(f"-P {one} ACCEPT" for one in others)]
    return "\n".join((*heads, *(f"-A {hook} {rule}" for rule in rules)))


def test_docker() -> None:
    assert found(("iptables", DOCKER)) == {
        ("Docker", CLIENTS): [
            "iptables -I DOCKER-USER -i sstp+ -j ACCEPT",
            "iptables -I DOCKER-USER -o sstp+ -j ACCEPT",
        ]
    }
    opened = "-A DOCKER-USER -i sstp+ -j ACCEPT\n-A DOCKER-USER -o sstp+ -j ACCEPT\n"
    before = DOCKER.replace("-A DOCKER-USER -j RETURN\n", opened)
    assert found(("iptables", before)) == {}
    # one way alone is not enough
    assert found(("iptables", before.replace("-o sstp+", "-o sstp0x+"))) != {}


def test_ufw() -> None:
    assert found(("iptables", UFW)) == {
        ("ufw", PORT): ["ufw allow 8443/tcp"],
        ("ufw", CLIENTS): ["ufw route allow in on sstp+", "ufw route allow out on sstp+"],
    }
    assert found(("iptables", UFW + UFW_OPEN)) == {}


def test_both_families_of_ufw_are_said_once() -> None:
    vpn = replace(VPN, listens=frozenset({"ip", "ip6"}), carries=frozenset({"ip", "ip6"}))
    six = UFW.replace("ufw-", "ufw6-")
    assert len(found(("iptables", UFW), ("ip6tables", six), vpn=vpn)) == 2
    assert found(("ip6tables", UFW)) == {}


@pytest.mark.parametrize(
    "opens",
    [
        "-j ACCEPT",
        "-i sstp+ -j ACCEPT",
        "-i sstp+ -m conntrack --ctstate NEW -j ACCEPT",
        "-s 10.99.0.0/24 -j ACCEPT",
        "-i sstp0 -o eth0 -p tcp -m tcp --dport 22 -j ACCEPT",
        "! -i eth0 -j ACCEPT",
        '-i sstp+ -m comment --comment "the -j DROP of old" -j ACCEPT',
    ],
)
def test_what_lets_clients_out(opens: str) -> None:
    answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    assert found(("iptables", rules(answers))) != {}
    assert found(("iptables", rules(answers, opens))) == {}
    assert found(("iptables", rules(answers, "-j DROP", opens))) != {}


@pytest.mark.parametrize(
    "opens",
    [
        "-i sstq+ -j ACCEPT",
        "-p icmp -j ACCEPT",
        "-i sstp+ -m mark --mark 0x1 -j ACCEPT",
        "-m set --match-set known src -j ACCEPT",
        "-i sstp+ -j LOG",
        "-j CHAIN-THAT-IS-NOT-THERE",
    ],
)
def test_what_does_not(opens: str) -> None:
    answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    [(_, what)] = found(("iptables", rules(answers, opens)))
    assert what == CLIENTS


@pytest.mark.parametrize(
    ("rule", "closed"),
    [
        ("-p tcp -m tcp --dport 443 -j DROP", False),
        ("-p tcp -m tcp --dport 8443 -j DROP", True),
        ("-p tcp -m multiport --dports 80,8000:9000 -j REJECT --reject-with tcp-reset", True),
        ("-p udp -m udp --dport 8443 -j DROP", False),
        ("-i eth0 -j DROP", True),
        ("-i eth1 -j DROP", False),
        # somebody's addresses are not everybody
        ("-s 203.0.113.0/24 -p tcp -m tcp --dport 8443 -j DROP", False),
    ],
)
def test_a_rule_that_drops(rule: str, closed: bool) -> None:
    listing = rules(rule, policy="ACCEPT", hook="INPUT")
    expected = {("iptables (INPUT)", PORT): ["iptables -I INPUT -p tcp --dport 8443 -j ACCEPT"]}
    assert found(("iptables", listing)) == (expected if closed else {})


def test_chains_that_call_each_other_end() -> None:
    listing = "-P FORWARD ACCEPT\n-N A\n-N B\n-A FORWARD -j A\n-A A -j B\n-A B -j A\n-A B -j DROP"
    assert found(("iptables", listing)) != {}
    assert found(("iptables", "-P FORWARD DROP\n-N A\n-A FORWARD -j A\n-A A -j A")) != {}


def nft(*entries: dict[str, object]) -> str:
    return json.dumps({"nftables": [{"metainfo": {}}, *entries]})


def table(
    *expressions: list[dict[str, object]], policy: str = "drop", hook: str = "forward"
) -> str:
    base = {"family": "inet", "table": "theirs"}
    chain = {**base, "name": hook, "type": "filter", "hook": hook, "prio": 0, "policy": policy}
    made: list[dict[str, object]] = [
        {"rule": {**base, "chain": hook, "handle": 7 + number, "expr": some}}
        for number, some in enumerate(expressions)
    ]
    return nft({"chain": chain}, *made)


def match(left: object, right: object, op: str = "==") -> dict[str, object]:
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str) -> dict[str, object]:
    return {"meta": {"key": key}}


ACCEPT: dict[str, object] = {"accept": None}
ANSWERS = [match({"ct": {"key": "state"}}, ["established", "related"], "in"), ACCEPT]
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}


@pytest.mark.parametrize(
    ("expressions", "closed"),
    [
        ([], True),
        ([ANSWERS], True),
        ([ANSWERS, [ACCEPT]], False),
        ([ANSWERS, [{"counter": {}}, match(meta("iifname"), "sstp*"), ACCEPT]], False),
        ([ANSWERS, [match(meta("iifname"), {"set": ["eth1", "sstp0"]}), ACCEPT]], False),
        ([ANSWERS, [match(meta("iifname"), "eth0", "!="), ACCEPT]], False),
        ([ANSWERS, [match(meta("iifname"), "@inside"), ACCEPT]], True),
        ([ANSWERS, [match(meta("mark"), 7), ACCEPT]], True),
        ([ANSWERS, [match(meta("l4proto"), "icmp"), ACCEPT]], True),
        ([ANSWERS, [match(meta("nfproto"), "ipv4"), ACCEPT]], False),
        ([ANSWERS, [match(meta("nfproto"), "ipv6"), ACCEPT]], True),
        ([[{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["new", ACCEPT]]}}}]], True),
        (
            [
                [
                    {
                        "vmap": {
                            "key": {"ct": {"key": "state"}},
                            "data": {"set": [["established", ACCEPT], ["new", ACCEPT]]},
                        }
                    }
                ]
            ],
            False,
        ),
    ],
)
def test_a_table_of_nftables(expressions: list[list[dict[str, object]]], closed: bool) -> None:
    said = Said(nft=table(*expressions))
    some = findings(said, VPN)
    assert bool(some) is closed
    for one in some:
        assert str(one) == (
            f"nftables (table inet theirs, chain forward) blocks {CLIENTS}: "
            "nft insert rule inet theirs forward iifname 'sstp*' accept; "
            "nft insert rule inet theirs forward oifname 'sstp*' accept"
        )


@pytest.mark.parametrize(
    ("right", "closed"),
    [(8443, False), ({"range": [8000, 9000]}, False), ({"set": [22, 443]}, True), (443, True)],
)
def test_the_port_in_a_table_of_nftables(right: object, closed: bool) -> None:
    said = Said(nft=table([match(DPORT, right), ACCEPT], hook="input"))
    assert [one.what for one in findings(said, VPN)] == ([PORT] if closed else [])


def test_our_own_tables_are_not_looked_at() -> None:
    assert findings(Said(nft=table().replace("theirs", "sstpca_forwarding")), VPN) == ()


def test_what_iptables_has_in_nftables_is_said_once() -> None:
    listing = table().replace('"inet"', '"ip"').replace("theirs", "filter")
    assert len(findings(Said(nft=listing), VPN)) == 1
    [one] = findings(Said(nft=listing, iptables={"iptables-nft": DOCKER}), VPN)
    assert one.blocker == "Docker"


def test_what_is_left_is_found_by_the_tag_and_by_nothing_else() -> None:
    tag = VPN.tag
    marked = f'-A DOCKER-USER -i sstp+ -m comment --comment "{tag}" -j ACCEPT\n'
    other = "-A DOCKER-USER -o sstp+ -m comment --comment sstpca_ffffffff -j ACCEPT\n"
    rule = json.loads(table([ACCEPT]))
    rule["nftables"][-1]["rule"]["comment"] = tag
    said = Said(
        nft=json.dumps(rule),
        iptables={"iptables": DOCKER + marked + other},
        ufw=(
            "Added user rules (see 'ufw status' for running firewall):\n"
            "ufw allow 22/tcp\n"
            f"ufw allow 8443/tcp comment '{tag}'\n"
            f"ufw route allow in on sstp+ comment '{tag}'\n"
            f"ufw route allow out on sstp+ comment '{tag} of old'\n"
        ),
    )
    assert list(map(shlex.join, leftovers(said, VPN))) == [
        f"iptables -D DOCKER-USER -i sstp+ -m comment --comment {tag} -j ACCEPT",
        "nft delete rule inet theirs forward handle 7",
        "ufw delete allow 8443/tcp",
        "ufw route delete allow in on sstp+",
    ]
    assert leftovers(Said(), VPN) == ()


@given(text=st.text())
def test_whatever_they_say_is_read(text: str) -> None:
    said = Said(nft=text, iptables={"iptables": text}, ufw=text)
    findings(said, VPN)
    leftovers(said, VPN)


_WORDS = (*shlex.split(DOCKER.replace("\n", " ")), "!", "-m", "--comment", "'", "-g", "\n", "\n-A")


@given(words=st.lists(st.sampled_from(_WORDS)))
def test_damaged_rules_are_read(words: list[str]) -> None:
    iptables.read(DOCKER + " ".join(words))


_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(("sstp*", "accept", "key")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("match", "left", "meta", "vmap", "set", "drop")), inner)
    ),
)


@given(expression=st.dictionaries(st.sampled_from(("match", "vmap", "jump", "accept")), _json))
def test_any_expression_is_read(expression: dict[str, object]) -> None:
    findings(Said(nft=table([expression])), VPN)
    assert nftables.read(json.dumps({"nftables": 5})) == {}
