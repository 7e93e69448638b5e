"""``sstpca bundle``: make what a user receives."""

import click


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def bundle(names: tuple[str, ...]) -> None:
    """Make the bundle of each user NAME.

    \b
        sstpca bundle alice
    """
    raise click.UsageError("bundles cannot be made by this build")
