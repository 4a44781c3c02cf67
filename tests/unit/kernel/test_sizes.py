"""Numbers of bytes as text."""

import pytest

from mesosphere.kernel.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "count"),
    [("2GB", 2 << 30), ("500MB", 500 << 20), ("10kb", 10240), ("7B", 7), ("7", 7), ("0", 0)],
)
def test_sizes_are_read_in_units_of_1024(text: str, count: int) -> None:
    assert parse_size(text) == count
    assert parse_size(format_size(count)) == count


@pytest.mark.parametrize("text", ["", "GB", "1.5GB", "-1B", "1 PB", "9" * 30])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)
