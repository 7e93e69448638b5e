"""From a :class:`~sstpca.bundle.context.Bundle` to the bytes of its files."""

import textwrap
from typing import Final

import jinja2

from . import qr, quoting
from .context import Bundle

_LOADER: Final = jinja2.PackageLoader("sstpca.templates", "")


def pieces(text: str, size: int) -> list[str]:
    """Return ``text`` cut after each ``size`` characters; the page lets lines break there."""
    return textwrap.wrap(text, size)


def _only_literals(value: object) -> object:
    """Refuse to print what no quoting function has made (jinja2 calls this for each output)."""
    if not isinstance(value, quoting.Literal):
        raise jinja2.TemplateRuntimeError("a value goes into a script without quoting")
    return value


def _script_environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 scripts are not HTML; finalize does its part
        loader=_LOADER,
        undefined=jinja2.StrictUndefined,
        finalize=_only_literals,
        newline_sequence="\r\n",
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ps=quoting.powershell, batch=quoting.batch)
    return environment


def _page_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=_LOADER,
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(pieces=pieces, qr=qr.svg)
    return environment


_SCRIPTS: Final = _script_environment()
_PAGES: Final = _page_environment()


def files(bundle: Bundle) -> dict[str, bytes]:
    """Return the files of a bundle by name; the same bundle gives the same bytes.

    Windows PowerShell 5.1 reads a script without byte order mark in the machine's code page, and
    cmd.exe wants ASCII and CRLF.
    """
    certificate = bundle.certificate
    return {
        certificate.file: certificate.der,
        "index.html": _PAGES.get_template("index.html.j2").render(bundle=bundle).encode(),
        "install.cmd": launcher("install.ps1"),
        "install.ps1": script("windows/install.ps1.j2", bundle),
        "uninstall.cmd": launcher("uninstall.ps1"),
        "uninstall.ps1": script("windows/uninstall.ps1.j2", bundle),
    }


def script(template: str, bundle: Bundle) -> bytes:
    """Return a PowerShell script: UTF-8 with byte order mark, CRLF."""
    return _SCRIPTS.get_template(template).render(bundle=bundle).encode("utf-8-sig")


def launcher(target: str) -> bytes:
    """Return a batch file that runs the PowerShell script ``target`` beside it: ASCII, CRLF."""
    return _SCRIPTS.get_template("windows/launcher.cmd.j2").render(target=target).encode("ascii")
