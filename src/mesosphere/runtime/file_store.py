"""A store in a directory: a log of transactions, and a snapshot when the log has grown.

Files: `snapshot.<n>` holds all nodes at the time that `log.<n>` was begun; each transaction is one
log record `length crc32 body`. A commit is durable when its record is fsynced; a torn record at the
end (a crash while writing) is cut off at the next start. Older pairs are removed. Crashing between
any two system calls leaves either the state before or the state after.

What no crash can explain is damage: a snapshot or its log that is not whole, a broken record with
whole ones behind it. Then the store does not open and touches nothing, for what was acknowledged
would be lost without a word.
"""

import asyncio
import contextlib
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mesosphere.kernel.store import ABSENT, ANY, Check, Put, Remove, Write
from mesosphere.runtime.store import Entries, StoreInDoubt, StoreRefused, check_limits, parents_of

COMPACT_BYTES = 16 * 1024 * 1024
"""A log of this size is replaced by a snapshot when it is also four times the snapshot's size."""

_HEADER = struct.Struct(">II")


class StoreDamaged(ValueError):
    """A file of the store is not as any crash could have left it."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(
            f"{path} {fault}; nothing was changed: restore {path.parent} from a backup,"
            " or move it away to begin with nothing"
        )


Change = tuple[str, bytes | None, int]  # path, data (None: removed), new version


class FileStore:
    """See the module. Not for two processes at once: the daemon locks the directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._nodes: Entries = {}
        self._number = 0
        self._compact_at = COMPACT_BYTES
        self._aside = directory / "snapshot.writing"
        self._lock = asyncio.Lock()
        self._broken = False
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._recover()

    async def commit(self, writes: Sequence[Write]) -> dict[str, int]:
        """See `store.Store`."""
        check_limits(writes)
        async with self._lock:
            if self._broken:
                raise StoreInDoubt("an earlier write to the store's log failed")
            changes = plan_changes(self._nodes, writes)
            try:
                await asyncio.to_thread(self._append, changes)
            except OSError as error:
                # What reached the disk is unknown until the next start reads it.
                self._broken = True
                raise StoreInDoubt(f"{self._directory}: {error.strerror}") from error
            apply_changes(self._nodes, changes)
            if self._log_bytes > self._compact_at:
                await asyncio.to_thread(self._compact)
        put = {write.path for write in writes if isinstance(write, Put)}
        return {
            path: version for path, data, version in changes if path in put and data is not None
        }

    async def load(self, path: str) -> Entries:
        """See `store.Store`."""
        return read_below(self._nodes, path)

    async def close(self) -> None:
        """See `store.Store`."""
        async with self._lock:
            os.close(self._log)

    def _append(self, changes: list[Change]) -> None:
        body = msgspec.msgpack.encode(changes)
        record = _HEADER.pack(len(body), zlib.crc32(body)) + body
        written = 0
        while written < len(record):
            written += os.write(self._log, record[written:])
        os.fdatasync(self._log)
        self._log_bytes += len(record)

    def _recover(self) -> None:
        self._number = max(self._numbers("snapshot"), default=0)
        for number in self._numbers("log"):
            # A crash may leave the next log, but nothing is in it before its snapshot is there.
            if number > self._number and (self._directory / f"log.{number}").stat().st_size:
                raise StoreDamaged(self._directory / f"snapshot.{number}", "is missing")
        if self._number:
            path = self._directory / f"snapshot.{self._number}"
            self._nodes = _read_snapshot(path)
            self._compact_at = max(COMPACT_BYTES, 4 * path.stat().st_size)
        path = self._directory / f"log.{self._number}"
        if self._number and not path.exists():
            raise StoreDamaged(path, "is missing")
        whole = _replay(path, self._nodes)
        self._log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        os.ftruncate(self._log, whole)
        os.fsync(self._log)
        self._log_bytes = whole
        _sync_directory(self._directory)
        self._remove_older()

    def _numbers(self, kind: str) -> list[int]:
        entries = self._directory.glob(f"{kind}.*[0-9]")
        return sorted(int(entry.name.split(".")[1]) for entry in entries)

    def _compact(self) -> None:
        number = self._number + 1
        try:
            log, size = self._prepare(number)
        except OSError:
            # The log is whole as it is: a full disk only puts this off.
            self._compact_at = self._log_bytes + COMPACT_BYTES
            return
        try:
            os.rename(self._aside, self._directory / f"snapshot.{number}")
            _sync_directory(self._directory)
        except OSError:
            # Which of the two pairs counts is unknown until the next start reads them.
            self._broken = True
            os.close(log)
            return
        os.close(self._log)
        self._log, self._number = log, number
        self._log_bytes, self._compact_at = 0, max(COMPACT_BYTES, 4 * size)
        self._remove_older()

    def _prepare(self, number: int) -> tuple[int, int]:
        """Write a snapshot aside and begin its log: (the log, the snapshot's bytes)."""
        body = msgspec.msgpack.encode(self._nodes)
        with self._aside.open("wb") as file:
            file.write(_HEADER.pack(zlib.crc32(body), 0) + body)
            file.flush()
            os.fsync(file.fileno())
        path = self._directory / f"log.{number}"
        log = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        try:
            _sync_directory(self._directory)
        except OSError:
            os.close(log)
            raise
        return log, len(body)

    def _remove_older(self) -> None:
        kept = (f"log.{self._number}", f"snapshot.{self._number}")
        for entry in sorted(self._directory.iterdir()):
            if entry.name.split(".")[0] in ("log", "snapshot") and entry.name not in kept:
                with contextlib.suppress(OSError):  # the next start tries again
                    entry.unlink()


def plan_changes(nodes: Entries, writes: Sequence[Write]) -> list[Change]:
    """What a transaction changes, parents made as needed. Raises StoreRefused."""
    changes: list[Change] = []
    seen: dict[str, int | None] = {}  # versions within this transaction; None: removed

    def version_of(path: str) -> int | None:
        if path in seen:
            return seen[path]
        return nodes[path][1] if path in nodes else None

    for write in writes:
        version = version_of(write.path)
        if isinstance(write, Check):
            if (version is None) != (write.version == ABSENT) or (
                version is not None and version != write.version
            ):
                raise StoreRefused(f"{write.path} has version {version}, not {write.version}")
        elif isinstance(write, Put):
            _check_version(write.path, version, write.version)
            if version is None:
                for parent in parents_of(write.path):
                    if version_of(parent) is None:
                        changes.append((parent, b"", 0))
                        seen[parent] = 0
            new = 0 if version is None else version + 1
            changes.append((write.path, write.data, new))
            seen[write.path] = new
        elif isinstance(write, Remove):
            if version is None:
                if write.version != ANY:
                    raise StoreRefused(f"{write.path} is absent")
                continue
            _check_version(write.path, version, write.version)
            below = write.path + "/"
            if any(
                path.startswith(below) and version_of(path) is not None for path in (*nodes, *seen)
            ):
                raise StoreRefused(f"{write.path} has children")
            changes.append((write.path, None, 0))
            seen[write.path] = None
    return changes


def _check_version(path: str, version: int | None, expected: int) -> None:
    if expected == ANY:
        return
    if expected == ABSENT:
        if version is not None:
            raise StoreRefused(f"{path} exists with version {version}")
    elif version != expected:
        raise StoreRefused(f"{path} has version {version}, not {expected}")


def apply_changes(nodes: Entries, changes: Sequence[Change]) -> None:
    """Make planned changes in memory."""
    for path, data, version in changes:
        if data is None:
            nodes.pop(path, None)
        else:
            nodes[path] = (data, version)


def read_below(nodes: Entries, path: str) -> Entries:
    """The node at `path` and all below it."""
    root = path.rstrip("/")
    below = root + "/"
    return {name: node for name, node in nodes.items() if name == root or name.startswith(below)}


def _read_snapshot(path: Path) -> Entries:
    data = path.read_bytes()
    body = data[_HEADER.size :]
    if len(data) < _HEADER.size or zlib.crc32(body) != _HEADER.unpack_from(data)[0]:
        raise StoreDamaged(path, "is not what was written")
    return msgspec.msgpack.decode(body, type=Entries)


def _replay(path: Path, nodes: Entries) -> int:
    """Apply the whole records of a log; returns the length of its sound part."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    position = 0
    while (body := _record_at(data, position)) is not None:
        apply_changes(nodes, msgspec.msgpack.decode(body, type=list[Change]))
        position += _HEADER.size + len(body)
    # Each record is durable before the next is begun: only the last can be torn.
    if any(_record_at(data, later) is not None for later in range(position + 1, len(data))):
        raise StoreDamaged(path, f"is broken at byte {position}, with whole records behind it")
    return position


def _record_at(data: bytes, position: int) -> bytes | None:
    """The body of the whole record at a position; zeros, as a crash may leave them, are none."""
    start = position + _HEADER.size
    if start > len(data):
        return None
    length, crc = _HEADER.unpack_from(data, position)
    if not 0 < length <= len(data) - start:
        return None
    body = data[start : start + length]
    return body if zlib.crc32(body) == crc else None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
