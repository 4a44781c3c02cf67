"""Reads the checkpoints of an earlier life, whatever has become of them.

What is not where it belongs (a directory in the place of a file, a link, a file that is too large
or that can't be read) is told by its path, and the rest is read.
"""

import os
import posixpath
import stat
from pathlib import Path
from typing import NamedTuple

from mesosphere.agent.core.checkpoint import LATEST, place, read_latest
from mesosphere.agent.core.extra_records import ROOT as EXTRAS
from mesosphere.agent.core.operations import COPY_PATH, PATH

FILE_LIMIT_BYTES = 64 * 1024 * 1024


class MetaTree(NamedTuple):
    """By path below the work directory: contents, and why there is none."""

    files: dict[str, bytes]
    unreadable: dict[str, str]


def read_meta(work_dir: Path) -> MetaTree:
    """The checkpoints of the latest agent of this directory.

    Reservations, volumes and standalone containers belong to the host: a new agent of this
    directory has them too.
    """
    tree = MetaTree({}, {})
    if not _is_fine(work_dir, "meta", tree):
        return tree
    for path in (PATH, COPY_PATH):
        if _is_fine(work_dir, posixpath.dirname(path), tree):
            _read(work_dir, path, "file", tree)
    _read(work_dir, EXTRAS.rstrip("/"), "directory", tree)
    if not _is_fine(work_dir, "meta/slaves", tree):
        return tree
    _read(work_dir, LATEST, "file", tree)
    try:
        agent_id = read_latest(tree.files.get(LATEST, b""))
    except ValueError:
        return tree
    if agent_id is not None:
        _read(work_dir, f"meta/slaves/{agent_id}", "directory", tree)
    return tree


def _is_fine(work_dir: Path, path: str, tree: MetaTree) -> bool:
    """Whether a directory is one, or is not there yet."""
    if not os.path.lexists(work_dir / path) or stat.S_ISDIR(os.lstat(work_dir / path).st_mode):
        return True
    tree.unreadable[path] = "is no directory"
    return False


def _read(work_dir: Path, path: str, wanted: str, tree: MetaTree) -> None:
    try:
        facts = os.lstat(work_dir / path)
        if wanted == "directory":
            if not stat.S_ISDIR(facts.st_mode):
                tree.unreadable[path] = "is no directory"
                return
            for name in sorted(os.listdir(work_dir / path)):
                below = f"{path}/{name}"
                if kind := place(below):
                    _read(work_dir, below, kind, tree)
        elif not stat.S_ISREG(facts.st_mode):
            tree.unreadable[path] = "is no regular file"
        elif facts.st_size > FILE_LIMIT_BYTES:
            tree.unreadable[path] = f"has more than {FILE_LIMIT_BYTES} bytes"
        else:
            tree.files[path] = (work_dir / path).read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        tree.unreadable[path] = error.strerror or str(error)
