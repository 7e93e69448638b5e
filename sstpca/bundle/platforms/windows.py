"""What a user of Windows double-clicks, and the page that says so."""

from ..content.bundle import Bundle
from ..content.codes import CODES
from ..content.eap import VALUES, eap_config
from ..content.render import Renderer

_SCRIPTS = ("install", "uninstall", "verify")


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name; they are on the top level of the bundle.

    Windows PowerShell 5.1 reads a script without byte order mark in the machine's code page, and
    cmd.exe wants ASCII and CRLF.
    """
    found = {one.file: one.der for one in bundle.authorities}
    found["index.html"] = renderer.page("index.html.j2", bundle)
    for name in _SCRIPTS:
        found[f"{name}.cmd"] = renderer.launcher(f"{name}.ps1")
        found[f"{name}.ps1"] = script(renderer, bundle, f"{name}.ps1")
    if bundle.secrets.certificate is not None:
        found[bundle.secrets.certificate.file] = bundle.secrets.certificate.content
    if bundle.secrets.password is not None:
        # the installer saves it and deletes the file
        found["password.txt"] = renderer.script("windows/password.txt.j2", bundle)
    return found


def script(renderer: Renderer, bundle: Bundle, name: str) -> bytes:
    """Return one of the scripts, such as ``install.ps1``."""
    rules = bundle.client.name_rules
    return renderer.script(
        f"windows/{name}.j2",
        bundle,
        codes=CODES,
        eap=eap_config(bundle) or "",
        eap_elements=VALUES,
        rules=tuple((rule.suffix, tuple(map(str, rule.servers))) for rule in rules),
    )
