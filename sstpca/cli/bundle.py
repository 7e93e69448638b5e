"""``sstpca bundle``: make what a user receives."""

from pathlib import Path

import click

from .. import profiles, users
from ..pki.authority import load_ca_certificate
from ..pki.certificates import sha256_fingerprint
from .context import Context
from .output import talk, warn


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="USER...")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    metavar="DIR",
    help="Where to write them; 'bundles' in the home by default.",
)
@click.pass_obj
def bundle(context: Context, names: tuple[str, ...], output: Path | None) -> None:
    """Make a bundle for each USER: a zip to hand over.

    The same files are in a folder beside it. It has the authority's certificate, scripts that set up the connection on a Windows PC and
    take it away again, and a page that says what to do. There is no password in it.

    \b
        sstpca bundle alice
        sstpca bundle alice bob --output /srv/handover
    """
    for name in names:
        users.get(context.store(), name)
    made = [make_bundle(context, name, output) for name in names]
    for path in made:
        click.echo(path)
    authority = load_ca_certificate(context.home())
    talk(
        "\nHand over each zip and, apart from it, the password; index.html in it says what to do."
        "\nThe authority's SHA-256 fingerprint, for who wants to compare it:"
        f"\n  {sha256_fingerprint(authority)}"
    )


def make_bundle(context: Context, name: str, output: Path | None = None) -> Path:
    """Make the bundle of the user ``name`` and return the path of its zip.

    :param output: where to write it; ``bundles`` in the home if None.
    :raises SstpcaError: if there is no such user, Windows would refuse the server certificate, or
        the bundle cannot be written.
    """
    # jinja2 and qrcode take a tenth of a second to import, and only this needs them
    from ..bundle import archive, platforms, trust
    from ..bundle.context import bundle_for
    from ..bundle.render import Renderer

    home, settings = context.home(), context.settings()
    user = users.get(context.store(), name)
    profile = profiles.get(context.store(), user.profile)
    if not user.enabled:
        warn(f"'{user.name}' is disabled and cannot log in")
    bundle = bundle_for(user, profile, settings, trust.load(home))
    files = platforms.files(Renderer(bundle.language), bundle, platforms.PLATFORMS)
    return archive.write(output or home.bundles, bundle.user, files)
