"""Marks and values in texts: what is meant as HTML becomes HTML, and nothing else does."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from sstpca.bundle.content.markup import fill, markup, placeholders
from tests.bundle.html import Page

HOSTILE = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["<script>alert(1)</script>", "</b><b>", "&amp;", "**", "`{user}`", "{", "\"'><x y=z>"]
)


def shown(html: Markup) -> str:
    return "".join(Page(html).words)


def test_marks_become_elements() -> None:
    html = markup("Choose **Yes**, then `install.cmd` & wait.")
    assert html == 'Choose <b>Yes</b>, then <span class="code">install.cmd</span> &amp; wait.'


def test_values_are_put_in_once_and_kept_apart() -> None:
    assert markup("**{a}** {b}", a="{b}", b="**") == "<b><bdi>{b}</bdi></b> <bdi>**</bdi>"
    assert markup("{a}", a=Markup("<i>x</i>")) == "<bdi><i>x</i></bdi>"
    assert fill("{a} **{b}** {a}", a="{b}", b=2) == "{b} **2** {b}"


@given(HOSTILE, HOSTILE)
@example("\u202e", "`")
def test_values_stay_text(one: str, two: str) -> None:
    html = markup("A **{one}** and `{two}`.", one=one, two=two)
    assert Page(html).tags == ["b", "bdi", "span", "bdi"]
    assert shown(html) == f"A {one} and {two}."
    assert fill("A {one}{two}", one=one, two=two) == f"A {one}{two}"


@given(HOSTILE)
def test_texts_bring_no_elements_of_their_own(text: str) -> None:
    try:
        html = markup(text)
    except ValueError:
        return
    assert set(Page(html).tags) <= {"b", "span"}
    assert set(Page(html).attributes) <= {"span class"}
    assert shown(html) == text.replace("**", "").replace("`", "")


def test_placeholders() -> None:
    assert placeholders("{user} and {0} and {1:X8} **x**") == {"user", "0", "1"}
    assert placeholders("none") == frozenset()


@pytest.mark.parametrize("text", ["{", "a } b", "{user", "{User}", "{a.b}", "{{user}}", "{}"])
def test_a_brace_is_a_placeholder_or_a_mistake(text: str) -> None:
    for function in (placeholders, fill, markup):
        with pytest.raises(ValueError, match="brace"):
            function(text)


@pytest.mark.parametrize("text", ["**bold", "a `b", "**a `b** c`", "** ** **"])
def test_marks_are_closed(text: str) -> None:
    with pytest.raises(ValueError, match="does not close"):
        markup(text)


@pytest.mark.parametrize("function", [fill, markup])
def test_a_value_that_nobody_gives(function: Callable[..., str]) -> None:
    with pytest.raises(
        ValueError, match=r"^'Hi \{nosuch\}' asks for \{nosuch\}, which is not given$"
    ):
        function("Hi {nosuch}", user="alice")
