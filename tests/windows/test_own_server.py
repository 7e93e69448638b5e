"""verify.ps1 against ``sstpca serve``, with the bundle that ``sstpca bundle`` makes."""

from pathlib import Path

from tests.support.netns import Namespace
from tests.support.requirements import require
from tests.support.server import Home, Server
from tests.windows.pc import ADMIN, Pc, Step


def test_our_own_server(pc: Pc, tmp_path: Path) -> None:
    """All is well with its bundle; with one of another home, the authority is another."""
    require("ip", "nft", tun=True)
    homes = [Home(tmp_path / name) for name in ("home", "other")]
    for home in homes:
        home.run("init", "localhost", "--ip", "127.0.0.1", "--port", "8443", "--no-passphrase")
        home.add_user("alice")
    roots = tmp_path / "roots.pem"
    roots.write_text(homes[0].authority("alice"))
    environment = {"SSL_CERT_FILE": str(roots), "SSL_CERT_DIR": str(tmp_path / "none")}
    own, other = (next((one.path / "bundles").rglob("install.ps1")).parent for one in homes)
    names = ("install", "verify", "uninstall")
    steps = [
        Step(folder / f"{name}.ps1", approves=ADMIN) for folder in (own, other) for name in names
    ]
    with (
        Namespace("verify") as namespace,
        Server(homes[0], namespace, tmp_path / "log"),
        namespace.entered(),
    ):
        results = pc.run(*steps, environment=environment)
    assert [one.code for one in results] == [0, 0, 0, 0, 30, 0], results[1].said
    assert [one.complaints for one in results] == [()] * 6
    assert "[ OK ]  The server answers as a VPN server (SSTP) does." in results[1].said
    [problem] = [line for line in results[4].said if line.startswith("[ !! ]")]
    assert "was not issued by the authority of this VPN" in problem
