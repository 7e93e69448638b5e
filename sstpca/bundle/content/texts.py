"""What users read, in their language: templates/texts/*.toml, a table for each subject."""

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from ... import toml
from ...disk.reading import read_text
from ...errors import InvalidInput, Refused, option
from ...names import quoted
from .markup import placeholders

ENGLISH: Final = "en"

# a language and perhaps a country (RFC 5646); it is also the lang of the pages
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")

Tables = dict[str, dict[str, str]]


class Texts(SimpleNamespace):
    """The tables as attributes: ``texts.page.lead``; what is missing is an undefined value."""


class Table(SimpleNamespace):
    """The texts of one subject as attributes."""


def load(language: str, templates: Path | None = None) -> Texts:
    """Return the texts in ``language``.

    :param language: ``de``, or ``pt-BR``.
    :param templates: a folder whose ``texts/LANGUAGE.toml`` wins, key by key; it may also add a
        language of its own.
    :raises InvalidInput: if there is no such language.
    :raises SstpcaError: if a file is no TOML, a language lacks a text or has one too many, or a
        text asks for a value that is not filled in there.
    """
    own = None if templates is None else templates / "texts" / f"{language}.toml"
    if not _LANGUAGE.fullmatch(language) or (language not in languages() and not _is_file(own)):
        raise InvalidInput(
            f"there are no texts in the language {quoted(language)}",
            f"there are: {', '.join(languages())}; others come from ",
            option("--templates"),
            " DIR, as texts/LANGUAGE.toml",
        )
    found = _packaged(language) if language in languages() else {}
    if own is not None and _is_file(own):
        found = _merged(found, _parsed(read_text(own, "the texts"), own))
        _check(found, own)
    return Texts(language=language, **{name: Table(**values) for name, values in found.items()})


def _is_file(path: Path | None) -> bool:
    return path is not None and path.exists()


def languages() -> list[str]:
    """Return the languages that come with the program."""
    folder = resources.files("sstpca.templates") / "texts"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir())


def _packaged(language: str) -> Tables:
    source = resources.files("sstpca.templates") / "texts" / f"{language}.toml"
    return _parsed(source.read_text("utf-8"), Path(source.name))


def _parsed(text: str, path: Path) -> Tables:
    document = toml.parse(text, str(path))
    for name, table in document.tables.items():
        if not isinstance(table, dict):
            raise document.refusal((name,), f"{quoted(name)} stands above the first section")
        for key, value in table.items():
            if not isinstance(value, str):
                what = f"[{name}] {key} has to be a text in quotes"
                raise document.refusal((name, key), what)
    return document.tables


def _merged(below: Tables, above: Tables) -> Tables:
    return {name: below.get(name, {}) | above.get(name, {}) for name in below | above}


def _check(found: Tables, path: Path) -> None:
    """Check that a language has the very keys of English, and asks for no other values.

    A key too many is a typing mistake, just as one that is missing.
    """
    english = _packaged(ENGLISH)
    missing, strange = set(_keys(english)), set(_keys(found))
    for what, keys in (
        ("lacks", missing - strange),
        ("has, and nobody asks for,", strange - missing),
    ):
        if keys:
            table, key = min(keys)
            raise Refused(f"{path} {what} [{table}] {key}", "templates/texts/en.toml has all")
    for table, key in sorted(strange):
        _check_values(f"{path}: [{table}] {key}", found[table][key], english[table][key])


def _check_values(where: str, text: str, english: str) -> None:
    known = placeholders(english)
    try:
        unknown = placeholders(text) - known
    except ValueError as error:
        raise Refused(f"{where}: {error}", "placeholders look like {this}") from None
    if unknown:
        can = ", ".join(f"{{{one}}}" for one in sorted(known)) or "no value"
        raise Refused(f"{where} asks for {{{min(unknown)}}}", f"it gets {can}")


def _keys(tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for name, table in tables.items():
        yield from ((name, key) for key in table)
