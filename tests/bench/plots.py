"""The bench's pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot

from tests.bench.figures import Cell, Series, Table
from tests.bench.logins import Many

_UP, _DOWN = "#1f77b4", "#ff7f0e"
_STYLE: Final = {
    "figure.dpi": 110,
    "font.size": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}
_CURVES: Final = {"idle": "#2ca02c", "download": _DOWN, "upload": _UP}


def draw(
    folder: Path,
    tables: Mapping[str, Table],
    waits: Mapping[str, Sequence[float]],
    storms: Mapping[str, Sequence[float]],
    held: Sequence[Many],
) -> list[Path]:
    """Draw what there is; return the files."""
    made = []
    with mpl.rc_context(_STYLE):
        if "throughput" in tables:
            made.append(_throughput(folder, tables["throughput"], tables.get("udp")))
        if waits:
            made.append(_waits(folder, waits))
        if "loss" in tables:
            made.append(_loss(folder, tables["loss"]))
        if storms:
            made.append(_storm(folder, storms))
        if held:
            made.append(_memory(folder, held))
    return made


def _number(cell: Cell) -> float:
    if isinstance(cell, Series):
        return cell.median
    return cell if isinstance(cell, int | float) else 0.0


def _throughput(folder: Path, tcp: Table, udp: Table | None) -> Path:
    """Draw Gbit/s and processor seconds for 10^9 bytes, by payload."""
    bars: dict[str, dict[str, tuple[float, float]]] = {}
    for row in tcp.rows:
        streams = f", TCP x {_number(row['streams']):.0f}" if "plain" not in str(row["way"]) else ""
        name = f"{row['way']}{streams}"
        both = _number(row["gigabits"]), _number(row["cost"])
        bars.setdefault(name, {})[str(row["direction"])] = both
    for row in udp.rows if udp else []:
        size, rate = _number(row["size"]), _number(row["most"])
        both = rate * size * 8e-9, _number(row["cost"]) * 1e3 / size
        name = f"a record for each packet, UDP {size:.0f} B"
        bars.setdefault(name, {})[str(row["direction"])] = both
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 5.5), sharey=True)
    heads = "throughput, Gbit/s", "server CPU, seconds for 10$^9$ bytes"
    for axis, at, head in zip(axes, (0, 1), heads, strict=True):
        for offset, direction, colour in ((-0.2, "up", _UP), (0.2, "down", _DOWN)):
            values = [one.get(direction, (0.0, 0.0))[at] for one in bars.values()]
            places = [number + offset for number in range(len(bars))]
            drawn = axis.barh(places, values, 0.38, color=colour, label=_direction(direction))
            axis.bar_label(drawn, fmt="%.2f" if at == 0 else "%.1f", padding=3, fontsize=9)
        axis.set_xlabel(head)
        axis.margins(x=0.15)
    # UDP in small packets costs many times what TCP does
    axes[1].set_xscale("log")
    axes[1].xaxis.set_major_formatter("{x:g}")
    axes[0].set_yticks(range(len(bars)), list(bars))
    axes[0].invert_yaxis()
    axes[0].legend(loc="lower right")
    return _save(figure, folder, "throughput")


def _direction(word: str) -> str:
    return "client to server (up)" if word == "up" else "server to client (down)"


def _waits(folder: Path, waits: Mapping[str, Sequence[float]]) -> Path:
    """Draw which share of pings was back after how long, on the wide way and on the narrow one."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 5), sharey=True)
    panels = (
        ("outer path: as wide as the machine", "", "a light user's ping"),
        ("outer path: 20 Mbit/s, 10 ms", " at 20 Mbit/s", "ping outside the tunnel"),
    )
    for axis, (title, where, other) in zip(axes, panels, strict=True):
        for load, colour in _CURVES.items():
            for what, line in (("own ping, without its client", "-"), (other, "--")):
                ranked = sorted(waits.get(f"{load}{where}: {what}", ()))
                shares = [(number + 1) / len(ranked) for number in range(len(ranked))]
                if ranked:
                    name = what.removesuffix(", without its client")
                    axis.plot(ranked, shares, line, color=colour, label=f"{load}: {name}")
        axis.set_xscale("log")
        axis.set_xlabel("milliseconds")
        axis.set_title(title, fontsize=11)
        axis.set_xlim(0.2, 500)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.legend(fontsize=9, loc="lower right")
    axes[0].set_ylabel("share that had arrived")
    return _save(figure, folder, "latency")


def _loss(folder: Path, table: Table) -> Path:
    """Draw what a download gets at each loss, plain and in the tunnel."""
    figure, axis = pyplot.subplots(figsize=(7, 4.5))
    controls = list(dict.fromkeys(str(row["control"]) for row in table.rows))
    for control, colour in zip(controls, (_UP, _DOWN), strict=False):
        rows = [row for row in table.rows if row["control"] == control]
        losses = [f"{_number(row['loss']):g}" for row in rows]
        for key, line, name in (("plain", "--", "plain TLS"), ("tunnel", "-", "in the tunnel")):
            rates = [_number(row[key]) for row in rows]
            axis.plot(losses, rates, line, marker="o", color=colour, label=f"{name}, {control}")
    axis.set_xlabel("packets lost on the outer path in each direction, %")
    axis.set_ylabel("download, Mbit/s")
    axis.set_ylim(bottom=0)
    axis.legend()
    return _save(figure, folder, "loss")


def _storm(folder: Path, storms: Mapping[str, Sequence[float]]) -> Path:
    """Draw how many clients were up after how long."""
    figure, axis = pyplot.subplots(figsize=(7, 4.5))
    for key, times in storms.items():
        ranked = sorted(times)
        axis.plot([0.0, *ranked], range(len(ranked) + 1), label=key.upper())
    axis.set_xlabel("seconds since all began")
    axis.set_ylabel("clients logged in")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(title="server's key", loc="lower right")
    return _save(figure, folder, "storm")


def _memory(folder: Path, held: Sequence[Many]) -> Path:
    """Draw memory over sessions."""
    figure, axis = pyplot.subplots(figsize=(7, 4.5))
    counts = [0, *(one.sessions for one in held)]
    for name, marker, each in (
        ("workers (Pss)", "o", [one.memory for one in held]),
        ("kernel, both ends", "s", [one.kernel for one in held]),
    ):
        totals = [0.0, *(kb * one.sessions / 1024 for kb, one in zip(each, held, strict=True))]
        axis.plot(counts, totals, marker=marker, label=f"{name}: {each[-1]:.1f} KB each")
    axis.set_xlabel("idle sessions")
    axis.set_ylabel("memory beyond an empty server's, MiB")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")
    return _save(figure, folder, "memory")


def _save(figure: Any, folder: Path, name: str) -> Path:
    path = folder / f"{name}.png"
    figure.savefig(path)
    pyplot.close(figure)
    return path
