"""The edge of the command line: where an error becomes a message and an exit status."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import click

from ..errors import SstpcaError
from .output import rendered
from .usage import explained

# 128 + SIGINT, as shells have it
_INTERRUPTED: Final = 130


def complain(message: str, hint: str) -> None:
    """Say on standard error, for people, what is wrong, and what to do about it if that is known."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(hint, err=True)


@contextlib.contextmanager
def edge(complain: Callable[[str, str], None] = complain) -> Iterator[None]:
    """End the block with what is said of an error that the operator can act on.

    :param complain: says it: a message, and a hint that may be empty.
    :raises click.exceptions.Exit: with the exit status, in place of the error.
    """
    try:
        yield
    except click.UsageError as error:
        refused = explained(error)
        message, hint, code = str(refused), rendered(refused.remedy), refused.exit_code
    except SstpcaError as error:
        message, hint, code = str(error), rendered(error.remedy), error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        raise click.exceptions.Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        raise  # click ends quietly
    except OSError as error:
        message, hint, code = _system_error(error), "", 1
    else:
        return
    complain(message, hint)
    raise click.exceptions.Exit(code)


def _system_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
