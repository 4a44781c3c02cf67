"""Files of a daemon: checkpoints, and files that clients read through HTTP.

A checkpoint is written aside, fsynced and renamed, so that a crash leaves the old or the new
content; an append is fsynced, and a reader ignores a torn last record. Served files follow Mesos's
`/files/*` and LIST_FILES / READ_FILE. Source: apache/mesos src/files/files.cpp.
"""

import errno
import grp
import os
import pwd
import shutil
import stat
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from mesosphere.kernel.effects import ServeFile
from mesosphere.kernel.http import Response, json_response, text_response
from mesosphere.wire.mesos import FileInfo, TimeInfo, answers, operator_base
from mesosphere.wire.mesos.media import Media

READ_LIMIT_BYTES = 16 * 4096
"""Bytes of one read, as in Mesos: 16 pages."""

PIECE_BYTES = 256 * 1024
"""Of a download, read at a time."""

LISTING_LIMIT = 10_000

ASIDE_LIMIT = 100
"""Damaged files of one name that are kept; the latest takes the place of the last."""


def write_checkpoint(path: Path, data: bytes) -> None:
    """Replace a file durably, its new directories with it. Raises OSError."""
    grown = _make_directory(path.parent)
    try:
        aside = path.with_name(f".{path.name}.writing")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(aside, path)
        _sync(path.parent)
    finally:
        _sync_all(grown)


def append_checkpoint(path: Path, data: bytes) -> None:
    """Add to the end of a file durably, its new directories with it. Raises OSError."""
    grown = _make_directory(path.parent)
    try:
        is_new = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        size = os.fstat(handle).st_size
        try:
            _write_all(handle, data)
            os.fdatasync(handle)
        except OSError:
            # A part of a record would spoil the one that is written after it.
            os.ftruncate(handle, size)
            raise
        finally:
            os.close(handle)
        if is_new:
            _sync(path.parent)
    finally:
        _sync_all(grown)


def remove_checkpoint(path: Path) -> None:
    """Remove a file or a tree; absent is fine. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def set_checkpoint_aside(path: Path) -> None:
    """Rename whatever lies at `path` to a name that is free; absent is fine. Raises OSError."""
    for number in range(1, ASIDE_LIMIT + 1):
        aside = path.with_name(f"{path.name}.damaged" + (f".{number}" if number > 1 else ""))
        if number == ASIDE_LIMIT or not os.path.lexists(aside):
            break
    if os.path.lexists(path):
        os.rename(path, aside)
        _sync(path.parent)


def _write_all(handle: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(handle, data[written:])


def _make_directory(path: Path) -> list[Path]:
    """Make a directory with its parents; those that have a new entry by it, deepest first."""
    grown = []
    missing = path
    while not missing.is_dir():
        grown.append(missing.parent)
        missing = missing.parent
    if grown:
        path.mkdir(parents=True, exist_ok=True)
    return grown


def _sync_all(directories: list[Path]) -> None:
    # Also when the write failed: another one may already count on these directories.
    for directory in directories:
        _sync(directory)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Download:
    """A file on its way, as long as it was when it was opened. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = _open(path)
        self.left_bytes = os.fstat(self._file.fileno()).st_size
        self.headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename={path.name}",
            "Content-Length": str(self.left_bytes),
        }

    def read(self) -> bytes:
        """The next piece; empty at the end, or when the file has shrunk. Raises OSError."""
        data = self._file.read(min(PIECE_BYTES, self.left_bytes))
        self.left_bytes -= len(data)
        return data

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def serve(effect: ServeFile) -> Response | Download:
    """The answer to a ServeFile."""
    path = Path(effect.path)
    try:
        if effect.action == "browse":
            return _browse(path, effect)
        if effect.action == "read":
            return _read(path, effect)
        return Download(path)
    except FileNotFoundError:
        return text_response(404, f"'{effect.shown}' was not found.\n")
    except (NotADirectoryError, IsADirectoryError, PermissionError) as error:
        return text_response(400, f"'{effect.shown}': {error.strerror}.\n")
    except OSError as error:
        return text_response(500, f"'{effect.shown}': {error.strerror}.\n")


def _browse(path: Path, effect: ServeFile) -> Response:
    if not path.is_dir():
        # Mesos lists a file as an empty directory.
        path.stat()
        entries: list[Path] = []
    else:
        entries = sorted(path.iterdir())[:LISTING_LIMIT]
    infos = [info for entry in entries if (info := _info(entry, effect)) is not None]
    if effect.media:
        files = [_file_info(shown, found) for shown, found in infos]
        body = operator_base.ListFiles(file_infos=files)
        return Media(effect.media).answer(answers.response("LIST_FILES", body))
    return json_response(200, [_shown_info(shown, found) for shown, found in infos])


def _info(entry: Path, effect: ServeFile) -> tuple[str, os.stat_result] | None:
    try:
        return f"{effect.shown.rstrip('/')}/{entry.name}", entry.stat()
    except OSError:
        return None  # gone meanwhile, or a dangling link


def _file_info(shown: str, found: os.stat_result) -> FileInfo:
    return FileInfo(
        path=shown,
        nlink=found.st_nlink,
        size=found.st_size,
        mtime=TimeInfo(nanoseconds=int(found.st_mtime) * 1_000_000_000),
        mode=found.st_mode,
        uid=_user(found.st_uid),
        gid=_group(found.st_gid),
    )


def _shown_info(shown: str, found: os.stat_result) -> dict[str, Any]:
    return {
        "path": shown,
        "nlink": found.st_nlink,
        "size": found.st_size,
        "mtime": int(found.st_mtime),
        "mode": stat.filemode(found.st_mode),
        "uid": _user(found.st_uid),
        "gid": _group(found.st_gid),
    }


def _open(path: Path) -> BinaryIO:
    """A regular file to read: nobody waits for the other end of a task's pipe. Raises OSError."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory")
    if path.exists() and not path.is_file():
        raise PermissionError(errno.EPERM, "no regular file")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(handle, "rb")


def _read(path: Path, effect: ServeFile) -> Response:
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = b""
        wanted = READ_LIMIT_BYTES if effect.length is None else effect.length
        if effect.offset >= 0:
            file.seek(effect.offset)
            data = file.read(min(wanted, READ_LIMIT_BYTES)) if wanted > 0 else b""
    if effect.media:
        body = operator_base.ReadFile(size=size, data=data)
        return Media(effect.media).answer(answers.response("READ_FILE", body))
    if effect.offset < 0:
        return json_response(200, {"data": "", "offset": size})
    return json_response(200, {"data": data.decode("utf-8", "replace"), "offset": effect.offset})


@cache
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
