"""Writes of a store transaction. The stores themselves are in `runtime` and `simulation`.

Paths are absolute and slash-separated ("/mesos-registry/agents/07"), relative to the store's root.
Versions count from 0 at creation as ZooKeeper's do. Parents of a created node are made as needed.
Limits: a value has at most 1,000,000 bytes, a transaction at most 1,000,000 and 2,000 writes.
"""

import msgspec

ANY = -1
"""Version of a write that does not care what is there."""

ABSENT = -2
"""Version of a `Put` that must create the node."""

VALUE_LIMIT_BYTES = 1_000_000
TRANSACTION_LIMIT_BYTES = 1_000_000
TRANSACTION_LIMIT_WRITES = 2_000


class Write(msgspec.Struct, frozen=True, gc=False):
    """Base of the writes of a transaction."""

    path: str


class Put(Write, frozen=True):
    """Set a node. `version`: expected current version, ABSENT, or ANY (create or replace)."""

    data: bytes
    version: int = ANY


class Remove(Write, frozen=True):
    """Remove a node without children. `version`: expected, or ANY (absent is then fine)."""

    version: int = ANY


class Check(Write, frozen=True):
    """Refuse the transaction unless the node has this version (or is ABSENT)."""

    version: int
