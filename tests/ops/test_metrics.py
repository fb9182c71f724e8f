import pytest
from prometheus_client.parser import text_string_to_metric_families
from visiona.ops.health import HealthBoard
from visiona.ops.log_writer import WriterStatistics
from visiona.ops.metrics import FRESH_SECONDS, MAX_DEVICE_LABELS, DeviceFigures, Figure, Metrics, Sources
from visiona.ops.stalls import StallWatch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def samples(sources: Sources) -> dict[str, dict[str, float]]:
    """name → {label value or "" → number}."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(Metrics(sources).page().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[next(iter(sample.labels.values()), "")] = sample.value
    return found


def devices(count: int) -> list[DeviceFigures]:
    return [DeviceFigures(f"d{number:05}", float(number), 1, 10, 0.5) for number in range(count)]


def test_tunnels_are_counted_and_described() -> None:
    found = samples(
        Sources(devices=lambda: [DeviceFigures("a", 1.0, 2, 30, 0.25), DeviceFigures("b", 2.0, 0, 0, None)])
    )
    assert found["visiona_tunnels"][""] == 2
    assert found["visiona_tunnel_streams"] == {"a": 2, "b": 0}
    assert found["visiona_tunnel_queued_bytes"]["a"] == 30
    assert found["visiona_tunnel_rtt_seconds"] == {"a": 0.25}


@pytest.mark.parametrize(
    ("count", "labels"),
    [
        (MAX_DEVICE_LABELS - 1, MAX_DEVICE_LABELS - 1),
        (MAX_DEVICE_LABELS, MAX_DEVICE_LABELS),
        (10_000, MAX_DEVICE_LABELS + 1),
    ],
)
def test_s09_any_number_of_devices_has_a_bounded_number_of_labels(count: int, labels: int) -> None:
    found = samples(Sources(devices=lambda: devices(count)))
    assert len(found["visiona_tunnel_streams"]) == labels
    assert sum(found["visiona_tunnel_streams"].values()) == count
    assert found["visiona_tunnels"][""] == count


def test_s09_a_further_device_takes_no_label_from_an_older_one() -> None:
    before = samples(Sources(devices=lambda: devices(MAX_DEVICE_LABELS)))["visiona_tunnel_streams"]
    after = samples(Sources(devices=lambda: list(reversed(devices(MAX_DEVICE_LABELS + 5)))))[
        "visiona_tunnel_streams"
    ]
    assert set(after) - set(before) == {"other"}


def test_s09_scraping_a_hundred_times_a_second_makes_one_page() -> None:
    clock, reads = Clock(), []
    metrics = Metrics(
        Sources(figures=[Figure("visiona_x", "X.", lambda: float(len(reads.append(1) or reads)))]), clock
    )
    for _ in range(100):
        metrics.page()
    assert len(reads) == 1
    clock.now = FRESH_SECONDS
    metrics.page()
    assert len(reads) == 2


def test_health_is_shown_check_by_check() -> None:
    board = HealthBoard()
    board.report("database", ok=False)
    found = samples(Sources(health=board.snapshot))
    assert found["visiona_ready"][""] == 0
    assert found["visiona_check_ok"] == {"database": 0}


def test_the_loops_lag_is_a_histogram() -> None:
    clock = Clock()
    watch = StallWatch(clock=clock)
    for took in (0.0005, 0.02, 3.0):
        watch.after_io_wait(0)
        clock.now += took
        watch.before_io_wait(0)
    found = samples(Sources(stalls=watch.statistics))
    assert found["visiona_loop_lag_seconds_bucket"]["0.001"] == 1
    assert found["visiona_loop_lag_seconds_bucket"]["0.025"] == 2
    assert found["visiona_loop_lag_seconds_bucket"]["+Inf"] == 3
    assert found["visiona_loop_lag_seconds_sum"][""] == pytest.approx(3.0205)
    assert found["visiona_loop_stalls_total"][""] == 1


def test_lost_log_lines_are_counted_by_reason() -> None:
    found = samples(Sources(logs=lambda: WriterStatistics(written=9, dropped=2, failed=1, queued=0)))
    assert found["visiona_log_lines_total"][""] == 9
    assert found["visiona_log_lines_lost_total"] == {"queue_full": 2, "output_failed": 1}


def test_counters_and_gauges_of_other_parts_are_read_when_asked() -> None:
    figures = [
        Figure("visiona_exchanges", "E.", lambda: 5, is_counter=True),
        Figure("visiona_open", "O.", lambda: 7),
    ]
    found = samples(Sources(figures=figures))
    assert found["visiona_exchanges_total"][""] == 5
    assert found["visiona_open"][""] == 7


def test_two_servers_in_one_process_have_pages_of_their_own() -> None:
    one = Metrics(Sources(figures=[Figure("visiona_one", "1.", lambda: 1)]))
    two = Metrics(Sources(figures=[Figure("visiona_two", "2.", lambda: 2)]))
    assert b"visiona_two" not in one.page()
    assert b"visiona_one" not in two.page()
