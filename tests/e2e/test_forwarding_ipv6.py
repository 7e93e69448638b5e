"""IPv6 forwarding where the kernel has one switch for the whole machine: nobody loses a route of theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sstpca.server.net.forwarding_ipv6 import ForwardingEverywhere
from sstpca.server.net.nft import nft
from tests.support.netns import Namespace
from tests.support.requirements import require

pytestmark = pytest.mark.root

CONF = Path("/proc/sys/net/ipv6/conf")


@pytest.fixture
def machine() -> Iterator[None]:
    """A machine that takes its routes from router advertisements; this thread is in it."""
    require("ip", "nft")
    with Namespace("router") as made:
        made.ip("link", "add", "wan", "type", "veth", "peer", "name", "far")
        made.ip("link", "set", "wan", "up")
        with made.entered():
            yield


def settings() -> tuple[str, str]:
    forwarding, accept = ((CONF / one).read_text() for one in ("all/forwarding", "wan/accept_ra"))
    return forwarding.strip(), accept.strip()


@pytest.mark.usefixtures("machine")
def test_it_goes_on_believing_in_advertisements_and_is_as_before_at_the_end() -> None:
    forwarding = ForwardingEverywhere("sstpca_t", "sstp")
    assert settings() == ("0", "1")
    forwarding.open()
    assert settings() == ("1", "2")
    assert "drop" in nft("list ruleset")
    # another program clears all rules, and the record of what is to be taken back with them
    nft("flush ruleset")
    forwarding.restore()
    assert "drop" in nft("list ruleset")
    forwarding.close()
    assert settings() == ("0", "1")
    assert nft("list ruleset") == ""


@pytest.mark.usefixtures("machine")
def test_what_somebody_else_turned_on_stays() -> None:
    (CONF / "all/forwarding").write_text("1")
    forwarding = ForwardingEverywhere("sstpca_t", "sstp")
    forwarding.open()
    assert nft("list ruleset") == ""
    forwarding.close()
    assert settings() == ("1", "1")
