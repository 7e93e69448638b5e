"""What is said of a command line that is none: one line, and what to type instead.

click finds the mistakes; the sentences are ours, the same with each of its versions.
"""

import contextlib
import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from types import MappingProxyType
from typing import Any, Final

import click

from ..errors import Command as Words
from ..errors import InvalidInput, Remedy
from ..names import quoted
from .home_option import later_home

#: exit status of a command line that is none
MISUSE: Final = 2


class _TakesHome(click.Command):
    """What takes ``--home`` as well, where it stands behind another command."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options and arguments, ``--home`` among them."""
        params = super().get_params(ctx)
        return params if ctx.parent is None else [*params, later_home()]


class Command(_TakesHome):
    """A command that says in our words which argument is one too many."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments; refuse those that nobody asked for."""
        with _context_known(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise InvalidInput(f"{quoted(rest[0])} is one argument too many", *see_help(ctx))
        return rest


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is loaded when it is asked for: most are not, and loading takes its time.

    :param help: the first sentence of its help.
    :param modules: of this package. The first has the command, under its name, with an underscore
        if that is a word of Python's; the others add commands to that one, if it is a group.
    """

    help: str
    modules: tuple[str, ...]

    def load(self, name: str) -> click.Command:
        """Return the command."""
        first, *_ = [importlib.import_module(f"{__package__}.{one}") for one in self.modules]
        command: click.Command = getattr(first, f"{name}_" if iskeyword(name) else name)
        return command


class Group(_TakesHome, click.Group):
    """A group of commands; without one of them, it shows its help on standard error.

    :param later: those of its commands that are loaded when they are asked for.
    """

    command_class = Command
    group_class = type

    def __init__(
        self, *args: Any, later: Mapping[str, Later] = MappingProxyType({}), **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self._later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*self.commands, *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded if it was not; None if there is none of the name."""
        if cmd_name in self._later and cmd_name not in self.commands:
            self.add_command(self._later[cmd_name].load(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names of the commands and what they are for, and load none."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        rows = [(name, self._short_help(name, room)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _short_help(self, name: str, room: int) -> str:
        later = self._later.get(name)
        command = self.commands[name] if later is None else click.Command(name, help=later.help)
        return command.get_short_help_str(room)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the options in front of the command."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(MISUSE)
        with _context_known(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; refuse what is none."""
        name = str(args[0])
        if self.get_command(ctx, name) is None and name[:1] != "-" and not ctx.resilient_parsing:
            raise InvalidInput(
                f"{_path(ctx)} has no command {quoted(name)}",
                *_near(name, self.list_commands(ctx), ctx),
            )
        return super().resolve_command(ctx, args)


@contextlib.contextmanager
def _context_known(ctx: click.Context) -> Iterator[None]:
    """Note in an error which command it is about, where click's parser does not."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


def explained(error: click.UsageError) -> InvalidInput:
    """Return what click refuses in words of ours; what is not foreseen is a quotation."""
    ctx, hint = error.ctx, see_help(error.ctx)
    match error:
        case click.NoSuchOption():
            known = (
                ()
                if ctx is None
                else [name for one in ctx.command.get_params(ctx) for name in one.opts]
            )
            what = f"{_path(ctx)} has no option {quoted(error.option_name)}"
            return InvalidInput(what, *_near(error.option_name, known, ctx))
        case click.MissingParameter(param=click.Parameter() as param):
            return InvalidInput(f"{_name(param)} is missing", *hint)
        case click.BadParameter(param=click.Parameter() as param):
            return InvalidInput(f"{_name(param)} {_expected(param.type, error)}", *hint)
        case click.BadOptionUsage():
            wants = "takes no value" if _is_flag(error.option_name, ctx) else "needs a value"
            return InvalidInput(f"{error.option_name} {wants}", *hint)
        case _:
            return InvalidInput(f"the command line cannot be read: {quoted(error.message)}", *hint)


def _expected(kind: object, error: click.BadParameter) -> str:
    """Return what a value of this kind has to be."""
    match kind:
        case click.IntRange(min=least, max=most) if None not in (least, most):
            return f"has to be a whole number from {least} to {most}"
        case click.IntRange(min=least) if least is not None:
            return f"has to be a whole number of at least {least}"
        case click.Choice(choices=choices):
            return f"has to be one of: {', '.join(map(str, choices))}"
        case _ if kind is click.INT or isinstance(kind, click.IntRange):
            return "has to be a whole number"
        case click.Path(file_okay=False):
            return "has to be a folder that can be read"
        case click.Path():
            return "has to be a file that can be read"
        case _:
            return f"cannot be used: {quoted(error.message)}"


def _name(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.human_readable_name.strip("[].")


def _is_flag(name: str, ctx: click.Context | None) -> bool:
    params = () if ctx is None else ctx.command.get_params(ctx)
    return any(
        isinstance(one, click.Option)
        and (one.is_flag or one.count)
        and name in (*one.opts, *one.secondary_opts)
        for one in params
    )


def _path(ctx: click.Context | None) -> str:
    """Return the command as it is typed, without what may stand in front of it."""
    return f"sstpca {_words(ctx)}".rstrip()


def _words(ctx: click.Context | None) -> str:
    names: list[str] = []
    while ctx is not None and ctx.parent is not None:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(names)


def see_help(ctx: click.Context | None) -> Remedy:
    """Return the remedy that names the help of this command."""
    return ("see '", Words(f"{_words(ctx)} --help".lstrip()), "'")


def _near(name: str, known: Iterable[str], ctx: click.Context | None) -> Remedy:
    near: list[Any] = difflib.get_close_matches(name, list(known), 1)
    return (f"did you mean {near[0]}?",) if near else see_help(ctx)
