"""The page for the user: well-formed, alone in the world, and true."""

import dataclasses
import re
from ipaddress import IPv4Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content import qr
from sstpca.bundle.content.bundle import Bundle, Secrets, UserCertificate
from sstpca.bundle.content.codes import CODES
from sstpca.bundle.content.logo import Logo
from tests.bundle.html import Page
from tests.bundle.samples import MakeBundle, files_of, renderer

BY_CERTIFICATE = ConnectionSettings(sign_in=SignIn.EAP_TLS)
P12 = UserCertificate("alice.p12", b"\x30", "AB" * 20, "opensesame")
CERTIFICATE = Secrets(certificate=P12)
LOGO = Logo("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')


def source_of(bundle: Bundle, language: str = "en") -> str:
    return renderer(language).page("index.html.j2", bundle).decode()


def text_of(bundle: Bundle, language: str = "en") -> str:
    return Page(source_of(bundle, language)).text


def test_it_is_the_page_of_a_bundle_for_windows(make_bundle: MakeBundle) -> None:
    assert files_of(make_bundle())["index.html"].decode() == source_of(make_bundle())


def test_the_page_has_the_facts(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(host="vpn.example.com", port=4443)
    text = text_of(bundle)
    for fact in ("vpn.example.com", "4443", "alice", "SSTP", "Rosa, room 7", "691", "0x800B0109"):
        assert fact in text
    assert bundle.authorities[0].sha256 in text
    assert bundle.authorities[0].sha1 in text
    assert bundle.authorities[0].name in text


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_needs_no_network(make_bundle: MakeBundle, language: str) -> None:
    source = source_of(make_bundle(logo=LOGO), language)
    page = Page(source)
    assert not {*page.tags} & {"script", "link", "iframe", "a", "object", "form", "base", "use"}
    named = {key: values for key, values in page.attributes.items() if re.search("src|href", key)}
    assert named == {"img src": [LOGO.url]}
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert page.attributes["meta content"][3] == policy
    assert not re.search(r"://|url\(|@import|@font-face", source)


@pytest.mark.parametrize(
    ("language", "administrator", "missing"),
    [
        ("en", "name and the password of an administrator", "ask for the zip file another way"),
        ("de", "Name und Passwort eines Administrators", "Bitten Sie um die ZIP-Datei auf anderem"),
    ],
)
def test_what_a_standard_user_needs_and_what_mail_may_have_taken(
    make_bundle: MakeBundle, language: str, administrator: str, missing: str
) -> None:
    assert administrator in text_of(make_bundle(), language)
    assert missing in text_of(make_bundle(), language)
    # nobody is asked where nothing of the machine is changed
    assert administrator not in text_of(make_bundle(authorities=()), language)
    folder = renderer(language)
    script = folder.script("windows/install.ps1.j2", make_bundle(), codes=CODES, eap="", rules=())
    said = {"en": "administrator's name and password", "de": administrator}[language]
    assert said.replace("'", "''") in script.decode("utf-8-sig")


def test_folders_for_other_systems_are_named(make_bundle: MakeBundle) -> None:
    page = files_of(make_bundle(), "windows", "routeros", "apple", "linux", "android")["index.html"]
    named = "linux/README.txt, android/index.html, apple/index.html, routeros/client.rsc"
    assert named in Page(page.decode()).text
    for file in named.split(", "):
        assert file in files_of(make_bundle(), "windows", file.partition("/")[0])
    assert "Another device?" not in text_of(make_bundle())


def test_styles_are_in_one_place(make_bundle: MakeBundle) -> None:
    page = Page(source_of(make_bundle(logo=LOGO)))
    assert page.tags.count("style") == 1
    assert not [key for key in page.attributes if key.endswith((" style", " onclick"))]


@pytest.mark.parametrize(("language", "word"), [("en", "Unpack"), ("de", "Entpacken")])
def test_the_language(make_bundle: MakeBundle, language: str, word: str) -> None:
    page = Page(source_of(make_bundle(), language))
    assert page.attributes["html lang"] == [language]
    assert f" {word} " in page.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><b onclick=x>", "&amp; &lt;"])
def test_values_are_shown_not_obeyed(make_bundle: MakeBundle, text: str) -> None:
    certificate = dataclasses.replace(make_bundle().authorities[0], name=text)

    def bundle(value: str) -> Bundle:
        return make_bundle(
            **dict.fromkeys(("user", "connection", "host", "contact", "dns_suffix"), value),
            authorities=(dataclasses.replace(certificate, name=value),),
            routes=(value,),
            split_tunnel=True,
        )

    page, plain = Page(source_of(bundle(text))), Page(source_of(bundle("x")))
    assert page.tags == plain.tags
    assert page.attributes.keys() == plain.attributes.keys()
    assert page.text.count(text) == 13


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30))
def test_any_name_stays_a_name(make_bundle: MakeBundle, name: str) -> None:
    client = dataclasses.replace(BY_CERTIFICATE, proxy=name)
    certificate = dataclasses.replace(P12, file=name)
    bundle = make_bundle(
        **dict.fromkeys(("user", "connection", "host", "contact", "dns_suffix"), name),
        client=client,
        secrets=Secrets(certificate=certificate),
    )
    page = Page(source_of(bundle))
    assert page.attributes.keys() == Page(source_of(make_bundle(dns_suffix="x"))).attributes.keys()
    assert "".join(page.words).count(name) >= 13


def test_what_is_empty_is_not_mentioned(make_bundle: MakeBundle) -> None:
    assert "Help:" in text_of(make_bundle())
    for word in ("DNS suffix", "Proxy", "by itself", "Next authority", ".p12"):
        assert word not in text_of(make_bundle())
    assert "Help:" not in text_of(make_bundle(contact=""))
    assert "img" not in Page(source_of(make_bundle())).tags


def test_a_logo(make_bundle: MakeBundle) -> None:
    page = Page(source_of(make_bundle(logo=LOGO)))
    assert page.attributes["img src"] == [LOGO.url]
    assert page.attributes["img alt"] == [""]


def test_each_picture_has_words_for_who_does_not_see_it(make_bundle: MakeBundle) -> None:
    for bundle in (make_bundle(), make_bundle(authorities=())):
        page = Page(source_of(bundle))
        assert page.attributes["svg role"] == ["img"] * 4
        assert len(page.attributes["svg aria-label"]) == 1
        assert page.attributes["svg aria-labelledby"] == page.attributes["title id"]
        assert len(set(page.attributes["title id"])) == 3


def test_verify_comes_before_the_numbers(make_bundle: MakeBundle) -> None:
    text = text_of(make_bundle())
    assert 0 < text.index("If it does not connect") < text.index("verify.cmd") < text.index("691")
    assert "uninstall.cmd" in text


@pytest.mark.parametrize(
    ("authorities", "check", "asks"), [(1, True, True), (0, True, False), (0, False, True)]
)
def test_permission_is_mentioned_where_windows_asks(
    make_bundle: MakeBundle, authorities: int, check: bool, asks: bool
) -> None:
    bundle = make_bundle(
        authorities=make_bundle().authorities[:authorities], revocation_check=check
    )
    page = Page(source_of(bundle))
    assert ("asks for permission, answer Yes" in page.text) == asks
    assert ("pic-permission" in page.attributes["title id"]) == asks
    assert ("restart the PC." in page.text) != check
    assert ("SHA-256" in page.text) == bool(authorities)
    assert ("none is added to this PC" in page.text) != bool(authorities)


def test_two_authorities_during_a_rollover(make_bundle: MakeBundle) -> None:
    first = make_bundle().authorities[0]
    second = dataclasses.replace(first, name="The next", sha256="CD:" * 31 + "CD", sha1="EF" * 20)
    text = text_of(make_bundle(authorities=(first, second)))
    assert text.index(first.sha256) < text.index("Next authority") < text.index(second.sha256)
    assert second.sha1 in text and text.index("The next") < text.index(second.sha256)


def test_sign_in_by_password(make_bundle: MakeBundle) -> None:
    text = text_of(make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2)))
    assert "user name is alice; the password was given to you" in text
    assert "Password (EAP-MSCHAPv2)" in text


def test_a_saved_password_is_said_and_not_shown(make_bundle: MakeBundle) -> None:
    source = source_of(make_bundle(secrets=Secrets(password="opensesame")))
    assert "There is nothing to type" in Page(source).text
    assert "delete the zip file" in Page(source).text
    assert "given to you separately" not in source
    assert "opensesame" not in source


def test_sign_in_by_certificate(make_bundle: MakeBundle) -> None:
    source = source_of(make_bundle(client=BY_CERTIFICATE, secrets=CERTIFICATE))
    text = Page(source).text
    assert "password of your certificate alice.p12, which was given to you separately" in text
    assert "There is no password to type" in text
    assert "Certificate (EAP-TLS)" in text
    assert "opensesame" not in source


def test_errors_that_may_happen_to_this_user(make_bundle: MakeBundle) -> None:
    def rows(bundle: Bundle) -> set[str]:
        source = source_of(bundle)
        return {code.key for code in CODES if f">{', '.join(code.numbers)}</th>" in source}

    common = {code.key for code in CODES if code.common}
    certificate = {"user_certificate", "user_certificate_refused"}
    assert rows(make_bundle()) == common - certificate
    assert rows(make_bundle(authorities=())) == common - certificate - {"untrusted"}
    assert rows(make_bundle(client=BY_CERTIFICATE, secrets=CERTIFICATE)) == common - {"password"}


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (ConnectionSettings(), False),
        (ConnectionSettings(name_rules=(NameRule("example.com"),)), False),
        (
            ConnectionSettings(name_rules=(NameRule("example.com", (IPv4Address("10.0.0.1"),)),)),
            True,
        ),
        (ConnectionSettings(trigger_apps=(r"C:\a.exe",)), True),
    ],
)
def test_whether_it_starts_by_itself(
    make_bundle: MakeBundle, client: ConnectionSettings, said: bool
) -> None:
    assert ("starts the VPN by itself" in text_of(make_bundle(client=client))) == said


@pytest.mark.parametrize(
    ("split", "routes", "text"),
    [
        (False, (), "All of it goes through the VPN, but not IPv6"),
        (True, ("10.0.0.0/8", "10.1.0.0/16"), "only to 10.0.0.0/8, 10.1.0.0/16"),
        (True, tuple(f"10.{n}.0.0/16" for n in range(8)), "10.6.0.0/16, 10.7.0.0/16"),
        (True, tuple(f"10.{n}.0.0/16" for n in range(20)), "10.7.0.0/16 and 12 more networks"),
        (True, (), "only to its own network"),
    ],
)
def test_the_page_says_what_goes_through_the_vpn(
    make_bundle: MakeBundle, split: bool, routes: tuple[str, ...], text: str
) -> None:
    shown = text_of(make_bundle(split_tunnel=split, routes=routes))
    assert text in shown
    assert ("more networks" in shown) == (len(routes) > 8)
    assert ("IPv6" in shown) is not split


@pytest.mark.parametrize("user", ["alice", "Zo\u00eb O'Hara", "\u540d\u524d" * 32])
def test_the_code_on_the_page_is_that_of_the_facts(make_bundle: MakeBundle, user: str) -> None:
    bundle = make_bundle(user=user)
    page = Page(source_of(bundle))
    rows = qr.matrix(bundle.facts)
    size = len(rows)
    assert page.attributes["svg viewbox"][-1] == f"0 0 {size} {size}"
    background, dark = page.attributes["path d"][-2:]
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
