"""What users read, in their language: templates/texts/*.toml, a table for each subject."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ..errors import InvalidInput, SstpcaError
from ..home import read_file
from ..names import quoted

ENGLISH: Final = "en"

Tables = dict[str, dict[str, str]]


class Texts(SimpleNamespace):
    """The tables as attributes: ``texts.page.title``; what is missing is an undefined value."""


def load(language: str, templates: Path | None = None) -> Texts:
    """Return the texts in ``language``.

    :param language: two letters, as ISO 639 has them.
    :param templates: a folder whose ``texts/LANGUAGE.toml`` wins, key by key; it may also add a
        language of its own.
    :raises InvalidInput: if there is no such language.
    :raises SstpcaError: if a file is no TOML, or a language lacks a text or has one too many.
    """
    own = None if templates is None else templates / "texts" / f"{language}.toml"
    theirs = own is not None and own.exists()
    if language not in languages() and not theirs:
        raise InvalidInput(
            f"there are no texts in the language {quoted(language)}",
            f"there are: {', '.join(languages())}; others come from --templates DIR, as "
            f"texts/{language}.toml",
        )
    found = _packaged(language) if language in languages() else {}
    if own is not None and theirs:
        found = _merged(found, _parsed(read_file(own, "the texts").decode(errors="replace"), own))
        _check_complete(found, _packaged(ENGLISH), own)
    spaces = {name: SimpleNamespace(**values) for name, values in found.items()}
    return Texts(language=language, **spaces)


def languages() -> list[str]:
    """Return the languages that come with the program."""
    folder = resources.files("sstpca.templates") / "texts"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir())


def _packaged(language: str) -> Tables:
    source = resources.files("sstpca.templates") / "texts" / f"{language}.toml"
    return _parsed(source.read_text("utf-8"), Path(source.name))


def _parsed(text: str, path: Path) -> Tables:
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SstpcaError(f"{path}: {error}", "correct that in the file") from None
    for name, table in tables.items():
        if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
            raise SstpcaError(f"{path}: [{name}] is not a table of texts")
    return tables


def _merged(below: Tables, above: Tables) -> Tables:
    return {name: below.get(name, {}) | above.get(name, {}) for name in below | above}


def _check_complete(found: Tables, english: Tables, path: Path) -> None:
    """Check that a language has the very keys of English: one more is a typing mistake."""
    missing, strange = set(_keys(english)), set(_keys(found))
    for what, keys in (
        ("lacks", missing - strange),
        ("has, and nobody asks for,", strange - missing),
    ):
        if keys:
            raise SstpcaError(f"{path} {what} {sorted(keys)[0]}", "templates/texts/en.toml has all")


def _keys(tables: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, table in tables.items():
        yield from (f"[{name}] {key}" for key in table)
