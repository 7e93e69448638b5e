"""ClientHellos written by hand (RFC 8446 4.1.2): what no TLS library would say."""

X25519, P384 = 0x1D, 0x18
P521, X448, FFDHE2048, FFDHE8192 = 0x19, 0x1E, 0x100, 0x104
TLS13_SUITES, TLS12_SUITES = (0x1301, 0x1302), (0xC02F, 0xC030, 0x9E, 0x33)


def vector(size: int, content: bytes) -> bytes:
    """Return the content with its length in ``size`` bytes before it."""
    return len(content).to_bytes(size) + content


def numbers(*values: int) -> bytes:
    """Return numbers of two bytes each."""
    return b"".join(value.to_bytes(2) for value in values)


def message(
    groups: tuple[int, ...] | None,
    shares: dict[int, bytes] | None = None,
    suites: tuple[int, ...] = TLS13_SUITES,
) -> bytes:
    """Return a ClientHello that offers these groups and keys, as a handshake message."""
    extensions = {13: vector(2, numbers(0x0804, 0x0403, 0x0401))}  # signature_algorithms
    if suites[0] >> 8 == 0x13:
        extensions[43] = vector(1, numbers(0x0304))  # supported_versions
    if groups is not None:
        extensions[10] = vector(2, numbers(*groups))
    if shares is not None:
        keys = b"".join(numbers(group) + vector(2, key) for group, key in shares.items())
        extensions[51] = vector(2, keys)
    body = numbers(0x0303) + bytes(32) + vector(1, b"") + vector(2, numbers(*suites))
    body += vector(1, b"\0")
    body += vector(2, b"".join(numbers(kind) + vector(2, v) for kind, v in extensions.items()))
    return b"\x01" + vector(3, body)


def records(data: bytes, piece: int = 16384) -> bytes:
    """Cut a message into TLS records."""
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    return b"".join(b"\x16\x03\x01" + vector(2, part) for part in pieces)


def expensive(group: int, size: int) -> bytes:
    """Return what D(HE)at sends: a made-up key of a group that costs the server a great deal."""
    return records(message((group,), {group: b"\x02" * size}))
