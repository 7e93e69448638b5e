"""``sstpca completion``: what has a shell complete command lines."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from .usage import Command

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what has SHELL complete the commands and options of sstpca.

    \b
        sstpca completion bash > /etc/bash_completion.d/sstpca
        sstpca completion zsh > /usr/local/share/zsh/site-functions/_sstpca
        sstpca completion fish > ~/.config/fish/completions/sstpca.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "sstpca", "_SSTPCA_COMPLETE").source())
