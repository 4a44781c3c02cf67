"""Log lines: which are written."""

import io

from mesosphere.runtime.logs import Log


def written(log: Log, stream: io.StringIO, level: str) -> bool:
    before = len(stream.getvalue())
    log.write(level, "happened", {})
    return len(stream.getvalue()) > before


def test_raised_log_writes_everything_until_it_falls_back() -> None:
    stream = io.StringIO()
    log = Log("master", "WARNING", stream)
    assert not written(log, stream, "info") and written(log, stream, "warning")
    log.raise_to(2)
    assert written(log, stream, "debug") and log.writes("debug") and log.level == "warning"
    log.raise_to(0)
    assert not written(log, stream, "info") and written(log, stream, "error")
