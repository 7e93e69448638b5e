"""``sstpca server monitoring``: what Prometheus and Grafana need."""

from pathlib import Path

import click

from ..errors import command
from .context import Context
from .options import force_option
from .output import talk, warn
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=Path("sstpca-monitoring"),
    show_default=True,
    metavar="DIR",
    help="The folder to write.",
)
@force_option
@click.pass_obj
def monitoring(context: Context, output: Path, force: bool) -> None:
    """Write alert rules for Prometheus and a dashboard for Grafana.

    The folder has prometheus.yml, with what Prometheus' own settings need for this server,
    alerts.yml, and grafana.json, which Grafana imports. The server answers Prometheus where
    settings.toml says so: listen below [metrics].

    \b
        sstpca server monitoring
        sstpca server monitoring --output /etc/prometheus/sstpca
    """
    answers = context.vpn.administrators.write_monitoring(output, force=force)
    click.echo(output)
    if not answers:
        what = "the server answers nobody: set listen below [metrics] in settings.toml, then '"
        warn(what, command("restart"), "'")
    talk("next: take prometheus.yml over into Prometheus' own; 'promtool check config' checks it")
    talk("then, in Grafana: Dashboards, New, Import, with grafana.json")
