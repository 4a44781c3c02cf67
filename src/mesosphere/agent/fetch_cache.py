"""Files brought by URI, shared by the tasks of one user, least recently used out first.

Several fetchers work at once: whoever wants a URI holds one of a fixed number of locks, so it is
brought once and the others find it. A file that is evicted while somebody reads it stays readable
for them. What does not fit the cache is brought and not kept. Standard library only.
Source: "Mesos: fetcher cache" (apache/mesos docs/fetcher-cache-internals.md).
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LOCK_DIGITS = 3
"""Hexadecimal digits of a key that choose its lock: 4,096 locks."""


class FetchCache:
    """One directory, at most `limit_bytes` of it."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes
        for path in (directory, directory / "locks"):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def obtain(self, key: tuple[str, str], bring: Callable[[Path], None]) -> IO[bytes]:
        """The file of (user, URI), open; `bring` writes it to a path if it is not here yet."""
        name = hashlib.sha256(repr(key).encode()).hexdigest()
        data = self._directory / f"{name}.data"
        with self._locked(name[:LOCK_DIGITS]):
            with contextlib.suppress(FileNotFoundError):
                file = data.open("rb")
                os.utime(data)
                return file
            part = self._directory / f"{name}.part"
            try:
                bring(part)
                file = part.open("rb")
                with self._locked("all"):
                    if self._make_room(part.stat().st_size):
                        part.rename(data)
                return file
            finally:
                part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        descriptor = os.open(self._directory / "locks" / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_room(self, size_bytes: int) -> bool:
        """Evict until `size_bytes` fit; False if they never do."""
        if size_bytes > self._limit_bytes:
            return False
        files = []
        for path in self._directory.glob("*.data"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                files.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total + size_bytes <= self._limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        return True


def used_bytes(directory: Path) -> int:
    """How much the cache holds now."""
    total = 0
    for path in directory.glob("*.data"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def clear(directory: Path) -> None:
    """Forget everything: what an earlier life of the agent has brought may be old."""
    for path in (*directory.glob("*.data"), *directory.glob("*.part")):
        with contextlib.suppress(OSError):
            path.unlink()
