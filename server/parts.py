"""What a server that runs is made of, as its supervisor has it."""

from dataclasses import dataclass, field

from .config import Config
from .contracts import Backend
from .control import ControlSocket
from .crew import Crew
from .listening import Listeners
from .metrics.exporting import Exporting
from .net.rules import Rules
from .net.tls import CertificateFiles
from .notify import Notifier


@dataclass(slots=True)
class Parts:
    """All of it; settings that are read again replace the first three.

    :param manager: the service manager.
    :ivar lost: workers that ended and whose sessions the store still has.
    """

    config: Config
    identity: CertificateFiles
    backend: Backend
    listeners: Listeners
    rules: Rules
    exporting: Exporting
    crew: Crew
    control: ControlSocket
    manager: Notifier
    lost: set[int] = field(default_factory=set)
