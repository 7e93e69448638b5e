"""``sstpca server``: what clients meet at the server's name."""

from typing import Final

import click

from .usage import Group, Later

_COMMANDS: Final = {
    "csr": Later(
        "Write a request for a certificate with the names of the settings.", ("cert_files",)
    ),
    "monitoring": Later(
        "Write alert rules for Prometheus and a dashboard for Grafana.", ("monitoring",)
    ),
    "rename": Later(
        "Let users connect to NAME instead of the name that they connect to now.", ("rename",)
    ),
    "routeros": Later(
        "Write what makes a RouterOS router the server, in place of this one.", ("routeros",)
    ),
}


@click.group(cls=Group, later=_COMMANDS)
def server() -> None:
    """Rename the server, have another authority certify it, or let a router be the server.

    \b
        sstpca server rename vpn2.example.com
        sstpca server csr --output server.csr
        sstpca server routeros
        sstpca server monitoring
    """
