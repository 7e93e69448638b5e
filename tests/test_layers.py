"""Which part may import which: the arrows of the architecture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVER = sorted((ROOT / "server").rglob("*.py"))
PROTOCOLS = [path for path in SERVER if path.parent.name in ("sstp", "ppp", "responders")]

# What would bring in a socket, a clock, chance or a log.
FORBIDDEN = {
    "OpenSSL",
    "asyncio",
    "datetime",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield the level and the dotted name of each import; 0 is absolute, 1 the own package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [""] if module else [alias.name for alias in node.names]
            yield from ((node.level, f"{module}{name}") for name in names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def depth(path: Path) -> int:
    """How many levels of relative import reach the top of the server."""
    return len(path.relative_to(ROOT / "server").parts)


def test_the_reader_of_imports() -> None:
    source = "import os.path, ssl\nfrom . import a, b\nfrom ..c import d\ndef f():\n import time"
    expected = [(0, "os.path"), (0, "ssl"), (0, "time"), (1, "a"), (1, "b"), (2, "c")]
    assert sorted(imports(source)) == expected


def test_there_is_something_to_look_at() -> None:
    assert {path.parent.name for path in PROTOCOLS} == {"sstp", "ppp", "responders"}
    assert len(PROTOCOLS) > 10


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_protocols_do_no_input_or_output(path: Path) -> None:
    found = {module.partition(".")[0] for level, module in imports(path.read_text()) if not level}
    assert not found & FORBIDDEN


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_protocols_know_only_themselves_and_the_contracts(path: Path) -> None:
    up = [module for level, module in imports(path.read_text()) if level == depth(path)]
    # the responders make IP packets
    packets = {"dataplane.segments"} if path.parent.name == "responders" else set()
    assert set(up) <= {"contracts"} | packets


@pytest.mark.parametrize("path", SERVER, ids=name)
def test_the_server_knows_nothing_of_the_toolkit(path: Path) -> None:
    for level, module in imports(path.read_text()):
        assert level <= depth(path), f"{module} is outside of the server"
        if level == 0:
            own = module.partition(".")[0] in ("sstpca", "server", "templates", "tests")
            assert not own, f"{module}: imports inside the server are relative"


TOOLKIT = sorted([*(ROOT / "sstpca").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


@pytest.mark.parametrize("path", TOOLKIT, ids=name)
def test_the_server_has_one_name(path: Path) -> None:
    # A bare "server" would be a second copy of every class.
    modules = {module.partition(".")[0] for level, module in imports(path.read_text()) if not level}
    assert not modules & {"server", "templates"}


# The rooms of the toolkit, the lowest first: what each may import of the others, and what for. A
# module that stands by itself is a room; disk.reading is that one module.
ROOMS: dict[str, tuple[str, str]] = {
    "errors": ("", "everybody raises them"),
    "addresses": ("", "a value"),
    "names": ("errors addresses", "values"),
    "surroundings": ("errors addresses names", "it asks the machine, and knows nothing of a VPN"),
    "toml": ("errors names", "a format"),
    "times": ("errors names", "what people type"),
    "disk": ("errors names", "it writes files for everybody, whatever is in them"),
    "home": ("errors names disk", "it says where things are, not what they are"),
    "secrets": ("errors names disk home", "it reads one file of a home"),
    "x509": (
        "errors names addresses disk.reading",
        "values and their formats: no home, no database, and nobody's judgement but X.509's",
    ),
    "access": ("errors names addresses", "values: whoever keeps them is above"),
    "imports": (
        "errors names access",
        "accounts of other programs, as values: no home, no database",
    ),
    "client": ("server", "the other end of the server's protocols"),
    "setting_kinds": ("", "what a value may be, whichever file it is in"),
    "settings": ("setting_kinds errors names addresses toml disk home", "one file of a home"),
    "lint": (
        "errors names addresses disk.reading x509",
        "it judges certificates of anybody, and knows no home",
    ),
    "doctor": (
        "errors names x509 lint client server",
        "it looks at anybody's server from outside, and knows no home",
    ),
    "store": (
        "errors names addresses disk home secrets settings x509 access server",
        "it keeps values, and asks nobody above what they are for",
    ),
    "authority": (
        "errors names addresses disk home secrets settings x509 lint store server.net.tls",
        "it issues and keeps; what becomes of that is for bundles and the server, whose TLS it asks",
    ),
    "bundle": (
        "errors names addresses toml disk home secrets settings x509 lint access store authority",
        "it makes files; nobody below knows of them",
    ),
    "serving": (
        "errors names addresses disk home secrets setting_kinds settings x509 access store authority server "
        "__version__",
        "the server's view of a home: it needs no bundle, and no front end; metrics say the version",
    ),
    "service": (
        "errors names disk home settings x509.keys authority.backup_folder",
        "it has the machine run this program, whatever that does",
    ),
    "vpn": (
        "errors names addresses toml surroundings disk home secrets settings x509 lint client doctor access imports "
        "store authority bundle service serving server __version__",
        "the use cases; a front end is above them",
    ),
    "cli": (
        "errors names times surroundings disk.reading secrets access imports.reading vpn server __version__",
        "a front end: it reads what people type, calls one verb of vpn, and prints",
    ),
    # what starts the program, and what other programs import
    "__main__": ("cli", "it starts the command line"),
    "__init__": ("errors vpn", "what other programs import"),
}
# the rooms of bundles, in the same way
BUNDLE_ROOMS: dict[str, tuple[str, str]] = {
    "content": ("", "what a bundle says, whoever reads it"),
    "platforms": ("content", "the files of one system"),
    "administrators": ("content", "files for those who set up many PCs"),
    "authenticode": ("content", "signatures, whatever is signed"),
    "archive": ("content", "it puts files on disk, whatever they say"),
    "sheet": ("content", "it prints secrets"),
    "workshop": ("content platforms archive authenticode sheet", "it makes all bundles of a run"),
    "ledger": (
        "content platforms authenticode archive workshop",
        "it compares what was made with what would be made now",
    ),
    "pool": ("workshop archive", "it shares the work"),
}


def room_of(path: Path, top: Path) -> str:
    """Return the room of a module: the folder below ``top``, or the module that stands there."""
    return path.relative_to(top).with_suffix("").parts[0]


def arrows(path: Path, top: Path) -> Iterator[str]:
    """Yield what a module imports of the other rooms below ``top``: ``disk.reading``."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(package[: len(package) - level + 1]) if level else ""
                # "from . import x" names a module, or what __init__ has
                ends = [module] if module else [alias.name for alias in names]
                found = [f"{base}.{end}".lstrip(".") for end in ends]
            case _:
                continue
        own = ".".join(top.relative_to(ROOT).parts) + "."
        yield from (one.removeprefix(own) for one in found if one.startswith(own))


def strangers(path: Path, top: Path, rooms: dict[str, tuple[str, str]]) -> list[str]:
    """Return what a module imports against ``rooms``."""
    room = room_of(path, top)
    allowed = [room, *rooms[room][0].split()]
    return sorted(
        {
            one
            for one in arrows(path, top)
            if not any(one == room or one.startswith(f"{room}.") for room in allowed)
        }
    )


MODULES = sorted((ROOT / "sstpca").rglob("*.py"))
BUNDLE = ROOT / "sstpca" / "bundle"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_knows_those_below_it(path: Path) -> None:
    room = room_of(path, ROOT / "sstpca")
    found = strangers(path, ROOT / "sstpca", ROOMS)
    assert not found, f"{room} imports {', '.join(found)}: {ROOMS[room][1]}"


@pytest.mark.parametrize(
    "path", sorted(BUNDLE.rglob("*/*.py")) + sorted(BUNDLE.glob("[!_]*.py")), ids=name
)
def test_a_room_of_bundles_knows_those_below_it(path: Path) -> None:
    room = room_of(path, BUNDLE)
    found = strangers(path, BUNDLE, BUNDLE_ROOMS)
    assert not found, f"bundle/{room} imports {', '.join(found)}: {BUNDLE_ROOMS[room][1]}"


@pytest.mark.parametrize(
    ("top", "rooms"), [(ROOT / "sstpca", ROOMS), (BUNDLE, BUNDLE_ROOMS)], ids=("sstpca", "bundle")
)
def test_every_room_has_its_floor(top: Path, rooms: dict[str, tuple[str, str]]) -> None:
    found = {room_of(path, top) for path in top.rglob("*.py")}
    assert found - {"__init__"} == set(rooms) - {"__init__"}
    lower = {"server", "__version__"}
    for room, (allowed, _) in rooms.items():
        assert {one.partition(".")[0] for one in allowed.split()} <= lower, room
        lower.add(room)


STORE = sorted((ROOT / "sstpca" / "store").glob("*.py"))
# each module that may have SQL as text: what only SQLite has, and the history of the tables
_TEXTS = {"sqlite", "migrations"}
_WRITING = {"insert", "update", "delete"}


def tables_in(source: str) -> set[str]:
    """Return the names of the tables that ``source`` makes in its outermost scope."""
    return {
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("sa.Table(")
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def written(source: str) -> Iterator[str]:
    """Yield the table of each statement that writes, as it is called in schema.py.

    A name that is not schema.py's is given as it is written.
    """
    tree = ast.parse(source)
    known = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.level, node.module) == (1, "schema")
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            # of a dictionary or a set, these take something
            case ast.Call(func=ast.Attribute(value=table, attr=attr), args=[], keywords=[]):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id="sa"), attr=attr), args=[table, *_]):
                pass
            case _:
                continue
        if attr in _WRITING:
            text = ast.unparse(table)
            yield known.get(text, text.removeprefix("schema."))


def test_the_reader_of_statements() -> None:
    source = (
        "from .schema import users as people, pools\n"
        "pools.insert().values(x=1)\npeople.update().where(x)\nschema.bundles.delete()\n"
        "sa.insert(pools)\ntable.delete()\nfound.update(a)\npools.select()"
    )
    assert sorted(written(source)) == ["bundles", "pools", "pools", "table", "users"]
    assert tables_in("a = sa.Table('a', m)\nb = sa.Index('b')\nc: int = 1") == {"a"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_sql_is_in_one_room(path: Path) -> None:
    if path in STORE:
        return
    found = {module.partition(".")[0] for level, module in imports(path.read_text()) if not level}
    assert not found & {"sqlalchemy", "sqlite3"}, "SQL is store's: call a function of its modules"
    inside = {"store.database", "store.schema", "store.migrations", "store.sqlite", "store.leases"}
    found = set(arrows(path, ROOT / "sstpca"))
    assert not found & inside, "import Store and Transaction from store; the rest is its own"


def test_each_table_is_written_by_one_module() -> None:
    tables = tables_in((ROOT / "sstpca" / "store" / "schema.py").read_text())
    writers = {
        path.stem: set(written(path.read_text())) for path in STORE if path.stem != "migrations"
    }
    # of the history of the tables, only which step it is at
    history = set(written((ROOT / "sstpca" / "store" / "migrations.py").read_text()))
    writers["migrations"] = history & {"schema"}
    assert {table for found in writers.values() for table in found} == tables
    for table in tables:
        [_] = [module for module, found in writers.items() if table in found]


@pytest.mark.parametrize("path", STORE, ids=name)
def test_sql_as_text_is_sqlites_own(path: Path) -> None:
    texts = {"exec_driver_sql", "text", "DDL"}
    found = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert path.stem in _TEXTS | {"schema"} or not found & texts


CODE = sorted([*(ROOT / "server").rglob("*.py"), *(ROOT / "sstpca").rglob("*.py")])
# what would take a text apart, or look for a word in it
_TAKING_APART = {
    *("startswith", "endswith", "partition", "rpartition", "split", "rsplit", "splitlines"),
    *("find", "rfind", "index", "count", "replace", "removeprefix", "removesuffix", "lower"),
    *("match", "fullmatch", "search", "sub", "findall", "finditer"),
}
# where the words are put on one line for a quotation
_QUOTING = {("sstpca/bundle/render.py", "_reason")}


def words_of(node: ast.AST, errors: set[str]) -> bool:
    """Return whether ``node`` is the text of a caught error: str(error), error.args, .reason."""
    match node:
        case ast.Call(func=ast.Name(id="str" | "repr"), args=[ast.Name(id=name)]):
            return name in errors
        case ast.Attribute(value=ast.Name(id=name), attr="args" | "strerror" | "msg" | "message"):
            return name in errors
        case ast.Attribute(value=ast.Name(id=name), attr="reason" | "orig"):
            return name in errors
        case ast.Subscript(value=value) | ast.Attribute(value=value) | ast.Call(func=value):
            return words_of(value, errors)
        case ast.BoolOp(values=values):
            return any(words_of(value, errors) for value in values)
    return False


def taken_apart(source: str) -> Iterator[tuple[str, int]]:
    """Yield function and line of each decision, or text, made out of an exception's own words."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        errors = {one.name for one in ast.walk(function) if isinstance(one, ast.ExceptHandler)}
        errors |= {
            one.arg
            for one in function.args.args
            if one.annotation is not None and "Error" in ast.unparse(one.annotation)
        }
        known = {name for name in errors if name}
        for node in ast.walk(function):
            if not isinstance(node, ast.expr | ast.stmt):
                continue
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args):
                    found = attr in _TAKING_APART and any(
                        words_of(one, known) for one in (value, *args)
                    )
                case ast.Compare(left=left, comparators=others):
                    found = any(words_of(one, known) for one in (left, *others))
                case ast.Match(subject=subject):
                    found = words_of(subject, known)
                case _:
                    found = False
            if found:
                yield function.name, node.lineno


@pytest.mark.parametrize(
    "line",
    [
        'str(error).startswith("x")',
        '"x" in str(error)',
        're.sub("x", "", str(error))',
        'str(error).partition(" - at ")',
        'error.reason.replace("_", " ")',
        'error.args[0] == "x"',
        "(error.reason or str(error)).lower()",
    ],
)
def test_the_reader_of_decisions(line: str) -> None:
    body = f"def f():\n try:\n  g()\n except E as error:\n  h({line})"
    assert list(taken_apart(body)) == [("f", 5)]
    assert list(taken_apart(f"def f(error: ValueError):\n h({line})")) == [("f", 2)]
    assert not list(taken_apart("def f(error: ValueError):\n h(f'{error}', error.errno == 5)"))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_hangs_on_the_words_of_an_exception(path: Path) -> None:
    """They belong to whoever raised it, and change with its next release.

    Decide by class, number or a table of constants; show the rest as it is, as a quotation.
    """
    found = [one for one in taken_apart(path.read_text()) if (name(path), one[0]) not in _QUOTING]
    assert not found
