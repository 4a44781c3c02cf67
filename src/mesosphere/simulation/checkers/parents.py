"""No run of a dependent job before each of its parents has ended well once."""

from mesosphere.simulation.node import Node
from mesosphere.simulation.processes import Container
from mesosphere.simulation.taps import Taps
from mesosphere.simulation.world import Violation


class Parents:
    """`parents` maps a job's name to those of its parents."""

    def __init__(self, taps: Taps, parents: dict[str, tuple[str, ...]]) -> None:
        self._parents = parents
        self._done: dict[str, int] = {}
        taps.on_launch.append(self.launched)
        taps.on_exit.append(self.ended)

    def ended(self, node: Node, container: Container) -> None:
        """A container has ended."""
        job = job_of(container.task)
        if job and container.status == 0:
            self._done[job] = self._done.get(job, 0) + 1

    def launched(self, node: Node, container: Container) -> None:
        """A container is made."""
        for parent in self._parents.get(job_of(container.task), ()):
            if not self._done.get(parent):
                raise Violation(f"{container.task} runs before {parent} ever succeeded")


def job_of(task_id: str) -> str:
    """The job of a task of Chronos (`ct:<ms>:<attempt>:<job>:<arguments>`), else ""."""
    parts = task_id.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "ct" else ""
