"""What remedies name, there is: each command and option, looked for in the command tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sstpca.cli import main
from sstpca.errors import SstpcaError, command, option

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "sstpca").rglob("*.py"))
# an argument as people read it: NAME, FILE..., A-B; or one that is filled in
PLACEHOLDER = re.compile(r"\{\}|[A-Z][A-Z-]*(?:\.\.\.)?")
OWN = re.compile(r"\bsstpca (?:bundle|ca|cert|deploy|init|profile|quickstart|serve|session|user)\b")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def called(path: Path, function: str) -> Iterator[tuple[int, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id=name), lineno=line) if name == function:
                yield line, node


def texts(node: ast.expr) -> Iterator[str]:
    """Yield what the first argument may be: a constant, one of two, or one with a part repeated."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text.strip()  # what is computed behind it are more arguments


def commands() -> list[tuple[str, str]]:
    found = []
    for path in MODULES:
        for line, call in called(path, "command"):
            found += [(f"{name(path)}:{line}", text) for text in texts(call.args[0])]
    return found


def options_of(one: click.Command, ctx: click.Context) -> set[str]:
    return {opt for param in one.get_params(ctx) for opt in (*param.opts, *param.secondary_opts)}


def unresolved(text: str) -> str:
    """Return the first word of a command line that means nothing; empty if all do."""
    ctx, current = click.Context(main, info_name="sstpca"), main
    known: click.Command = current
    for word in text.split():
        if isinstance(known, click.Group) and known.get_command(ctx, word) is None:
            # the group whose "make" may be left out
            known = known.get_command(ctx, "make") or known
        if word.startswith("-"):
            if word not in {*options_of(known, ctx), "--help"}:
                return word
        elif isinstance(known, click.Group) and (found := known.get_command(ctx, word)):
            known, ctx = found, click.Context(found, info_name=word, parent=ctx)
        elif isinstance(known, click.Group) or (
            not PLACEHOLDER.fullmatch(word) and not _is_value(known, ctx, word)
        ):
            return word
    return ""


def _is_value(one: click.Command, ctx: click.Context, word: str) -> bool:
    """Return whether ``word`` may be an argument, or the value of an option."""
    takes = [param for param in one.get_params(ctx) if isinstance(param, click.Argument)]
    kinds = [param.type for param in one.get_params(ctx) if isinstance(param.type, click.Choice)]
    return bool(takes) or any(word in kind.choices for kind in kinds)


def every_option(one: click.Command, ctx: click.Context) -> Iterator[str]:
    yield from options_of(one, ctx)
    if isinstance(one, click.Group):
        for each in one.list_commands(ctx):
            found = one.get_command(ctx, each)
            assert found is not None
            yield from every_option(found, click.Context(found, info_name=each, parent=ctx))


def test_the_reader_of_command_lines() -> None:
    assert unresolved("user passwd {}") == ""
    assert unresolved("bundle --all") == ""
    assert unresolved("bundle NAME --for") == ""
    assert unresolved("cert {}") == "{}"
    assert unresolved("user pwd {}") == "pwd"
    assert unresolved("cert revoke {} --reason keyCompromise") == ""
    assert unresolved("cert revoke {} --because") == "--because"


def test_there_are_commands_in_remedies() -> None:
    assert len(commands()) > 60


@pytest.mark.parametrize(("place", "text"), commands(), ids=lambda one: str(one))
def test_each_command_of_a_remedy_is_one(place: str, text: str) -> None:
    assert unresolved(text) == "", place


def test_each_option_of_a_remedy_is_one() -> None:
    known = set(every_option(main, click.Context(main, info_name="sstpca")))
    for path in MODULES:
        for line, call in called(path, "option"):
            for text in texts(call.args[0]):
                assert text in known, f"{name(path)}:{line}"


LIBRARY = [path for path in MODULES if "cli" not in path.parts]


@pytest.mark.parametrize("path", LIBRARY, ids=name)
def test_remedies_name_commands_and_options_as_data(path: Path) -> None:
    """Whoever shows a remedy knows what these are called: errors.command, errors.option."""
    kinds = {SstpcaError.__name__, *(one.__name__ for one in _below(SstpcaError))}
    found = [
        f"{text.lineno}: {text.value!r}"
        for kind in kinds
        for _, call in called(path, kind)
        for part in call.args[1:]
        if not isinstance(part, ast.Call)
        for text in ast.walk(part)
        if isinstance(text, ast.Constant)
        and isinstance(text.value, str)
        and (OWN.search(text.value) or FLAG.search(text.value))
    ]
    assert not found


def _below(kind: type[SstpcaError]) -> Iterator[type[SstpcaError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def test_a_remedy_is_parts_and_text() -> None:
    error = SstpcaError("no", "see '", command("user show {}", "o'neil"), "', or ", option("--yes"))
    assert error.hint == "see 'sstpca user show 'o'\"'\"'neil'', or --yes"
    assert len(error.remedy) == 4
