"""What is known of an extra container, in memory and on disk.

File below the work directory: `meta/containers/<name>/container.info`, JSON of our own, written
before the container is launched and again with its end. A session leaves none: it dies with its
connection, and so with the agent. Source: apache/mesos src/slave/containerizer/mesos/paths.hpp.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from mesosphere.agent.core.extra_life import ExtraPhase
from mesosphere.kernel.effects import AttachContainer
from mesosphere.kernel.seals import seal, unseal
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec
from mesosphere.wire.mesos.agent_operator import WaitContainer
from mesosphere.wire.mesos.commands import CommandInfo
from mesosphere.wire.mesos.containers import ContainerInfo
from mesosphere.wire.mesos.media import Media
from mesosphere.wire.mesos.resources import Resource, Scalar

ROOT = "meta/containers/"
FILE = "/container.info"


class ExtraOrder(msgspec.Struct):
    """What was asked for. `is_session`: it lives as long as the connection that launched it."""

    name: str
    command: CommandInfo
    container: ContainerInfo | None = None
    resources: list[Resource] = []
    limits: dict[str, Scalar] = {}
    is_session: bool = False

    @property
    def parent(self) -> str:
        """The name of the container that it is in; "" for a standalone one."""
        return self.name.rpartition(".")[0]

    @property
    def shares_limits(self) -> bool:
        """Whether it is held to its parent's limits and has none of its own."""
        linux = self.container.linux_info if self.container is not None else None
        return bool(self.parent) and (linux is None or linux.share_cgroups)


class ExtraFile(msgspec.Struct):
    """`container.info`."""

    order: ExtraOrder
    sandbox: str
    user: str | None
    framework_id: str
    executor_id: str
    launched_at: float
    termination: WaitContainer | None = None


class Waiter(NamedTuple):
    """A request that is told the end of a container, under the name of the call that asked."""

    request: str
    container: str
    call: str
    media: Media


class ExtraContainer(msgspec.Struct, eq=False):
    """An extra container. `request` waits for the answer to its launch; that of a session is the
    stream of its output. `waiting` are those who are told its end, once it is on disk.
    `stream` joins a session to its output."""

    file: ExtraFile
    durable: bool = True
    phase: ExtraPhase = ExtraPhase.LAUNCHING
    pid: int = 0
    request: str = ""
    stream: AttachContainer | None = None
    is_orphan: bool = False
    waiting: list[Waiter] = []

    @property
    def name(self) -> str:
        """The ids of its parents and its own, joined by dots."""
        return self.file.order.name

    @property
    def path(self) -> str:
        """Where its file is."""
        return f"{ROOT}{self.name}{FILE}"

    def encode(self) -> bytes:
        """The content of its file."""
        return seal(codec.encode(self.file))


def named_by(path: str) -> str:
    """The container whose file this is; "" if it is none."""
    if path.startswith(ROOT) and path.endswith(FILE):
        return path[len(ROOT) : -len(FILE)]
    return ""


def read_files(files: Mapping[str, bytes]) -> tuple[list[ExtraContainer], dict[str, str]]:
    """(extra containers, parents first; why others could not be read, by path)."""
    found, damaged = [], {}
    for path in sorted(files):
        name = named_by(path)
        if not name:
            continue
        try:
            file = codec.decode(unseal(files[path]), ExtraFile)
        except (WireError, ValueError) as error:
            damaged[path] = str(error)
            continue
        if file.order.name != name:
            damaged[path] = f"it speaks of {file.order.name}"
            continue
        phase = ExtraPhase.LAUNCHING if file.termination is None else ExtraPhase.ENDED
        found.append(ExtraContainer(file, phase=phase))
    return found, damaged
