"""What a user of Windows double-clicks, and the page that says so."""

from .context import Bundle
from .render import Renderer


def files(renderer: Renderer, bundle: Bundle) -> dict[str, bytes]:
    """Return the files by name; they are on the top level of the bundle.

    Windows PowerShell 5.1 reads a script without byte order mark in the machine's code page, and
    cmd.exe wants ASCII and CRLF.
    """
    return {
        **{one.file: one.der for one in bundle.authorities},
        "index.html": renderer.page("index.html.j2", bundle),
        "install.cmd": renderer.launcher("install.ps1"),
        "install.ps1": renderer.script("windows/install.ps1.j2", bundle),
        "uninstall.cmd": renderer.launcher("uninstall.ps1"),
        "uninstall.ps1": renderer.script("windows/uninstall.ps1.j2", bundle),
    }
