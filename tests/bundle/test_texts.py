"""The texts: every language is complete, fits its English, and is written as it should be."""

import re
import tomllib
from pathlib import Path

import pytest

from sstpca.bundle.content import texts
from sstpca.bundle.content.markup import markup, placeholders
from sstpca.errors import InvalidInput, SstpcaError

FOLDER = Path(__file__).parents[2] / "templates" / "texts"
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.toml"))
OTHERS = [language for language in LANGUAGES if language != "en"]
# what people read on pages: typography matters there, and marks mean something
PAGES = ("page", "errors", "sheet", "android", "apple")
# words that are the same in German
SAME = {
    *("Port", "Server", "Proxy", "SSTP", "Name", "OK", "VPN", "Android", "iOS", "macOS"),
    *("Status", "Windows", "Version", "System", "Test"),
}


def load(language: str) -> dict[str, str]:
    tables = tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text for table, rows in tables.items() for key, text in rows.items()}


ENGLISH = load("en")


def words(text: str) -> str:
    """Return what is to be translated: no marks, values, names of files or options."""
    return re.sub(r"`[^`]*`|\{[^}]*\}|\*\*|https?://\S+|[^\W\d_]*\d\S*", "", text).strip(" .:,()")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_loaded(language: str) -> None:
    found = texts.load(language)
    assert found.language == language
    assert found.page.lead == load(language)["page.lead"]


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_is_complete(language: str) -> None:
    assert load(language).keys() == ENGLISH.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_ask_for_the_same_values_and_have_sound_marks(language: str) -> None:
    for key, text in load(language).items():
        assert placeholders(text) == placeholders(ENGLISH[key]), key
        if key.partition(".")[0] in PAGES:
            markup(text, **dict.fromkeys(placeholders(text), "x"))
            assert text.count("`") == ENGLISH[key].count("`"), key
            assert text.count("**") == ENGLISH[key].count("**"), key


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_english(language: str) -> None:
    same = {key for key, text in load(language).items() if text == ENGLISH[key]}
    assert {key for key in same if words(ENGLISH[key]) not in SAME | {""}} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_tidy(language: str) -> None:
    for key, text in load(language).items():
        assert text == text.strip() and text, key
        assert not re.search(r" [.,;:!?](\s|$)|\.{4}", text), key


def test_quotation_marks_on_pages() -> None:
    for language, opening, closing in (("en", "“", "”"), ("de", "„", "“")):
        for key, text in load(language).items():
            if key.partition(".")[0] not in PAGES:
                continue
            assert not re.search(r"\"|\.\.\.|^'|\W'|'\W|'$", text), key
            found = re.findall("[„“”«»]", text)
            assert found == [opening, closing] * (len(found) // 2), key


def test_ones_own_words_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "de.toml").write_text('[page]\nlead = "Grüß Gott"\n', "utf-8")
    own, ours = texts.load("de", tmp_path), texts.load("de")
    assert own.page.lead == "Grüß Gott"
    assert own.page.unpack == ours.page.unpack
    assert texts.load("en", tmp_path).page == texts.load("en").page


def french(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    """Write a third language: English, but for what is changed."""
    path = folder / "texts" / "fr.toml"
    path.parent.mkdir()
    path.write_text((FOLDER / "en.toml").read_text("utf-8").replace(*change, 1), "utf-8")
    return path


def test_a_language_of_ones_own(tmp_path: Path) -> None:
    french(tmp_path, ('lead = "Three', 'lead = "Trois'))
    found = texts.load("fr", tmp_path)
    assert found.language == "fr" and found.page.lead.startswith("Trois")


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("for_user = ", "for_usr = "), "lacks [page] for_user", "templates/texts/en.toml has all"),
        (("[page]\n", '[page]\nmore = "x"\n'), "has, and nobody asks for, [page] more", ""),
        (("For {user}", "Pour {nosuch}"), ": [page] for_user asks for {nosuch}", "it gets {user}"),
        (("unpack = ", "unpack = 'Le {user}' # "), ": [page] unpack asks for {user}", "no value"),
        (("For {user}", "Pour {"), ": [page] for_user: 'Pour {' has a brace", "like {this}"),
        (("For {user}", "Pour {user.x}"), ": [page] for_user: 'Pour {user.x}' has a brace", ""),
        (
            ("For {user}", '" {user}'),
            ": 'for_user' has a text whose quotation marks do not close",
            "",
        ),
        (("for_user = ", "for_user = 1 #"), ": [page] for_user has to be a text in quotes", ""),
        (("[page]", "[page.x]"), ": [page] x has to be a text in quotes", ""),
        (("[", "x = 1\n["), ": 'x' stands above the first section", ""),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, change: tuple[str, str], message: str, hint: str
) -> None:
    path = french(tmp_path, change)
    with pytest.raises(SstpcaError) as caught:
        texts.load("fr", tmp_path)
    said = str(caught.value)
    assert said.startswith(str(path)) and message in said and "\n" not in said
    assert hint in caught.value.hint


def test_a_language_need_not_use_every_value(tmp_path: Path) -> None:
    french(tmp_path, ("For {user}", "Bonjour"))
    assert texts.load("fr", tmp_path).page.for_user == "Bonjour"


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    french(tmp_path).write_bytes(b'[page]\nlead = "Gr\xfc\xdf Gott"\n')
    with pytest.raises(SstpcaError, match=r"fr\.toml is not valid UTF-8 text \(line 2\)"):
        texts.load("fr", tmp_path)


@pytest.mark.parametrize("language", ["fr", "", "DE", "../de", "en/../de", "de\n", "english", "."])
def test_no_such_language(tmp_path: Path, language: str) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(InvalidInput, match="there are no texts in the language") as caught:
            texts.load(language, folder)
        assert "de, en" in caught.value.hint


def test_the_name_of_a_language_is_no_path(tmp_path: Path) -> None:
    french(tmp_path).rename(tmp_path / "fr.toml")
    with pytest.raises(InvalidInput):
        texts.load("../fr", tmp_path)
