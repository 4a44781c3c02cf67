"""The agent's own events: what its API asks of the machine and what its service measures."""

from typing import Any

from mesosphere.agent.core.extra_records import ExtraOrder
from mesosphere.kernel.events import Event
from mesosphere.wire.mesos.executor import Call
from mesosphere.wire.mesos.media import Media


class FileRequested(Event, frozen=True):
    """Serve a file or directory: `path` on disk, `shown` as the client named it."""

    request: str
    action: str
    path: str
    shown: str
    offset: int = -1
    length: int | None = None
    media: str = ""


class ExecutorCalled(Event, frozen=True):
    """A custom executor made a call of the executor API; `request` waits for the answer. `media` is
    what a stream that answers it is to be written in."""

    request: str
    call: Call
    media: Media = Media.JSON


class ContainerLaunchRequested(Event, frozen=True):
    """Launch an extra container; `request` hears whether it runs, or is the stream of a session,
    with these headers and written in `media`."""

    request: str
    order: ExtraOrder
    media: Media = Media.JSON
    headers: dict[str, str] = {}


class AttachRequested(Event, frozen=True):
    """Join a request to the `direction` ("input" or "output") of a container."""

    request: str
    container: str
    direction: str
    media: Media
    headers: dict[str, str] = {}


class ContainerWaitRequested(Event, frozen=True):
    """Tell how a container ends, under the name of the `call` that asked."""

    request: str
    container: str
    call: str
    media: Media = Media.JSON


class ContainerKillRequested(Event, frozen=True):
    """Signal a container."""

    request: str
    container: str
    signal: int


class ContainerRemoveRequested(Event, frozen=True):
    """Forget an extra container that has ended."""

    request: str
    container: str


class PruningRequested(Event, frozen=True):
    """Remove the images that no container has, but for those named."""

    request: str
    excluded: tuple[str, ...]


class ContainersMeasured(Event, frozen=True):
    """Resource statistics by container, how full the work directory's disk is (0 to 1), and
    metrics by name that only the service knows."""

    statistics: dict[str, dict[str, Any]]
    disk_used: float
    metrics: dict[str, float] = {}


class SupervisionFailed(Event, frozen=True):
    """The supervisor can't be started: without it no container can be run or found again."""

    reason: str
