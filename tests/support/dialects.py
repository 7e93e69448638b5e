"""Statements compile for PostgreSQL, not only for SQLite."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

SQLITE, POSTGRESQL = (
    sa.make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql")
)


@contextlib.contextmanager
def all_compile_for_postgresql() -> Iterator[set[str]]:
    """Compile each new statement that is executed in the block for PostgreSQL as well.

    One that cannot be raises CompileError where it is executed. Gives the statements, in SQLite's
    words; what is text already belongs to SQLite alone (tests/test_layers.py says where).
    """
    seen: set[str] = set()

    def compile_(
        _connection: object,
        _cursor: object,
        statement: str,
        _parameters: object,
        context: Any,
        *_: object,
    ) -> None:
        if statement in seen or context is None or context.compiled is None:
            return
        context.compiled.statement.compile(dialect=POSTGRESQL)
        seen.add(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", compile_)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", compile_)
