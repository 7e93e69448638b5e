from typing import Final

from .segments import Bytes

REVISION: Final[int]

def forward(
    view: memoryview,
    position: int,
    end: int,
    source: bytes | None,
    tun: int,
    offload: int,
    server: bytes | None = None,
    multicast: bool = False,
    networks: bytes = b"",
    networks_v6: bytes = b"",
) -> tuple[int, int, list[bytes]]: ...
def cut(packet: Bytes, first: int, room: memoryview, limit: int) -> tuple[list[int], int]: ...
def pull(
    tun: int, room: memoryview, limit: int, versions: int
) -> tuple[list[int], bytes | None, int]: ...
