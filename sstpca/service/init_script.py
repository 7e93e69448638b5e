"""The text of an init script for start-stop-daemon(8), whatever it starts."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_SCRIPT: Final = """\
#!/bin/sh
# Written by '{by}': what is changed here, it writes anew.
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $remote_fs $network $syslog
# Required-Stop:     $remote_fs $network $syslog
# Should-Start:      nftables ufw
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {what}
### END INIT INFO

PYTHON={python}
PIDFILE=/run/{name}.pid
LOG=/var/log/{name}.log
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 077
{setup}
# the process of the pid file, if it is ours
running() {{
    start-stop-daemon --status --pidfile "$PIDFILE" --exec "$PYTHON"
}}

start() {{
    running && return 0
    start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PIDFILE" \\
        --output "$LOG" --exec "$PYTHON" -- {run} || return
    # what keeps it from running shows within a moment
    sleep 2
    running || {{ echo "{name} does not run: see $LOG" >&2; rm -f "$PIDFILE"; return 1; }}
}}

# it ends its sessions meanwhile
stop() {{
    start-stop-daemon --stop --quiet --oknodo --retry TERM/30/KILL/5 --remove-pidfile \\
        --pidfile "$PIDFILE" --exec "$PYTHON"
}}

case "$1" in
    start) start ;;
    stop) stop ;;
    restart | force-reload) stop; start ;;
{reload}    status)
        if running; then echo "{name} runs"; else echo "{name} does not run"; exit 3; fi ;;
    # for cron: what was started, not stopped, and is gone all the same
    revive)
        if [ -f "$PIDFILE" ] && ! running; then
            echo "$(date '+%Y-%m-%d %H:%M:%S') it is gone: starting it again" >>"$LOG"
            rm -f "$PIDFILE"
            start
        fi ;;
{jobs}    *) echo "usage: $0 start|stop|restart{or_reload}|status" >&2; exit 2 ;;
esac
"""


_RELOAD: Final = """\
    reload) start-stop-daemon --stop --quiet --signal HUP --pidfile "$PIDFILE" --exec "$PYTHON" ;;
"""


def text(
    name: str,
    what: str,
    command: Sequence[str],
    *,
    jobs: Mapping[str, Sequence[str]] | None = None,
    reloads: bool = False,
    environment: Path | None = None,
    by: str = "sstpca service install",
) -> str:
    """Return the script.

    :param name: of the script, its log, and the file with its process id.
    :param what: for people, in one line.
    :param command: what is run, and goes on running.
    :param jobs: words that the script takes, and what each runs to its end, of the same program.
    :param reloads: whether it reads its settings anew at SIGHUP.
    :param environment: a file of variables that it gets, if there is one.
    :param by: the command that has written it.
    """
    lines = [
        f'    {word}) "$PYTHON" {shlex.join(one[1:])} >>"$LOG" 2>&1 ;;\n'
        for word, one in (jobs or {}).items()
    ]
    file = "" if environment is None else shlex.quote(str(environment))
    return _SCRIPT.format(
        by=by,
        name=name,
        what=what,
        python=shlex.quote(command[0]),
        run=shlex.join(command[1:]),
        setup=f"if [ -r {file} ]; then set -a; . {file}; set +a; fi\n" if file else "",
        jobs="".join(lines),
        reload=_RELOAD if reloads else "",
        or_reload="|reload" if reloads else "",
    )
