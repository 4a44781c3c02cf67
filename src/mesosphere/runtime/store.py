"""What a store is, for the runtime. Implementations: `file_store`, `zookeeper`, and the simulated.

One contract suite (`tests/integration/test_store_contract.py`) holds all of them to it.
"""

from collections.abc import Sequence
from typing import Protocol

from mesosphere.kernel.store import (
    TRANSACTION_LIMIT_BYTES,
    TRANSACTION_LIMIT_WRITES,
    VALUE_LIMIT_BYTES,
    Put,
    Write,
)


class StoreRefused(Exception):
    """A transaction certainly was not made: a version did not fit, or a limit was passed."""


class StoreInDoubt(Exception):
    """A transaction may have been made: the connection broke before the answer."""


Entries = dict[str, tuple[bytes, int]]


class Store(Protocol):
    """Durable nodes by path with versions."""

    async def commit(self, writes: Sequence[Write]) -> dict[str, int]:
        """Make all writes or none; the new version of each path put.

        Raises StoreRefused or StoreInDoubt.
        """

    async def load(self, path: str) -> Entries:
        """The node at `path` and all below it: path -> (data, version). Raises StoreInDoubt."""

    async def close(self) -> None:
        """Let go of files and connections."""


def check_limits(writes: Sequence[Write]) -> None:
    """Refuse what no store takes. Raises StoreRefused."""
    if len(writes) > TRANSACTION_LIMIT_WRITES:
        raise StoreRefused(f"{len(writes)} writes in one transaction")
    size = 0
    for write in writes:
        if not write.path.startswith("/") or "//" in write.path or "\0" in write.path:
            raise StoreRefused(f"'{write.path}' is not a path")
        if isinstance(write, Put):
            if len(write.data) > VALUE_LIMIT_BYTES:
                raise StoreRefused(f"{write.path} has {len(write.data)} bytes")
            size += len(write.data)
    if size > TRANSACTION_LIMIT_BYTES:
        raise StoreRefused(f"{size} bytes in one transaction")


def parents_of(path: str) -> list[str]:
    """Every proper ancestor of a path but the root, the topmost first."""
    parts = path.strip("/").split("/")[:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
