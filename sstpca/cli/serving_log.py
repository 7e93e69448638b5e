"""Where the log of a server that runs in the foreground goes."""

import contextlib
import logging
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sstpca.server import log, log_targets
from sstpca.server.errors import ServerError

from ..errors import InvalidInput
from .edge import edge

FORMATS: Final = ("text", "json", "journald", "syslog")


def begin(home: Path, form: str | None, syslog: str | None = None) -> AbstractContextManager[None]:
    """Have the log written; return what tells it what keeps the server from going on.

    Where there is no journal, or no syslog, that is said, and it goes to standard error.

    :param home: which VPN it is about.
    :param form: one of FORMATS; None: systemd's journal, if that reads standard error, or text.
    :param syslog: where that is: a path, a host, or host:port.
    :raises InvalidInput: if they do not fit together.
    """
    if syslog is not None and form not in (None, "syslog"):
        raise InvalidInput("--syslog says where syslog is", "leave --log-format out")
    to_journal = log_targets.is_journals()
    wanted = form or ("syslog" if syslog else "journald" if to_journal else "text")
    lines = log.JsonFormatter() if wanted == "json" else log.TextFormatter()
    handler, missing = log.on_standard_error(lines, to_journal=to_journal), ""
    if wanted in ("journald", "syslog"):
        try:
            handler = _target(wanted, home, syslog)
        except OSError as error:
            missing = f"there is no {wanted} ({error.strerror}): the log goes to standard error"
    log.set_up(handler)
    if missing:
        log.LOGGER.warning("%s", missing)
    people = wanted == "text" or bool(missing)
    return contextlib.nullcontext() if people and not to_journal else edge(_complain)


def _target(form: str, home: Path, syslog: str | None) -> logging.Handler:
    if form == "journald":
        return log_targets.journal(str(home.resolve()))
    try:
        where = log_targets.syslog_address(syslog or log_targets.SYSLOG)
    except ServerError as error:
        raise InvalidInput(str(error), error.hint) from None
    return log_targets.syslog(where)


def _complain(message: str, hint: str) -> None:
    log.LOGGER.error("%s", message, extra={"hint": hint} if hint else {})
