"""From a :class:`~sstpca.bundle.content.bundle.Bundle` to the bytes of its files."""

import fnmatch
import functools
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import jinja2
import jinja2.meta
from jinja2.loaders import split_template_path
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...access.connection_settings import ConnectionSettings
from ...disk.reading import read_text
from ...errors import NotFound, Refused, SstpcaError, option
from ...names import quoted
from . import qr, quoting, texts
from .bundle import Deployment
from .codes import CODES
from .markup import fill, markup

_ENDING: Final = ".j2"
_TEXTS: Final = "texts/*.toml"


def pieces(text: str, size: int) -> list[str]:
    """Return ``text`` cut after each ``size`` characters; the page lets lines break there."""
    return textwrap.wrap(text, size)


_FILTERS: Final[dict[str, Callable[..., object]]] = {
    "fill": fill,
    "markup": markup,
    "pieces": pieces,
    "qr": qr.svg,
}
"""What pages have beside jinja2's own."""


def _only_literals(value: object) -> object:
    """Refuse to print what no quoting function has made (jinja2 calls this for each output)."""
    if not isinstance(value, quoting.Literal):
        raise jinja2.TemplateRuntimeError("a value goes into a script without quoting")
    return value


# what templates call it, where that is not the name of its class
_CALLED: Final = {ConnectionSettings: "client", Deployment: "bundle"}


class Missing(jinja2.StrictUndefined):
    """A value that is not there: whatever a template does with it is an error that names it."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        thing, name = self._undefined_obj, self._undefined_name
        if self._undefined_hint or thing is None or not isinstance(name, str):
            return super()._undefined_message
        if thing is jinja2.utils.missing:
            return f"there is no {quoted(name)}"
        return f"{_CALLED.get(type(thing)) or type(thing).__name__.lower()} has no {quoted(name)}"


class Renderer:
    """Fills templates, in one language.

    :param language: see :func:`texts.load`.
    :param templates: a folder of the administrator's; a template in it wins over ours of that name.
    :raises SstpcaError: if there are no texts in that language, or no such folder.
    """

    def __init__(self, language: str, templates: Path | None = None) -> None:
        if templates is not None and not templates.is_dir():
            raise NotFound(
                f"there is no folder {templates}", "name one with ", option("--templates"), " DIR"
            )
        self._texts = texts.load(language, templates)
        self._templates = templates
        self._pages, self._plain, self._scripts = _environments(templates and templates.absolute())

    def script(self, template: str, bundle: Deployment, **more: object) -> bytes:
        """Return a PowerShell script: UTF-8 with byte order mark, CRLF.

        Only what a quoting filter has made gets into it.

        :raises SstpcaError: if something is wrong in a template of the administrator's; so do the
            others.
        """
        return self._fill(self._scripts, template, bundle, more).encode("utf-8-sig")

    def text(self, template: str, bundle: Deployment | None = None, **more: object) -> bytes:
        """Return a file for other systems: UTF-8, LF; as strict with values as :meth:`script`."""
        return self._fill(self._plain, template, bundle, more).encode()

    def page(self, template: str, bundle: Deployment, **more: object) -> bytes:
        """Return an HTML or XML file: UTF-8, every value escaped."""
        return self._fill(self._pages, template, bundle, more).encode()

    def unused(self) -> list[str]:
        """Return the files of the administrator's that win over none of ours, by name.

        Those that another of them includes are in use, and so are texts.
        """
        if self._templates is None:
            return []
        own = {one for one in _Folder(self._templates).list_templates() if _is_plain(one)}
        used = {one for one in own if one in _ours() or fnmatch.fnmatchcase(one, _TEXTS)}
        queue = list(used)
        while queue:
            found = _referenced(self._pages, queue.pop())
            if None in found:
                return []  # a name that is known only when it is filled
            more = (own & found) - used
            used |= more
            queue += more
        return sorted(own - used)

    def launcher(self, target: str) -> bytes:
        """Return a batch file that runs the PowerShell script ``target`` beside it: ASCII, CRLF."""
        text = self._fill(self._scripts, "windows/launcher.cmd.j2", None, {"target": target})
        try:
            return text.encode("ascii")
        except UnicodeEncodeError as error:
            raise Refused(
                f"the template windows/launcher.cmd.j2 has {quoted(text[error.start])}",
                "cmd.exe reads ASCII alone",
            ) from None

    def _fill(
        self,
        environment: jinja2.Environment,
        template: str,
        bundle: Deployment | None,
        more: dict[str, object],
    ) -> str:
        values = {"bundle": bundle, "texts": self._texts, **more}
        try:
            return environment.get_template(template).render(values)
        except SstpcaError:
            raise
        # whatever may go wrong in a template that somebody else wrote; in ours, it is a bug
        except Exception as error:
            if self._templates is None:
                raise
            raise Refused(
                f"the template {_place(error) or template}: {_reason(error)}",
                f"correct it in {self._templates}",
            ) from error


class _Folder(jinja2.FileSystemLoader):
    """Templates below a folder, and nothing that a symbolic link there leads to outside it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._root = folder.resolve()

    def get_source(self, environment: jinja2.Environment, template: str) -> Any:
        path = self._root.joinpath(*split_template_path(template))
        if not path.exists():
            raise jinja2.TemplateNotFound(template)
        if not path.resolve().is_relative_to(self._root):
            raise jinja2.TemplateError(f"{template} is a link to a place outside the folder")
        seen = path.stat().st_mtime_ns
        return (
            read_text(path, "the template"),
            str(path),
            lambda: path.stat().st_mtime_ns == seen,
        )


def _loader(templates: Path | None) -> jinja2.BaseLoader:
    ours = jinja2.PackageLoader("sstpca.templates", "")
    return ours if templates is None else jinja2.ChoiceLoader([_Folder(templates), ours])


@functools.cache
def _ours() -> frozenset[str]:
    names = jinja2.PackageLoader("sstpca.templates", "").list_templates()
    return frozenset(one for one in names if one.endswith(_ENDING))


def _is_plain(name: str) -> bool:
    """Return whether it is a file as people see them: no version control's, no editor's."""
    return not name.endswith("~") and not any(part.startswith(".") for part in name.split("/"))


def _referenced(environment: jinja2.Environment, template: str) -> set[str | None]:
    """Return what ``template`` includes or extends; None for a name that is not written in it."""
    try:
        assert environment.loader is not None
        source, _, _ = environment.loader.get_source(environment, template)
        return set(jinja2.meta.find_referenced_templates(environment.parse(source)))
    except (jinja2.TemplateError, SstpcaError, OSError):
        return set()  # whoever fills it will say so


@functools.cache
def _environments(templates: Path | None) -> tuple[jinja2.Environment, ...]:
    """Return what fills pages, plain files and scripts.

    They keep what they have compiled, which takes longer than to fill it.
    """
    loader = _loader(templates)
    pages = _environment(loader, autoescape=True)
    _add_filters(pages, _FILTERS)
    pages.globals.update(codes=CODES)
    plain = _environment(loader, finalize=_only_literals)
    scripts = _environment(loader, finalize=_only_literals, newline_sequence="\r\n")
    for environment in (plain, scripts):
        _add_filters(environment, {**quoting.FILTERS, "fill": fill})
    return pages, plain, scripts


def _environment(loader: jinja2.BaseLoader, **options: Any) -> jinja2.Environment:
    # an administrator's templates may be somebody else's work: they see values, and run nothing
    return ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=Missing,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )


def _add_filters(
    environment: jinja2.Environment, filters: dict[str, Callable[..., object]]
) -> None:
    environment.filters.update({name: _strict(one) for name, one in filters.items()})


def _strict(one: Callable[..., object]) -> Callable[..., object]:
    """Return a filter that names a missing value, where ``one`` would complain about its type."""

    @functools.wraps(one)
    def checked(*values: object, **more: object) -> object:
        for value in (*values, *more.values()):
            if isinstance(value, jinja2.Undefined):
                str(value)
        return one(*values, **more)

    return checked


def _place(error: BaseException) -> str:
    """Return file and line of the innermost template in which ``error`` came up."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name} line {error.lineno}"
    place, trace = "", error.__traceback__
    while trace is not None:
        place = _line_of(trace) or place
        trace = trace.tb_next
    return place


def _line_of(trace: TracebackType) -> str:
    # jinja2 puts the lines of templates into tracebacks instead of those of the code it made
    file = trace.tb_frame.f_code.co_filename
    return f"{file} line {trace.tb_lineno}" if file.endswith(_ENDING) else ""


def _reason(error: Exception) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"there is no template {quoted(str(error.name))}"
    return " ".join(str(error).split()) or type(error).__name__
