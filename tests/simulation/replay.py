"""Says how to see a failed seed again."""

from collections.abc import Iterator
from contextlib import contextmanager

from mesosphere.simulation.world import World

LINES = 60


@contextmanager
def told(world: World, options: str) -> Iterator[None]:
    """Print the end of the journal and the command that replays, whatever goes wrong inside."""
    is_over = False
    try:
        yield
        is_over = True
    finally:
        if not is_over:
            print("\n".join(list(world.journal)[-LINES:]))
            print(f"\nreplay: script/test simulation {options}")
