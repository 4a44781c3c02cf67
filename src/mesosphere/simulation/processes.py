"""What runs on a simulated host: containers, and the tasks that an executor runs in its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesosphere.simulation.executors import SimulatedExecutor

SIGTERM = 15
SIGKILL = 9
FAILED = 1 << 8


class Container:
    """One container, or a task of an executor; `status` is None while it runs."""

    def __init__(
        self,
        name: str,
        task: str,
        command: str,
        ports: tuple[int, ...],
        pid: int,
        environment: dict[str, str] | None = None,
        *,
        is_holder: bool = False,
        owner: "SimulatedExecutor | None" = None,
    ) -> None:
        self.name = name
        self.task = task
        self.command = command
        self.ports = ports
        self.pid = pid
        self.environment = environment or {}
        self.is_holder = is_holder  # of a pod: it does nothing
        self.owner = owner  # the executor whose task it is
        self.executor: SimulatedExecutor | None = None  # that runs in it
        self.is_started = False
        self.status: int | None = None
        self.is_gone = False
        self.is_ill = False

    @property
    def version(self) -> str:
        """Of the app, as its story says."""
        return self.environment.get("VERSION", "")

    @property
    def is_of_executor(self) -> bool:
        """Whether it holds a pod or runs an executor, and is no task itself."""
        return self.is_holder or self.command == EXECUTOR

    def tasks(self) -> list["Container"]:
        """The tasks that run in it, or are about to."""
        if self.executor is not None:
            return self.executor.living()
        return [] if self.is_of_executor or self.status is not None else [self]


EXECUTOR = "executor"
"""The command of a container in which a custom executor runs."""
