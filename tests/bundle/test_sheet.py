"""The sheet of paper with what a user has to type."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sstpca.bundle import sheet
from sstpca.bundle.content.bundle import Secrets, UserCertificate
from sstpca.errors import InvalidInput, SstpcaError
from tests.bundle.samples import MakeBundle, renderer

PASSWORD = "<b>&\"'` \u2603 pass"


class Page(HTMLParser):
    """The text of a page, and what it loads."""

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self.feed(source.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag in ("script", "link", "iframe"):
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_it_has_what_has_to_be_typed(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(user="Zo\u00eb <i>", connection="VPN & more")
    page = Page(sheet.render(renderer(), bundle, PASSWORD))
    for shown in (PASSWORD, "Zo\u00eb <i>", "VPN & more", "vpn.example.com", "Rosa, room 7"):
        assert shown in page.text
    assert page.loads == []


def test_it_says_whether_the_password_is_saved(make_bundle: MakeBundle) -> None:
    typed = Page(sheet.render(renderer(), make_bundle(), PASSWORD)).text
    saved = make_bundle(secrets=Secrets(PASSWORD))
    assert "when you connect for the first time" in typed
    assert "save it for you" in Page(sheet.render(renderer(), saved, PASSWORD)).text
    assert "save it for you" not in typed


def test_it_has_the_password_of_the_certificate(make_bundle: MakeBundle) -> None:
    certificate = UserCertificate("alice.p12", b"", "0" * 40, "opens it")
    bundle = make_bundle(secrets=Secrets(None, certificate))
    text = Page(sheet.render(renderer(), bundle, None)).text
    assert "opens it" in text
    assert "alice.p12" in text


def test_it_is_in_the_language_of_the_user(make_bundle: MakeBundle) -> None:
    source = sheet.render(renderer("de"), make_bundle(language="de"), PASSWORD)
    assert b'<html lang="de">' in source
    assert "Ihr Passwort" in Page(source).text


def test_it_is_one_file_for_paper(make_bundle: MakeBundle) -> None:
    source = sheet.render(renderer(), make_bundle(), PASSWORD).decode()
    assert "@media print" in source
    assert not re.search(r"https?://", source)
    assert "default-src 'none'" in source


def test_only_a_sheet_is_replaced(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    sheet.check_free(tmp_path, "alice", bundles)
    sheet.path(tmp_path, "alice").write_bytes(sheet.render(renderer(), make_bundle(), PASSWORD))
    sheet.check_free(tmp_path, "alice", bundles)
    sheet.path(tmp_path, "alice").write_bytes(b"<!doctype html><p>my page")
    with pytest.raises(SstpcaError, match="is not a sheet made by sstpca"):
        sheet.check_free(tmp_path, "alice", bundles)
    with pytest.raises(SstpcaError, match="cannot read"):
        sheet.check_free(sheet.path(tmp_path, "alice"), "bob", bundles)
    with pytest.raises(InvalidInput, match="folder of the bundles"):
        sheet.check_free(tmp_path / "x" / ".." / "bundles", "bob", bundles)
