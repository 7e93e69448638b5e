"""What was measured, and how it is shown: series of rounds, and tables of them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: What a cell says for which nothing was measured.
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Series:
    """The same thing, measured once in each round."""

    rounds: tuple[float, ...]

    @classmethod
    def by_key(cls, rounds: Sequence[Mapping[str, float]]) -> dict[str, "Series"]:
        """Return the series of what each round calls by the same name."""
        return {key: cls(tuple(one[key] for one in rounds)) for key in rounds[0]}

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """Half of what lies between the least and the most, as a share of the median."""
        half = (max(self.rounds) - min(self.rounds)) / 2
        return half / abs(self.median) if half else 0.0


Cell = Series | float | int | str | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    :param key: what its cells are in a row.
    :param head: what stands above it.
    :param digits: digits behind the point.
    :param spread: whether the spread of a series stands behind its median.
    """

    key: str
    head: str
    digits: int = 2
    spread: bool = False

    def show(self, cell: Cell) -> str:
        """Return a cell as it stands in the table."""
        match cell:
            case None:
                return NOTHING
            case str():
                return cell
            case Series() if self.spread:
                return f"{cell.median:.{self.digits}f} ±{cell.spread:.0%}"
            case Series():
                return f"{cell.median:.{self.digits}f}"
            case _:
                return f"{cell:.{self.digits}f}"


@dataclass(slots=True)
class Table:
    """One subject's figures.

    :param name: a word, for the JSON.
    :param title: one line above it.
    :ivar notes: lines below it.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[dict[str, Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return it as it stands on the terminal: words to the left, figures to the right."""
        heads, shown = self._heads(), self._shown()
        widths = [max(map(len, cells)) for cells in zip(heads, *shown, strict=True)]
        words = self._words()

        def line(cells: Sequence[str]) -> str:
            parts = zip(cells, widths, words, strict=True)
            return "  ".join(c.ljust(w) if word else c.rjust(w) for c, w, word in parts).rstrip()

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, line(heads), rule, *map(line, shown), *self.notes])

    def markdown(self) -> str:
        """Return it as it stands in a document."""
        rule = ["---" if word else "---:" for word in self._words()]
        lines = [f"| {' | '.join(cells)} |" for cells in (self._heads(), rule, *self._shown())]
        return "\n".join([f"{self.title}.", "", *lines, "", *self.notes])

    def _heads(self) -> list[str]:
        return [column.head.strip() for column in self.columns]

    def _shown(self) -> list[list[str]]:
        return [[column.show(row.get(column.key)) for column in self.columns] for row in self.rows]

    def _words(self) -> list[bool]:
        """Return which columns have words: they stand to the left."""
        return [
            any(isinstance(row.get(column.key), str) for row in self.rows)
            for column in self.columns
        ]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it: each round of each series, with its median and spread."""
        return {
            "title": self.title,
            "units": {column.key: column.head for column in self.columns},
            "rows": [{key: _plain(cell) for key, cell in row.items()} for row in self.rows],
            "notes": self.notes,
        }


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Series):
        return {"rounds": list(cell.rounds), "median": cell.median, "spread": cell.spread}
    return cell


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which ``share`` of ``values`` lie; None if there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else None
