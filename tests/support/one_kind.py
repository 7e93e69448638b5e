"""A client in a process of its own that takes certificates with one kind of key only.

In TLS 1.3 it says so in its signature algorithms, which Python before 3.15 cannot set, and OpenSSL's
configuration can: for a whole process. ``python -m tests.support.one_kind`` logs in, pings, and
prints the SHA-256 of the certificate that it was shown.
"""

import dataclasses
import os
import socket
import ssl
import sys
from ipaddress import IPv4Address
from pathlib import Path

from tests.support.client import Client
from tests.support.manner import WINDOWS
from tests.support.netns import Network
from tests.support.server import NAME, PASSWORDS, PORT
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
#: What OpenSSL calls the signatures of each kind of key.
SIGNATURES = {"RSA": "RSA-PSS+SHA256:RSA+SHA256", "ECDSA": "ECDSA+SHA256"}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def shown_to(network: Network, folder: Path, authority: str, kind: str, version: str) -> str:
    """Log in with such a client; return the SHA-256 of the server's certificate.

    :param folder: for its files.
    :param authority: what it trusts, PEM.
    :raises RuntimeError: if it cannot log in.
    """
    settings, root = folder / f"{kind}.cnf", folder / "root.pem"
    settings.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n[default]\n"
        f"SignatureAlgorithms = {SIGNATURES[kind]}\n"
    )
    root.write_text(authority)
    environment = (f"OPENSSL_CONF={settings}", f"PYTHONPATH={ROOT}")
    where = (str(network.server_address), str(network.host), str(root), version)
    program = (sys.executable, "-m", "tests.support.one_kind")
    return network.client.run("env", "-C", str(ROOT), *environment, *program, *where).strip()


def main(server: str, host: str, root: str, version: str) -> None:
    """Log in and ping ``host``."""
    assert "OPENSSL_CONF" in os.environ
    manner = dataclasses.replace(WINDOWS, tls=VERSIONS[version])
    plain = socket.create_connection((server, PORT), PATIENCE)
    ca, password = Path(root).read_text(), PASSWORDS["alice"]
    with Client(plain, "alice", password, ca=ca, name=NAME, manner=manner).login() as client:
        client.ping(IPv4Address(host))
        assert client.wire.tls.version() == f"TLSv{version}"
        print(client.wire.fingerprint("sha256").hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
