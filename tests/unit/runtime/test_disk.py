"""Checkpoints written many at a time."""

import asyncio
import errno
from collections import deque
from pathlib import Path

import pytest

from mesosphere.runtime import files
from mesosphere.runtime.disk import BATCH_LIMIT, Disk, Job, take_batch


def job(path: str, data: bytes | None = b"x", is_append: bool = False) -> Job:
    return Job(path, data, is_append, lambda error: None)


def batches(*jobs: Job) -> list[list[str]]:
    waiting = deque(jobs)
    found = []
    while waiting:
        found.append([each.path for each in take_batch(waiting)])
    return found


def test_files_of_their_own_are_written_side_by_side() -> None:
    assert batches(job("/a/1"), job("/a/2"), job("/b/1")) == [["/a/1", "/a/2", "/b/1"]]


def test_a_file_is_written_once_in_a_batch_and_appended_to_many_times() -> None:
    assert batches(job("/a"), job("/a")) == [["/a"], ["/a"]]
    assert batches(job("/a"), job("/a", is_append=True)) == [["/a"], ["/a"]]
    more = [job("/a", is_append=True) for _ in range(3)]
    assert batches(*more) == [["/a", "/a", "/a"]]


def test_a_tree_is_removed_after_what_was_written_in_it_and_before_what_comes() -> None:
    assert batches(job("/t/a"), job("/t", None), job("/t/b"), job("/u")) == [
        ["/t/a"], ["/t"], ["/t/b", "/u"],
    ]  # fmt: skip
    assert batches(job("/ta"), job("/t", None)) == [["/ta", "/t"]]


def test_a_batch_has_a_limit() -> None:
    sizes = [len(each) for each in batches(*(job(f"/{n}") for n in range(BATCH_LIMIT + 1)))]
    assert sizes == [BATCH_LIMIT, 1]


async def test_ends_are_told_in_order_and_appends_are_whole(tmp_path: Path) -> None:
    disk = Disk()
    told: list[tuple[int, OSError | None]] = []
    starts = []
    for number in range(300):
        path = str(tmp_path / f"{number % 7}" / "log")
        data = f"{number}\n".encode()
        done = lambda error, number=number: told.append((number, error))  # noqa: E731
        starts.append(disk.put(Job(path, data, True, done)))
    assert starts == [True, *[False] * 299]
    await disk.run()
    assert told == [(number, None) for number in range(300)]
    for rest in range(7):
        lines = (tmp_path / f"{rest}" / "log").read_text().split()
        assert lines == [str(number) for number in range(rest, 300, 7)]


async def test_what_fails_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    disk = Disk()
    told: dict[str, OSError | None] = {}
    for name in ("good", "file/bad", "fine"):
        disk.put(Job(str(tmp_path / name), b"x", False, lambda e, n=name: told.update({n: e})))
    await disk.run()
    assert told["good"] is None and told["fine"] is None
    assert isinstance(told["file/bad"], OSError)


async def test_a_job_that_comes_while_others_are_written_is_done_too(tmp_path: Path) -> None:
    disk = Disk()
    done = asyncio.Event()

    def more(error: OSError | None) -> None:
        assert not disk.put(Job(str(tmp_path / "two"), b"2", False, lambda error: done.set()))

    assert disk.put(Job(str(tmp_path / "one"), b"1", False, more))
    await disk.run()
    assert done.is_set() and (tmp_path / "two").read_bytes() == b"2"


async def test_a_full_disk_is_tried_again_after_room_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]
    write = files.write_checkpoint

    def refuse(path: Path, data: bytes) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "full")
        write(path, data)

    def make_room() -> bool:
        full[0] = False
        return True

    monkeypatch.setattr(files, "write_checkpoint", refuse)
    told: list[OSError | None] = []
    disk = Disk(make_room)
    for name in "abc":
        disk.put(Job(str(tmp_path / name), b"x", False, told.append))
    await disk.run()
    assert told == [None, None, None]
