"""What watches the server: how Prometheus asks it, when it raises an alarm, what Grafana shows."""

from importlib import resources
from typing import Final

#: Where prometheus.yml has the server answer, as long as the settings do not say where it does.
_LISTEN: Final = b"127.0.0.1:9477"

_FILES: Final = ("alerts.yml", "grafana.json", "prometheus.yml")


def files(listen: str) -> dict[str, bytes]:
    """Return the files by name.

    :param listen: address and port of the settings; empty if the server answers nowhere.
    """
    folder = resources.files("sstpca.templates") / "monitoring"
    made = {name: (folder / name).read_bytes() for name in _FILES}
    made["prometheus.yml"] = made["prometheus.yml"].replace(_LISTEN, listen.encode() or _LISTEN)
    return made
