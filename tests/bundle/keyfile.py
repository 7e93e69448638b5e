"""A reader of GLib's key files, as NetworkManager reads its connections (glib/gkeyfile.c)."""

# g_ascii_isspace()
_BLANKS = " \t\n\v\f\r"
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def read(text: str) -> dict[str, dict[str, str]]:
    """Return the groups, each with keys and values; what GLib would refuse is an AssertionError."""
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for line in text.split("\n"):
        stripped = line.lstrip(_BLANKS)
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("["):
            assert stripped.rstrip(_BLANKS).endswith("]"), line
            group = groups.setdefault(stripped.rstrip(_BLANKS)[1:-1], {})
            continue
        key, equals, value = line.partition("=")
        assert equals and group is not None, line
        assert key.strip(_BLANKS) not in group, f"{key} is there twice"
        group[key.strip(_BLANKS)] = _value(value.lstrip(_BLANKS))
    return groups


def _value(text: str) -> str:
    found, at = "", 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
            found += _ESCAPES[text[at]]
        else:
            found += text[at]
        at += 1
    return found
