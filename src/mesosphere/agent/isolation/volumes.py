"""Makes and removes the directories of persistent volumes.

What is removed is first put aside in one step that is durable, so that a volume is there or not
also after a crash, and then deleted.
A directory that is a mount of its own can't be put aside: it stays, and is emptied.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

ASIDE = "destroyed"
VOLUME_MODE = 0o755


def make_volumes(paths: Iterable[str]) -> dict[str, str]:
    """Make each directory that is not there; why some could not be, by path."""
    failed = {}
    for path in paths:
        try:
            Path(path).mkdir(parents=True, exist_ok=True, mode=VOLUME_MODE)
        except OSError as error:
            failed[path] = error.strerror or str(error)
    return failed


def put_aside(paths: Iterable[str]) -> tuple[list[Path], dict[str, str]]:
    """Take volumes out of sight: (what is to be deleted now, why some could not be, by path)."""
    doomed: list[Path] = []
    failed = {}
    for path in paths:
        place = Path(path)
        try:
            doomed += _put_aside(place)
        except OSError as error:
            failed[path] = error.strerror or str(error)
    return doomed, failed


def _put_aside(place: Path) -> list[Path]:
    if place.parent.parent.name != "roles" or place.is_mount():
        return list(place.iterdir()) if place.is_dir() else []
    aside = place.parents[2] / ASIDE
    if place.exists():
        aside.mkdir(exist_ok=True)
        place.rename(aside / f"{place.name[:200]}.{time.time_ns()}")
        _sync(place.parent)
        _sync(aside)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # the last of its role
    # What a crash has left there goes too.
    return list(aside.iterdir()) if aside.is_dir() else []


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def delete(doomed: Iterable[Path]) -> None:
    """Delete what was put aside."""
    for path in doomed:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(path)
