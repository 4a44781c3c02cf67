"""A simulated ZooKeeper: sessions with expiry, elections, and a store with versions.

Transactions are atomic and version-checked as in `kernel.store`; a lost connection leaves a
transaction in doubt (it may have been made), which is not the loss of a session: that comes when
the servers have not heard from a client for the session's time, and removes its candidacies.
"""

from collections.abc import Sequence

from mesosphere.kernel.store import (
    ABSENT,
    ANY,
    TRANSACTION_LIMIT_BYTES,
    TRANSACTION_LIMIT_WRITES,
    VALUE_LIMIT_BYTES,
    Check,
    Put,
    Remove,
    Write,
)

Entries = dict[str, tuple[bytes, int]]


class Refused(Exception):
    """A transaction certainly was not made."""


class SimulatedStore:
    """The nodes of one ensemble. Paths are absolute."""

    def __init__(self) -> None:
        self._nodes: Entries = {}

    def commit(self, root: str, writes: Sequence[Write]) -> dict[str, int]:
        """Make all writes or none; the new versions. Raises Refused."""
        _check_limits(writes)
        # Within one transaction a later write sees the earlier ones.
        changed: dict[str, tuple[bytes, int] | None] = {}
        versions: dict[str, int] = {}
        for write in writes:
            path = root + write.path
            found = changed[path] if path in changed else self._nodes.get(path)
            if isinstance(write, Check):
                _check(write.path, found, write.version)
            elif isinstance(write, Put):
                _check(write.path, found, write.version)
                version = 0 if found is None else found[1] + 1
                changed[path] = (write.data, version)
                versions[write.path] = version
            elif isinstance(write, Remove):
                self._check_remove(path, write, found, changed)
                changed[path] = None
        for path, value in changed.items():
            if value is None:
                self._nodes.pop(path, None)
            else:
                for parent in _parents(path):
                    self._nodes.setdefault(parent, (b"", 0))
                self._nodes[path] = value
        return versions

    def _check_remove(
        self,
        path: str,
        write: Remove,
        found: tuple[bytes, int] | None,
        changed: dict[str, tuple[bytes, int] | None],
    ) -> None:
        if found is None and write.version == ANY:
            return
        _check(write.path, found, write.version)
        below = path + "/"
        gone = {name for name, value in changed.items() if value is None}
        if any(name.startswith(below) and name not in gone for name in self._nodes):
            raise Refused(f"{write.path} has children")

    def has(self, path: str) -> bool:
        """Whether there is a node at an absolute path."""
        return path in self._nodes

    def load(self, root: str, path: str) -> Entries:
        """The node at a path and all below it, by path below the root."""
        top = (root + path).rstrip("/")
        found = {}
        for name in sorted(self._nodes):
            if name == top or name.startswith(top + "/"):
                found[name[len(root) :]] = self._nodes[name]
        return found


def _check(path: str, found: tuple[bytes, int] | None, version: int) -> None:
    if version == ABSENT:
        if found is not None:
            raise Refused(f"{path} exists")
    elif version != ANY and (found is None or found[1] != version):
        has = "is absent" if found is None else f"has version {found[1]}"
        raise Refused(f"{path} {has}, not version {version}")


def _check_limits(writes: Sequence[Write]) -> None:
    if len(writes) > TRANSACTION_LIMIT_WRITES:
        raise Refused(f"{len(writes)} writes in one transaction")
    sizes = [len(write.data) for write in writes if isinstance(write, Put)]
    if sum(sizes) > TRANSACTION_LIMIT_BYTES or any(size > VALUE_LIMIT_BYTES for size in sizes):
        raise Refused(f"{sum(sizes)} bytes in one transaction")
    for write in writes:
        if not write.path.startswith("/") or "//" in write.path or "\0" in write.path:
            raise Refused(f"'{write.path}' is not a path")


def _parents(path: str) -> list[str]:
    parts = path.strip("/").split("/")[:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


class Candidate:
    """A node of an election; the lowest sequence number leads."""

    def __init__(self, sequence: int, payload: bytes, session: int) -> None:
        self.sequence = sequence
        self.payload = payload
        self.session = session


class Elections:
    """Candidates by group."""

    def __init__(self) -> None:
        self._groups: dict[str, list[Candidate]] = {}
        self._sequence = 0

    def stand(self, group: str, payload: bytes, session: int) -> None:
        """Add a candidate, unless the session has one."""
        members = self._groups.setdefault(group, [])
        if any(member.session == session for member in members):
            return
        self._sequence += 1
        members.append(Candidate(self._sequence, payload, session))

    def withdraw(self, session: int, group: str | None = None) -> list[str]:
        """Remove the candidates of a session; the groups that changed."""
        changed = []
        for name, members in self._groups.items():
            if group is not None and name != group:
                continue
            kept = [member for member in members if member.session != session]
            if len(kept) != len(members):
                self._groups[name] = kept
                changed.append(name)
        return changed

    def leader(self, group: str) -> Candidate | None:
        """Who leads."""
        members = self._groups.get(group)
        return members[0] if members else None

    def is_leader(self, session: int) -> bool:
        """Whether a session leads a group."""
        return any(members and members[0].session == session for members in self._groups.values())
