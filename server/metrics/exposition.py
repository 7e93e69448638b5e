"""The metrics as Prometheus' own library writes them.

It is imported by the exporter alone, and by tests: no command waits for it.
"""

from collections.abc import Iterable, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from ..contracts import Figures
from .figures import FIGURES, Figure, MetricType
from .gathered import Gathered
from .health import complaint, living


def render(
    slots: Sequence[Sequence[float]],
    told: Gathered,
    *,
    accept: str,
    monotonic: float,
    now: float,
) -> tuple[bytes, str]:
    """Return the metrics, and the type of their content.

    :param slots: of the board: workers' numbers are summed up.
    :param accept: what the client takes, as HTTP's field of that name has it.
    :param now: seconds since 1970; ``monotonic`` is the time of the machine's monotonic clock.
    """
    families = [_family(figure, slots) for figure in FIGURES]
    well = not complaint(slots, told, monotonic=monotonic, now=now)
    families += _of_server(told, len(living(slots, monotonic)), well=well)
    if told.figures is not None:
        families += _of_store(told.figures)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type


class _Collected:
    """Prometheus' library asks a collector for what there is."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(figure: Figure, slots: Sequence[Sequence[float]]) -> Metric:
    """Return one figure, summed up over all workers."""
    names = list(figure.labels)

    def total(at: int) -> float:
        return sum(slot[at] for slot in slots)

    if figure.kind is MetricType.HISTOGRAM:
        histogram = HistogramMetricFamily(figure.name, figure.help, labels=names)
        for labels, at in figure.places.items():
            buckets, count = [], 0.0
            for number, bound in enumerate((*map(str, figure.bounds), "+Inf")):
                count += total(at + number)
                buckets.append((bound, count))
            histogram.add_metric(list(labels), buckets, total(at + figure.cells - 1))
        return histogram
    kind = CounterMetricFamily if figure.kind is MetricType.COUNTER else GaugeMetricFamily
    family = kind(figure.name, figure.help, labels=names)
    for labels, at in figure.places.items():
        family.add_metric(list(labels), total(at))
    return family


def _of_server(told: Gathered, workers: int, *, well: bool) -> list[Metric]:
    versions = list(told.versions)
    build = GaugeMetricFamily("sstpca_build_info", "What runs; the value is 1.", labels=versions)
    build.add_metric([told.versions[name] for name in versions], 1)
    return [
        build,
        GaugeMetricFamily("sstpca_start_time_seconds", "When the server started.", told.begun),
        GaugeMetricFamily("sstpca_up", "Whether it takes logins, as /health says.", float(well)),
        GaugeMetricFamily("sstpca_draining", "Whether it takes no new sessions.", told.draining),
        GaugeMetricFamily("sstpca_workers", "Worker processes that run.", workers),
        GaugeMetricFamily("sstpca_workers_wanted", "Worker processes to be.", told.workers),
        CounterMetricFamily("sstpca_workers_lost", "Workers that ended unexpectedly.", told.lost),
    ]


def _of_store(figures: Figures) -> list[Metric]:
    addresses = GaugeMetricFamily(
        "sstpca_pool_addresses", "Addresses of the access profile's pools.", labels=["profile"]
    )
    used = GaugeMetricFamily(
        "sstpca_pool_used_addresses", "Of these, addresses that are in use.", labels=["profile"]
    )
    for profile, pool in figures.pools.items():
        addresses.add_metric([profile], pool.addresses)
        used.add_metric([profile], pool.used)
    lockouts = GaugeMetricFamily(
        "sstpca_lockouts", "Locked for wrong passwords, by what is locked.", labels=["locked"]
    )
    for locked, count in figures.lockouts.items():
        lockouts.add_metric([locked], count)
    ends = GaugeMetricFamily(
        "sstpca_certificate_end_timestamp_seconds",
        "When the certificate ends, seconds since 1970.",
        labels=["certificate"],
    )
    for name, end in figures.certificates.items():
        ends.add_metric([name], end)
    return [addresses, used, lockouts, ends]
