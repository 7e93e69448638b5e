"""The page for the user: well-formed, alone in the world, and true."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from sstpca.bundle import qr
from sstpca.bundle.context import Bundle
from tests.bundle.samples import MakeBundle, files_of

VOID = {"meta", "br", "wbr", "path"}


class Page(HTMLParser):
    """Collects what a browser would show; a tag that is not closed in order is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            self.attributes.setdefault(f"{tag} {key}", []).append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def source_of(bundle: Bundle) -> str:
    return files_of(bundle)["index.html"].decode()


def test_the_page_has_the_facts(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(host="vpn.example.com", port=4443)
    text = Page(source_of(bundle)).text
    for fact in ("vpn.example.com", "4443", "alice", "SSTP", "Rosa, room 7", "691", "0x800B0109"):
        assert fact in text
    assert bundle.authorities[0].sha256 in text
    assert bundle.authorities[0].sha1 in text
    assert bundle.authorities[0].name in text


def test_the_page_needs_no_network(make_bundle: MakeBundle) -> None:
    source = source_of(make_bundle())
    page = Page(source)
    assert not page.tags & {"script", "link", "img", "iframe", "a", "object", "form", "base"}
    assert not {key.split()[1] for key in page.attributes} & {"src", "href", "xlink:href", "style"}
    assert "default-src 'none'" in page.attributes["meta content"][3]
    assert not re.search(r"://|url\(|@import", source)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><b onclick=x>", "&amp; &lt;"])
def test_values_are_shown_not_obeyed(make_bundle: MakeBundle, text: str) -> None:
    certificate = dataclasses.replace(make_bundle().authorities[0], name=text)
    bundle = make_bundle(
        user=text,
        connection=text,
        host=text,
        contact=text,
        dns_suffix=text,
        authorities=(certificate,),
        routes=(text,),
        split_tunnel=True,
    )
    page = Page(source_of(bundle))
    plain = Page(source_of(make_bundle(split_tunnel=True, routes=("x",), dns_suffix="x")))
    assert page.tags == plain.tags
    assert page.attributes.keys() == plain.attributes.keys()
    assert page.text.count(text) >= 9


def test_what_is_empty_is_not_mentioned(make_bundle: MakeBundle) -> None:
    assert "Help:" in Page(source_of(make_bundle())).text
    assert "DNS suffix" not in Page(source_of(make_bundle())).text
    assert "Help:" not in Page(source_of(make_bundle(contact=""))).text


@pytest.mark.parametrize(
    ("split", "routes", "text"),
    [
        (False, (), "All of it goes through the VPN"),
        (True, ("10.0.0.0/8", "10.1.0.0/16"), "only to 10.0.0.0/8, 10.1.0.0/16"),
        (True, tuple(f"10.{n}.0.0/16" for n in range(8)), "10.6.0.0/16, 10.7.0.0/16"),
        (True, tuple(f"10.{n}.0.0/16" for n in range(20)), "10.7.0.0/16 and 12 more networks"),
        (True, (), "only to its own network"),
    ],
)
def test_the_page_says_what_goes_through_the_vpn(
    make_bundle: MakeBundle, split: bool, routes: tuple[str, ...], text: str
) -> None:
    shown = Page(source_of(make_bundle(split_tunnel=split, routes=routes))).text
    assert text in shown
    assert ("more networks" in shown) == (len(routes) > 8)


@pytest.mark.parametrize("user", ["alice", "Zo\u00eb O'Hara", "\u540d\u524d" * 32])
def test_the_code_on_the_page_is_that_of_the_facts(make_bundle: MakeBundle, user: str) -> None:
    facts = make_bundle().facts.replace("alice", user)
    page = Page(source_of(make_bundle(facts=facts)))
    rows = qr.matrix(facts)
    size = len(rows)
    assert page.attributes["svg viewbox"] == [f"0 0 {size} {size}"]
    background, dark = page.attributes["path d"]
    assert background == f"M0 0h{size}v{size}H0z"
    painted = {
        (int(x) + step, int(y))
        for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", dark)
        for step in range(int(width))
    }
    assert painted == {(x, y) for y, row in enumerate(rows) for x, dot in enumerate(row) if dot}


def test_the_code_has_a_quiet_zone_and_finders() -> None:
    rows = qr.matrix("type: SSTP")
    assert not any(any(row) for row in [*rows[:4], *rows[-4:]])
    assert rows[4][4:11] == [True] * 7
    assert rows[5][4:11] == [True] + [False] * 5 + [True]


def test_the_same_bundle_gives_the_same_bytes(make_bundle: MakeBundle) -> None:
    assert files_of(make_bundle()) == files_of(make_bundle())
