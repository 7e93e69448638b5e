"""The Containerfile, read: its instructions, each on one line."""


def steps(text: str) -> list[tuple[str, str]]:
    """Return the instructions and what stands behind them; comments are left out."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    found = []
    for line in whole.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            found.append((word, " ".join(rest.split())))
    return found
