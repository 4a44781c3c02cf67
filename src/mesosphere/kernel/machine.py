"""What a daemon's core is: a machine that turns events into effects.

A machine owns its state. It does no IO, reads no clock (`now` is given: wall-clock seconds since
1970, never decreasing within a process), and draws no random number (it is built with an
`ids.IdSource`). The same events with the same times give the same effects, on any host and under
any PYTHONHASHSEED: cores never iterate a set.
"""

from typing import Protocol

from mesosphere.kernel.effects import Effect
from mesosphere.kernel.events import Event


class Machine(Protocol):
    """The interface that both runtimes drive."""

    def start(self, now: float) -> list[Effect]:
        """Called once, first."""

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event. An event type that the machine does not know is an error of ours."""


class Broken(AssertionError):
    """An invariant of ours does not hold. `story` tells the history of the object concerned."""

    def __init__(self, what: str, story: tuple[str, ...] = ()) -> None:
        super().__init__(what if not story else what + "; story: " + " -> ".join(story))
        self.story = story


def ensure(condition: bool, what: str, story: tuple[str, ...] = ()) -> None:
    """Assert an invariant; stays on in production. The runtime ends the process on Broken."""
    if not condition:
        raise Broken(what, story)
