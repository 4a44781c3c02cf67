"""Identifiers and jitter without randomness: drawn from a seed that the runtime gives.

The real runtime seeds from the operating system, the simulation from its one seed.
"""

import hashlib
import re
import uuid

ID_LIMIT = 255


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


def check_id(value: str, what: str) -> str | None:
    """An id that becomes a directory on an agent."""
    if not value:
        return f"{what} must not be empty"
    if len(value) > ID_LIMIT:
        return f"{what} must not be longer than {ID_LIMIT} characters"
    if value in (".", ".."):
        return f"'{value}' is disallowed as {what}"
    if re.search(r"[\x00-\x1f\x7f/\\]", value):
        return f"'{value}' contains invalid characters"
    return None
