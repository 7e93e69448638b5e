"""A reader of pppd's files of options and secrets: getword() in pppd/options.c, in Python."""

import string

_ESCAPES = {
    **{"a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "s": b" ", "t": b"\t"},
}
_WORD_MAX = 1024


def read(text: str) -> list[list[str]]:
    """Return the words of each line that has some; none is longer than pppd takes."""
    lines, words, word = [], list[str](), None
    quote, at = "", 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            found, at = _escape(text, at + 1)
            word = (word or b"") + found
            continue
        at += 1
        if quote:
            word, quote = (word, "") if sign == quote else ((word or b"") + sign.encode(), quote)
        elif sign in "\"'":
            word, quote = word or b"", sign
        elif sign in string.whitespace or sign == "#":
            words += _finished(word)
            word = None
            if sign == "#":
                at = text.index("\n", at)
            elif sign == "\n" and words:
                lines.append(words)
                words = []
        else:
            word = (word or b"") + sign.encode()
    assert not quote and word is None and not words, "the file ends in the middle"
    return lines


def _finished(word: bytes | None) -> list[str]:
    assert word is None or len(word) < _WORD_MAX
    return [] if word is None else [word.decode()]


def _escape(text: str, at: int) -> tuple[bytes, int]:
    sign = text[at]
    if sign == "\n":
        return b"", at + 1
    assert sign not in "01234567x", "octal and hexadecimal escapes are not used here"
    return _ESCAPES.get(sign, sign.encode()), at + 1
