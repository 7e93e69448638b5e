"""From a :class:`~sstpca.bundle.context.Bundle` to the bytes of its files."""

import textwrap
from pathlib import Path
from typing import Any

import jinja2

from ..errors import SstpcaError
from . import qr, quoting, texts
from .context import Bundle


def pieces(text: str, size: int) -> list[str]:
    """Return ``text`` cut after each ``size`` characters; the page lets lines break there."""
    return textwrap.wrap(text, size)


def fill(text: str, **values: object) -> str:
    """Return ``text`` with ``{name}`` replaced by the value of that name."""
    return text.format(**values)


def _only_literals(value: object) -> object:
    """Refuse to print what no quoting function has made (jinja2 calls this for each output)."""
    if not isinstance(value, quoting.Literal):
        raise jinja2.TemplateRuntimeError("a value goes into a script without quoting")
    return value


class Renderer:
    """Fills templates, in one language.

    :param language: see :func:`texts.load`.
    :param templates: a folder of the administrator's; a template in it wins over ours of that name.
    :raises SstpcaError: if there are no texts in that language, or no such folder.
    """

    def __init__(self, language: str, templates: Path | None = None) -> None:
        if templates is not None and not templates.is_dir():
            raise SstpcaError(f"there is no folder {templates}", "name one with --templates DIR")
        self._texts = texts.load(language, templates)
        ours = jinja2.PackageLoader("sstpca.templates", "")
        loader = ours if templates is None else _over(templates, ours)
        self._pages = _environment(loader, autoescape=True)
        self._pages.filters.update(pieces=pieces, qr=qr.svg, fill=fill)
        self._plain = _environment(loader, finalize=_only_literals)
        self._scripts = _environment(loader, finalize=_only_literals, newline_sequence="\r\n")
        for environment in (self._plain, self._scripts):
            environment.filters.update(quoting.FILTERS, fill=fill)

    def script(self, template: str, bundle: Bundle, **more: object) -> bytes:
        """Return a PowerShell script: UTF-8 with byte order mark, CRLF.

        Only what a quoting filter has made gets into it.
        """
        return self._fill(self._scripts, template, bundle, more).encode("utf-8-sig")

    def text(self, template: str, bundle: Bundle, **more: object) -> bytes:
        """Return a file for other systems: UTF-8, LF; as strict with values as :meth:`script`."""
        return self._fill(self._plain, template, bundle, more).encode()

    def page(self, template: str, bundle: Bundle, **more: object) -> bytes:
        """Return an HTML or XML file: UTF-8, every value escaped."""
        return self._fill(self._pages, template, bundle, more).encode()

    def launcher(self, target: str) -> bytes:
        """Return a batch file that runs the PowerShell script ``target`` beside it: ASCII, CRLF."""
        template = self._scripts.get_template("windows/launcher.cmd.j2")
        return template.render(target=target).encode("ascii")

    def _fill(
        self,
        environment: jinja2.Environment,
        template: str,
        bundle: Bundle,
        more: dict[str, object],
    ) -> str:
        values = {"bundle": bundle, "texts": self._texts, **more}
        try:
            return environment.get_template(template).render(values)
        except jinja2.TemplateError as error:
            where = f" line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
            raise SstpcaError(
                f"the template {template}{where}: {error.message}",
                "correct it in the folder given with --templates",
            ) from error


def _over(templates: Path, ours: jinja2.BaseLoader) -> jinja2.BaseLoader:
    return jinja2.ChoiceLoader([jinja2.FileSystemLoader(templates), ours])


def _environment(loader: jinja2.BaseLoader, **options: Any) -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701 pages say autoescape; scripts have finalize
        loader=loader,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
