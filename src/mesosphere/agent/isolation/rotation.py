"""Keeps the output files of a task small: `stdout` becomes `stdout.1`, that `stdout.2`, and so on.

Whoever writes goes on writing to the same open file and loses nothing. Where the file system can
cut a file's beginning out in one step (ext4, xfs), the beginning is copied to `stdout.1` and cut
out while the task writes at the end. Elsewhere the task is stopped for the moment that copying and
emptying the file takes. A line may begin in one file and end in the next.

The directory belongs to the task: nothing is followed through a link, and only the very file that
was opened for the task is touched. Standard library only.
"""

import contextlib
import ctypes
import os
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

FALLOC_FL_COLLAPSE_RANGE = 0x08
BLOCK_BYTES = 4096
COPY_BYTES = 1 << 20


class Policy(NamedTuple):
    """Rotate a file that has more than `size_bytes`, keeping `files` old ones."""

    size_bytes: int
    files: int


def identity(path: str) -> list[int]:
    """What tells the very file: device and inode."""
    facts = os.stat(path, follow_symlinks=False)
    return [facts.st_dev, facts.st_ino]


def is_due(path: str, policy: Policy) -> bool:
    """Whether a file has outgrown its size."""
    try:
        facts = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size > policy.size_bytes > 0


Pause = Callable[[], contextlib.AbstractContextManager[Any]]


def rotate(path: str, known: list[int], policy: Policy, pause: Pause) -> bool:
    """Rotate one output file; `pause()` stops its writers for a moment. Whether it was done."""
    directory, name = os.path.split(path)
    try:
        home = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        file = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=home)
    except OSError:
        os.close(home)
        return False
    try:
        facts = os.fstat(file)
        if [facts.st_dev, facts.st_ino] != known or not stat.S_ISREG(facts.st_mode):
            return False
        return _rotate_open(home, name, file, facts, policy, pause)
    except OSError:
        # A full disk, or a task that removes its sandbox: the next look tries again.
        return False
    finally:
        os.close(file)
        os.close(home)


def _rotate_open(
    home: int, name: str, file: int, facts: os.stat_result, policy: Policy, pause: Pause
) -> bool:
    # What is cut out must be whole blocks and less than the file.
    length = (facts.st_size - 1) // BLOCK_BYTES * BLOCK_BYTES
    if length > 0:
        _keep(home, name, file, length, facts, policy)
        if cut(file, length):
            return True
    with pause():
        size = os.fstat(file).st_size
        if length > 0 and policy.files > 0:
            _append(home, f"{name}.1", file, length, size)
        else:
            _keep(home, name, file, size, facts, policy)
        os.ftruncate(file, 0)
    return True


def cut(file: int, length: int) -> bool:
    """Take the first bytes out of a file, in one step with all writes; False where it can't be."""
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or library.fallocate
    start, count = ctypes.c_int64(0), ctypes.c_int64(length)
    return bool(call(file, FALLOC_FL_COLLAPSE_RANGE, start, count) == 0)


def _keep(
    home: int, name: str, file: int, length: int, facts: os.stat_result, policy: Policy
) -> None:
    """Copy the first `length` bytes to the old files, the newest part to `.1`."""
    size = max(policy.size_bytes, BLOCK_BYTES)
    starts = list(range(0, length, size))[-policy.files :] if policy.files > 0 else []
    for start in starts:
        _shift(home, name, policy.files)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        target = os.open(f"{name}.1", flags, 0o600, dir_fd=home)
        try:
            _copy(file, start, min(start + size, length), target)
            os.fchown(target, facts.st_uid, facts.st_gid)
            os.fchmod(target, stat.S_IMODE(facts.st_mode) & 0o666)
        except OSError:
            os.unlink(f"{name}.1", dir_fd=home)
            raise
        finally:
            os.close(target)


def _append(home: int, name: str, file: int, start: int, end: int) -> None:
    """What was written between a copy and a cut that was refused."""
    target = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, dir_fd=home)
    try:
        _copy(file, start, end, target)
    finally:
        os.close(target)


def _shift(home: int, name: str, files: int) -> None:
    for number in range(files - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            os.rename(f"{name}.{number}", f"{name}.{number + 1}", src_dir_fd=home, dst_dir_fd=home)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{name}.1", dir_fd=home)


def _copy(source: int, start: int, end: int, target: int) -> None:
    while start < end:
        data = os.pread(source, min(COPY_BYTES, end - start), start)
        if not data:
            return
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
        start += len(data)
