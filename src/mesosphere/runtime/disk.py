"""Writes checkpoints: many at a time, and still in order as far as anybody can tell.

A durable write waits for the disk, and a disk does a dozen waits in the time of one. So what has
gathered while a batch was being written is the next batch, and its files are written side by side.
Invariants: what is reported is durable, and is reported in the order in which it was asked for;
writes to the same file, or to a tree and something in it, never are in one batch, except for
appends to one file, which become one write. A batch that fails in part fails for that part only.
"""

import asyncio
import errno
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mesosphere.runtime import files

AT_ONCE = 16
"""Files that are written side by side."""
BATCH_LIMIT = 256


class Job(NamedTuple):
    """A write, an append or, without data, a removal, where `is_kept` leaves it under another
    name; `done` hears what went wrong, or None."""

    path: str
    data: bytes | None
    is_append: bool
    done: Callable[[OSError | None], None]
    is_kept: bool = False


class Disk:
    """The checkpoints of one daemon. `make_room` may free space when there is none left."""

    def __init__(self, make_room: Callable[[], bool] | None = None) -> None:
        self._make_room = make_room
        self._making_room = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="disk")
        self._is_busy = False

    def put(self, job: Job) -> bool:
        """Queue a job; whether `run` must be started for it."""
        self._waiting.append(job)
        is_idle = not self._is_busy
        self._is_busy = True
        return is_idle

    async def run(self) -> None:
        """Work until nothing waits."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch = take_batch(self._waiting)
                work: dict[str, list[Job]] = {}
                for job in batch:
                    work.setdefault(job.path, []).append(job)
                results = await asyncio.gather(
                    *(loop.run_in_executor(self._threads, self._do, jobs) for jobs in work.values())
                )
                failures = dict(zip(work, results, strict=True))
                for job in batch:
                    job.done(failures[job.path])
        finally:
            self._is_busy = False

    def _do(self, jobs: list[Job]) -> OSError | None:
        try:
            self._write(jobs)
        except OSError as error:
            return error
        return None

    def _write(self, jobs: list[Job]) -> None:
        path, first = Path(jobs[0].path), jobs[0]
        if first.data is None:
            (files.set_checkpoint_aside if first.is_kept else files.remove_checkpoint)(path)
            return
        data = b"".join(job.data or b"" for job in jobs)
        write = files.append_checkpoint if first.is_append else files.write_checkpoint
        try:
            write(path, data)
        except OSError as error:
            if error.errno != errno.ENOSPC or self._make_room is None:
                raise
            with self._making_room:
                self._make_room()
                write(path, data)


def take_batch(waiting: deque[Job]) -> list[Job]:
    """The longest row of jobs from the front that may be done side by side."""
    batch: list[Job] = []
    touched: dict[str, Job] = {}
    above: dict[str, None] = {}
    while waiting and len(batch) < BATCH_LIMIT:
        job = waiting[0]
        parents = _parents(job.path)
        other = touched.get(job.path)
        if other is not None and not (job.is_append and other.is_append):
            break
        if job.data is None and job.path in above:
            break
        if any(each in touched and touched[each].data is None for each in parents):
            break
        touched[job.path] = job
        above.update(dict.fromkeys(parents))
        batch.append(waiting.popleft())
    return batch


def _parents(path: str) -> list[str]:
    found = []
    while (cut := path.rfind("/")) > 0:
        path = path[:cut]
        found.append(path)
    return found
