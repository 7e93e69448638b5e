"""sstpca server monitoring: rules and dashboard that fit what the server says, by their own tools."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.server.contracts import Figures, Pool
from sstpca.server.metrics.exposition import render
from sstpca.server.metrics.gathered import Gathered
from tests.support.requirements import require
from tests.support.scrape import Scrape

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]

FILES = {"prometheus.yml", "alerts.yml", "grafana.json"}


def names() -> set[str]:
    """Return the names of all samples that a server has."""
    told = Gathered(
        versions={"version": "1"},
        figures=Figures({"default": Pool(1, 1)}, {"user": 0}, {"server": 1.0}),
    )
    text, _ = render([], told, accept="", monotonic=1.0, now=1.0)
    return {name for name, _ in Scrape(text.decode()).samples}


@pytest.fixture
def written(run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "monitoring"
    result = run("server", "monitoring", "--output", str(folder))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder}\n"
    assert "warning: the server answers nobody" in result.stderr
    return folder


def expressions(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from (found for key in ("expr",) if isinstance(found := value.get(key), str))
            for one in value.values():
                yield from expressions(one)
        case list():
            for one in value:
                yield from expressions(one)


def test_every_metric_of_the_rules_and_the_dashboard_is_one_of_ours(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == FILES
    there = names()
    for name in ("alerts.yml", "grafana.json"):
        used = set(re.findall(r"\bsstpca_[a-z_]+", (written / name).read_text()))
        assert len(used) > 5
        assert used <= there, used - there


def test_prometheus_own_tool_is_content(written: Path) -> None:
    require("promtool", root=False)
    for what, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        done = subprocess.run(
            ["promtool", "check", what, str(written / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_expressions_of_the_dashboard_are_prometheus(written: Path, tmp_path: Path) -> None:
    require("promtool", root=False)
    found = list(expressions(json.loads((written / "grafana.json").read_text())))
    assert len(found) > 15
    # Grafana fills in its variables
    filled = [one.replace("$__rate_interval", "1m").replace("$instance", ".*") for one in found]
    rules = [
        f"  - record: x{number}\n    expr: {json.dumps(one)}" for number, one in enumerate(filled)
    ]
    path = tmp_path / "rules.yml"
    path.write_text("groups:\n- name: x\n  rules:\n" + "\n".join(rules) + "\n")
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_whole(written: Path) -> None:
    dashboard = json.loads((written / "grafana.json").read_text())
    assert dashboard["uid"] == "sstpca"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        assert panel["type"] in ("stat", "timeseries")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert [one["name"] for one in dashboard["templating"]["list"]] == ["datasource", "instance"]


def test_the_address_of_the_settings(run: Run, home: Home, tmp_path: Path) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace('listen = ""', 'listen = "[::1]:9500"'))
    folder = tmp_path / "monitoring"
    result = run("server", "monitoring", "--output", str(folder))
    assert "warning" not in result.stderr
    assert 'targets: ["[::1]:9500"]' in (folder / "prometheus.yml").read_text()


def test_what_is_there_stays(run: Run, refused: Refused, written: Path) -> None:
    (written / "alerts.yml").write_text("mine")
    refused(run("server", "monitoring", "--output", str(written)), 1)
    assert (written / "alerts.yml").read_text() == "mine"
    assert run("server", "monitoring", "--output", str(written), "--force").exit_code == 0


@pytest.mark.parametrize(
    "value", ["9477", "localhost:9477", "127.0.0.1", "::1:9477", "127.0.0.1:0"]
)
def test_an_address_that_is_none(run: Run, refused: Refused, home: Home, value: str) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace('listen = ""', f'listen = "{value}"'))
    line = refused(run("server", "monitoring"), 1)
    assert "[metrics] listen has to be an address and a port" in line
