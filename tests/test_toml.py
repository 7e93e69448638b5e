"""What is said of a document that is no TOML: the line, what is wrong, what to write instead."""

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca import toml
from sstpca.errors import SstpcaError

GOOD = """\
# a comment with [ and "

[server]
names = [
  "vpn.example.com", # with ] in it
  'b',
]
port = 443 # "
contact = \"\"\"
two [ lines
\"\"\"
"quoted key" = {a = 1, b = [1]}

[bundle]
path = 'C:\\x'
empty = ""
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("server",), 3),
        (("server", "names"), 4),
        (("server", "port"), 8),
        (("server", "contact"), 9),
        (("server", "quoted key"), 12),
        (("server", "quoted key", "b"), 12),
        (("bundle",), 14),
        (("bundle", "empty"), 16),
        (("bundle", "nosuch"), 1),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_name_has_its_line(path: tuple[str, ...], line: int, end: str) -> None:
    document = toml.parse(GOOD.replace("\n", end), "x")
    assert document.tables == tomllib.loads(GOOD)
    assert document.line(path) == line


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a.b = 1\na.c = 2", ("a", "c"), 2),
        ("\n[[a]]\nx = 1\n[[a]]\nx = 2", ("a", "x"), 3),
        ("a = {}\nb = []", ("b",), 2),
        ("[a.b]\nc = 1", ("a", "b", "c"), 2),
    ],
)
def test_other_ways_to_write_it(text: str, path: tuple[str, ...], line: int) -> None:
    assert toml.parse(text, "x").line(path) == line


QUOTES = "has a text whose quotation marks do not close"


@pytest.mark.parametrize(
    ("statement", "what", "hint"),
    [
        ('a = "x', f"'a' {QUOTES}", ""),
        ("a = 'x", f"'a' {QUOTES}", ""),
        ('a = x"', f"'a' {QUOTES}", ""),
        ('a = ["x, "y"]', f"'a' {QUOTES}", ""),
        ("a = ['x]", f"'a' {QUOTES}", ""),
        ('a = """x', f"'a' {QUOTES}", ""),
        ('a = "x" y', "'a' goes on behind its text: 'y'", "single quotes"),
        ('a = "say "hi" now"', "'a' goes on behind its text: 'hi'", "single quotes"),
        ('a = "C:\\new\\logo.png"', "'a' has a backslash between double quotes", "'...'"),
        ('a = ["x"', "'a' has a list that does not close", "end it with ]"),
        ('a = ["x" "y"]', "'a' has a list that cannot be read", '["one", "two"]'),
        ("a = [x.example]", "'a' has a text without quotation marks: 'x.example'", '"x.example"'),
        ("a = two words", "'a' has a text without quotation marks: 'two words'", '"two words"'),
        ("a = Bob's # x", "'a' has a text without quotation marks: 'Bob\\'s'", '"Bob\'s"'),
        ("a = 203.0.113.5", "'a' has a text without quotation marks: '203.0.113.5'", ""),
        ("a = Jörg", "'a' has a text without quotation marks: 'Jörg'", 'write "Jörg"'),
        ("a = True", "'a' is 'True'", "write true or false"),
        ("a = yes", "'a' is 'yes'", "write true or false"),
        ("a = 0443", "'a' has a number that cannot be read: '0443'", "digits alone"),
        ("a = 443;", "'a' has a number that cannot be read: '443;'", "digits alone"),
        ("a = " + "9" * 5000, "'a' has a number that cannot be read: '99999", "digits alone"),
        ("a =", "'a' has no value", 'nothing is "" or []'),
        ("a = # x", "'a' has no value", 'nothing is "" or []'),
        ("a", "'a' has no =", "name = value"),
        ("; a comment", "'; a comment' has no =", "a comment # so"),
        ("a: 5", "'a: 5' has no =", "name = value"),
        ("größe = 1", "'größe' is no name of a setting", ""),
        ("= 1", "'' is no name of a setting", ""),
        ("[a", "'[a' is no section", "in brackets, as in [server]"),
        ("[a b]", "'[a b]' is no section", "in brackets, as in [server]"),
        ("[]", "'[]' is no section", "in brackets, as in [server]"),
        ("a = “x”", "“ is not a quotation mark of TOML", "straight ones"),
        ("a = „x“", "„ is not a quotation mark of TOML", "straight ones"),
        ("a\u00a0= 1", "there is an invisible character, U+00A0", "remove it"),
        ("a = 1\u200b", "there is an invisible character, U+200B", "remove it"),
        ("a = 1\x00", "there is an invisible character, U+0000", "remove it"),
        ('a = "x\x07"', "there is an invisible character, U+0007", "remove it"),
        ("a = 1\rb", "there is an invisible character, U+000D", "remove it"),
        ("a = 1 b = 2", "'a' has", ""),
        ("a = 2026-13-45", "'a' has", ""),
        ("a = " + "[" * 5000, "'a' has a list that does not close", ""),
        ("a = " + "[" * 5000 + "]" * 5000, "'a' has a list that cannot be read", ""),
        ("[server]", "'[server]' is there already, further up", "keep one of the two"),
        ("port = 2", "'port' is there already, further up", "keep one of the two"),
        ("port.x = 2", "'port.x' is there already, further up", "keep one of the two"),
    ],
)
def test_a_mistake_has_its_line_and_a_sentence(statement: str, what: str, hint: str) -> None:
    before = '# [\n[server]\nport = 443\nx = ["a",\n "b"]\n'
    for after in ("", "\n\n[z]\nb = 2\n"):
        with pytest.raises(SstpcaError) as caught:
            toml.parse(before + statement + after, "/x/y.toml")
        said = str(caught.value)
        what = what.replace("\\'", "'")
        assert said.startswith(f"/x/y.toml, line 6: {what}")
        assert said.isprintable() and len(said) < 250
        assert hint in caught.value.hint and caught.value.hint


def test_a_mistake_within_a_list_has_the_line_of_the_character() -> None:
    with pytest.raises(SstpcaError, match="line 3: ” is not a quotation mark"):
        toml.parse('a = [\n "x",\n ”y”,\n]', "f")


@given(st.text(alphabet="ab=[]{}\"'#\\\n .1,”\x00é"))
@example("a=1\na=1")
@example('a="""\n"""\n[a]')
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        document = toml.parse(text, "f")
    except SstpcaError as error:
        assert str(error).startswith("f, line ")
        assert "\n" not in str(error) + error.hint
    else:
        for name in document.tables:
            assert document.line((name,)) >= 1


@given(st.text())
@example('\x7f\U0001f600"\\\n')
def test_a_string_comes_back(text: str) -> None:
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert tomllib.loads(f"x = {toml.string(text)}") == {"x": text}
