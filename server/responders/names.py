"""Domain names as DNS has them on the wire (RFC 1035 3.1), without compression."""


def labels(name: str) -> bytes:
    """Return an ASCII name; nothing of none."""
    if not name:
        return b""
    parts = (label.encode("ascii") for label in name.split("."))
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"
