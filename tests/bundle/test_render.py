"""Templates of an administrator's: they win, and each mistake in them is one clear line."""

from pathlib import Path

import jinja2
import pytest

from sstpca.bundle.content.render import Renderer
from sstpca.errors import SstpcaError
from tests.bundle.samples import MakeBundle, renderer

PAGE = "index.html.j2"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of templates, still empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def problem(folder: Path, make_bundle: MakeBundle, template: str = PAGE) -> SstpcaError:
    """Fill a template that has a mistake; return what is said about it."""
    with pytest.raises(SstpcaError) as caught:
        Renderer("en", folder).page(template, make_bundle())
    assert "\n" not in str(caught.value)
    assert caught.value.hint == f"correct it in {folder}"
    return caught.value


def test_an_empty_folder_changes_nothing(own: Path, make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    assert Renderer("en", own).page(PAGE, bundle) == renderer().page(PAGE, bundle)


def test_a_page_of_ones_own(own: Path, make_bundle: MakeBundle) -> None:
    put(own, PAGE, "<p>{{ bundle.user }} {{ texts.page.kind }}</p>\n")
    assert (
        Renderer("en", own).page(PAGE, make_bundle(user="<b>")) == b"<p>&lt;b&gt; Type of VPN</p>\n"
    )


@pytest.mark.parametrize(
    "name", ["index.css.j2", "sheet.html.j2", "pictures/unpack.svg.j2", "pictures/connect.svg.j2"]
)
def test_a_part_of_ones_own(own: Path, make_bundle: MakeBundle, name: str) -> None:
    put(own, name, "/* all mine */{% block content %}{% endblock %}")
    page = Renderer("en", own).page(PAGE, make_bundle()).decode()
    assert "/* all mine */" in page
    assert page != renderer().page(PAGE, make_bundle()).decode()


def test_a_page_may_extend_ours_under_another_name(own: Path, make_bundle: MakeBundle) -> None:
    put(own, PAGE, '{% extends "sheet.html.j2" %}{% block lead %}Hello{% endblock %}'
        "{% block content %}{{ bundle.host }}{% endblock %}")  # fmt: skip
    page = Renderer("en", own).page(PAGE, make_bundle()).decode()
    assert "<!doctype html>" in page and '<p class="lead">Hello</p>\n' in page


def test_a_script_of_ones_own_is_as_strict(own: Path, make_bundle: MakeBundle) -> None:
    put(own, "mine.ps1.j2", "$User = {{ bundle.user | ps }}\n$Host = {{ bundle.host }}\n")
    with pytest.raises(SstpcaError, match=r"mine\.ps1\.j2 line 2: a value goes into a script"):
        Renderer("en", own).script("mine.ps1.j2", make_bundle())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{ bundle.nosuch }}", " line 2: bundle has no 'nosuch'"),
        ("\n\n{{ nosuch }}", " line 3: there is no 'nosuch'"),
        ("{{ bundle.client.nosuch }}", " line 1: client has no 'nosuch'"),
        ("{{ bundle.secrets.certificate.file }}", " line 1: 'None' has no attribute 'file'"),
        ("{{ texts.nosuch.lead }}", " line 1: texts has no 'nosuch'"),
        ("{{ texts.page.nosuch }}", " line 1: table has no 'nosuch'"),
        ("{% if bundle.nosuch %}{% endif %}", " line 1: bundle has no 'nosuch'"),
        ("{{ bundle.nosuch | markup }}", " line 1: bundle has no 'nosuch'"),
        ("{{ 'A {x}' | markup(x=bundle.nosuch) }}", " line 1: bundle has no 'nosuch'"),
        ("{{ texts.page.help | markup }}", "asks for {contact}, which is not given"),
        ("{{ 'a ** b' | markup }}", " line 1: 'a ** b' does not close its **"),
        ("\n{% if %}", " line 2: Expected an expression, got 'end of statement block'"),
        ("{% include 'nosuch.j2' %}", " line 1: there is no template 'nosuch.j2'"),
        ("{{ x | nosuch }}", " line 1: No filter named 'nosuch'."),
        ("{{ 1 / 0 }}", " line 1: division by zero"),
        ("{{ bundle.routes[5] }}", " line 1: tuple object has no element 5"),
        ("{{ [1, 2, 'x'] | sum }}", " line 1: unsupported operand type(s)"),
        ("{% include 'index.html.j2' %}", "maximum recursion depth"),
    ],
)
def test_a_mistake_is_one_line(own: Path, make_bundle: MakeBundle, text: str, message: str) -> None:
    path = put(own, PAGE, text)
    said = str(problem(own, make_bundle))
    assert said.startswith(f"the template {path} line ")
    assert message in said


def test_a_mistake_in_a_part_is_told_of_that_part(own: Path, make_bundle: MakeBundle) -> None:
    path = put(own, "pictures/unpack.svg.j2", "<svg>\n{{ bundle.nosuch }}</svg>")
    assert str(problem(own, make_bundle)) == f"the template {path} line 2: bundle has no 'nosuch'"
    path = put(own, "pictures/unpack.svg.j2", "<svg>\n{{ }}</svg>")
    assert str(problem(own, make_bundle)).startswith(f"the template {path} line 2: Expected")


@pytest.mark.parametrize(
    "text",
    [
        "{{ bundle.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ codes.__init__.__globals__ }}",
        "{{ texts.__dict__ }}",
        "{{ bundle.facts.format.__self__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ '{0.__class__}'.format(bundle) }}",
        "{{ range(10 ** 9) | length }}",
    ],
)
def test_templates_see_values_and_no_more(own: Path, make_bundle: MakeBundle, text: str) -> None:
    path = put(own, PAGE, text)
    said = str(problem(own, make_bundle))
    assert said.startswith(f"the template {path} line 1: ")
    assert "unsafe" in said or "has no '__" in said or "Range too big" in said


@pytest.mark.parametrize("name", ["../secret.j2", "/etc/passwd", "a/../../secret.j2"])
def test_templates_stay_in_their_folder(own: Path, make_bundle: MakeBundle, name: str) -> None:
    put(own, "../secret.j2", "secret")
    put(own, PAGE, "{% include name %}".replace("name", repr(name)))
    assert "there is no template" in str(problem(own, make_bundle))


def test_links_out_of_the_folder_are_not_followed(own: Path, make_bundle: MakeBundle) -> None:
    (own / "index.css.j2").symlink_to(put(own, "../secret.j2", "secret"))
    said = str(problem(own, make_bundle))
    assert said.endswith("index.css.j2 is a link to a place outside the folder")


def test_links_within_the_folder_are(own: Path, make_bundle: MakeBundle) -> None:
    (own / "index.css.j2").symlink_to(put(own, "blue.css", "a { color: blue }"))
    page = Renderer("en", own).page(PAGE, make_bundle()).decode()
    assert "<style>\na { color: blue }" in page


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SstpcaError, match="there is no folder"):
        Renderer("en", tmp_path / "nosuch")


def test_a_launcher_that_cmd_could_not_read(own: Path) -> None:
    put(own, "windows/launcher.cmd.j2", "echo Grüße\n")
    with pytest.raises(SstpcaError, match=r"launcher\.cmd\.j2 has 'ü'"):
        Renderer("en", own).launcher("install.ps1")


def test_a_mistake_of_ours_is_not_blamed_on_anybody(make_bundle: MakeBundle) -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        renderer().page("nosuch.j2", make_bundle())


def test_files_that_win_over_nothing_are_named(own: Path) -> None:
    assert Renderer("en").unused() == []
    put(own, PAGE, "{% include 'mine/head.html.j2' %}")
    put(own, "mine/head.html.j2", "{% from 'mine/macros.j2' import one %}{{ one() }}")
    put(own, "mine/macros.j2", "{% macro one() %}1{% endmacro %}")
    for name in ("texts/pt-BR.toml", ".git/config", "index.html.j2~"):
        put(own, name, "")
    assert Renderer("en", own).unused() == []
    put(own, "idnex.html.j2", "{% include 'windows/lost.ps1.j2' %}")
    put(own, "windows/lost.ps1.j2", "")
    put(own, "settings.toml", "")
    assert Renderer("en", own).unused() == [
        "idnex.html.j2",
        "settings.toml",
        "windows/lost.ps1.j2",
    ]


@pytest.mark.parametrize("content", [b"{% if %}", b"\xff\xfe"])
def test_what_cannot_be_read_includes_nothing(own: Path, content: bytes) -> None:
    put(own, PAGE, "").write_bytes(content)
    put(own, "other.j2", "")
    assert Renderer("en", own).unused() == ["other.j2"]


def test_names_that_are_made_may_be_any(own: Path) -> None:
    put(own, PAGE, "{% include bundle.user ~ '.html.j2' %}")
    put(own, "alice.html.j2", "hello")
    assert Renderer("en", own).unused() == []
