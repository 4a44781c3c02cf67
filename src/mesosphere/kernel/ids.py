"""Identifiers and jitter without randomness: drawn from a seed that the runtime gives.

The real runtime seeds from the operating system, the simulation from its one seed.
"""

import hashlib
import uuid


class IdSource:
    """A stream of unique identifiers and fractions, a pure function of its seed and a counter."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._count = 0

    def _draw(self) -> bytes:
        self._count += 1
        key = self._count.to_bytes(8, "big")
        return hashlib.blake2b(key, key=self._seed[:64], digest_size=16).digest()

    def uuid(self) -> str:
        """A version 4 UUID as text."""
        return str(uuid.UUID(bytes=self._draw(), version=4))

    def uuid_bytes(self) -> bytes:
        """16 raw bytes of a version 4 UUID, as Mesos's status updates carry it."""
        return uuid.UUID(bytes=self._draw(), version=4).bytes

    def fraction(self) -> float:
        """A number in [0, 1), for back-off jitter and shuffling."""
        return int.from_bytes(self._draw()[:6], "big") / (1 << 48)
