"""The page as people see it: in a browser, on a phone, at a desk, at night and on paper."""

import dataclasses
import itertools
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from PIL import Image

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content.bundle import Bundle, Secrets, UserCertificate
from sstpca.bundle.content.logo import Logo
from sstpca.bundle.sheet import render
from tests.bundle import looks
from tests.bundle.samples import MakeBundle, files_of, renderer
from tests.support.browser import Browser, View
from tests.support.requirements import require

WIDTHS = (320, 360, 390, 600, 704, 705, 800, 1024, 1280)
PHONE, PHONE_DARK = View(390, 844, 2), View(390, 844, 2, dark=True)
DESK, DESK_DARK = View(1280, 900), View(1280, 900, dark=True)
NARROW = 704
A4 = (595, 842)
LOGO = Logo(
    "image/svg+xml",
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 220 60"><circle cx="30" cy="30" r="24"/>'
    b'<image href="https://example.com/x.png" width="9" height="9"/></svg>',
)
HEADINGS = {
    "en": ("Unpack", "Install", "Connect"),
    "de": ("Entpacken", "Installieren", "Verbinden"),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    require("chromium", "pdftotext", "zbarimg", root=False)
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def with_certificate(bundle: Bundle, name: str) -> Bundle:
    first = bundle.authorities[0]
    second = dataclasses.replace(first, name=f"{name} {name}", sha1="C0" * 20)
    rule = NameRule("corp.example.com", (IPv4Address("10.0.0.1"),))
    proxy = f"http://proxy.example.com/{name}/proxy.pac"
    return dataclasses.replace(
        bundle,
        authorities=(first, second),
        client=ConnectionSettings(sign_in=SignIn.EAP_TLS, name_rules=(rule,), proxy=proxy),
        secrets=Secrets(certificate=UserCertificate(f"{name}.p12", b"\x30", "AB" * 20, "x")),
        logo=LOGO,
    )


@pytest.fixture(scope="module")
def bundles(make_bundle: MakeBundle) -> dict[str, Bundle]:
    """Bundles of all kinds, from the usual to what nobody would do."""
    long = "Donaudampfschifffahrtsgesellschaft" * 6
    hostile = "\u202e<b>&amp; \u0e01\u0e33\u0301" + "\u540d\u524d" * 40 + "W" * 100
    names = ("user", "connection", "host", "contact", "dns_suffix")
    routes = tuple(f"10.{n}.0.0/16" for n in range(20))
    folders = ("linux/README.txt", "android/index.html", "apple/index.html", "routeros/client.rsc")
    usual = make_bundle()
    return {
        "usual": usual,
        "public": make_bundle(authorities=(), secrets=Secrets(password="x")),
        "long": with_certificate(
            make_bundle(
                **dict.fromkeys(names, long),
                port=65535,
                routes=routes,
                split_tunnel=True,
                elsewhere=folders,
            ),
            long,
        ),
        "hostile": with_certificate(make_bundle(**dict.fromkeys(names, hostile)), hostile),
    }


PAGES = [("usual", "en"), ("usual", "de"), ("public", "de"), ("long", "de"), ("hostile", "en")]


def show(browser: Browser, folder: Path, page: bytes) -> Path:
    file = folder / "index.html"
    file.write_bytes(page)
    browser.open(file)
    return file


def page_of(bundle: Bundle, language: str) -> bytes:
    return renderer(language).page("index.html.j2", bundle)


@pytest.mark.parametrize(("kind", "language"), PAGES)
def test_nothing_is_cut_off_at_any_width(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path, kind: str, language: str
) -> None:
    file = show(browser, tmp_path, page_of(bundles[kind], language))
    for width in WIDTHS:
        check_fit(browser, width)
        cut = browser.evaluate(looks.CUT_LABELS)
        assert cut == ([bundles[kind].connection] if kind in ("long", "hostile") else []), width
        check_pictures(browser, width)
    assert [url for url in browser.requested if not url.startswith("data:")] == [file.as_uri()]
    assert browser.complaints == []


def check_fit(browser: Browser, width: int) -> None:
    """Nothing is outside the window, or outside its frame, or on something else."""
    browser.look(View(width, 800))
    assert browser.evaluate(looks.WIDTH) == width
    assert browser.evaluate(looks.OUTSIDE) == [], width
    assert list(looks.overlaps(browser.evaluate(looks.LINES))) == [], width


def check_pictures(browser: Browser, width: int) -> None:
    """Pictures stand beside their step, on a phone below it, and have the right shape."""
    pictures = browser.evaluate(looks.boxes(".pic"))
    steps = browser.evaluate(looks.boxes(".steps > li > p:nth-of-type(1)"))
    assert len(pictures) == len(steps) == 3
    for (left, top, right, bottom), step in zip(pictures, steps, strict=True):
        assert (right - left) / (bottom - top) == pytest.approx(260 / 160, rel=0.02)
        assert right - left >= 250
        assert top >= step[3] if width <= NARROW else left >= step[2]


def test_a_password_that_was_made_is_in_one_line(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    show(browser, tmp_path, render(renderer("de"), bundles["usual"], "wwww-wwww-wwww-wwww"))
    for width in WIDTHS:
        check_fit(browser, width)
        assert len([one for one in browser.evaluate(looks.LINES) if "wwww" in one["text"]]) == 1


@pytest.mark.parametrize("view", [PHONE, PHONE_DARK, DESK, DESK_DARK], ids=str)
def test_all_can_be_read(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path, view: View
) -> None:
    bundle = dataclasses.replace(bundles["usual"], logo=LOGO)
    show(browser, tmp_path, page_of(bundle, "de"))
    browser.look(dataclasses.replace(view, scale=2))
    screen = browser.screenshot()
    assert len(check_contrast(browser, screen, 2)) > 90
    (code,) = browser.evaluate(looks.boxes(".qr"))
    assert looks.read_code(looks.cut(screen, code, 2), tmp_path) == bundle.facts


def check_contrast(browser: Browser, screen: Image.Image, scale: int) -> list[str]:
    """Check the contrast of all that is written on a screenshot (WCAG 2.1, AA); return it."""
    lines = browser.evaluate(looks.LINES)
    for line in lines:
        needed = 3 if line["large"] else 4.5
        assert looks.contrast(looks.cut(screen, line["box"], scale)) >= needed, line["text"]
    return [line["text"] for line in lines]


@pytest.mark.parametrize("view", [DESK, DESK_DARK], ids=str)
def test_pictures_are_drawn_and_differ(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path, view: View
) -> None:
    drawn = []
    for kind in ("usual", "public"):
        show(browser, tmp_path, page_of(bundles[kind], "en"))
        # two pixels for one: where in a pixel a picture begins, the text above it decides
        browser.look(dataclasses.replace(view, scale=2))
        screen = browser.screenshot()
        ground = looks.luminance(screen.getpixel((2, 2)))  # type: ignore[arg-type]
        assert ground < 0.05 if view.dark else ground > 0.8
        drawn += [looks.cut(screen, box, 2) for box in browser.evaluate(looks.boxes(".pic"))]
    for picture in drawn:
        assert 0.04 < looks.ink(picture) < 0.4
    *three, first_again, start, third_again = drawn
    for one, two in itertools.combinations((*three, start), 2):
        assert looks.difference(one, two) > 12
    assert looks.difference(three[0], first_again) < 4
    assert looks.difference(three[2], third_again) < 4


@pytest.mark.parametrize(("kind", "language"), PAGES)
def test_paper(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path, kind: str, language: str
) -> None:
    show(browser, tmp_path, page_of(bundles[kind], language))
    browser.look(DESK_DARK)
    # else the browser would grey the light words on dark buttons, to save ink
    assert (
        browser.evaluate(
            "getComputedStyle(document.querySelector('.label.on-go'))"
            ".getPropertyValue('print-color-adjust')"
        )
        == "exact"
    )
    pdf = browser.pdf()
    sheets = looks.sheets(pdf, tmp_path)
    assert len(sheets) == (2 if kind in ("usual", "public") else len(sheets)) <= 6
    assert all(sheet.strip() for sheet in sheets)
    if kind in ("usual", "public"):
        assert all(heading in sheets[0] for heading in HEADINGS[language])
        assert "verify.cmd" in sheets[0]
    assert "uninstall.cmd" in sheets[-1]
    paper = looks.printed(pdf, tmp_path)
    assert paper.size == pytest.approx(A4, abs=1)
    assert paper.getpixel((2, 2)) == (255, 255, 255)
    assert looks.colours(paper)[0][1] == (255, 255, 255)
    assert looks.ink(paper) < 0.2


@pytest.mark.parametrize("kind", ["usual", "long", "hostile"])
@pytest.mark.parametrize("sheet", ["android/index.html", "apple/index.html", "alice.html"])
def test_the_other_sheets(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path, kind: str, sheet: str
) -> None:
    bundle = bundles[kind]
    platform, _, name = sheet.partition("/")
    if platform == "android":
        # the app signs in with passwords alone
        bundle = dataclasses.replace(bundle, client=ConnectionSettings(), secrets=Secrets())
    page = (
        files_of(bundle, platform)[sheet] if name else render(renderer(), bundle, "correct horse")
    )
    file = show(browser, tmp_path, page)
    for width in WIDTHS:
        check_fit(browser, width)
    browser.look(PHONE_DARK)
    if kind == "usual":
        assert check_contrast(browser, browser.screenshot(), 2)
    assert [url for url in browser.requested if not url.startswith("data:")] == [file.as_uri()]
    assert browser.complaints == []


def test_the_code_of_a_foreign_name_can_be_read(
    browser: Browser, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    bundle = dataclasses.replace(bundles["usual"], user="Zo\u00eb \u540d\u524d")
    show(browser, tmp_path, page_of(bundle, "en"))
    for view in (PHONE, DESK):
        browser.look(view)
        (code,) = browser.evaluate(looks.boxes(".qr"))
        picture = looks.cut(browser.screenshot(), code, view.scale)
        assert looks.read_code(picture, tmp_path) == bundle.facts
