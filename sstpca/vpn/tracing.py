"""The packets of one session, or of a user's logins, written into a file for Wireshark."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from sstpca.server.trace import pcapng
from sstpca.server.trace.records import Direction, Record, decode

from ..disk.writing import SECRET, refuse_existing, writing_new
from ..errors import NotFound, Remedy, Unavailable, command
from ..store import traces, users
from ..store.sessions import list_sessions
from .opened import Opened

__all__ = ["DEFAULT_OCTETS", "Tracing"]

#: Bytes of packets in a trace.
DEFAULT_OCTETS: Final = 10_000_000

#: Seconds between two looks; for a worker to hear of it, and to give what it has when it is over.
_LOOK: Final = 0.25
_HEARD: Final = 2.0

_SESSIONS: Final[Remedy] = ("'", command("session list"), "' shows who is there")


class Tracing:
    """One trace: :meth:`run` writes it.

    :param path: of the file, which is not there while it is being written.
    """

    def __init__(
        self,
        opened: Opened,
        path: Path,
        *,
        user: str = "",
        session: int = 0,
        seconds: float = 60.0,
        octets: int = DEFAULT_OCTETS,
        payload: bool = False,
        force: bool = False,
    ) -> None:
        self._store = opened.store
        self._path = path
        self._force = force
        self._seconds = seconds
        self._octets = octets
        self._payload = payload
        self._session = session
        refuse_existing(path, force=force)
        self._user = users.get(self._store, user).name if user else ""
        self._check()
        self._peers: dict[int, str] = {}
        self.packets = 0

    def _check(self) -> None:
        if not traces.serving(self._store):
            raise Unavailable(
                "no server of this VPN runs", "start it with '", command("serve"), "'"
            )
        if self._session and not self._is_there():
            raise NotFound(f"there is no session of number {self._session}", *_SESSIONS)

    def _is_there(self) -> bool:
        return any(one.id == self._session for one in list_sessions(self._store))

    @property
    def _who(self) -> str:
        return f"the user '{self._user}'" if self._user else f"session {self._session}"

    def run(self, ready: Callable[[], None] = lambda: None) -> int:
        """Write it, until its time is over, there is enough, or the session has ended; or until Ctrl-C.

        :param ready: is called once the workers have heard of it: from then on nothing is missed.
        :returns: how many there are.
        :raises NotFound: if there were none; no file is left then.
        :raises SstpcaError: if the file cannot be written, or the store fails.
        """
        order = traces.order(
            self._store,
            session=self._session,
            user=self._user,
            whole=self._payload,
            octets=self._octets,
        )
        with contextlib.ExitStack() as stack:
            stack.callback(traces.cancel, self._store, order)
            file = stack.enter_context(writing_new(self._path, SECRET, force=self._force))
            file.write(pcapng.begin("sstpca"))
            with contextlib.suppress(KeyboardInterrupt):
                self._follow(order, file, ready)
            self._write(file, traces.fetch(self._store, order))
            if not self.packets:
                raise NotFound(f"nothing was seen of {self._who}; there is no file", *_SESSIONS)
        return self.packets

    def _follow(self, order: int, file: BinaryIO, ready: Callable[[], None]) -> None:
        time.sleep(_HEARD)
        ready()
        end = time.monotonic() + self._seconds
        gone = 0.0
        while time.monotonic() < end and self._octets > 0:
            time.sleep(_LOOK)
            self._write(file, traces.fetch(self._store, order))
            if not self._session or self._is_there():
                gone = 0.0
            elif gone and time.monotonic() - gone > _HEARD:
                break
            else:
                gone = gone or time.monotonic()

    def _write(self, file: BinaryIO, fetched: list[bytes]) -> None:
        for records in fetched:
            for record in decode(records):
                self._add(file, record)

    def _add(self, file: BinaryIO, record: Record) -> None:
        if record.direction is Direction.PEER:
            self._peers[record.connection] = record.data.decode(errors="replace")
            return
        made = pcapng.packet(record, self._peers.get(record.connection, ""))
        self._octets -= len(made)
        if self._octets >= 0:
            file.write(made)
            self.packets += 1
