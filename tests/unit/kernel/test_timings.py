"""Timers of the metrics."""

from mesosphere.kernel.timings import WINDOW, Timing


def test_nothing_is_shown_before_the_first_value() -> None:
    assert Timing().show("t_ms") == {}


def test_percentiles_lie_between_the_values() -> None:
    timing = Timing()
    for seconds in range(1, 102):
        timing.add(seconds / 1000)
    shown = timing.show("t_ms")
    assert shown["t_ms"] == 101 and shown["t_ms/count"] == 101
    assert (shown["t_ms/min"], shown["t_ms/p50"], shown["t_ms/max"]) == (1, 51, 101)
    assert shown["t_ms/p99"] == 100 and 100 < shown["t_ms/p999"] < shown["t_ms/p9999"] <= 101


def test_only_the_last_values_count() -> None:
    timing = Timing()
    for number in range(WINDOW + 10):
        timing.add(number)
    shown = timing.show("t_ms")
    assert shown["t_ms/count"] == WINDOW and shown["t_ms/min"] == 10_000
