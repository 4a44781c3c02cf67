"""Looks after the output files of one container for the supervisor. Standard library only.

A container's record holds `rotation` ({path: [bytes, files]}), `outputs` ({path: identity of the
file}), with control groups `freezer` ([file, text that stops, text that lets go, text read once
all is stopped]), and `switchboard` ([pid, start]) if that is who writes the files.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.processes import start_time
from mesosphere.agent.isolation.rotation import Policy, identity, is_due, rotate

FREEZE_S = 0.2
"""Longest wait for a group to be stopped; then the rotation goes on all the same."""


def identify(rotation: dict[str, list[int]]) -> dict[str, list[int]]:
    """The files as they are now, before the task can replace them; absent ones are made."""
    found = {}
    for path in rotation:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        os.close(descriptor)
        found[path] = identity(path)
    return found


def look(record: dict[str, Any], processes: Callable[[], list[int]]) -> None:
    """Rotate what is due."""
    for path, (size, files) in (record.get("rotation") or {}).items():
        policy = Policy(size, files)
        if is_due(path, policy):
            known = (record.get("outputs") or {}).get(path, [])
            board = record.get("switchboard")
            if board is not None:
                pause = partial(paused, None, partial(_living, *board))
            else:
                pause = partial(paused, record.get("freezer"), processes)
            rotate(path, known, policy, pause)


def _living(pid: int, start: int | None) -> list[int]:
    return [pid] if start is not None and start_time(pid) == start else []


@contextlib.contextmanager
def paused(freezer: list[str] | None, processes: Callable[[], list[int]]) -> Iterator[None]:
    """Nothing that writes runs meanwhile."""
    if freezer:
        with _frozen(*freezer):
            yield
        return
    stopped = processes()
    _send(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(stopped, signal.SIGCONT)


@contextlib.contextmanager
def _frozen(path: str, stop: str, go: str, stopped: str) -> Iterator[None]:
    state = Path(path)
    told = Path(path.removesuffix("freeze") + "events") if path.endswith(".freeze") else state
    try:
        with contextlib.suppress(OSError):
            state.write_text(stop)
            until = time.monotonic() + FREEZE_S
            while stopped not in told.read_text() and time.monotonic() < until:
                time.sleep(0.001)
        yield
    finally:
        with contextlib.suppress(OSError):
            state.write_text(go)


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
