"""Structured log lines on stderr: `time LEVEL component event key=value ...`.

Values with spaces or quotes are written as JSON strings. Libraries that log through `logging`
(kazoo, asyncio) come out in the same shape.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

VALUE_LIMIT = 2_000
"""Characters of one value; the rest is cut."""


class Log:
    """Writes lines of one component at or above a level."""

    def __init__(self, component: str, level: str = "INFO", stream: TextIO | None = None) -> None:
        self.component = component
        self.level = level.lower()
        self._stream = stream if stream is not None else sys.stderr

    @property
    def level(self) -> str:
        """The least level that is written, unless it was raised."""
        return self._level

    @level.setter
    def level(self, name: str) -> None:
        self._threshold = LEVELS[name]
        self._level = name

    def raise_to(self, verbosity: int) -> None:
        """Write everything while `verbosity` is above 0, and what was configured at 0."""
        self._threshold = LEVELS["debug" if verbosity > 0 else self._level]

    def writes(self, level: str) -> bool:
        """Whether a line of this level would be written."""
        return LEVELS[level] >= self._threshold

    def write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Write one line."""
        if LEVELS[level] < self._threshold:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6]
        parts = [f"{moment}Z", level.upper(), self.component, event]
        parts += [f"{key}={_shown(value)}" for key, value in fields.items()]
        self._stream.write(" ".join(parts) + "\n")
        self._stream.flush()


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if len(text) > VALUE_LIMIT:
        text = text[:VALUE_LIMIT] + "..."
    if not text or any(char in text for char in ' "=\n\r\t'):
        return json.dumps(text)
    return text


class _Bridge(logging.Handler):
    """Carries what libraries log into the component's log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        fields = {"message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        self._log.write(level, record.name, fields)


def adopt_libraries(log: Log) -> None:
    """Send the warnings of libraries to `log`."""
    root = logging.getLogger()
    root.handlers[:] = [_Bridge(log)]
    root.setLevel(logging.WARNING)
