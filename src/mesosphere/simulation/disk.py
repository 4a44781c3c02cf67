"""The files of a host: writes take a moment, in order; a crash loses those under way."""

from collections import deque
from collections.abc import Callable

from mesosphere.simulation.world import World


class _Write:
    def __init__(self, path: str, data: bytes, append: bool, done: Callable[[], None]) -> None:
        self.path = path
        self.data = data
        self.append = append
        self.done = done


class Disk:
    """Files by path."""

    def __init__(self, world: World) -> None:
        self.files: dict[str, bytes] = {}
        self._world = world
        self._queue: deque[_Write] = deque()
        self._life = 0

    def write(self, path: str, data: bytes, append: bool, done: Callable[[], None]) -> None:
        """Write durably, then call."""
        self._enqueue(_Write(path, data, append, done))

    def remove(self, path: str) -> None:
        """Remove a file or a tree, in its turn."""
        self._enqueue(_Write(path, b"", False, lambda: self._remove(path)))

    def set_aside(self, path: str) -> None:
        """Keep a file under another name, in its turn."""
        self._enqueue(_Write(path, b"", False, lambda: self._set_aside(path)))

    def _enqueue(self, write: _Write) -> None:
        self._queue.append(write)
        if len(self._queue) == 1:
            self._begin()

    def _begin(self) -> None:
        life = self._life
        self._world.at(self._world.between(0.0002, 0.003), lambda: self._finish(life))

    def _finish(self, life: int) -> None:
        if life != self._life:
            return
        write = self._queue.popleft()
        if write.data or write.append:
            self._put(write.path, write.data, write.append)
        if self._queue:
            self._begin()
        write.done()

    def _put(self, path: str, data: bytes, append: bool) -> None:
        self.files[path] = self.files.get(path, b"") + data if append else data

    def _remove(self, path: str) -> None:
        for name in list(self.files):
            if name == path or name.startswith(path + "/"):
                del self.files[name]

    def _set_aside(self, path: str) -> None:
        if path in self.files:
            self.files[path + ".damaged"] = self.files.pop(path)

    def crash(self) -> None:
        """Writes under way are lost; an appended record may be torn."""
        self._life += 1
        if self._queue:
            first = self._queue[0]
            if first.append and first.data and self._world.chance(0.5):
                torn = self._world.random.randrange(len(first.data))
                self._put(first.path, first.data[:torn], append=True)
        self._queue.clear()
