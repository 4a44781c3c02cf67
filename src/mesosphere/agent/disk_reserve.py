"""Holds back a piece of the work directory's disk, so that a full one does not stop the agent.

Tasks fill disks. What the agent has promised must still be written: the reserve is given up for the
first write that finds no room, and taken again once there is plenty.
"""

import contextlib
import os
from pathlib import Path

NAME = ".reserve"
PLENTY = 2
"""The reserve is taken again when so many times its size is free beside it."""


class DiskReserve:
    """One file of `size_bytes`; 0 turns all of it off."""

    def __init__(self, work_dir: Path, size_bytes: int) -> None:
        self._path = work_dir / NAME
        self._size_bytes = size_bytes

    @property
    def is_held(self) -> bool:
        """Whether it is there to be given up."""
        return self._path.exists()

    def hold(self) -> bool:
        """Take the reserve if the disk has plenty; whether it is held now."""
        if self._size_bytes <= 0:
            return False
        if self.is_held:
            return True
        try:
            facts = os.statvfs(self._path.parent)
            if facts.f_bavail * facts.f_frsize < (PLENTY + 1) * self._size_bytes:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        except OSError:
            self.release()
            return False
        finally:
            os.close(descriptor)
        return True

    def release(self) -> bool:
        """Give it up; whether there was anything to give."""
        with contextlib.suppress(OSError):
            self._path.unlink()
            return True
        return False
