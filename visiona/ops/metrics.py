"""Statistics → Prometheus text. Pulls when scraped; nothing below knows that Prometheus exists.

Each part shows its figures by a plain function without arguments, given by the composition root. Device labels are
bounded (S-09): the longest connected MAX_DEVICE_LABELS have their own, the rest share `other`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from visiona.ops.health import Health
from visiona.ops.log_writer import WriterStatistics
from visiona.ops.stalls import LAG_BOUNDS_SECONDS, StallStatistics

MAX_DEVICE_LABELS = 200
OTHER = "other"

FRESH_SECONDS = 1.0
"""A page is made at most once in this time, however often it is scraped."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """One live tunnel in numbers. `connected_at` orders them: any clock, in seconds."""

    device_id: str
    connected_at: float
    streams: int
    queued_bytes: int
    rtt_seconds: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of some part, read when the page is made. Counters end in `_total` on the page by themselves."""

    name: str
    documentation: str
    read: Callable[[], float]
    is_counter: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures come from; all of it optional, so that parts can be watched alone."""

    devices: Callable[[], Sequence[DeviceFigures]] | None = None
    health: Callable[[], Health] | None = None
    stalls: Callable[[], StallStatistics] | None = None
    logs: Callable[[], WriterStatistics] | None = None
    figures: Sequence[Figure] = ()


class Metrics:
    """The page at /metrics. Not the library's global registry: two servers in one process would share it."""

    def __init__(self, sources: Sources, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Puller(sources))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._page = b""
        self._made_at = float("-inf")

    def page(self) -> bytes:
        """The text, at most FRESH_SECONDS old."""
        if self._clock() - self._made_at >= FRESH_SECONDS:
            self._page = generate_latest(self._registry)
            self._made_at = self._clock()
        return self._page


class _Puller(Collector):
    """Turns the sources into metric families, anew at each scrape."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        sources = self._sources
        if sources.devices is not None:
            yield from _device_metrics(sources.devices())
        if sources.health is not None:
            yield from _health_metrics(sources.health())
        if sources.stalls is not None:
            yield from _stall_metrics(sources.stalls())
        if sources.logs is not None:
            yield from _log_metrics(sources.logs())
        for figure in sources.figures:
            family = CounterMetricFamily if figure.is_counter else GaugeMetricFamily
            yield family(figure.name, figure.documentation, value=figure.read())


def _device_metrics(devices: Sequence[DeviceFigures]) -> Iterator[Metric]:
    yield GaugeMetricFamily("visiona_tunnels", "Tunnels that are up.", value=len(devices))
    # The oldest keep their labels, so one more device moves no other device's series to `other`.
    ordered = sorted(devices, key=lambda device: (device.connected_at, device.device_id))
    labelled, rest = ordered[:MAX_DEVICE_LABELS], ordered[MAX_DEVICE_LABELS:]
    streams = GaugeMetricFamily("visiona_tunnel_streams", "Streams open in a tunnel.", labels=["device"])
    queued = GaugeMetricFamily(
        "visiona_tunnel_queued_bytes", "Bytes waiting to be sent to an agent.", labels=["device"]
    )
    rtt = GaugeMetricFamily("visiona_tunnel_rtt_seconds", "Round trip of the last PING.", labels=["device"])
    for device in labelled:
        streams.add_metric([device.device_id], device.streams)
        queued.add_metric([device.device_id], device.queued_bytes)
        if device.rtt_seconds is not None:
            rtt.add_metric([device.device_id], device.rtt_seconds)
    if rest:
        streams.add_metric([OTHER], sum(device.streams for device in rest))
        queued.add_metric([OTHER], sum(device.queued_bytes for device in rest))
        if known := [device.rtt_seconds for device in rest if device.rtt_seconds is not None]:
            rtt.add_metric([OTHER], max(known))
    yield from (streams, queued, rtt)


def _health_metrics(health: Health) -> Iterator[Metric]:
    yield GaugeMetricFamily("visiona_ready", "1 when /readyz answers 200.", value=int(health.ready))
    yield GaugeMetricFamily("visiona_draining", "1 from SIGTERM on.", value=int(health.draining))
    checks = GaugeMetricFamily("visiona_check_ok", "1 when the check passes.", labels=["check"])
    for name, check in health.checks.items():
        checks.add_metric([name], int(check.ok))
    yield checks


def _stall_metrics(stalls: StallStatistics) -> Iterator[Metric]:
    bounds = [*(str(bound) for bound in LAG_BOUNDS_SECONDS), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(stalls.counts)), strict=True))
    documentation = "How long the event loop ran tasks before it looked at its sockets again."
    yield HistogramMetricFamily(
        "visiona_loop_lag_seconds", documentation, buckets=buckets, sum_value=stalls.busy_seconds
    )
    yield CounterMetricFamily("visiona_loop_stalls", "Times the event loop was blocked.", value=stalls.stalls)
    yield CounterMetricFamily(
        "visiona_loop_stalled_seconds", "Time it was blocked.", value=stalls.stalled_seconds
    )


def _log_metrics(logs: WriterStatistics) -> Iterator[Metric]:
    yield CounterMetricFamily("visiona_log_lines", "Log lines written.", value=logs.written)
    lost = CounterMetricFamily("visiona_log_lines_lost", "Log lines that nobody could read.", labels=["why"])
    lost.add_metric(["queue_full"], logs.dropped)
    lost.add_metric(["output_failed"], logs.failed)
    yield lost
